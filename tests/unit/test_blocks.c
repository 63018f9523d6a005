/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* Isolate and panic on the packets' way: every kind of flow, old and new, both ways, and whom it does not concern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lab_cross.h"

enum { BURST = 8, SILENT_NS = 1000 };

/* What an operator says: everything, or these two clients. */
struct said {
	bool panic, c1, c2;
};

static const char *const all[] = { "action=accept", NULL };
static const char *const leads[] = {
	"action=accept proto=udp dstports=5000-5009 to=10.137.0.5", "action=accept proto=udp dstports=6000-6009 to=10.137.0.6",
	NULL,
};

static void say(struct lab *l, struct said said)
{
	static struct blocks b;
	memset(&b, 0, sizeof(b));
	blocks_set_panic(&b, said.panic);
	blocks_isolate(&b, C1, said.c1);
	blocks_isolate(&b, C2, said.c2);
	policy_set_blocks(l->policy, &b);
	fw_rules_changed(&l->fw);
}

static int prepare(void **state)
{
	setup(state);
	lab_rules(*state, C1, VERDICT_DROP, all);
	lab_rules(*state, C2, VERDICT_DROP, all);
	lab_cross_rules(*state, RULE_INBOUND, leads);
	lab_cross_rules(*state, RULE_BETWEEN, all);
	return 0;
}

static struct lab_packet udp_in(uint16_t sport, uint16_t dport)
{
	return from_world(PROTO_UDP, sport, dport);
}

static struct lab_packet udp_of(uint16_t port, struct ip_addr to, uint16_t sport, uint16_t dport)
{
	return from_client(port, to, PROTO_UDP, sport, dport);
}

static void assert_passes(struct lab *l, const struct lab_packet *in, uint16_t port)
{
	struct frame *f = lab_send(l, in);
	assert_non_null(f);
	assert_int_equal(f->port, port);
	lab_give(l, f);
}

/* So many of `in` at once; how many came out, all at `port`. */
static uint32_t burst(struct lab *l, const struct lab_packet *in, uint16_t port)
{
	struct frame *f[BURST];
	uint32_t count = 0;
	for (int i = 0; i < BURST; i++)
		f[i] = lab_frame(l, &in[i]);
	fw_input(&l->fw, f, BURST, l->now_ns);
	for (struct frame *out; (out = lab_take(l)); count++) {
		assert_int_equal(out->port, port);
		lab_give(l, out);
	}
	return count;
}

static uint32_t serial_of(struct lab *l, const struct lab_packet *p)
{
	struct tuple t = { .src = p->from, .dst = p->to, .sport = p->sport, .dport = p->dport, .proto = p->proto };
	uint32_t flow;
	enum ct_dir dir;
	return ct_find(l->fw.ct, &t, &flow, &dir) ? ct_flow(l->fw.ct, flow)->serial : 0;
}

/* Which reason holds for a packet of whom this is said. */
static enum drop why(struct said said)
{
	return said.panic ? DROP_PANIC : DROP_ISOLATED;
}

static const struct said everybody = { .panic = true }, one = { .c1 = true }, other = { .c2 = true }, nobody = { 0 };

/* --- what clients open ------------------------------------------------------------------ */

static void outward(struct lab *l, struct said said)
{
	struct lab_packet up = udp_of(1, PEER, 1000, 80), down = udp_in(80, 1000);
	struct lab_packet up2 = udp_of(2, PEER, 2000, 80), down2 = udp_in(80, 2000);
	for (int i = 0; i < 2; i++) { /* the second time the short way */
		assert_passes(l, &up, PORT_UPLINK);
		assert_passes(l, &down, 1);
		assert_passes(l, &up2, PORT_UPLINK);
		assert_passes(l, &down2, 2);
	}
	uint32_t untouched = serial_of(l, &up2);
	say(l, said);
	assert_dropped(l, &down, DROP_FLOW_CUT);
	assert_dropped(l, &down, DROP_NEW_FROM_UPLINK);
	assert_dropped(l, &up, why(said));
	struct lab_packet fresh = udp_of(1, PEER, 1001, 80), fresh2 = udp_of(2, PEER, 2001, 80);
	assert_dropped(l, &fresh, why(said));
	if (said.panic) {
		assert_dropped(l, &up2, DROP_PANIC);
		assert_dropped(l, &fresh2, DROP_PANIC);
		assert_dropped(l, &down2, DROP_FLOW_CUT);
		assert_int_equal(ct_count(l->fw.ct), 0);
	} else {
		assert_passes(l, &down2, 2);
		assert_passes(l, &up2, PORT_UPLINK);
		assert_passes(l, &fresh2, PORT_UPLINK);
		assert_int_equal(serial_of(l, &up2), untouched);
	}
	say(l, nobody);
	assert_dropped(l, &down, DROP_NEW_FROM_UPLINK); /* what was cut stays so until its client begins again */
	assert_passes(l, &up, PORT_UPLINK);
	assert_passes(l, &down, 1);
	assert_passes(l, &fresh, PORT_UPLINK);
	assert_passes(l, &up2, PORT_UPLINK);
}

