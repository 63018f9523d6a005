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

void fw_look_up(struct fw *fw, struct frame *burst[], size_t count, struct fw_arrival *arrival)
{
	struct ct_view ct = ct_view(fw->ct);
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
		a->hash = hash_of(&ct, &a->p.tuple);
		table_prefetch(ct.index, a->hash);
	}
	for (size_t i = 0; i < count; i++) {
		struct fw_arrival *a = &arrival[i];
		if (a->item != NONE)
			a->item = table_first(ct.index, a->hash);
		if (a->item == NONE)
			continue;
		const uint8_t *flow = (const uint8_t *)&ct.flow[a->item / 2];
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
static const struct mac *neighbour(const struct fw *fw, const struct packet *p, uint16_t out)
{
	if (fw->port[out].theirs_known)
		return &fw->port[out].theirs;
	bool on_link = ((flow_key_load(p->tuple.dst.b + 12) ^ fw->uplink_net) & fw->uplink_mask) == 0;
	return out == PORT_UPLINK && fw->gateway_known && !on_link ? &fw->gateway_mac : NULL;
}

bool fw_pass(struct fw *fw, struct fw_arrival *a)
{
	struct ct_view ct = ct_view(fw->ct);
	struct packet *p = &a->p;
	if (a->item == NONE || !ct_item_is(ct.flow, a->item, &p->tuple))
		return false;
	uint32_t index = a->item / 2;
	enum ct_dir dir = (enum ct_dir)(a->item % 2);
	const struct flow *flow = &ct.flow[index];
	uint16_t out = dir == CT_ORIG ? PORT_UPLINK : flow->port;
	if (flow->epoch != fw->epoch || flow->generation != (uint32_t)policy_generation(fw->policy, flow->client) ||
	    a->from != (dir == CT_ORIG ? flow->port : PORT_UPLINK) || !link_holds(fw, p, a->from))
		return false;
	if (fw_wire_bytes(p) > fw->port[out].config.mtu)
		return false;
	enum drop reason = ct_pass(fw->ct, index, dir, p->class == PKT_TCP ? &p->tcp : NULL, p->end - p->l3, fw->now_ns);
	if (reason != DROP_NONE) {
		fw_drop(fw, p->frame, a->from, reason);
		return true;
	}
	struct tuple to = ct_translated(flow, dir);
	rewrite_tuple(p, &to);
	rewrite_ttl(p);
	const struct mac *mac = neighbour(fw, p, out);
	if (mac) {
		rewrite_link(p, *mac, fw->port[out].config.ours);
		fw_send(fw, p->frame, out);
	} else {
		fw_route(fw, p, out);
	}
	return true;
}
