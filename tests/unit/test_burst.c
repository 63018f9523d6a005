/* links: tests/unit/lab.c @pure */
/* SPDX-License-Identifier: ISC */
/*
 * test_burst.c: the same random traffic through two firewalls: bursts through
 * the one; frame by frame through the other, which is made to forget before
 * each that anything was ever checked, so that every packet goes the whole way.
 * Both send the same bytes by the same ports in the same order, and count the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"

enum { ROUNDS = 4000, BURST_MAX = 80, FLOWS = 48, PEERS = 3 };

static struct secret dice;
static uint32_t ports; /* that are talked of: few make flows that live, many make new ones */

static uint32_t rnd(uint32_t bound)
{
	return random_below(&dice, bound);
}

struct both {
	struct lab *burst, *single;
};

/* --- traffic ----------------------------------------------------------------------------- */

static struct lab_packet from_client(uint8_t proto)
{
	bool second = rnd(4) == 0;
	return (struct lab_packet){
		.port = second ? 2 : 1, .src = second ? LAB_C2_MAC : LAB_C1_MAC, .dst = LAB_FW_MAC,
		.from = ip_v4(10, 137, 0, second ? 6 : 5), .to = ip_v4(198, 51, 100, (uint8_t)(1 + rnd(PEERS))),
		.proto = proto, .sport = (uint16_t)(4000 + rnd(ports)), .dport = (uint16_t)(rnd(5) ? 80 : 53),
	};
}

static struct lab_packet from_world(uint8_t proto)
{
	return (struct lab_packet){
		.port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC,
		.from = ip_v4(198, 51, 100, (uint8_t)(1 + rnd(PEERS))), .to = ip_v4(10, 0, 0, 2),
		.proto = proto, .sport = (uint16_t)(rnd(5) ? 80 : 53), .dport = (uint16_t)(4000 + rnd(ports)),
	};
}

static void make_odd(struct lab_packet *p)
{
	const struct ip_addr odd[] = {
		ip_v4(10, 137, 0, (uint8_t)rnd(8)), ip_v4(10, 0, 0, (uint8_t)rnd(8)), ip_v4(10, 0, 0, 0),
		ip_v4(10, 0, 0, 255), ip_v4(169, 254, 1, 1), ip_v4(224, 0, 0, 1), ip_v4(239, 255, 255, 255),
		ip_v4(127, 0, 0, 1), ip_v4(0, 1, 2, 3), ip_v4(240, 0, 0, 1), ip_v4(255, 255, 255, 255),
	};
	switch (rnd(8)) {
	case 0:
		p->from.b[15] = (uint8_t)rnd(256);
		break;
	case 1:
		p->to = odd[rnd(array_len(odd))];
		break;
	case 2:
		p->dst.b[rnd(6)] ^= (uint8_t)(1 << rnd(8));
		break;
	case 3:
		p->src.b[5] ^= 1;
		break;
	case 4:
		p->ttl = (uint8_t)(1 + rnd(3));
		break;
	case 5:
		p->fragment = (uint16_t)(rnd(3) * IPV4_MF / 2 + rnd(2) * 2);
		p->id = (uint16_t)rnd(3);
		break;
	case 6:
		p->port = (uint16_t)rnd(4); /* 3 is never attached */
		break;
	case 7:
		p->payload_len = 1480 + rnd(300);
		break;
	}
}

static struct lab_packet any_packet(void)
{
	static const uint8_t data[2000];
	static const uint8_t flags[] = { TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
					 TCP_FIN | TCP_ACK, TCP_RST };
	uint8_t proto = rnd(8) == 0 ? PROTO_ICMP : rnd(2) ? PROTO_TCP : PROTO_UDP;
	bool up = rnd(5) < 3;
	struct lab_packet p = up ? from_client(proto) : from_world(proto);
	p.payload = data;
	p.payload_len = rnd(3) ? rnd(60) : 0;
	if (proto == PROTO_TCP) {
		p.flags = flags[rnd(array_len(flags))];
		p.seq = (up ? 1000u : 5000u) + (rnd(3) ? 1 : rnd(4));
		p.ack = (up ? 5000u : 1000u) + (rnd(3) ? 1 : rnd(4));
		if (p.flags & TCP_SYN)
			p.seq = up ? 1000 : 5000;
	} else if (proto == PROTO_ICMP) {
		p.type = up ? 8 : 0;
		p.sport = (uint16_t)(4000 + rnd(ports));
	}
	if (rnd(6) == 0)
		make_odd(&p);
	return p;
}