static void test_outward(void **state)
{
	lab_cross_rules(*state, RULE_INBOUND, (const char *const[]){ NULL });
	outward(*state, everybody);
	outward(*state, one);
}

/* Who opens first and has its answer later: the first packet of the client after the change finds the flow. */
static void test_own_packet_first(void **state)
{
	struct lab *l = *state;
	struct lab_packet up = udp_of(1, PEER, 1000, 80), down = udp_in(80, 1000);
	assert_passes(l, &up, PORT_UPLINK);
	assert_passes(l, &down, 1);
	say(l, one);
	assert_dropped(l, &up, DROP_ISOLATED);
	say(l, everybody);
	assert_dropped(l, &up, DROP_PANIC);
	assert_dropped(l, &down, DROP_FLOW_CUT);
}

/* The same clients, ports and reasons, but many packets at a time, old flows and new ones by turns. */
static void test_bursts(void **state)
{
	static const struct said each[] = { { .panic = true }, { .c1 = true } };
	struct lab *l = *state;
	struct lab_packet up[BURST], down[BURST], up2[BURST], down2[BURST];
	for (uint16_t i = 0; i < BURST; i++) {
		up[i] = udp_of(1, PEER, (uint16_t)(1000 + i), 80);
		up2[i] = udp_of(2, PEER, (uint16_t)(2000 + i), 80);
		down[i] = udp_in(80, (uint16_t)(1000 + i));
		down2[i] = udp_in(80, (uint16_t)(2000 + i));
	}
	for (size_t k = 0; k < array_len(each); k++) {
		const uint64_t *drops = l->fw.drops;
		uint64_t before = drops[why(each[k])], cut = drops[DROP_FLOW_CUT];
		for (int n = 0; n < 3; n++) {
			assert_int_equal(burst(l, up, PORT_UPLINK), BURST);
			assert_int_equal(burst(l, down, 1), BURST);
			assert_int_equal(burst(l, up2, PORT_UPLINK), BURST);
			assert_int_equal(burst(l, down2, 2), BURST);
		}
		say(l, each[k]);
		assert_int_equal(burst(l, down, 1), 0);
		assert_int_equal(drops[DROP_FLOW_CUT], cut + BURST);
		for (uint16_t i = 0; i < BURST; i += 2)
			up[i].sport = (uint16_t)(up[i].sport + 100);
		assert_int_equal(burst(l, up, PORT_UPLINK), 0);
		assert_int_equal(drops[why(each[k])], before + BURST);
		assert_int_equal(burst(l, up2, PORT_UPLINK), each[k].panic ? 0 : BURST);
		assert_int_equal(burst(l, down2, 2), each[k].panic ? 0 : BURST);
		for (uint16_t i = 0; i < BURST; i += 2)
			up[i].sport = (uint16_t)(up[i].sport - 100);
		say(l, nobody);
	}
}

