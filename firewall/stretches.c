// SPDX-License-Identifier: ISC
/* Whose the packets of a group were, and which of them stayed long. */
#include "burst.h"

/* Its place, or one that nothing of this group is in: there are more than packets in a group. */
static struct latency_stretch *stretch_of(struct latency_stretches *l, uint64_t rule, uint64_t whose, const struct ip_addr *client)
{
	struct latency_stretch *s;
	uint32_t place = stretches_place(rule, whose);
	for (;; place = (place + 1) % LATENCY_STRETCHES) {
		s = &l->at[place];
		if (s->whose == whose && s->rule == rule)
			return s;
		if (!s->count)
			break;
	}
	if (client)
		l->client[place] = *client;
	*s = (struct latency_stretch){ .rule = rule, .whose = whose, .client = &l->client[place] };
	return s;
}

void stretches_add(struct latency_stretches *l, struct fw *fw, const struct burst *b, const struct frame *f,
		   const struct arrival *a, bool lost)
{
	uint16_t from = a->from < PORT_COUNT ? a->from : 0, port = from;
	enum latency_kind way = lost ? LATENCY_DROP : f->port == from ? LATENCY_ANSWER : LATENCY_UP;
	uint32_t client = 0;
	uint64_t rule = LATENCY_NO_RULE;
	const struct ip_addr *ip = NULL;
	l->flow = NONE;
	l->from = a->from;
	if (way == LATENCY_UP && from == PORT_UPLINK) {
		way = LATENCY_DOWN;
		port = f->port < PORT_COUNT ? f->port : 0;
	}
	if (way < LATENCY_DROP && a->item != NONE) {
		const struct flow *flow = &b->ct.flow[a->item / 2];
		rule = (uint64_t)flow->generation << 32 | flow->rule;
		ip = &flow->orig.src;
		client = flow->client;
		l->flow = a->item / 2;
	} else if (lost && fw->refused.client != NONE) {
		client = fw->refused.client;
		rule = (uint64_t)(uint32_t)b->generation[client] << 32 | fw->refused.rule;
		ip = &fw->refused.ip;
		fw->refused.client = NONE;
	}
	stretches_count(l, stretch_of(l, rule, latency_whose(port, way, client), ip));
}

void stretches_slow(struct fw *fw, const struct burst *b, const struct arrival *a, uint64_t ns, size_t queued,
		    const struct latency_group *group)
{
	struct latency *l = fw->latency;
	struct latency_slow slow = { .ns = ns, .queued = (uint32_t)queued, .port = a->from, .rule = NONE };
	const struct quick_tuple *t = &a->q.tuple;
	if (l->stages) {
		slow.parse_ns = latency_ns(l, group->parsed - l->began);
		slow.lookup_ns = latency_ns(l, group->looked_up - group->parsed);
		slow.forward_ns = latency_ns(l, group->done - group->looked_up);
	}
	if (a->usual) {
		be32 src, dst;
		memcpy(src.b, &t->addresses, sizeof(src.b));
		memcpy(dst.b, (const uint8_t *)&t->addresses + sizeof(src.b), sizeof(dst.b));
		slow.tuple.src = ip_of_v4(src);
		slow.tuple.dst = ip_of_v4(dst);
		slow.tuple.sport = (uint16_t)t->ports;
		slow.tuple.dport = (uint16_t)(t->ports >> 16);
		slow.tuple.proto = a->q.proto;
	}
	if (a->item != NONE) {
		const struct flow *flow = &b->ct.flow[a->item / 2];
		slow.generation = flow->generation;
		slow.rule = flow->rule;
	}
	latency_keep(l, &slow);
}