/* --- two firewalls --------------------------------------------------------------------------- */

/* No flow was checked under today's configuration, and no port knows its client: nothing is usual. */
static void forget(struct fw *fw)
{
	if (++fw->epoch == 0)
		fw->epoch = 1;
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t a = 0; a < FW_PORT_ADDRS_MAX; a++)
			fw->port[i].client[a] = NONE;
}

static void both_input(struct both *t)
{
	struct frame *burst[BURST_MAX];
	uint32_t n = 1 + rnd(rnd(2) ? 4 : BURST_MAX);
	for (uint32_t i = 0; i < n; i++) {
		struct lab_packet p = any_packet();
		burst[i] = lab_frame(t->burst, &p);
		struct frame *f = lab_frame(t->single, &p);
		if (rnd(16) == 0) {
			uint32_t at = rnd(f->len);
			burst[i]->data[at] ^= 0x10;
			f->data[at] ^= 0x10;
		}
		forget(&t->single->fw);
		fw_input(&t->single->fw, &f, 1, t->single->now_ns);
	}
	fw_input(&t->burst->fw, burst, n, t->burst->now_ns);
}

static void same_output(struct both *t)
{
	for (;;) {
		struct frame *a = lab_take(t->burst), *b = lab_take(t->single);
		assert_int_equal(a == NULL, b == NULL);
		if (!a)
			return;
		assert_int_equal(a->port, b->port);
		assert_int_equal(a->len, b->len);
		assert_memory_equal(a->data, b->data, a->len);
		lab_give(t->burst, a);
		lab_give(t->single, b);
	}
}

static void same_counters(const struct fw *a, const struct fw *b)
{
	assert_memory_equal(a->drops, b->drops, sizeof(a->drops));
	assert_memory_equal(ct_stats(a->ct), ct_stats(b->ct), sizeof(struct ct_stats));
	for (uint32_t i = 0; i < 4; i++) {
		const struct fw_port *p = &a->port[i], *q = &b->port[i];
		assert_true(p->rx_packets == q->rx_packets && p->rx_bytes == q->rx_bytes && p->drops == q->drops);
		assert_true(p->tx_packets == q->tx_packets && p->tx_bytes == q->tx_bytes);
	}
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct flow *f = ct_flow(a->ct, i), *g = ct_flow(b->ct, i);
		assert_int_equal(f == NULL, g == NULL);
		if (!f)
			continue;
		assert_true(tuple_eq(&f->orig, &g->orig) && f->nat_port == g->nat_port && f->serial == g->serial);
		assert_memory_equal(f->sent, g->sent, sizeof(f->sent));
		assert_memory_equal(f->half, g->half, sizeof(f->half));
		assert_true(f->client == g->client && f->generation == g->generation && f->rule == g->rule);
		assert_true(f->state == g->state && f->touched_ns == g->touched_ns && f->stale_ns == g->stale_ns);
	}
}

