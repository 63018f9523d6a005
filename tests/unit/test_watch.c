/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_watch.c: what is seen of packets is what they were and what became of them, and no more is kept than fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lab_assert.h"
#include "watch.h"

static const uint64_t SECOND = 1000000000;

static const char *const rules[] = { "action=drop dst4=198.51.100.7/32", "action=accept proto=udp", NULL };

static struct lab_bench *bench_new(void)
{
	struct lab_bench *b = lab_bench_new();
	b->lab->fw.watch = watch_new(&b->arena);
	assert_non_null(b->lab->fw.watch);
	lab_rules(b->lab, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	return b;
}

static const struct lab_packet usual = {
	.port = 1, .proto = PROTO_UDP, .sport = 40000, .dport = 53, .payload = "what was sent", .payload_len = 13,
};

static struct lab_packet client_packet(struct ip_addr to)
{
	struct lab_packet p = usual;
	p.src = LAB_C1_MAC;
	p.dst = LAB_FW_MAC;
	p.from = ip_v4(10, 137, 0, 5);
	p.to = to;
	return p;
}

static struct lab_packet world_packet(uint16_t dport)
{
	struct lab_packet p = usual;
	p.port = PORT_UPLINK;
	p.src = LAB_GW_MAC;
	p.dst = LAB_UP_MAC;
	p.from = ip_v4(192, 0, 2, 1);
	p.to = ip_v4(10, 0, 0, 2);
	p.sport = 53;
	p.dport = dport;
	return p;
}

/* What went in and came out, against what the one record kept of it. */
static void send_and_compare(struct lab_bench *b, const struct lab_packet *p)
{
	struct watch_session *s = &b->lab->fw.watch->session[0];
	struct watch_record r;
	uint8_t in[2048], kept[4096];
	struct frame *f = lab_frame(b->lab, p);
	uint32_t len = f->len;
	memcpy(in, f->data, len);
	fw_input(&b->lab->fw, &f, 1, b->lab->now_ns);
	struct frame *out = lab_take(b->lab);
	assert_true(watch_peek(s, &r));
	assert_int_equal(r.in_port, p->port);
	assert_int_equal(r.in_len, len);
	assert_int_equal(r.in_bytes, len);
	assert_int_equal(r.out_len, out ? out->len : 0);
	watch_bytes(s, 0, kept, r.in_bytes + r.out_bytes);
	assert_memory_equal(kept, in, len);
	if (out) {
		assert_int_equal(r.out_port, out->port);
		assert_memory_equal(kept + len, out->data, out->len);
	}
	lab_give(b->lab, out);
	watch_pop(s);
	assert_false(watch_peek(s, &r));
}

static void test_both_sides(void **state)
{
	struct lab_bench *b = bench_new();
	struct lab_packet p = client_packet(ip_v4(192, 0, 2, 1));
	(void)state;
	assert_says(b, "watch start 2000 0 0", "\"state\":\"runs\"");
	send_and_compare(b, &p);
	p = world_packet(40000);
	send_and_compare(b, &p);
	p = client_packet(ip_v4(198, 51, 100, 7));
	send_and_compare(b, &p); /* the way out is its ICMP answer */
	p = world_packet(1);
	send_and_compare(b, &p);
	assert_true(lab_conserved(b->lab));
	lab_bench_free(b);
}

static void test_words(void **state)
{
	static const struct { uint8_t last; uint16_t sport; const char *parts[4]; } cases[] = {
		{ 1, 40000, { "\"fate\":\"passed\",\"in_port\":1", "\"out_port\":0", "\"to_src\":\"10.0.0.2\"",
			      "\"flow\":\"opened\",\"state\":\"unreplied\",\"direction\":\"orig\","
			      "\"client\":\"10.137.0.5\",\"rule\":1" } },
		{ 1, 40000, { "\"flow\":\"found\"", "\"next_hop\":\"10.0.0.1\"", "\"proto\":\"udp\"", "\"sport\":40000" } },
		{ 7, 40001, { "\"fate\":\"dropped\",\"reason\":\"rule\"", "\"out_port\":1", "\"rule\":0", "\"flow\":\"none\"" } },
	};
	struct lab_bench *b = bench_new();
	(void)state;
	lab_ask(b, "watch start 0 0 0");
	for (size_t i = 0; i < array_len(cases); i++) {
		struct lab_packet p = client_packet(cases[i].last == 7 ? ip_v4(198, 51, 100, 7) : ip_v4(192, 0, 2, 1));
		p.sport = cases[i].sport;
		lab_give(b->lab, lab_send(b->lab, &p));
		lab_ask(b, "watch read 1");
		for (size_t k = 0; k < 4; k++)
			if (!strstr(b->all, cases[i].parts[k]))
				fail_msg("%zu: no %s in\n%s", i, cases[i].parts[k], b->all);
	}
	lab_bench_free(b);
}

/* The first to a neighbour waits, and is told of again when it goes. */
static void test_held(void **state)
{
	struct lab_bench *b = bench_new();
	struct lab_packet p = client_packet(ip_v4(10, 0, 0, 77));
	(void)state;
	lab_ask(b, "watch start 0 0 0");
	assert_null(lab_send(b->lab, &p));
	assert_says(b, "watch read 1", "\"fate\":\"held\"");
	lab_after(b->lab, 1);
	lab_give(b->lab, lab_take(b->lab));
	assert_says(b, "watch read 1", "\"proto\":\"arp\"");
	struct frame *f = lab_frame(b->lab, &p);
	struct eth_hdr eth = { LAB_UP_MAC, LAB_C2_MAC, be16_of(ETHERTYPE_ARP) };
	struct arp_hdr arp = { be16_of(1), be16_of(ETHERTYPE_IPV4), 6, 4, be16_of(2), LAB_C2_MAC,
			       ip_to_v4(ip_v4(10, 0, 0, 77)), LAB_UP_MAC, ip_to_v4(ip_v4(10, 0, 0, 2)) };
	memcpy(f->data, &eth, sizeof(eth));
	memcpy(f->data + sizeof(eth), &arp, sizeof(arp));
	f->len = sizeof(eth) + sizeof(arp);
	f->port = PORT_UPLINK;
	fw_input(&b->lab->fw, &f, 1, b->lab->now_ns);
	struct frame *out = lab_take(b->lab);
	assert_non_null(out);
	lab_give(b->lab, out);
	lab_ask(b, "watch read 1");
	assert_non_null(strstr(b->all, "\"fate\":\"taken\",\"reason\":\"arp-consumed\",\"in_port\":0"));
	assert_non_null(strstr(b->all, "\"fate\":\"passed\",\"out_port\":0"));
	assert_non_null(strstr(b->all, "\"client\":\"10.137.0.5\",\"rule\":1"));
	lab_bench_free(b);
}

/* A ring of bytes against a list: every record comes out as it went in, or was counted as lost. */
static void test_ring(void **state)
{
	enum { ROUNDS = 20000, LIST = 4096 };
	static struct { uint64_t number; uint32_t in, out; } list[LIST];
	struct lab_bench *b = bench_new();
	struct watch_wish wish = { .snaplen = 3000 };
	struct watch_session *s = watch_start(b->lab->fw.watch, &wish, 1, 0);
	uint8_t bytes[8192], got[8192];
	uint32_t first = 0, count = 0, lost = 0;
	size_t used = 0;
	(void)state;
	srandom(7);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		struct watch_record r = { .in_port = 1, .out_port = PORT_NONE, .in_len = (uint32_t)random() % 4000,
					  .out_len = (uint32_t)random() % 100 };
		uint32_t in = r.in_len < 3000 ? r.in_len : 3000;
		bool fits = used + sizeof(r) + in + r.out_len <= WATCH_RING_BYTES;
		watch_put(s, &r, bytes + i % 100, bytes + 5000);
		lost += !fits;
		assert_int_equal(s->lost, lost);
		if (fits) {
			list[(first + count) % LIST].number = i;
			list[(first + count) % LIST].in = in;
			list[(first + count++) % LIST].out = r.out_len;
			used += sizeof(r) + in + r.out_len;
		}
		for (uint32_t n = (uint32_t)random() % 2; n-- && count; first++, count--) {
			assert_true(watch_peek(s, &r));
			assert_int_equal(r.number, list[first % LIST].number);
			assert_int_equal(r.in_bytes, list[first % LIST].in);
			assert_int_equal(r.out_bytes, list[first % LIST].out);
			watch_bytes(s, 0, got, r.in_bytes + r.out_bytes);
			assert_memory_equal(got, bytes + r.number % 100, r.in_bytes);
			assert_memory_equal(got + r.in_bytes, bytes + 5000, r.out_bytes);
			used -= sizeof(r) + r.in_bytes + r.out_bytes;
			watch_pop(s);
		}
	}
	assert_true(lost > 100 && s->lost_at[1] == lost && s->seen_at[1] == ROUNDS);
	lab_bench_free(b);
}

