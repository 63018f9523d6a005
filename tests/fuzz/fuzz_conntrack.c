/* links: firewall/conntrack.c firewall/ct_open.c firewall/accounts.c rules/rule_id.c rules/rule.c firewall/ct_timeouts.c firewall/ct_valid.c firewall/tcp_track.c firewall/nat.c netstack/hash.c netstack/table.c netstack/queue.c netstack/arena.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_conntrack.c: a small table under steps of eight bytes: a packet of any
 * class from either side, what the world opens, ports to be kept, time, a cut, a port gone. After each the table is
 * whole, out and back are inverse, and a dropped packet changed nothing.
 */
#include "conntrack.h"

enum { FLOWS = 12, STEP_BYTES = 8, STEPS_MAX = 512 };

static _Alignas(64) uint8_t memory[64 * 1024];

struct step {
	uint8_t what, who, port, flags, seq, ack, len, time;
};

static struct packet packet_of(const struct step *s)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP, 47 };
	static const enum pkt_class classes[] = { PKT_TCP, PKT_TCP, PKT_UDP, PKT_ICMP_QUERY, PKT_OTHER };
	uint32_t kind = s->what / 8 % array_len(protos);
	bool ports = protos[kind] == PROTO_TCP || protos[kind] == PROTO_UDP;
	bool icmp = protos[kind] == PROTO_ICMP;
	struct packet p = { .class = classes[kind], .l3 = 14, .end = 60, .icmp_type = s->flags % 2 ? 8 : 0 };
	p.tuple = (struct tuple){ .src = ip_v4(10, 0, 0, s->who % 4), .dst = ip_v4(10, 0, 0, s->who / 4 % 4),
	                          .sport = ports || icmp ? s->port % 4 : 0, .dport = ports ? s->port / 4 % 2 : 0,
	                          .proto = protos[kind], .kind = icmp ? 8 : 0 };
	/* numbers near each other, near the wrap, and far off */
	p.tcp = (struct tcp_view){ .seq = s->seq < 250 ? s->seq - 100u : s->seq * 0x01010101u,
	                           .ack = s->ack < 250 ? s->ack - 100u : s->ack * 0x01010101u,
	                           .window = s->len, .flags = s->flags, .scale = s->time % 15, .has_scale = s->len % 2 };
	p.tcp.segment_len = (uint32_t)s->len / 16 + (s->flags & TCP_SYN ? 1 : 0) + (s->flags & TCP_FIN ? 1 : 0);
	return p;
}

static void there_and_back(const struct ct *ct, const struct flow *f, uint32_t flow, enum ct_dir dir)
{
	struct tuple out = ct_translated(f, dir), back = tuple_reverse(&out);
	uint32_t other;
	enum ct_dir other_dir;
	ensure(ct_find(ct, &back, &other, &other_dir) && other == flow && other_dir != dir);
}

static void track(struct ct *ct, uint32_t flow, enum ct_dir dir, const struct packet *p, uint64_t now)
{
	struct flow *f = ct_flow(ct, flow), was = *f;
	enum drop why = ct_track(ct, flow, dir, p, now);
	if (why != DROP_NONE) {
		ensure(why == DROP_TCP_WINDOW || why == DROP_TCP_STATE || why == DROP_CT_INVALID);
		ensure(!memcmp(f, &was, sizeof(was)));
	} else {
		ensure(tuple_eq(&f->orig, &was.orig) && ip_eq(f->nat_ip, was.nat_ip) &&
		       f->nat_port == was.nat_port && f->serial == was.serial);
	}
	there_and_back(ct, f, flow, dir);
}

static void one_packet(struct ct *ct, const struct step *s, uint64_t now)
{
	struct packet p = packet_of(s);
	static const struct ip_addr zero;
	struct ip_addr nat = s->what & 0x80 ? zero : ip_v4(192, 0, 2, 1);
	uint32_t flow, before = ct_count(ct);
	enum ct_dir dir;
	if (s->time & 0x80) { /* the answer to a flow there is */
		flow = ct_next(ct, s->who % FLOWS);
		if (flow == NONE)
			return;
		p.tuple = flow_reply(ct_flow(ct, flow));
		if (p.tuple.proto == PROTO_TCP)
			p.class = PKT_TCP;
		else if (p.tuple.proto == PROTO_UDP)
			p.class = PKT_UDP;
		else
			p.class = p.tuple.proto == PROTO_ICMP ? PKT_ICMP_QUERY : PKT_OTHER;
	}
	if (ct_find(ct, &p.tuple, &flow, &dir)) {
		track(ct, flow, dir, &p, now);
		return;
	}
	bool inbound = s->len % 8 == 7;
	enum drop why = inbound ? ct_open_inbound(ct, &p, 1 + s->who % 4, ip_v4(10, 0, 1, s->seq % 4), s->ack % 4, now, &flow) :
				  ct_open(ct, &p, 1 + s->who % 4, nat, now, &flow);
	if (why == DROP_NONE)
		there_and_back(ct, ct_flow(ct, flow), flow, inbound ? CT_REPLY : CT_ORIG);
	else
		ensure(ct_count(ct) == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct secret secret = { { 1, 2 }, 0 };
	struct arena a = { memory, sizeof(memory) };
	uint64_t now = 0;
	memset(memory, 0, sizeof(memory));
	struct ct *ct = ct_new(&a, FLOWS, &secret);
	ensure(ct != NULL);
	for (uint32_t n = 0; n < STEPS_MAX && len >= STEP_BYTES; n++, bytes += STEP_BYTES, len -= STEP_BYTES) {
		struct step s;
		memcpy(&s, bytes, sizeof(s));
		uint32_t flow = ct_next(ct, s.who % FLOWS);
		switch (s.what % 8) {
		case 0:
			now += (uint64_t)s.time * s.len * 100000000;
			ct_poll(ct, now);
			break;
		case 1:
			if (flow != NONE && s.time > 200)
				ct_cut(ct, flow);
			break;
		case 2:
			if (s.time > 240)
				ct_flush_port(ct, s.who % 5);
			else if (s.time > 200)
				ct_keep_none(ct);
			else if (s.time > 160)
				ct_keep_ports(ct, s.flags % 2 ? PROTO_TCP : PROTO_UDP, s.port % 4, s.port % 4 + s.len);
			break;
		default:
			one_packet(ct, &s, now);
			break;
		}
		ensure(ct_valid(ct));
		ensure(ct_deadline(ct) == UINT64_MAX || ct_count(ct) > 0);
	}
	const struct ct_stats *st = ct_stats(ct);
	ensure(st->opened >= st->evicted + st->expired + st->cut);
	return 0;
}
