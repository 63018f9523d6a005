/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* What the world opens to a client: the rules, the ways both ways, shares and cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lab_cross.h"

static const char *const leads[] = {
	"action=drop src4=198.51.100.99",
	"action=accept src4=198.51.100.0/24 proto=tcp dstports=2222 to=10.137.0.5:22",
	"action=accept proto=udp dstports=5000-5009 to=10.137.0.6:6000-6009",
	"action=accept dstports=7000-7001 to=10.137.0.5",
	NULL,
};

/* The handshake of the world with port 22 of the first client, by 2222. */
static void connect_inside(struct lab *l, uint16_t sport)
{
	struct lab_packet up = from_world(PROTO_TCP, sport, 2222), down = from_client(1, PEER, PROTO_TCP, 22, sport);
	comes_out(l, &up, 1, PEER, sport, C1, 22);
	set(&down, TCP_SYN | TCP_ACK, 900, 101);
	comes_out(l, &down, PORT_UPLINK, UP, 2222, PEER, sport);
	set(&up, TCP_ACK, 101, 901);
	comes_out(l, &up, 1, PEER, sport, C1, 22);
}

static void test_tcp_inside(void **state)
{
	struct lab *l = *state;
	struct lab_packet syn = from_world(PROTO_TCP, 40000, 2222), data = syn;
	assert_dropped(l, &syn, DROP_NEW_FROM_UPLINK); /* off by default */
	lab_cross_rules(l, RULE_INBOUND, leads);
	connect_inside(l, 40000);
	const struct flow *flow = ct_flow(l->fw.ct, ct_next(l->fw.ct, 0));
	assert_string_equal(flow_state_word(flow), "established");
	assert_int_equal(flow->kind, FLOW_INBOUND);
	assert_int_equal(flow->sent[CT_REPLY].packets, 2); /* of the world, as always */
	assert_int_equal(flow->sent[CT_ORIG].packets, 1);
	assert_int_equal(ct_inbound_count(l->fw.ct), 1);
	assert_int_equal(ct_port_count(l->fw.ct, 1), 0);
	/* the short way from here on: a burst of its own each */
	set(&data, TCP_ACK, 101, 901);
	data.payload = "hello";
	data.payload_len = 5;
	assert_int_equal(flow->epoch, l->fw.epoch);
	struct packet p = comes_out(l, &data, 1, PEER, 40000, C1, 22);
	assert_int_equal(p.ttl, 63);
	assert_true(mac_eq(pkt_eth(&p)->dst, LAB_C1_MAC));
	struct lab_packet answer = from_client(1, PEER, PROTO_TCP, 22, 40000);
	set(&answer, TCP_ACK, 901, 106);
	p = comes_out(l, &answer, PORT_UPLINK, UP, 2222, PEER, 40000);
	assert_true(mac_eq(pkt_eth(&p)->dst, LAB_GW_MAC));
	/* the client has no rules: what it opens itself is refused, and the closed flow lets it open nothing */
	set(&data, TCP_RST | TCP_ACK, 106, 901);
	comes_out(l, &data, 1, PEER, 40000, C1, 22);
	assert_string_equal(flow_state_word(flow), "closed");
	set(&answer, TCP_SYN, 5000, 0);
	assert_dropped(l, &answer, DROP_TCP_STATE);
	/* but the world may come again */
	set(&data, TCP_SYN, 7000, 0);
	data.payload_len = 0;
	comes_out(l, &data, 1, PEER, 40000, C1, 22);
	assert_string_equal(flow_state_word(flow), "syn_sent");
}

