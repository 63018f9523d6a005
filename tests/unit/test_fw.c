/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* The pipeline: what goes in at one port, and what comes out at another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lab_usual.h"

/* The answer of the far end to what came out at the uplink. */
static struct lab_packet answer_to(const struct packet *out)
{
	return (struct lab_packet){ .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = out->tuple.dst,
				    .to = out->tuple.src, .proto = out->tuple.proto, .sport = out->tuple.dport,
				    .dport = out->tuple.sport };
}

/* Parses what came out (so every checksum is right) and gives the frame back. */
static void assert_ip(struct ip_addr got, struct ip_addr want)
{
	assert_memory_equal(got.b, want.b, sizeof(want.b));
}

static void test_tcp_through_nat(void **state)
{
	struct lab *l = *state;
	struct lab_packet syn = tcp_up(TCP_SYN, 100, 0);
	struct packet out = parsed(l, lab_send(l, &syn));
	assert_int_equal(out.frame->port, PORT_UPLINK);
	assert_ip(out.tuple.src, UP);
	assert_int_equal(out.tuple.sport, 40000); /* preserved, as nobody else has it */
	assert_int_equal(out.ttl, 63);
	assert_true(mac_eq(pkt_eth(&out)->dst, LAB_GW_MAC));
	assert_true(mac_eq(pkt_eth(&out)->src, LAB_UP_MAC));

	struct lab_packet synack = answer_to(&out);
	synack.flags = TCP_SYN | TCP_ACK;
	synack.seq = 500;
	synack.ack = 101;
	struct packet in = parsed(l, lab_send(l, &synack));
	assert_int_equal(in.frame->port, 1);
	assert_ip(in.tuple.dst, C1);
	assert_int_equal(in.tuple.dport, 40000);
	assert_true(mac_eq(pkt_eth(&in)->dst, LAB_C1_MAC));
	assert_int_equal(ct_count(l->fw.ct), 1);
}

static void test_second_client_gets_another_port(void **state)
{
	struct lab *l = *state;
	struct lab_packet one = udp_up(5000, 53), two = udp_up(5000, 53);
	two.port = 2;
	two.src = LAB_C2_MAC;
	two.from = C2;
	struct packet a = parsed(l, lab_send(l, &one));
	struct packet b = parsed(l, lab_send(l, &two));
	assert_int_equal(a.tuple.sport, 5000);
	assert_int_not_equal(b.tuple.sport, 5000);
	struct lab_packet back = answer_to(&b);
	struct packet in = parsed(l, lab_send(l, &back));
	assert_int_equal(in.frame->port, 2);
	assert_ip(in.tuple.dst, C2);
	assert_int_equal(in.tuple.dport, 5000);
}

static void test_refused_is_told(void **state)
{
	struct lab *l = *state;
	static const char *const web_only[] = { "action=accept proto=tcp dstports=443-443", NULL };
	lab_rules(l, C1, VERDICT_DROP, web_only);
	struct lab_packet syn = tcp_up(TCP_SYN, 1, 0);
	struct packet out = parsed(l, lab_send(l, &syn));
	assert_int_equal(out.frame->port, 1);
	assert_int_equal(out.class, PKT_ICMP_ERROR);
	assert_int_equal(out.icmp_type, 3);
	assert_int_equal(out.icmp_code, 13);
	assert_ip(out.tuple.src, UP);
	assert_int_equal(out.inner.dport, 80);
	assert_int_equal(l->fw.drops[DROP_POLICY], 1);
	assert_int_equal(ct_count(l->fw.ct), 0);
}

/* What the rules said of a packet is no other's, in the same frame or not. */
static void test_a_verdict_is_of_its_packet(void **state)
{
	struct lab *l = *state;
	static const char *const pings[] = { "action=accept proto=icmp", NULL };
	struct lab_packet p = udp_up(1000, 4242), ping = p;
	ping.proto = PROTO_ICMP;
	ping.type = 8;
	lab_rules(l, C1, VERDICT_DROP, pings);
	for (int i = 0; i < 2; i++) { /* the second time its sender is known, and the short way is tried */
		assert_int_equal(parsed(l, lab_send(l, &p)).icmp_code, 13);
		assert_int_equal(l->fw.drops[DROP_POLICY], i + 1);
	}
	for (uint16_t i = 0; i < 2 * LAB_FRAMES; i++) {
		ping.sport = i;
		assert_int_equal(parsed(l, lab_send(l, &ping)).frame->port, PORT_UPLINK);
	}
	assert_int_equal(l->fw.drops[DROP_POLICY], 2);
	/* closed, then known: each is told by its own */
	policy_close(l->policy, C1, "a bad rule");
	fw_rules_changed(&l->fw);
	assert_int_equal(parsed(l, lab_send(l, &p)).icmp_code, 13);
	assert_int_equal(l->fw.drops[DROP_CLOSED], 1);
	lab_rules(l, C1, VERDICT_ACCEPT, NULL);
	assert_int_equal(parsed(l, lab_send(l, &p)).frame->port, PORT_UPLINK);
}

