/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_reflect.c: who is answered by the reflector, with what, how often; and above all who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"
#include "udp.h"

enum { PORT = 8719, PAYLOAD = 64 };

static uint8_t payload[PAYLOAD] = "PLT\1sessSEQUENCE";

static struct lab_packet probe(void)
{
	return (struct lab_packet){
		.port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = ip_v4(10, 137, 0, 5), .to = ip_v4(10, 0, 0, 2),
		.proto = PROTO_UDP, .ttl = 9, .sport = 4000, .dport = PORT, .payload = payload, .payload_len = PAYLOAD,
	};
}

static struct lab *lab_with(const char *request)
{
	char all[512];
	struct lab *l = lab_new(64);
	lab_answer(l, request, all, sizeof(all));
	assert_non_null(strstr(all, "\"type\":\"reflect\""));
	return l;
}

static bool is_answer(const struct lab *l, struct frame *f)
{
	struct packet p;
	if (!f || pkt_parse(f, &p) != DROP_NONE || p.class != PKT_UDP)
		return false;
	struct cursor c = udp_payload(&p);
	assert_true(f->port == 1 && p.tuple.sport == PORT && p.tuple.dport == 4000);
	assert_true(ip_eq(p.tuple.src, ip_v4(10, 0, 0, 2)) && ip_eq(p.tuple.dst, ip_v4(10, 137, 0, 5)));
	assert_true(mac_eq(pkt_eth(&p)->dst, LAB_C1_MAC) && mac_eq(pkt_eth(&p)->src, LAB_FW_MAC));
	assert_true(pkt_l4_sum_ok(&p) && p.ttl == 64 && c.left == PAYLOAD && c.at[3] == 2);
	assert_memory_equal(c.at + 4, payload + 4, PAYLOAD - 4);
	assert_int_equal(l->fw.reflect.port, PORT);
	return true;
}

/* One packet; whether it was answered as a probe. */
static bool answered(struct lab *l, const struct lab_packet *p)
{
	uint64_t before = l->fw.reflect.answered;
	struct frame *f = lab_send(l, p);
	bool yes = is_answer(l, f);
	if (f)
		lab_give(l, f);
	assert_int_equal(l->fw.reflect.answered - before, yes);
	assert_true(lab_conserved(l));
	return yes;
}

static void probes_come_back(void **state)
{
	struct lab *l = lab_with("latency reflect 8719");
	struct lab_packet p = probe();
	(void)state;
	assert_true(answered(l, &p));
	lab_free(l);
}

static void all_else_does_not(void **state)
{
	static uint8_t reply[PAYLOAD] = "PLT\2", other[PAYLOAD] = "PLU\1";
	struct lab *l = lab_with("latency reflect 8719");
	struct lab_packet bad[] = { probe(), probe(), probe(), probe(), probe(), probe(), probe(), probe(), probe(), probe() };
	(void)state;
	bad[0].payload = reply; /* or two reflectors would never end */
	bad[1].payload = other;
	bad[2].payload_len = 15;
	bad[3].dport = PORT + 1;
	bad[4].proto = PROTO_TCP;
	bad[4].flags = TCP_SYN;
	bad[5].fragment = IPV4_MF;
	bad[6].to = ip_v4(198, 51, 100, 1); /* not ours */
	bad[7].from = ip_v4(10, 137, 0, 6); /* another's */
	bad[8].port = PORT_UPLINK;
	bad[8].src = LAB_GW_MAC;
	bad[8].dst = LAB_UP_MAC;
	bad[8].from = ip_v4(198, 51, 100, 1);
	bad[9].to = ip_v4(255, 255, 255, 255);
	for (size_t i = 0; i < array_len(bad); i++)
		if (answered(l, &bad[i]))
			fail_msg("row %zu was answered", i);
	struct lab_packet p = probe();
	struct frame *f = lab_frame(l, &p);
	f->data[f->len - 1] ^= 1; /* its checksum is wrong now */
	fw_input(&l->fw, &f, 1, l->now_ns);
	assert_int_equal(l->fw.reflect.answered, 0);
	lab_free(l);
}

static void off_is_off(void **state)
{
	char all[512];
	struct lab *l = lab_with("latency reflect");
	struct lab_packet p = probe();
	(void)state;
	assert_false(answered(l, &p));
	lab_free(l);
	l = lab_with("latency reflect 8719");
	assert_true(answered(l, &p));
	lab_answer(l, "latency reflect off", all, sizeof(all));
	assert_non_null(strstr(all, "\"port\":0,\"answered\":1,"));
	assert_false(answered(l, &p));
	static const char *const wrong[] = { "latency reflect 0", "latency reflect 65536", "latency reflect on",
					     "latency reflect 8719 x", "latency reflect " };
	for (size_t i = 0; i < array_len(wrong); i++) {
		lab_answer(l, wrong[i], all, sizeof(all));
		assert_non_null(strstr(all, "\"error\""));
		assert_int_equal(l->fw.reflect.port, 0);
	}
	lab_free(l);
}

/* One that asks for more than its share waits; the other client does not notice. */
static void rate_is_bounded(void **state)
{
	struct lab *l = lab_with("latency reflect 8719");
	struct lab_packet p = probe();
	uint32_t n = 0;
	(void)state;
	for (int i = 0; i < 3 * REFLECT_BURST; i++)
		n += answered(l, &p);
	assert_int_equal(n, REFLECT_BURST);
	assert_int_equal(l->fw.reflect.limited, 2 * REFLECT_BURST);
	lab_after(l, 1000000000 / REFLECT_PER_S * 10);
	for (int i = 0; i < REFLECT_BURST; i++)
		n += answered(l, &p);
	assert_in_range(n, REFLECT_BURST + 9, REFLECT_BURST + 11);
	struct lab_packet second = probe();
	second.port = 2;
	second.src = LAB_C2_MAC;
	second.from = ip_v4(10, 137, 0, 6);
	struct frame *f = lab_send(l, &second);
	assert_non_null(f);
	assert_int_equal(f->port, 2);
	lab_give(l, f);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_come_back),
		cmocka_unit_test(all_else_does_not),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(rate_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