static void test_refused_inside(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = from_world(PROTO_TCP, 40000, 2222);
	lab_cross_rules(l, RULE_INBOUND, leads);
	p.from = ip_v4(198, 51, 101, 1); /* another network */
	assert_dropped(l, &p, DROP_NEW_FROM_UPLINK);
	p.from = ip_v4(198, 51, 100, 99); /* refused by the rule in front */
	assert_dropped(l, &p, DROP_RULE);
	p.from = C2;
	assert_dropped(l, &p, DROP_CLIENT_ADDRESS);
	p.from = ip_v4(169, 254, 1, 1); /* nobody could answer it */
	p.dport = 7000;
	assert_dropped(l, &p, DROP_MARTIAN);
	p = from_world(PROTO_UDP, 40000, 2222);
	assert_dropped(l, &p, DROP_NEW_FROM_UPLINK);
	p = from_world(PROTO_TCP, 40000, 2222);
	set(&p, TCP_ACK, 1, 1);
	assert_dropped(l, &p, DROP_CT_INVALID);
	set(&p, TCP_SYN | TCP_ACK, 1, 1);
	assert_dropped(l, &p, DROP_NEW_FROM_UPLINK);
	p = from_world(PROTO_ICMP, 1, 0);
	p.type = 8;
	assert_dropped(l, &p, DROP_NEW_FROM_UPLINK);
	assert_true(fw_detach(&l->fw, 2));
	p = from_world(PROTO_UDP, 40000, 5003);
	assert_dropped(l, &p, DROP_PORT_GONE);
	assert_int_equal(ct_count(l->fw.ct), 0);
}

static void test_udp_ports(void **state)
{
	struct lab *l = *state;
	lab_cross_rules(l, RULE_INBOUND, leads);
	for (uint16_t i = 0; i < 10; i++) {
		struct lab_packet p = from_world(PROTO_UDP, 40000, (uint16_t)(5000 + i));
		comes_out(l, &p, 2, PEER, 40000, C2, (uint16_t)(6000 + i));
		comes_out(l, &p, 2, PEER, 40000, C2, (uint16_t)(6000 + i));
		struct lab_packet a = from_client(2, PEER, PROTO_UDP, (uint16_t)(6000 + i), 40000);
		comes_out(l, &a, PORT_UPLINK, UP, (uint16_t)(5000 + i), PEER, 40000);
		comes_out(l, &a, PORT_UPLINK, UP, (uint16_t)(5000 + i), PEER, 40000);
	}
	struct lab_packet p = from_world(PROTO_UDP, 40000, 4999);
	assert_dropped(l, &p, DROP_NEW_FROM_UPLINK);
	p.dport = 5010;
	assert_dropped(l, &p, DROP_NEW_FROM_UPLINK);
	assert_int_equal(ct_inbound_count(l->fw.ct), 10);
	for (uint32_t i = ct_next(l->fw.ct, 0); i != NONE; i = ct_next(l->fw.ct, i + 1))
		assert_string_equal(flow_state_word(ct_flow(l->fw.ct, i)), "replied");
}

static void test_inbound_rule_goes(void **state)
{
	struct lab *l = *state;
	static const char *const without[] = {
		"action=accept proto=tcp dstports=2222 to=10.137.0.5:22",
		"action=accept proto=udp dstports=5000-5009 to=10.137.0.6:6001-6010", /* elsewhere */
		NULL,
	};
	lab_cross_rules(l, RULE_INBOUND, leads);
	connect_inside(l, 40000);
	struct lab_packet udp = from_world(PROTO_UDP, 1, 5000), both = from_world(PROTO_UDP, 1, 7000);
	lab_give(l, lab_send(l, &udp));
	lab_give(l, lab_send(l, &both));
	assert_int_equal(ct_count(l->fw.ct), 3);
	lab_cross_rules(l, RULE_INBOUND, without);
	assert_dropped(l, &both, DROP_FLOW_CUT);
	assert_dropped(l, &both, DROP_NEW_FROM_UPLINK);
	lab_after(l, 1); /* the silent one goes too */
	assert_int_equal(ct_count(l->fw.ct), 1);
	assert_int_equal(ct_stats(l->fw.ct)->cut, 2);
	struct lab_packet answer = from_client(1, PEER, PROTO_TCP, 22, 40000);
	set(&answer, TCP_ACK, 901, 101);
	comes_out(l, &answer, PORT_UPLINK, UP, 2222, PEER, 40000);
	comes_out(l, &udp, 2, PEER, 1, C2, 6001);
	/* the client goes, and with it what leads to it */
	assert_true(fw_detach(&l->fw, 1));
	assert_int_equal(ct_count(l->fw.ct), 1);
	assert_int_equal(ct_inbound_count(l->fw.ct), 1);
}