static void test_unknown_client_is_closed(void **state)
{
	struct lab *l = *state;
	policy_close(l->policy, C1, "test");
	struct lab_packet udp = udp_up(1, 53);
	struct packet out = parsed(l, lab_send(l, &udp));
	assert_int_equal(out.icmp_code, 13);
	assert_int_equal(l->fw.drops[DROP_CLOSED], 1);
}

static void test_sources(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 53);
	p.from = ip_v4(10, 137, 0, 77);
	assert_dropped(l, &p, DROP_SPOOFED);
	p.from = C2; /* another client's */
	assert_dropped(l, &p, DROP_SPOOFED);
	p.from = UP; /* ours */
	assert_dropped(l, &p, DROP_SPOOFED);

	struct lab_packet down = { .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = C1, .to = UP,
				   .proto = PROTO_UDP, .sport = 1, .dport = 2 };
	assert_dropped(l, &down, DROP_CLIENT_ADDRESS);
	down.from = UP;
	assert_dropped(l, &down, DROP_SPOOFED);
	down.from = WEB;
	assert_dropped(l, &down, DROP_NEW_FROM_UPLINK);
	down.to = C1;
	assert_dropped(l, &down, DROP_NEW_FROM_UPLINK);
	struct ip_addr absent = ip_v4(10, 137, 0, 99); /* connected-ips: a client that is not running */
	fw_set_protected(&l->fw, &absent, 1);
	down.from = absent;
	down.to = UP;
	assert_dropped(l, &down, DROP_CLIENT_ADDRESS);
	p = udp_up(1000, 53);
	p.to = absent;
	assert_dropped(l, &p, DROP_INTER_CLIENT);
}

static void test_destinations(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 53);
	p.to = C2;
	assert_dropped(l, &p, DROP_INTER_CLIENT);
	p.to = ip_v4(224, 0, 0, 251);
	assert_dropped(l, &p, DROP_MARTIAN);
	p.to = ip_v4(255, 255, 255, 255);
	assert_dropped(l, &p, DROP_MARTIAN);
	p.to = ip_v4(127, 0, 0, 1);
	assert_dropped(l, &p, DROP_MARTIAN);
	p = udp_up(1000, 53);
	p.dst = LAB_C2_MAC;
	assert_dropped(l, &p, DROP_NOT_FOR_US);
}

static void test_to_the_firewall(void **state)
{
	struct lab *l = *state;
	struct lab_packet ping = { .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = UP,
				   .proto = PROTO_ICMP, .type = 8, .sport = 77 };
	struct packet out = parsed(l, lab_send(l, &ping));
	assert_int_equal(out.icmp_type, 0);
	assert_int_equal(out.frame->port, 1);
	assert_ip(out.tuple.src, UP);

	struct lab_packet tcp = tcp_up(TCP_SYN, 1, 0);
	tcp.to = UP;
	out = parsed(l, lab_send(l, &tcp));
	assert_int_equal(out.icmp_type, 3);
	assert_int_equal(out.icmp_code, 10);
	struct lab_packet bootp = udp_up(67, 68);
	bootp.to = UP;
	assert_dropped(l, &bootp, DROP_LOCAL_SILENT);
}

static void test_strays_are_not_answered(void **state)
{
	struct lab *l = *state;
	static const char *const none[] = { NULL };
	static const uint8_t flags[] = { TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK };
	lab_rules(l, C1, VERDICT_DROP, none);
	for (size_t i = 0; i < array_len(flags); i++) {
		struct lab_packet p = tcp_up(flags[i], 100, 1);
		assert_dropped(l, &p, DROP_CT_INVALID);
		p.to = UP;
		assert_dropped(l, &p, DROP_LOCAL_SILENT);
	}
	struct lab_packet pong = { .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = WEB,
				   .proto = PROTO_ICMP, .type = 0, .sport = 77 };
	assert_dropped(l, &pong, DROP_CT_INVALID);
	/* an ACK may be of a connection that newer rules cut: its sender is told */
	struct lab_packet ack = tcp_up(TCP_ACK | TCP_PSH, 100, 1);
	struct packet out = parsed(l, lab_send(l, &ack));
	assert_int_equal(out.icmp_code, 13);
}