static void test_ends(void **state)
{
	struct lab_bench *b = bench_new();
	struct lab_packet p = client_packet(ip_v4(192, 0, 2, 1));
	(void)state;
	lab_ask(b, "watch start 0 2 0");
	assert_says(b, "watch start 0 0 5 dropped", "\"id\":2");
	assert_says(b, "watch start 0 0 0", "\"type\":\"error\"");
	for (int i = 0; i < 3; i++)
		lab_give(b->lab, lab_send(b->lab, &p));
	assert_says(b, "watch read 1", "\"state\":\"ended\",\"why\":\"count\",\"matched\":2");
	assert_says(b, "watch read 1", "\"error\":\"no such watch");
	lab_after(b->lab, 5 * SECOND);
	assert_says(b, "watch read 2", "\"why\":\"seconds\",\"matched\":0");
	lab_ask(b, "watch start 0 0 0");
	lab_after(b->lab, 9 * SECOND);
	assert_says(b, "watch read 3", "\"runs\"");
	lab_after(b->lab, 9 * SECOND);
	assert_true(watch_runs(b->lab->fw.watch));
	lab_after(b->lab, SECOND);
	assert_false(watch_runs(b->lab->fw.watch));
	assert_says(b, "watch read 3", "\"type\":\"error\"");
	lab_ask(b, "watch start 0 0 0");
	lab_give(b->lab, lab_send(b->lab, &p));
	assert_says(b, "watch stop 4", "\"why\":\"stopped\",\"matched\":1,\"lost\":0,\"left\":true");
	assert_says(b, "watch read 4", "\"number\":1");
	lab_ask(b, "watch start 0 0 0");
	assert_says(b, "watch stop 5", "\"why\":\"stopped\",\"matched\":0,\"lost\":0,\"left\":false");
	assert_says(b, "watch read 5", "\"type\":\"watchport\"");
	assert_says(b, "watch read 5", "\"error\":\"no such watch");
	assert_int_equal(b->lab->fw.watch->running, 0);
	lab_bench_free(b);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = {
		"watch ", "watch start", "watch start ", "watch start 1", "watch start 1 1 86401", "watch start 1 1 1 nonsense",
		"watch start 1 1 1 tcp and", "watch start 1 1 1 not", "watch start 1 1 1 host", "watch start 1 1 1 host x",
		"watch start 1 1 1 port 5-4", "watch start 1 1 1 port 65536", "watch start 1 1 1 reason none",
		"watch start 1 1 1 client 10.0.0.0/8", "watch start 1 1 1 proto 256", "watch start 1 1 1 and tcp",
		"watch start 1 1 1 rule aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"watch start 1 1 1 tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp tcp",
		"watch read", "watch read x", "watch read 1", "watch stop 0", "watch read 1 ", "watch read 4294967296",
	};
	struct lab_bench *b = bench_new();
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		if (strncmp(lab_ask(b, bad[i]), "{\"type\":\"error\"", 15))
			fail_msg("%s: %s", bad[i], b->all);
	assert_int_equal(b->lab->fw.watch->running, 0);
	assert_says(b, "watch start 1 1 1 tcp and port 5 hots 1.2.3.4", "column 16: ");
	lab_bench_free(b);
}

