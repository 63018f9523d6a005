// SPDX-License-Identifier: ISC
/*
 * A burst: in stages over all its packets as far as nothing is changed, so that
 * the memory they need is on its way in time; then one by one, in order of
 * arrival, the usual ones from their flow to the way out, all others fw.c's.
 *
 * What from_client, from_uplink and the checks before them would find out about
 * such a packet depends on its tuple, its port and the configuration alone.
 * They found it out for another packet of the flow, and `epoch` and `generation`
 * tell that nothing has changed since.
 */
#include "fw.h"

/* What stays the same all through a burst. */
struct burst {
	struct ct_view ct;
	const uint64_t *generation; /* by client */
};

struct arrival {
	struct packet p;
	enum drop reason; /* of the parser */
	uint16_t from;
	uint32_t item;    /* of the flow index, a hint; NONE: not a usual packet, or of no flow */
	uint64_t hash;
};

/* One that only its flow, if there is one, decides about. */
static bool is_usual(const struct packet *p)
{
	return (p->class == PKT_UDP || p->class == PKT_TCP) && !p->v6 && !p->has_fragments && p->ttl > 1;
}

static uint64_t hash_of(const struct ct_view *ct, const struct tuple *t)
{
	return flow_key_hash_v4(ct->key, flow_key_load(t->src.b + 12), flow_key_load(t->dst.b + 12),
				flow_key_load(&t->sport), flow_key_load(&t->proto));
}

static void arrive(struct fw *fw, const struct ct_view *ct, struct frame *f, struct arrival *a)
{
	struct fw_port *port = &fw->port[f->port < PORT_COUNT ? f->port : 0];
	a->from = f->port;
	port->rx_packets++;
	port->rx_bytes += f->len;
	a->reason = pkt_parse(f, &a->p);
	a->item = NONE;
	if (a->reason != DROP_NONE || !is_usual(&a->p))
		return;
	a->item = 0;
	a->hash = hash_of(ct, &a->p.tuple);
	table_prefetch(ct->index, a->hash);
}

static void look_up(const struct ct_view *ct, struct arrival *a)
{
	if (a->item != NONE)
		a->item = table_first(ct->index, a->hash);
	if (a->item == NONE)
		return;
	const uint8_t *flow = (const uint8_t *)&ct->flow[a->item / 2];
	__builtin_prefetch(flow);
	__builtin_prefetch(flow + 64, 1);
	if (a->p.class == PKT_TCP)
		__builtin_prefetch(flow + 128, 1);
}

/* The frame is the port's, and tells nothing new about who sent it. */
static bool link_holds(const struct fw *fw, const struct packet *p, uint16_t from)
{
	const struct fw_port *port = &fw->port[from];
	const struct eth_hdr *eth = pkt_eth(p);
	return mac_eq(eth->dst, port->config.ours) &&
	       (from == PORT_UPLINK || (port->theirs_known && mac_eq(eth->src, port->theirs)));
}

/* NULL: not known without asking. */
static const struct mac *neighbour(const struct fw *fw, const struct flow *flow, uint16_t out)
{
	if (fw->port[out].theirs_known)
		return &fw->port[out].theirs;
	bool on_link = ((flow_key_load(flow->orig.dst.b + 12) ^ fw->uplink_net) & fw->uplink_mask) == 0;
	return out == PORT_UPLINK && fw->gateway_known && !on_link ? &fw->gateway_mac : NULL;
}

/* In steps, where the next hop has to be found first. */
static void send_asking(struct fw *fw, struct packet *p, const struct flow *flow, enum ct_dir dir, uint16_t out)
{
	struct tuple to = ct_translated(flow, dir);
	rewrite_tuple(p, &to);
	rewrite_ttl(p);
	fw_route(fw, p, out);
}

static inline void send(struct fw *fw, struct packet *p, const struct flow *flow, enum ct_dir dir, uint16_t out)
{
	const struct mac *mac = neighbour(fw, flow, out);
	bool up = dir == CT_ORIG;
	if (!mac) {
		send_asking(fw, p, flow, dir, out);
		return;
	}
	const struct tuple *orig = &flow->orig;
	const struct onward to = {
		.src = ip_to_v4(up ? flow->nat_ip : orig->dst), .dst = ip_to_v4(up ? orig->dst : orig->src),
		.sport = up ? flow->nat_port : orig->dport, .dport = up ? orig->dport : orig->sport,
		.link_dst = *mac, .link_src = fw->port[out].config.ours,
	};
	rewrite_onward(p, &to);
	fw_send(fw, p->frame, out);
}

/*
 * Sends a packet on whose flow was admitted by today's rules and checked under
 * today's configuration. False: it was not touched, and goes the whole way.
 */
static inline bool pass(struct fw *fw, const struct burst *b, struct arrival *a)
{
	const struct ct_view *ct = &b->ct;
	struct packet *p = &a->p;
	if (a->item == NONE || !ct_item_is(ct->flow, a->item, &p->tuple))
		return false;
	uint32_t index = a->item / 2, bytes = p->end - p->l3;
	enum ct_dir dir = (enum ct_dir)(a->item % 2);
	struct flow *flow = &ct->flow[index];
	uint16_t out = dir == CT_ORIG ? PORT_UPLINK : flow->port;
	if (flow->epoch != fw->epoch || flow->generation != (uint32_t)b->generation[flow->client] ||
	    a->from != (dir == CT_ORIG ? flow->port : PORT_UPLINK) || !link_holds(fw, p, a->from))
		return false;
	if (bytes > fw->port[out].config.mtu && fw_wire_bytes(p) > fw->port[out].config.mtu)
		return false;
	enum drop reason = DROP_NONE;
	if (p->class == PKT_TCP)
		reason = ct_pass(fw->ct, index, dir, &p->tcp, bytes, ct->now_ns);
	else if (!ct_pass_quietly(flow, dir, bytes, ct->now_ns))
		reason = ct_pass(fw->ct, index, dir, NULL, bytes, ct->now_ns);
	if (reason == DROP_NONE)
		send(fw, p, flow, dir, out);
	else
		fw_drop(fw, p->frame, a->from, reason);
	return true;
}

/* First fragments that were judged let others go. */
static void take_released(struct fw *fw)
{
	struct packet p;
	for (struct frame *f; (f = frames_take(&fw->again));) {
		enum drop reason = pkt_parse(f, &p);
		fw_take(fw, &p, f, f->port, reason);
	}
}

static inline void go(struct fw *fw, const struct burst *b, struct frame *f, struct arrival *a)
{
	if (pass(fw, b, a))
		return;
	fw_take(fw, &a->p, f, a->from, a->reason);
	take_released(fw);
}

void fw_input(struct fw *fw, struct frame *burst[], size_t count, uint64_t now_ns)
{
	/* a packet is AHEAD steps before its bucket is read, and as many again before its flow is */
	enum { AHEAD = 8, RING = 2 * AHEAD };
	struct arrival ring[RING];
	const struct burst b = { ct_view(fw->ct, now_ns), policy_generations(fw->policy) };
	fw->now_ns = now_ns;
	fw->gateway_known = false;
	for (size_t i = 0; i < count + RING; i++) {
		struct arrival *slot = &ring[i % RING];
		if (i >= RING)
			go(fw, &b, burst[i - RING], slot);
		if (i < count)
			arrive(fw, &b.ct, burst[i], slot);
		if (i >= AHEAD && i < count + AHEAD)
			look_up(&b.ct, &ring[(i - AHEAD) % RING]);
	}
}
