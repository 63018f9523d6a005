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

/* What the stretches of a block are made of. */
struct stretches {
	struct latency_stretch at[BURST_BLOCK];
	struct ip_addr refused[BURST_BLOCK];
	uint32_t count, last; /* last: that of the last packet */
	uint32_t flow; /* of the last packet, if it was passed on; NONE: it was not, or is of no flow */
	uint16_t from; /* and its port */
};

static inline void stretches_begin(struct stretches *s)
{
	s->count = 0;
	s->flow = NONE;
}

/* A packet that was finished just now, and is of another flow than the one before; lost: it was dropped or refused. */
void stretches_add(struct stretches *, struct fw *, const struct burst *, const struct frame *, const struct arrival *,
		   bool lost);
/* Keeps one that stayed long, as far as the usual way knows it; queued: how many of the burst stood before it. */
void stretches_slow(struct fw *, const struct burst *, const struct arrival *, uint64_t ns, size_t queued,
		    const struct latency_block *);

#endif