/* The same words pick flows. */
static void test_flows(void **state)
{
	struct lab_bench *b = bench_new();
	struct lab_packet p = client_packet(ip_v4(192, 0, 2, 1));
	(void)state;
	lab_give(b->lab, lab_send(b->lab, &p));
	assert_says(b, "flows", "\"dst\":\"192.0.2.1\"");
	assert_says(b, "flows udp client 10.137.0.5 host 10.0.0.2 dport 53 rule 1 passed", "\"dst\":\"192.0.2.1\"");
	assert_string_equal(lab_ask(b, "flows not udp"), ".\n");
	assert_string_equal(lab_ask(b, "flows dropped"), ".\n");
	assert_says(b, "flows udp and carrots", "\"error\":\"column 9: ");
	lab_bench_free(b);
}

/* A later fragment, and one whose first never comes. */
static void test_fragments(void **state)
{
	struct lab_bench *b = bench_new();
	struct lab_packet p = client_packet(ip_v4(192, 0, 2, 1));
	(void)state;
	p.id = 9;
	p.fragment = 2;
	lab_ask(b, "watch start 0 0 0");
	assert_null(lab_send(b->lab, &p));
	assert_says(b, "watch read 1", "\"fate\":\"held\"");
	for (int i = 0; i < 12; i++) {
		lab_after(b->lab, 3 * SECOND);
		if (strstr(lab_ask(b, "watch read 1"), "fragment-timeout"))
			break;
	}
	assert_non_null(strstr(b->all, "\"fate\":\"dropped\",\"reason\":\"fragment-timeout\",\"in_port\":1"));
	assert_true(lab_conserved(b->lab));
	lab_bench_free(b);
}

