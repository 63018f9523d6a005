// SPDX-License-Identifier: ISC
/* Whose the packets of a block were, and which of them stayed long. */
#include "burst.h"

void stretches_add(struct stretches *l, struct fw *fw, const struct burst *b, const struct frame *f,
		   const struct arrival *a, bool lost)
{
	struct latency_stretch *s = &l->at[l->count];
	uint16_t from = a->from < PORT_COUNT ? a->from : 0, port = from;
	enum latency_kind way = lost ? LATENCY_DROP : f->port == from ? LATENCY_ANSWER : LATENCY_UP;
	uint32_t client = 0;
	s->rule = LATENCY_NO_RULE;
	s->count = 1;
	l->flow = NONE;
	l->from = a->from;
	if (way == LATENCY_UP && from == PORT_UPLINK) {
		way = LATENCY_DOWN;
		port = f->port < PORT_COUNT ? f->port : 0;
	}
	if (way < LATENCY_DROP && a->item != NONE) {
		const struct flow *flow = &b->ct.flow[a->item / 2];
		s->rule = (uint64_t)flow->generation << 32 | flow->rule;
		s->client = &flow->orig.src;
		client = flow->client;
		l->flow = a->item / 2;
	} else if (lost && fw->refused.client != NONE) {
		client = fw->refused.client;
		s->rule = (uint64_t)(uint32_t)b->generation[client] << 32 | fw->refused.rule;
		l->refused[l->count] = fw->refused.ip;
		s->client = &l->refused[l->count];
		fw->refused.client = NONE;
	}
	s->whose = latency_whose(port, way, client);
	/* one like it is found sooner than another histogram is written to */
	for (l->last = 0; l->last < l->count; l->last++)
		if (l->at[l->last].whose == s->whose && l->at[l->last].rule == s->rule) {
			l->at[l->last].count++;
			return;
		}
	l->count++;
}

void stretches_slow(struct fw *fw, const struct burst *b, const struct arrival *a, uint64_t ns, size_t queued,
		    const struct latency_block *block)
{
	struct latency *l = fw->latency;
	struct latency_slow slow = { .ns = ns, .queued = (uint32_t)queued, .port = a->from, .rule = NONE };
	const struct quick_tuple *t = &a->q.tuple;
	if (l->stages) {
		slow.parse_ns = latency_ns(l, block->parsed - l->began);
		slow.lookup_ns = latency_ns(l, block->looked_up - block->parsed);
		slow.forward_ns = latency_ns(l, block->done - block->looked_up);
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