static void test_errors_inside(void **state)
{
	struct lab *l = *state;
	uint8_t quote[28];
	lab_cross_rules(l, RULE_INBOUND, leads);
	/* the client has no such port, and says so */
	struct lab_packet udp = from_world(PROTO_UDP, 40000, 5001);
	struct packet out = comes_out(l, &udp, 2, PEER, 40000, C2, 6001);
	struct lab_packet error = error_about(&out, from_client(2, PEER, 0, 0, 0), quote);
	struct packet told = parsed(l, lab_send(l, &error));
	assert_int_equal(told.frame->port, PORT_UPLINK);
	assert_int_equal(told.class, PKT_ICMP_ERROR);
	assert_true(ip_eq(told.tuple.src, UP) && ip_eq(told.tuple.dst, PEER));
	assert_true(ip_eq(told.inner.dst, UP) && told.inner.dport == 5001 && told.inner.sport == 40000);
	/* a router's word about a TCP answer: it quotes what it saw, and in the window */
	connect_inside(l, 41000);
	struct lab_packet answer = from_client(1, PEER, PROTO_TCP, 22, 41000);
	set(&answer, TCP_ACK, 901, 101);
	out = comes_out(l, &answer, PORT_UPLINK, UP, 2222, PEER, 41000);
	error = error_about(&out, from_world(0, 0, 0), quote);
	told = parsed(l, lab_send(l, &error));
	assert_int_equal(told.frame->port, 1);
	assert_true(ip_eq(told.tuple.dst, C1) && ip_eq(told.inner.src, C1));
	assert_true(told.inner.sport == 22 && told.inner.dport == 41000);
	quote[24] ^= 0x40; /* its sequence number, far away */
	assert_dropped(l, &error, DROP_ICMP_UNRELATED);
}

/* Translation keeps off the ports that lead somewhere. */
static void test_ports_apart(void **state)
{
	struct lab *l = *state;
	static const char *const all[] = { "action=accept", NULL };
	static const char *const every_port[] = { "action=accept dstports=1-65535 to=10.137.0.6", NULL };
	lab_rules(l, C1, VERDICT_DROP, all);
	lab_cross_rules(l, RULE_INBOUND, leads);
	for (uint16_t port = 6998; port < 7004; port++) {
		for (int udp = 0; udp < 2; udp++) {
			struct lab_packet p = from_client(1, PEER, udp ? PROTO_UDP : PROTO_TCP, port, 80);
			struct packet out = parsed(l, lab_send(l, &p));
			assert_int_equal(out.tuple.sport == port, port != 7000 && port != 7001);
		}
	}
	struct lab_packet tcp = from_client(1, PEER, PROTO_TCP, 5000, 80), udp = from_client(1, PEER, PROTO_UDP, 5000, 80);
	assert_int_equal(parsed(l, lab_send(l, &tcp)).tuple.sport, 5000);
	assert_int_not_equal(parsed(l, lab_send(l, &udp)).tuple.sport, 5000);
	/* a flow that has the port already keeps it, towards its peer alone */
	struct lab_packet before = from_client(1, PEER, PROTO_TCP, 2223, 80), world = from_world(PROTO_TCP, 81, 2223);
	comes_out(l, &before, PORT_UPLINK, UP, 2223, PEER, 80);
	lab_cross_rules(l, RULE_INBOUND, every_port);
	comes_out(l, &world, 2, PEER, 81, C2, 2223);
	world.sport = 80;
	comes_out(l, &world, 1, PEER, 80, C1, 2223);
	/* when most ports lead somewhere there is no keeping off */
	struct lab_packet late = from_client(1, PEER, PROTO_TCP, 999, 80);
	comes_out(l, &late, PORT_UPLINK, UP, 999, PEER, 80);
	lab_cross_rules(l, RULE_INBOUND, nothing);
	struct lab_packet again = from_client(1, PEER, PROTO_TCP, 2222, 80);
	comes_out(l, &again, PORT_UPLINK, UP, 2222, PEER, 80);
}