/* A packet that nothing could make match is not told of as one that has no tuple, or by what it was translated to. */
static void test_unwanted(void **state)
{
	static const char *const expressions[] = { "not udp", "not client 10.137.0.5", "host 10.0.0.2 sport 40001" };
	struct lab_bench *b = bench_new();
	(void)state;
	for (uint32_t i = 0; i < array_len(expressions); i++) {
		char request[80];
		struct lab_packet p = client_packet(ip_v4(192, 0, 2, 1));
		snprintf(request, sizeof(request), "watch start 0 0 0 %s", expressions[i]);
		lab_ask(b, request);
		p.sport = 40001;
		lab_give(b->lab, lab_send(b->lab, &p));
		p = client_packet(ip_v4(198, 51, 100, 7));
		b->lab->fw.port[1].icmp_limit = limit_of(1, 1, b->lab->now_ns);
		limit_allows(&b->lab->fw.port[1].icmp_limit, b->lab->now_ns); /* no answer, which is another packet */
		assert_null(lab_send(b->lab, &p));
		snprintf(request, sizeof(request), "watch stop %u", i + 1);
		assert_says(b, request, "\"matched\":0");
		snprintf(request, sizeof(request), "watch read %u", i + 1);
		lab_ask(b, request);
	}
	lab_bench_free(b);
}

/* The ports that a rule is about are in the first piece alone: no other rule is blamed for the others. */
static void test_refused_pieces(void **state)
{
	static const char *const two[] = { "action=drop proto=udp dstports=53", "action=drop proto=udp", NULL };
	struct lab_bench *b = bench_new();
	struct lab_packet p = client_packet(ip_v4(192, 0, 2, 1));
	(void)state;
	lab_rules(b->lab, ip_v4(10, 137, 0, 5), VERDICT_ACCEPT, two);
	lab_ask(b, "watch start 0 0 0 udp");
	p.id = 9;
	p.payload = "sixteen bytes ..";
	p.payload_len = 16;
	for (uint32_t piece = 0; piece < 2; piece++) {
		p.fragment = piece ? 3 : IPV4_MF;
		lab_give(b->lab, lab_send(b->lab, &p));
		assert_says(b, "watch read 1", "\"fate\":\"dropped\",\"reason\":\"rule\"");
		assert_true(!strstr(b->all, "\"rule\":1"));
		assert_true(!strstr(b->all, "\"rule\":0") == (piece == 1));
	}
	lab_bench_free(b);
}

/* Whose a packet from the world is shows only when its flow is opened. */
static void test_inbound(void **state)
{
	static const char *const inward[] = { "action=accept proto=udp dstports=2000 to=10.137.0.5:20", NULL };
	struct lab_bench *b = bench_new();
	struct lab_packet p = world_packet(2000);
	(void)state;
	lab_cross_rules(b->lab, RULE_INBOUND, inward);
	lab_ask(b, "watch start 0 0 0 client 10.137.0.5 host 10.137.0.5 dport 20");
	lab_give(b->lab, lab_send(b->lab, &p));
	assert_says(b, "watch read 1", "\"in_port\":0");
	assert_non_null(strstr(b->all, "\"flow\":\"opened\""));
	p = world_packet(2001);
	assert_null(lab_send(b->lab, &p));
	assert_says(b, "watch stop 1", "\"matched\":1");
	lab_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_sides), cmocka_unit_test(test_words), cmocka_unit_test(test_held),
		cmocka_unit_test(test_ring), cmocka_unit_test(test_ends), cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_fragments), cmocka_unit_test(test_flows), cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_inbound), cmocka_unit_test(test_refused_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