/* Nobody sends: they go all the same. */
static void test_silent(void **state)
{
	struct lab *l = *state;
	struct lab_packet p[] = { udp_of(1, PEER, 1000, 80), udp_in(9, 5000), udp_of(1, C2, 1, 2),
				  udp_of(2, C1, 3, 4), udp_of(2, PEER, 2000, 80), udp_in(9, 6000) };
	for (size_t i = 0; i < array_len(p); i++)
		lab_give(l, lab_send(l, &p[i]));
	assert_int_equal(ct_count(l->fw.ct), array_len(p));
	lab_after(l, SILENT_NS);
	assert_int_equal(ct_count(l->fw.ct), array_len(p));
	say(l, one);
	lab_after(l, SILENT_NS);
	assert_int_equal(ct_count(l->fw.ct), 2);
	assert_true(serial_of(l, &p[4]) && serial_of(l, &p[5]));
	say(l, everybody);
	lab_after(l, SILENT_NS);
	assert_int_equal(ct_count(l->fw.ct), 0);
	assert_int_equal(ct_stats(l->fw.ct)->cut, array_len(p));
}

/* --- what they do not open ---------------------------------------------------------------- */

static void inbound(struct lab *l, struct said said)
{
	struct lab_packet in = udp_in(40000, 5000), answer = udp_of(1, PEER, 5000, 40000);
	struct lab_packet in2 = udp_in(40000, 6000), answer2 = udp_of(2, PEER, 6000, 40000);
	for (int i = 0; i < 2; i++) {
		assert_passes(l, &in, 1);
		assert_passes(l, &answer, PORT_UPLINK);
		assert_passes(l, &in2, 2);
		assert_passes(l, &answer2, PORT_UPLINK);
	}
	say(l, said);
	assert_dropped(l, &answer, why(said));
	assert_dropped(l, &in, DROP_FLOW_CUT);
	assert_dropped(l, &in, why(said)); /* a new one from here on */
	assert_dropped(l, &answer, why(said));
	if (said.panic) {
		assert_dropped(l, &in2, DROP_FLOW_CUT);
		assert_dropped(l, &in2, DROP_PANIC);
		assert_dropped(l, &answer2, DROP_PANIC);
	} else {
		assert_passes(l, &in2, 2);
		assert_passes(l, &answer2, PORT_UPLINK);
	}
	say(l, nobody);
	assert_passes(l, &in, 1);
	assert_passes(l, &answer, PORT_UPLINK);
	assert_passes(l, &in2, 2);
}

static void test_inbound(void **state)
{
	inbound(*state, everybody);
	inbound(*state, one);
}

/* Whichever end is isolated. */
static void between(struct lab *l, struct said said)
{
	struct lab_packet up = udp_of(1, C2, 1000, 2000), down = udp_of(2, C1, 2000, 1000);
	struct lab_packet fresh = udp_of(1, C2, 1001, 2000), back = udp_of(2, C1, 1002, 2000);
	struct lab_packet out2 = udp_of(said.c2 ? 1 : 2, PEER, 2222, 80);
	assert_passes(l, &up, 2);
	assert_passes(l, &down, 1);
	say(l, said);
	assert_dropped(l, &down, why(said));
	assert_dropped(l, &up, why(said));
	assert_dropped(l, &fresh, why(said));
	assert_dropped(l, &back, why(said));
	if (said.panic)
		assert_dropped(l, &out2, DROP_PANIC);
	else
		assert_passes(l, &out2, PORT_UPLINK);
	lab_after(l, SILENT_NS);
	assert_int_equal(serial_of(l, &up), 0);
	say(l, nobody);
	assert_dropped(l, &(struct lab_packet){ .port = 2, .src = LAB_C2_MAC, .dst = LAB_FW_MAC, .from = C2, .to = C1,
						.proto = PROTO_TCP, .sport = 1, .dport = 2, .flags = TCP_SYN | TCP_ACK },
		       DROP_CT_INVALID);
	assert_passes(l, &up, 2);
	assert_passes(l, &down, 1);
	assert_passes(l, &back, 1);
}

static void test_between(void **state)
{
	between(*state, everybody);
	between(*state, one);
	between(*state, other);
}

/* --- errors, pieces, the firewall itself ------------------------------------------------- */