/* A flood from the world fills its own share, pushes out its own half-open flows, and nobody else's. */
static void test_flood(void **state)
{
	struct lab *l = *state;
	static const char *const all[] = { "action=accept", NULL };
	lab_rules(l, C1, VERDICT_DROP, all);
	lab_cross_rules(l, RULE_INBOUND, leads);
	struct lab_packet half = from_client(1, PEER, PROTO_TCP, 1234, 80);
	lab_give(l, lab_send(l, &half));
	connect_inside(l, 50);
	for (uint16_t i = 0; i < 1000; i++) {
		struct lab_packet syn = from_world(PROTO_TCP, (uint16_t)(1000 + i), 2222);
		comes_out(l, &syn, 1, PEER, (uint16_t)(1000 + i), C1, 22);
	}
	assert_int_equal(ct_inbound_count(l->fw.ct), 256 / 16); /* half of what is the world's: another client has rules, too */
	assert_int_equal(ct_count(l->fw.ct), 256 / 16 + 1);
	assert_int_equal(ct_port_count(l->fw.ct, 1), 1);
	struct lab_packet answer = from_client(1, PEER, PROTO_TCP, 22, 50);
	set(&answer, TCP_ACK, 901, 101);
	comes_out(l, &answer, PORT_UPLINK, UP, 2222, PEER, 50);
	/* the clients fill the table: the world has what it has, and no more */
	for (uint16_t i = 0; i < 300; i++) {
		struct lab_packet p = from_client(i % 2 ? 1 : 2, PEER, PROTO_TCP, (uint16_t)(2000 + i), 80);
		lab_give(l, lab_send(l, &p));
	}
	assert_true(ct_inbound_count(l->fw.ct) <= 256 / 8);
	assert_true(ct_valid(l->fw.ct));
}

/* A flow from the world that its client has answered, or not. */
static void come_in(struct lab *l, uint16_t port, uint16_t sport, uint16_t dport, bool answered)
{
	struct lab_packet in = from_world(PROTO_UDP, sport, dport), answer = in;
	struct packet p = parsed(l, lab_send(l, &in));
	assert_int_equal(p.frame->port, port);
	answer = (struct lab_packet){ .port = port, .src = pkt_eth(&p)->dst, .dst = LAB_FW_MAC,
				      .from = p.tuple.dst, .to = PEER, .proto = PROTO_UDP, .sport = dport, .dport = sport };
	if (answered)
		assert_int_equal(parsed(l, lab_send(l, &answer)).frame->port, PORT_UPLINK);
}

static const char *const three[] = {
	"action=accept dstports=5000 to=10.137.0.5",
	"action=drop dstports=5001",
	"action=accept dstports=5001 to=10.137.0.6",
	"action=accept dstports=5002 to=10.137.0.6",
	"action=accept dstports=5003 to=10.137.0.7",
	NULL,
};
static const struct fw_port_config third = {
	.mtu = 1500, .ours = { { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } }, .theirs = { { 2, 0, 0, 0, 1, 7 } }, .addr_count = 1,
	.addr = { { { [10] = 0xff, 0xff, 10, 137, 0, 7 } } },
};
enum { WORLD = 256 / 8, EACH = WORLD / 2 }; /* flows that the world may have, and that may lead to one of them */

