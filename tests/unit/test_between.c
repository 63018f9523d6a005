/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* What one client opens to another: the rules, the ways both ways, and cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lab_cross.h"

static void test_between(void **state)
{
	struct lab *l = *state;
	struct lab_packet up = from_client(1, C2, PROTO_TCP, 40000, 22), down = from_client(2, C1, PROTO_TCP, 22, 40000);
	assert_dropped(l, &up, DROP_INTER_CLIENT); /* off by default */
	lab_cross_rules(l, RULE_BETWEEN, one_way);
	struct packet p = comes_out(l, &up, 2, C1, 40000, C2, 22);
	assert_true(p.ttl == 63 && mac_eq(pkt_eth(&p)->src, LAB_FW_MAC));
	set(&down, TCP_SYN | TCP_ACK, 900, 101);
	comes_out(l, &down, 1, C2, 22, C1, 40000);
	set(&up, TCP_ACK, 101, 901);
	comes_out(l, &up, 2, C1, 40000, C2, 22);
	const struct flow *flow = ct_flow(l->fw.ct, ct_next(l->fw.ct, 0));
	assert_string_equal(flow_state_word(flow), "established");
	assert_int_equal(flow->epoch, 0);
	assert_int_equal(ct_port_count(l->fw.ct, 1), 1);
	/* the other way nothing begins */
	struct lab_packet other = from_client(2, C1, PROTO_TCP, 41000, 22);
	assert_dropped(l, &other, DROP_INTER_CLIENT);
	other = from_client(2, C1, PROTO_UDP, 22, 40000);
	assert_dropped(l, &other, DROP_INTER_CLIENT);
	/* nor in another's name */
	other = from_client(2, C2, PROTO_TCP, 40000, 22);
	other.from = C1;
	assert_dropped(l, &other, DROP_SPOOFED);
	/* a rule that says no is told of */
	other = from_client(1, C2, PROTO_UDP, 5, 9);
	struct packet told = parsed(l, lab_send(l, &other));
	assert_true(told.frame->port == 1 && told.icmp_type == 3 && told.icmp_code == 13);
	assert_int_equal(l->fw.drops[DROP_RULE], 1);
	/* gone with the rule, one packet later */
	lab_cross_rules(l, RULE_BETWEEN, nothing);
	set(&down, TCP_ACK, 901, 101);
	assert_dropped(l, &down, DROP_INTER_CLIENT);
	assert_int_equal(ct_count(l->fw.ct), 0);
}

static void test_between_errors_and_echo(void **state)
{
	struct lab *l = *state;
	uint8_t quote[28];
	lab_cross_rules(l, RULE_BETWEEN, one_way);
	struct lab_packet udp = from_client(1, C2, PROTO_UDP, 1000, 2000), back = from_client(2, C1, 0, 0, 0);
	struct packet out = comes_out(l, &udp, 2, C1, 1000, C2, 2000);
	struct lab_packet error = error_about(&out, back, quote);
	struct packet told = parsed(l, lab_send(l, &error));
	assert_true(told.frame->port == 1 && told.class == PKT_ICMP_ERROR);
	assert_true(ip_eq(told.tuple.src, C2) && ip_eq(told.tuple.dst, C1));
	assert_true(ip_eq(told.inner.src, C1) && told.inner.sport == 1000 && told.inner.dport == 2000);
	/* of the opener about an answer */
	struct lab_packet answer = from_client(2, C1, PROTO_UDP, 2000, 1000);
	out = comes_out(l, &answer, 1, C2, 2000, C1, 1000);
	error = error_about(&out, from_client(1, C2, 0, 0, 0), quote);
	told = parsed(l, lab_send(l, &error));
	assert_true(told.frame->port == 2 && ip_eq(told.tuple.dst, C2));
	/* about nothing that ever was */
	quote[21]++;
	assert_dropped(l, &error, DROP_ICMP_UNRELATED);
	struct lab_packet ping = from_client(1, C2, PROTO_ICMP, 7, 0);
	ping.type = 8;
	struct packet p = parsed(l, lab_send(l, &ping));
	assert_int_equal(p.frame->port, 2);
	struct lab_packet pong = from_client(2, C1, PROTO_ICMP, 7, 0);
	p = parsed(l, lab_send(l, &pong));
	assert_int_equal(p.frame->port, 1);
	pong.type = 8;
	assert_dropped(l, &pong, DROP_INTER_CLIENT);
}

static void test_between_detached(void **state)
{
	struct lab *l = *state;
	const struct fw_port_config second = { .mtu = 1500, .ours = LAB_FW_MAC, .addr_count = 1, .addr = { C2 } };
	const struct ip_addr known[] = { C1, C2 };
	static const char *const all[] = { "action=accept", NULL };
	lab_cross_rules(l, RULE_BETWEEN, one_way);
	lab_rules(l, C1, VERDICT_DROP, all);
	struct lab_packet up = from_client(1, C2, PROTO_UDP, 1000, 2000), far = from_client(1, PEER, PROTO_UDP, 1, 2);
	comes_out(l, &up, 2, C1, 1000, C2, 2000);
	comes_out(l, &far, PORT_UPLINK, UP, 1, PEER, 2);
	/* who has the address next is somebody else */
	assert_true(fw_detach(&l->fw, 2));
	assert_int_equal(ct_count(l->fw.ct), 1);
	fw_set_protected(&l->fw, known, 2);
	assert_dropped(l, &up, DROP_INTER_CLIENT);
	assert_true(fw_attach(&l->fw, 3, &second, l->now_ns));
	struct lab_packet answer = from_client(2, C1, PROTO_UDP, 2000, 1000);
	answer.port = 3;
	assert_dropped(l, &answer, DROP_INTER_CLIENT);
}

static void test_between_fragments(void **state)
{
	struct lab *l = *state;
	static const uint8_t data[64];
	struct lab_packet first = from_client(1, C2, PROTO_UDP, 4000, 53), last = first;
	first.payload = last.payload = data;
	first.payload_len = 24;
	first.fragment = IPV4_MF;
	last.payload_len = 10;
	last.fragment = 4;
	first.id = last.id = 7;
	assert_dropped(l, &last, DROP_INTER_CLIENT);
	lab_cross_rules(l, RULE_BETWEEN, one_way);
	assert_null(lab_send(l, &last));
	struct packet a = parsed(l, lab_send(l, &first)), b = parsed(l, lab_take(l));
	assert_true(a.frame->port == 2 && b.frame->port == 2 && a.id == b.id && ip_eq(b.tuple.src, C1));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(test_between), T(test_between_errors_and_echo), T(test_between_detached), T(test_between_fragments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
