/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* What clients are told while there is no way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lab_usual.h"

static void assert_ip(struct ip_addr got, struct ip_addr want)
{
	assert_memory_equal(got.b, want.b, sizeof(want.b));
}

/* RFC 1812 5.2.7.1, as Linux: whatever the rules would say, the rules being asked of what has a way out. */
static void assert_no_route(struct lab *l, const struct lab_packet *p, struct ip_addr says)
{
	uint64_t before = l->fw.drops[DROP_NO_ROUTE];
	lab_after(l, SECOND); /* and within the rate */
	struct packet out = parsed(l, lab_send(l, p));
	assert_int_equal(l->fw.drops[DROP_NO_ROUTE], before + 1);
	assert_int_equal(out.frame->port, 1);
	assert_int_equal(out.icmp_type, 3);
	assert_int_equal(out.icmp_code, 0);
	assert_ip(out.tuple.src, says);
	assert_ip(out.tuple.dst, C1);
	assert_ip(out.inner.dst, p->to);
	assert_int_equal(out.inner.sport, p->sport);
}

static void test_no_uplink_is_told(void **state)
{
	struct lab *l = *state;
	static const char *const none[] = { NULL };
	const struct fw_uplink unset = { .prefix_len = 24 }, v6 = { { { 0xfd, [15] = 1 } }, 64, { { 0 } } };
	const struct ip_addr ours = ip_v4(10, 137, 0, 1), dummy = ip_v4(192, 0, 0, 8); /* RFC 7600, as Linux */
	struct lab_packet udp = udp_up(1000, 53), syn = tcp_up(TCP_SYN, 1, 0), p;
	struct lab_packet open = tcp_up(TCP_SYN, 1, 0), data = tcp_up(TCP_ACK | TCP_PSH, 2, 1);
	open.sport = data.sport = 41000;
	lab_give(l, lab_send(l, &open));
	fw_link(&l->fw, PORT_UPLINK, false);
	assert_no_route(l, &udp, UP);
	assert_no_route(l, &syn, UP);
	assert_no_route(l, &data, UP); /* of a connection that goes on when the link is back */
	lab_rules(l, C1, VERDICT_DROP, none);
	assert_no_route(l, &syn, UP);
	p = udp;
	p.ttl = 1; /* has no way to be too long for */
	assert_no_route(l, &p, UP);

	/* what would not have been forwarded, or may not be answered */
	static const uint8_t flags[] = { TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK };
	for (size_t i = 0; i < array_len(flags); i++) {
		p = tcp_up(flags[i], 1, 1);
		assert_dropped(l, &p, DROP_NO_ROUTE);
	}
	p = (struct lab_packet){ .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = WEB,
				 .proto = PROTO_ICMP, .type = 0, .sport = 77 };
	assert_dropped(l, &p, DROP_NO_ROUTE);
	p = udp;
	p.from = ip_v4(10, 137, 0, 9);
	assert_dropped(l, &p, DROP_SPOOFED);
	p = udp;
	p.to = ip_v4(224, 0, 0, 251);
	assert_dropped(l, &p, DROP_MARTIAN);
	p.to = ip_v4(255, 255, 255, 255);
	assert_dropped(l, &p, DROP_MARTIAN);
	p = udp;
	p.to = C2;
	assert_dropped(l, &p, DROP_INTER_CLIENT);
	static struct blocks b;
	blocks_isolate(&b, C1, true);
	policy_set_blocks(l->policy, &b);
	assert_dropped(l, &udp, DROP_ISOLATED);
	blocks_set_panic(&b, true);
	policy_set_blocks(l->policy, &b);
	assert_dropped(l, &udp, DROP_PANIC);
	b = (struct blocks){ 0 };
	policy_set_blocks(l->policy, &b);

	/* whoever it is from */
	fw_set_uplink(&l->fw, &unset);
	assert_no_route(l, &udp, dummy);
	fw_link(&l->fw, PORT_UPLINK, true);
	assert_no_route(l, &udp, dummy);
	fw_set_uplink(&l->fw, &v6);
	assert_no_route(l, &udp, dummy);
	fw_set_ours(&l->fw, &ours, 1);
	assert_no_route(l, &udp, ours);
	assert_true(fw_detach(&l->fw, PORT_UPLINK));
	assert_no_route(l, &syn, ours);
}

static void test_within_the_rate(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 53);
	uint32_t told = 0;
	fw_link(&l->fw, PORT_UPLINK, false);
	for (int i = 0; i < 1000; i++) {
		struct frame *f = lab_send(l, &p);
		told += f != NULL;
		if (f)
			lab_give(l, f);
	}
	assert_int_equal(l->fw.drops[DROP_NO_ROUTE], 1000);
	assert_in_range(told, 1, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_uplink_is_told, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_within_the_rate, setup, lab_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