/* Who fills what leads to one client leaves something for the others; what was never answered makes room for them. */
static void test_shares_inside(void **state)
{
	struct lab *l = *state;
	static const char *const one[] = { "action=accept dstports=5000 to=10.137.0.5", NULL };
	struct lab_packet late = from_world(PROTO_UDP, 9999, 5000);
	assert_true(fw_attach(&l->fw, 3, &third, l->now_ns));
	lab_cross_rules(l, RULE_INBOUND, three);
	for (uint16_t i = 0; i < EACH; i++)
		come_in(l, 1, (uint16_t)(1000 + i), 5000, true);
	assert_dropped(l, &late, DROP_FLOW_SHARE);
	for (uint16_t i = 0; i < WORLD; i++)
		come_in(l, 2, (uint16_t)(2000 + i), 5002, false);
	assert_int_equal(ct_inbound_count(l->fw.ct), WORLD);
	for (uint16_t i = 0; i < WORLD; i++)
		come_in(l, 3, (uint16_t)(3000 + i), 5003, i < EACH - 1);
	assert_int_equal(ct_inbound_count(l->fw.ct), WORLD);
	assert_dropped(l, &late, DROP_FLOW_SHARE); /* all of its own were answered */
	uint32_t left[4] = { 0 };
	for (uint32_t i = ct_next(l->fw.ct, 0); i != NONE; i = ct_next(l->fw.ct, i + 1))
		left[ct_flow(l->fw.ct, i)->port]++;
	assert_int_equal(left[1], EACH);
	assert_int_equal(left[2], 0); /* nobody answered there, while others needed the room */
	assert_int_equal(left[3], EACH);
	late.dport = 5002;
	assert_int_equal(parsed(l, lab_send(l, &late)).frame->port, 2);
	assert_true(ct_valid(l->fw.ct));
	/* alone, it has all of it */
	lab_cross_rules(l, RULE_INBOUND, one);
	lab_after(l, 1);
	assert_int_equal(ct_inbound_count(l->fw.ct), EACH);
	for (uint16_t i = 0; i < EACH; i++)
		come_in(l, 1, (uint16_t)(4000 + i), 5000, true);
	late.dport = 5000;
	assert_dropped(l, &late, DROP_FLOW_SHARE);
	assert_int_equal(ct_inbound_count(l->fw.ct), WORLD);
	/* nobody is cut because another one is led to again, and it waits */
	lab_cross_rules(l, RULE_INBOUND, three);
	late.dport = 5003;
	assert_dropped(l, &late, DROP_FLOW_SHARE);
	assert_true(fw_detach(&l->fw, 1));
	assert_int_equal(ct_inbound_count(l->fw.ct), 0);
}

/* Room is made by the one that has most to give. */
static void test_room_inside(void **state)
{
	struct lab *l = *state;
	assert_true(fw_attach(&l->fw, 3, &third, l->now_ns));
	lab_cross_rules(l, RULE_INBOUND, three);
	for (uint16_t i = 0; i < EACH; i++)
		come_in(l, 1, (uint16_t)(5000 + i), 5000, false);
	for (uint16_t i = 0; i < EACH - 1; i++)
		come_in(l, 3, (uint16_t)(6000 + i), 5003, true);
	come_in(l, 2, 7000, 5002, true);
	come_in(l, 3, 7001, 5003, false);
	come_in(l, 2, 7002, 5002, true);
	assert_int_equal(ct_inbound_count(l->fw.ct), WORLD);
	come_in(l, 3, 7001, 5003, true);
	assert_int_equal(ct_stats(l->fw.ct)->evicted, 2);
}

static void test_fragments_inside(void **state)
{
	struct lab *l = *state;
	static const uint8_t data[64];
	struct lab_packet first = from_world(PROTO_UDP, 4000, 7000), last = first;
	lab_cross_rules(l, RULE_INBOUND, leads);
	first.payload = last.payload = data;
	first.payload_len = 24;
	first.fragment = IPV4_MF;
	last.payload_len = 10;
	last.fragment = 4;
	first.id = last.id = 7;
	assert_null(lab_send(l, &last));
	struct packet a = parsed(l, lab_send(l, &first)), b = parsed(l, lab_take(l));
	assert_true(a.frame->port == 1 && b.frame->port == 1 && a.id == b.id);
	assert_true(ip_eq(a.tuple.dst, C1) && ip_eq(b.tuple.dst, C1) && b.class == PKT_FRAGMENT);
	first.id = last.id = 8;
	first.dport = last.dport = 7002;
	assert_null(lab_send(l, &last));
	assert_null(lab_send(l, &first));
	assert_int_equal(l->fw.drops[DROP_NEW_FROM_UPLINK], 2);
}