static void test_errors(void **state)
{
	static const struct said each[] = { { .panic = true }, { .c1 = true } };
	struct lab *l = *state;
	uint8_t quote[2][28];
	for (size_t k = 0; k < array_len(each); k++) {
		struct lab_packet up = udp_of(1, PEER, 1000, 80), in = udp_in(40000, 5000);
		struct packet out = parsed(l, lab_send(l, &up));
		struct lab_packet outside = error_about(&out, udp_in(0, 0), quote[0]);
		out = parsed(l, lab_send(l, &in));
		struct lab_packet inside = error_about(&out, udp_of(1, PEER, 0, 0), quote[1]);
		assert_passes(l, &outside, 1);
		assert_passes(l, &inside, PORT_UPLINK);
		say(l, each[k]);
		assert_dropped(l, &inside, why(each[k]));
		assert_dropped(l, &outside, DROP_FLOW_CUT);
		assert_dropped(l, &outside, DROP_ICMP_UNRELATED);
		say(l, nobody);
		assert_dropped(l, &outside, DROP_ICMP_UNRELATED);
	}
}

/* Two pieces went out before, the last one comes after; and one that waits for its first. */
static void test_pieces(void **state)
{
	struct lab *l = *state;
	static const uint8_t data[64];
	struct lab_packet first = udp_in(4000, 5000), next = first, late = first;
	first.payload = next.payload = late.payload = data;
	first.payload_len = 24;
	first.fragment = IPV4_MF;
	next.payload_len = late.payload_len = 16;
	next.fragment = IPV4_MF | 4;
	late.fragment = 6;
	first.id = next.id = late.id = 7;
	assert_passes(l, &first, 1);
	assert_passes(l, &next, 1);
	say(l, one);
	assert_dropped(l, &late, DROP_FLOW_CUT);
	say(l, nobody);
	first.id = next.id = 8;
	assert_null(lab_send(l, &next));
	say(l, everybody);
	uint64_t before = l->fw.drops[DROP_PANIC];
	assert_null(lab_send(l, &first));
	assert_int_equal(l->fw.drops[DROP_PANIC], before + 2);
}

/* A client that is stopped gets nothing of us either, but our own questions go on. */
static void test_ourselves(void **state)
{
	struct lab *l = *state;
	struct lab_packet ping = udp_of(1, UP, 7, 0), ping2 = udp_of(2, UP, 7, 0), dns = udp_of(1, UP, 7, 53);
	struct fw_own own;
	ping.proto = ping2.proto = PROTO_ICMP;
	ping.type = ping2.type = 8;
	assert_passes(l, &ping, 1);
	say(l, one);
	assert_dropped(l, &ping, DROP_ISOLATED);
	assert_dropped(l, &dns, DROP_ISOLATED);
	assert_passes(l, &ping2, 2);
	assert_true(fw_own_send(&l->fw, PEER, 53, cursor_of("?", 1), l->now_ns, &own));
	struct packet asked = parsed(l, lab_take(l));
	say(l, everybody);
	assert_dropped(l, &ping, DROP_PANIC);
	struct lab_packet answer = udp_in(53, asked.tuple.sport);
	lab_after(l, SILENT_NS);
	assert_dropped(l, &answer, DROP_LOCAL_SILENT); /* ours: nobody waits for it in this test */
	assert_true(ct_flow(l->fw.ct, own.flow) && ct_flow(l->fw.ct, own.flow)->serial == own.serial);
	assert_true(fw_own_send(&l->fw, PEER, 53, cursor_of("?", 1), l->now_ns, &own));
	lab_give(l, lab_take(l));
	say(l, nobody);
	assert_passes(l, &ping, 1);
}

/* --- who waits for a neighbour ---------------------------------------------------------- */

static const struct mac near_mac = { { 2, 0, 0, 0, 0, 9 } };

/* How many came out, all in this name. */
static uint32_t let_go(struct lab *l, struct ip_addr from)
{
	uint32_t count = 0;
	for (struct frame *f; (f = lab_take(l)); count++) {
		struct packet p = parsed(l, f);
		if (p.class != PKT_ARP)
			assert_true(ip_eq(p.tuple.src, from));
	}
	return count;
}

