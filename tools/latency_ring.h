/* SPDX-License-Identifier: ISC */
/*
 * latency_ring.h: what is known of each probe that is still under way, and where it is counted.
 */
#ifndef LATENCY_RING_H
#define LATENCY_RING_H

#include "latency_trial.h"

enum { LATENCY_REPLY_WAIT_NS = 2000000000 }; /* later than that, a reply is lost */

struct latency_probe_slot {
	uint64_t due, left, came; /* ns; 0: not yet */
	uint64_t arrival, departure; /* the reflector's; 0: unknown */
	bool used, stamped;	     /* stamped: `left` is the kernel's */
};

struct latency_ring {
	struct latency_probe_slot *slot; /* owned */
	uint64_t mask;			 /* slots less one */
	uint64_t sent, highest_came;
	uint64_t start, warm, end; /* ns: the first due time, when recording begins, after the last */
	bool one_way;
	struct latency_series *measured, *net, *path, *generator, *out, *back;
	struct latency_outcome outcome;
};

/* Room for all that can be under way. The run gets its series; ends the program without memory. */
void latency_ring_init(struct latency_ring *, const struct latency_trial *, struct latency_run *, const char *name,
		       uint64_t start);
void latency_ring_free(struct latency_ring *);

/* The next packet, due then, is being sent for the first time. */
void latency_ring_sent(struct latency_ring *, uint64_t due, uint64_t now);
/* The kernel says when packet `sequence` left; a stamp that cannot be is passed over. */
void latency_ring_left(struct latency_ring *, uint64_t sequence, uint64_t stamp);
void latency_ring_came(struct latency_ring *, uint64_t sequence, uint64_t stamp, uint64_t arrival,
		       uint64_t departure);
bool latency_ring_complete(const struct latency_ring *);
/* Counts all that are still under way, lost or not, and writes the counters. */
void latency_ring_finish(struct latency_ring *);

#endif