static void change(struct lab *l, uint32_t what)
{
	static const char *const sets[][3] = {
		{ "action=accept", NULL }, { "action=accept", NULL }, { "action=accept", NULL },
		{ "action=drop proto=udp", "action=accept", NULL },
		{ "action=accept dst4=198.51.100.1/32", NULL },
		{ NULL },
	};
	struct frame_queue released = { 0 };
	struct ip_addr c1 = ip_v4(10, 137, 0, 5), peer = ip_v4(198, 51, 100, 2);
	struct fw_port_config c = { .mtu = 1500, .ours = LAB_FW_MAC, .addr_count = 1, .addr = { c1 } };
	switch (what % 16) {
	case 0:
		fw_link(&l->fw, (uint16_t)(what / 16 % 3), what / 64 % 2);
		break;
	case 1:
		fw_detach(&l->fw, 1);
		break;
	case 2:
		fw_set_protected(&l->fw, &peer, what / 16 % 2);
		break;
	case 3:
		fw_set_ours(&l->fw, &peer, what / 16 % 2);
		break;
	case 4:
		lab_rules(l, rnd(2) ? c1 : ip_v4(10, 137, 0, 6), VERDICT_DROP, sets[what / 16 % array_len(sets)]);
		break;
	default: /* most often all is well */
		neigh_set(l->fw.neigh, PORT_UPLINK, l->fw.uplink.gateway, LAB_GW_MAC, &released);
		for (struct frame *f; (f = frames_take(&released));)
			frames_put(&l->fw.done, f);
		fw_attach(&l->fw, 1, &c, l->now_ns);
		fw_link(&l->fw, 0, true);
		fw_link(&l->fw, 1, true);
		fw_link(&l->fw, 2, true);
		fw_set_protected(&l->fw, NULL, 0);
		fw_set_ours(&l->fw, NULL, 0);
		break;
	}
}

static void both_change(struct both *t)
{
	uint32_t what = rnd(1 << 16);
	struct secret before = dice;
	change(t->burst, what);
	dice = before;
	change(t->single, what);
}

static struct both both_new(void)
{
	static const char *const all[] = { "action=accept", NULL };
	struct both t = { lab_new(FLOWS), lab_new(FLOWS) };
	for (uint8_t host = 5; host <= 6; host++) {
		lab_rules(t.burst, ip_v4(10, 137, 0, host), VERDICT_DROP, all);
		lab_rules(t.single, ip_v4(10, 137, 0, host), VERDICT_DROP, all);
	}
	return t;
}

static void both_round(struct both *t, uint32_t n)
{
	both_input(t);
	same_output(t);
	same_counters(&t->burst->fw, &t->single->fw);
	if (rnd(4) == 0)
		both_change(t);
	uint64_t ns = rnd(3) ? rnd(100000) : rnd(2000) * UINT64_C(1000000);
	lab_after(t->burst, ns);
	lab_after(t->single, ns);
	same_output(t);
	if (n % 16 == 0)
		assert_true(lab_conserved(t->burst) && lab_conserved(t->single) && ct_valid(t->burst->fw.ct));
}

static void both_free(struct both *t)
{
	lab_free(t->burst);
	lab_free(t->single);
}

static void test_as_one_by_one(void **state)
{
	(void)state;
	struct both t = both_new();
	dice = (struct secret){ { 31, 32 }, 0 };
	ports = 6;
	for (uint32_t n = 0; n < ROUNDS; n++)
		both_round(&t, n);
	const struct fw *fw = &t.burst->fw;
	/* it met what it should: traffic both ways, refusals of most kinds */
	assert_true(fw->port[0].tx_packets > ROUNDS && fw->port[2].tx_packets > ROUNDS / 8); /* port 1's begin anew */
	assert_true(fw->drops[DROP_SPOOFED] && fw->drops[DROP_TCP_WINDOW] && fw->drops[DROP_RULE] + fw->drops[DROP_POLICY]);
	assert_true(fw->drops[DROP_TTL] && fw->drops[DROP_NOT_FOR_US] && fw->drops[DROP_CLIENT_ADDRESS]);
	assert_true(ct_stats(fw->ct)->evicted && ct_stats(fw->ct)->cut && ct_stats(fw->ct)->expired);
	both_free(&t);
}

/* Nearly every packet opens a flow for which another one must go, or would if it could. */
static void test_new_flows(void **state)
{
	(void)state;
	struct both t = both_new();
	dice = (struct secret){ { 33, 34 }, 0 };
	ports = 600;
	for (uint32_t n = 0; n < ROUNDS; n++)
		both_round(&t, n);
	const struct fw *fw = &t.burst->fw;
	const struct ct_stats *s = ct_stats(fw->ct);
	assert_true(s->opened > 2 * ROUNDS && s->evicted > ROUNDS && s->port_collisions > 0);
	assert_true(fw->drops[DROP_FLOW_SHARE] + fw->drops[DROP_CT_INVALID] && fw->drops[DROP_MARTIAN]);
	both_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_one_by_one),
		cmocka_unit_test(test_new_flows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