/* On the uplink: of the first client a packet, a datagram in pieces and an error, of the second a packet, and our own. */
static void wait_outside(struct lab *l, struct ip_addr near)
{
	static const uint8_t data[64];
	struct lab_packet out = udp_of(1, near, 1000, 80), first = udp_of(1, near, 1001, 80), last;
	struct lab_packet out2 = udp_of(2, near, 2000, 80), in = udp_in(40000, 5000);
	struct fw_own own;
	uint8_t quote[28];
	first.payload = data;
	first.payload_len = 24;
	last = first;
	first.fragment = IPV4_MF;
	last.fragment = 4;
	in.from = near;
	struct packet inside = parsed(l, lab_send(l, &in));
	struct lab_packet error = error_about(&inside, udp_of(1, near, 0, 0), quote);
	assert_null(lab_send(l, &out));
	assert_null(lab_send(l, &first));
	assert_null(lab_send(l, &last));
	assert_null(lab_send(l, &error));
	assert_null(lab_send(l, &out2));
	assert_true(fw_own_send(&l->fw, near, 53, cursor_of("?", 1), l->now_ns, &own));
	assert_null(lab_take(l));
}

/* What was admitted and waits is asked about again when it may leave. */
static void test_waiting_outside(void **state)
{
	struct lab *l = *state;
	wait_outside(l, ip_v4(10, 0, 0, 9));
	lab_arp(l, PORT_UPLINK, ip_v4(10, 0, 0, 9), near_mac);
	assert_int_equal(let_go(l, UP), 6);
	wait_outside(l, ip_v4(10, 0, 0, 10));
	say(l, one);
	lab_arp(l, PORT_UPLINK, ip_v4(10, 0, 0, 10), near_mac);
	assert_int_equal(let_go(l, UP), 2);
	assert_int_equal(l->fw.drops[DROP_FLOW_CUT], 4);
	say(l, nobody);
	wait_outside(l, ip_v4(10, 0, 0, 11));
	say(l, everybody);
	lab_after(l, SILENT_NS); /* the flows are gone before the answer comes */
	assert_int_equal(let_go(l, UP), 1); /* that is asked for */
	say(l, nobody);
	struct lab_packet fresh = udp_of(2, PEER, 3000, 80); /* their places are others' */
	for (int i = 0; i < BURST; i++, fresh.sport++)
		assert_passes(l, &fresh, PORT_UPLINK);
	lab_arp(l, PORT_UPLINK, ip_v4(10, 0, 0, 11), near_mac);
	assert_int_equal(let_go(l, UP), 1); /* our own */
	assert_int_equal(l->fw.drops[DROP_FLOW_CUT], 4 + 5);
	wait_outside(l, ip_v4(10, 0, 0, 12));
	lab_rules(l, C1, VERDICT_DROP, NULL); /* rules are asked, too: the error is of a flow that stands */
	lab_arp(l, PORT_UPLINK, ip_v4(10, 0, 0, 12), near_mac);
	assert_int_equal(let_go(l, UP), 3);
	assert_int_equal(l->fw.drops[DROP_FLOW_CUT], 4 + 5 + 3);
}

/* At a client that was never heard of: from the world, and from the other one. */
static void test_waiting_inside(void **state)
{
	static const struct said each[] = { { 0 }, { .c1 = true }, { .c2 = true }, { .panic = true } };
	static const uint32_t leaves[] = { 2, 0, 1, 0 };
	struct lab *l = *state;
	struct fw_port_config c = { .mtu = 1500, .ours = LAB_FW_MAC, .addr_count = 1, .addr = { C1 } };
	struct lab_packet in = udp_in(40000, 5000), across = udp_of(2, C1, 1000, 2000);
	for (size_t k = 0; k < array_len(each); k++) {
		assert_true(fw_detach(&l->fw, 1) && fw_attach(&l->fw, 1, &c, l->now_ns));
		uint64_t before = l->fw.drops[DROP_FLOW_CUT];
		assert_null(lab_send(l, &in));
		assert_null(lab_send(l, &across));
		say(l, each[k]);
		lab_arp(l, 1, C1, LAB_C1_MAC);
		uint32_t count = 0;
		for (struct frame *f; (f = lab_take(l)); count++)
			lab_give(l, f);
		assert_int_equal(count, leaves[k]);
		assert_int_equal(l->fw.drops[DROP_FLOW_CUT], before + 2 - count);
		say(l, nobody);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, prepare, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(test_outward), T(test_own_packet_first), T(test_bursts), T(test_silent), T(test_inbound),
		T(test_between), T(test_errors), T(test_pieces), T(test_ourselves),
		T(test_waiting_outside), T(test_waiting_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
