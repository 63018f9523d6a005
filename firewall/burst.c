// SPDX-License-Identifier: ISC
/*
 * The usual packets of a burst: in stages over all of them as far as nothing is
 * changed, so that the memory they need is on its way in time; then one by one.
 *
 * What from_client, from_uplink and the checks before them would find out about
 * such a packet depends on its tuple, its port and the configuration alone.
 * They found it out for another packet of the flow, and `epoch` and `generation`
 * tell that nothing has changed since.
 */
#include "fw.h"

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

void fw_look_up(struct fw *fw, const struct ct_view *ct, struct frame *burst[], size_t count, struct fw_arrival *arrival)
{
	for (size_t i = 0; i < count; i++) {
		struct fw_arrival *a = &arrival[i];
		struct fw_port *port = &fw->port[burst[i]->port < PORT_COUNT ? burst[i]->port : 0];
		a->from = burst[i]->port;
		port->rx_packets++;
		port->rx_bytes += burst[i]->len;
		a->reason = pkt_parse(burst[i], &a->p);
		a->item = a->reason == DROP_NONE && is_usual(&a->p) ? 0 : NONE;
		if (a->item == NONE)
			continue;
		a->hash = hash_of(ct, &a->p.tuple);
		table_prefetch(ct->index, a->hash);
	}
	for (size_t i = 0; i < count; i++) {
		struct fw_arrival *a = &arrival[i];
		if (a->item != NONE)
			a->item = table_first(ct->index, a->hash);
		if (a->item == NONE)
			continue;
		const uint8_t *flow = (const uint8_t *)&ct->flow[a->item / 2];
		__builtin_prefetch(flow);
		__builtin_prefetch(flow + 64, 1);
		if (a->p.class == PKT_TCP)
			__builtin_prefetch(flow + 128, 1);
	}
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

static void send(struct fw *fw, struct packet *p, const struct flow *flow, enum ct_dir dir, uint16_t out)
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

bool fw_pass(struct fw *fw, const struct ct_view *ct, struct fw_arrival *a)
{
	struct packet *p = &a->p;
	if (a->item == NONE || !ct_item_is(ct->flow, a->item, &p->tuple))
		return false;
	uint32_t index = a->item / 2, bytes = p->end - p->l3;
	enum ct_dir dir = (enum ct_dir)(a->item % 2);
	struct flow *flow = &ct->flow[index];
	uint16_t out = dir == CT_ORIG ? PORT_UPLINK : flow->port;
	if (flow->epoch != fw->epoch || flow->generation != (uint32_t)policy_generation(fw->policy, flow->client) ||
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