static void test_size_and_ttl(void **state)
{
	struct lab *l = *state;
	struct fw_port_config small = { .mtu = 600, .ours = LAB_FW_MAC, .addr_count = 1, .addr = { C2 } };
	static const uint8_t data[800];
	assert_true(fw_detach(&l->fw, 2) && fw_attach(&l->fw, 2, &small, l->now_ns));
	lab_cross_rules(l, RULE_INBOUND, leads);
	lab_cross_rules(l, RULE_BETWEEN, one_way);
	struct lab_packet p[] = { from_world(PROTO_UDP, 1, 5000), from_client(1, C2, PROTO_UDP, 1, 2) };
	for (size_t i = 0; i < array_len(p); i++) {
		p[i].payload = data;
		p[i].payload_len = sizeof(data);
		struct packet told = parsed(l, lab_send(l, &p[i]));
		assert_int_equal(told.frame->port, p[i].port);
		assert_true(told.icmp_type == 3 && told.icmp_code == 4);
		p[i].payload_len = 1;
		p[i].ttl = 1;
		told = parsed(l, lab_send(l, &p[i]));
		assert_true(told.frame->port == p[i].port && told.icmp_type == 11);
	}
	assert_int_equal(ct_count(l->fw.ct), 0);
}

/* A client that is closed opens nothing; what was opened to it are the cross rules' alone, and theirs are closed likewise. */
static void test_closed(void **state)
{
	struct lab *l = *state;
	static const char *const all[] = { "action=accept", NULL };
	struct lab_packet in = from_world(PROTO_UDP, 40000, 7000), answer = from_client(1, PEER, PROTO_UDP, 7000, 40000);
	struct lab_packet across = from_client(2, C1, PROTO_UDP, 1, 2), back = from_client(1, C2, PROTO_UDP, 2, 1);
	struct lab_packet out = from_client(1, PEER, PROTO_UDP, 1000, 53), reply = from_world(PROTO_UDP, 53, 1000);
	lab_rules(l, C1, VERDICT_DROP, all);
	lab_cross_rules(l, RULE_INBOUND, leads);
	lab_cross_rules(l, RULE_BETWEEN, all);
	struct lab_packet *before[] = { &in, &answer, &across, &back, &out, &reply };
	for (size_t i = 0; i < array_len(before); i++)
		assert_non_null(parsed(l, lab_send(l, before[i])).frame);
	policy_close(l->policy, C1, "a bad rule");
	fw_rules_changed(&l->fw);
	assert_dropped(l, &reply, DROP_FLOW_CUT);
	assert_int_equal(parsed(l, lab_send(l, &out)).icmp_code, 13);
	assert_int_equal(l->fw.drops[DROP_CLOSED], 1);
	comes_out(l, &answer, PORT_UPLINK, UP, 7000, PEER, 40000);
	comes_out(l, &back, 2, C1, 2, C2, 1);
	in.sport = answer.dport = 40001;
	comes_out(l, &in, 1, PEER, 40001, C1, 7000);
	comes_out(l, &answer, PORT_UPLINK, UP, 7000, PEER, 40001);
	policy_close(l->policy, cross_owner(RULE_INBOUND), "a bad rule");
	fw_rules_changed(&l->fw);
	assert_dropped(l, &in, DROP_FLOW_CUT);
	assert_dropped(l, &in, DROP_NEW_FROM_UPLINK);
	assert_int_equal(parsed(l, lab_send(l, &answer)).icmp_code, 13);
	comes_out(l, &across, 1, C2, 1, C1, 2);
	policy_close(l->policy, cross_owner(RULE_BETWEEN), "a bad rule");
	fw_rules_changed(&l->fw);
	assert_dropped(l, &back, DROP_INTER_CLIENT);
	assert_dropped(l, &across, DROP_INTER_CLIENT);
	assert_int_equal(ct_count(l->fw.ct), 1); /* to be swept */
	lab_after(l, 1);
	assert_int_equal(ct_count(l->fw.ct), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(test_tcp_inside), T(test_refused_inside), T(test_udp_ports), T(test_inbound_rule_goes),
		T(test_errors_inside), T(test_ports_apart), T(test_flood), T(test_shares_inside), T(test_room_inside),
		T(test_fragments_inside), T(test_size_and_ttl), T(test_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
