/* SPDX-License-Identifier: ISC */
/*
 * burst.h: what burst.c knows of a burst, for who looks on (stretches.c).
 */
#ifndef BURST_H
#define BURST_H

#include "fw.h"
#include "latencyby.h"
#include "quick.h"

enum { BURST_BLOCK = 8 }; /* packets that go through a stage together */
_Static_assert(LATENCY_GROUP % BURST_BLOCK == 0, "a group is whole blocks");

/* What stays the same all through a burst. */
struct burst {
	struct ct_view ct;
	const uint64_t *generation; /* by client */
	bool opens;                 /* a flow can begin: there is a way out, and it is translated */
	uint32_t ours;              /* the uplink's IPv4 address then, as in a packet */
};

struct arrival {
	struct quick q;
	uint16_t from; /* its port */
	bool usual;
	uint32_t item; /* of the flow index, a hint; NONE: not a usual packet, or of no flow */
	uint64_t hash;
	uint64_t reply_hash; /* of the way back, if it is to open a flow */
};

static inline void stretches_next_group(struct latency_stretches *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		s->of[i]->count = 0;
	s->count = 0;
	s->flow = NONE;
}

static inline uint32_t stretches_place(uint64_t rule, uint64_t whose)
{
	return (uint32_t)(whose * 2 ^ whose >> 16 ^ rule * 5) % LATENCY_STRETCHES;
}

static inline void stretches_count(struct latency_stretches *l, struct latency_stretch *s)
{
	l->of[l->count] = s;
	l->count += s->count++ == 0;
	l->last = s;
}

/* As stretches_add, of a packet that left another way than it came. */
static inline bool stretches_passed(struct latency_stretches *l, const struct burst *b, uint16_t to, const struct arrival *a)
{
	const struct flow *flow = &b->ct.flow[a->item / 2];
	uint64_t rule = (uint64_t)flow->generation << 32 | flow->rule;
	bool down = a->from == PORT_UPLINK;
	uint64_t whose = latency_whose(down ? to : a->from, down ? LATENCY_DOWN : LATENCY_UP, flow->client);
	struct latency_stretch *s = &l->at[stretches_place(rule, whose)];
	if (s->whose != whose || s->rule != rule)
		return false;
	stretches_count(l, s);
	l->flow = a->item / 2;
	l->from = a->from;
	return true;
}

/* A packet that was finished just now, and is of another flow than the one before; lost: it was dropped or refused. */
void stretches_add(struct latency_stretches *, struct fw *, const struct burst *, const struct frame *, const struct arrival *,
		   bool lost);
/* Keeps one that stayed long, as far as the usual way knows it; queued: how many of the burst stood before it. */
void stretches_slow(struct fw *, const struct burst *, const struct arrival *, uint64_t ns, size_t queued,
		    const struct latency_group *);

#endif