static void test_ttl_and_size(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 33434);
	p.ttl = 1;
	struct packet out = parsed(l, lab_send(l, &p));
	assert_int_equal(out.icmp_type, 11);
	assert_int_equal(out.frame->port, 1);
	assert_int_equal(l->fw.drops[DROP_TTL], 1);

	static uint8_t big[1400];
	l->fw.port[PORT_UPLINK].config.mtu = 1280;
	p = udp_up(1000, 53);
	p.payload = big;
	p.payload_len = sizeof(big);
	p.fragment = IPV4_DF;
	struct frame *f = lab_send(l, &p);
	out = parsed(l, f);
	assert_int_equal(out.icmp_type, 3);
	assert_int_equal(out.icmp_code, 4);
	assert_int_equal(be16_get(pkt_icmp(&out)->b), 1280);
}

static void test_icmp_error_comes_home(void **state)
{
	struct lab *l = *state;
	struct lab_packet udp = udp_up(5000, 33434);
	struct frame *f = lab_send(l, &udp);
	/* a router says: time exceeded, quoting what it saw */
	uint8_t quote[28];
	memcpy(quote, f->data + ETH_BYTES, sizeof(quote));
	lab_give(l, f);
	struct lab_packet error = { .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC,
				    .from = ip_v4(198, 51, 100, 1), .to = UP, .proto = PROTO_ICMP, .type = 11,
				    .payload = quote, .payload_len = sizeof(quote) };
	struct packet in = parsed(l, lab_send(l, &error));
	assert_int_equal(in.frame->port, 1);
	assert_ip(in.tuple.src, ip_v4(198, 51, 100, 1));
	assert_ip(in.tuple.dst, C1);
	assert_ip(in.inner.src, C1);
	assert_int_equal(in.inner.sport, 5000);
	assert_ip(in.inner.dst, WEB);
	/* about a flow that is not ours */
	quote[23]++; /* the quoted destination's port: another flow */
	assert_dropped(l, &error, DROP_ICMP_UNRELATED);
}

static void test_rule_change_cuts_only_what_it_forbids(void **state)
{
	struct lab *l = *state;
	struct lab_packet web = udp_up(1000, 80), dns = udp_up(1001, 53);
	lab_give(l, lab_send(l, &web));
	lab_give(l, lab_send(l, &dns));
	assert_int_equal(ct_count(l->fw.ct), 2);
	static const char *const no_web[] = { "action=drop proto=udp dstports=80-80", "action=accept", NULL };
	lab_rules(l, C1, VERDICT_DROP, no_web);
	struct packet out = parsed(l, lab_send(l, &dns));
	assert_int_equal(out.frame->port, PORT_UPLINK);
	out = parsed(l, lab_send(l, &web));
	assert_int_equal(out.icmp_code, 13);
	assert_int_equal(ct_count(l->fw.ct), 1);
	assert_int_equal(ct_stats(l->fw.ct)->cut, 1);
}

/* What qubesd does at every start of a client: the same rules, twice (qubes.md 2.2). */
static void test_the_same_rules_again_change_nothing(void **state)
{
	struct lab *l = *state;
	struct lab_packet web = udp_up(1000, 80);
	static const char *const same[] = { "action=accept proto=udp dstports=80-80", "action=drop", NULL };
	lab_rules(l, C1, VERDICT_DROP, same);
	struct packet first = parsed(l, lab_send(l, &web));
	uint16_t port = first.tuple.sport;
	for (uint32_t i = 0; i < 3; i++) {
		lab_rules(l, C1, VERDICT_DROP, same);
		lab_after(l, 1); /* the sweep */
		struct packet again = parsed(l, lab_send(l, &web));
		assert_int_equal(again.frame->port, PORT_UPLINK);
		assert_int_equal(again.tuple.sport, port);
	}
	assert_int_equal(ct_stats(l->fw.ct)->cut, 0);
	assert_int_equal(ct_stats(l->fw.ct)->opened, 1);
}

static void test_silent_flows_are_swept(void **state)
{
	struct lab *l = *state;
	struct lab_packet web = udp_up(1000, 80);
	lab_give(l, lab_send(l, &web));
	static const char *const none[] = { NULL };
	lab_rules(l, C1, VERDICT_DROP, none);
	assert_true(fw_deadline(&l->fw) <= l->now_ns);
	lab_after(l, 1);
	assert_int_equal(ct_count(l->fw.ct), 0);
}

static void test_reply_after_the_cut_is_dropped(void **state)
{
	struct lab *l = *state;
	struct lab_packet web = udp_up(1000, 80);
	struct packet out = parsed(l, lab_send(l, &web));
	struct lab_packet back = answer_to(&out);
	static const char *const none[] = { NULL };
	lab_rules(l, C1, VERDICT_DROP, none);
	assert_dropped(l, &back, DROP_FLOW_CUT);
	assert_dropped(l, &back, DROP_NEW_FROM_UPLINK);
}

static void test_fragments_follow_their_first(void **state)
{
	struct lab *l = *state;
	static const uint8_t data[64];
	struct lab_packet first = udp_up(4000, 53), last = udp_up(4000, 53);
	first.payload = last.payload = data;
	first.payload_len = 24; /* with the header 32 bytes */
	first.fragment = IPV4_MF;
	last.payload_len = 10;
	last.fragment = 4;
	first.id = last.id = 7;
	/* the last comes first, waits, and follows */
	assert_null(lab_send(l, &last));
	struct packet a = parsed(l, lab_send(l, &first));
	struct packet b = parsed(l, lab_take(l));
	assert_int_equal(a.frame->port, PORT_UPLINK);
	assert_ip(a.tuple.src, UP);
	assert_int_equal(b.class, PKT_FRAGMENT);
	assert_ip(b.tuple.src, UP);
	assert_int_equal(a.id, b.id);
	/* of a refused datagram nothing passes */
	static const char *const none[] = { NULL };
	lab_rules(l, C1, VERDICT_DROP, none);
	first.id = last.id = 8;
	assert_null(lab_send(l, &last));
	struct packet refused = parsed(l, lab_send(l, &first));
	assert_int_equal(refused.icmp_code, 13);
	assert_null(lab_take(l));
}

static void test_neighbour_is_asked(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 53);
	p.to = ip_v4(10, 0, 0, 9); /* on the uplink's link, not known yet */
	assert_null(lab_send(l, &p));
	lab_after(l, 0);
	struct packet ask = parsed(l, lab_take(l));
	assert_int_equal(ask.class, PKT_ARP);
	const struct arp_hdr *arp = pkt_arp(&ask);
	assert_ip(ip_of_v4(arp->target_ip), p.to);
	const struct mac theirs = { { 2, 0, 0, 0, 0, 9 } };
	lab_arp(l, PORT_UPLINK, p.to, theirs);
	struct packet out = parsed(l, lab_take(l));
	assert_true(mac_eq(pkt_eth(&out)->dst, theirs));
	assert_int_equal(out.class, PKT_UDP);
}

static void test_detach_forgets(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 53);
	struct packet out = parsed(l, lab_send(l, &p));
	struct lab_packet back = answer_to(&out);
	assert_true(fw_detach(&l->fw, 1));
	assert_int_equal(ct_count(l->fw.ct), 0);
	assert_dropped(l, &back, DROP_NEW_FROM_UPLINK);
	assert_false(fw_detach(&l->fw, 1));
	struct fw_port_config c = { .mtu = 1500, .ours = LAB_FW_MAC, .addr_count = 1, .addr = { C2 } };
	assert_false(fw_attach(&l->fw, 3, &c, 0)); /* taken by port 2 */
	c.addr[0] = UP;
	assert_false(fw_attach(&l->fw, 3, &c, 0)); /* ours */
	c.addr[0] = C1;
	assert_true(fw_attach(&l->fw, 3, &c, 0));
}

static void test_new_uplink_address_cuts_all(void **state)
{
	struct lab *l = *state;
	struct lab_packet p = udp_up(1000, 53);
	lab_give(l, lab_send(l, &p));
	struct fw_uplink moved = { ip_v4(10, 0, 0, 3), 24, ip_v4(10, 0, 0, 1) };
	fw_set_uplink(&l->fw, &moved);
	assert_int_equal(ct_count(l->fw.ct), 0);
	struct packet gratuitous = parsed(l, lab_take(l));
	assert_int_equal(gratuitous.class, PKT_ARP);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(test_tcp_through_nat), T(test_second_client_gets_another_port), T(test_refused_is_told),
		T(test_a_verdict_is_of_its_packet), T(test_unknown_client_is_closed), T(test_sources),
		T(test_destinations), T(test_to_the_firewall), T(test_strays_are_not_answered),
		T(test_ttl_and_size), T(test_icmp_error_comes_home), T(test_rule_change_cuts_only_what_it_forbids),
		T(test_the_same_rules_again_change_nothing),
		T(test_silent_flows_are_swept), T(test_reply_after_the_cut_is_dropped),
		T(test_fragments_follow_their_first), T(test_neighbour_is_asked), T(test_detach_forgets),
		T(test_new_uplink_address_cuts_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
