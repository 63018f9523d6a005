/* SPDX-License-Identifier: ISC */
/*
 * latency_meet.h: two captures brought together: merged by time, matched, recorded.
 */
#ifndef LATENCY_MEET_H
#define LATENCY_MEET_H

#include "latency_capture.h"
#include "latency_clock.h"
#include "latency_pair.h"
#include "latency_run.h"

enum { LATENCY_MEET_BLOCKS = 2 * LATENCY_BLOCKS };

struct latency_meeting {
	/* what is asked; the caller's */
	const char *from[2]; /* files, or IF[@NETNS] */
	const char *filter, *flows; /* NULL: none; flows: a file of `postern flows -j` */
	uint64_t window_ns, live_ns;
	uint32_t entries; /* a power of two */
	bool live, align;
	/* the answer */
	struct latency_clock clock; /* if align */
	struct latency_way_count count[LATENCY_WAYS];
	uint64_t backwards[LATENCY_WAYS]; /* arrived before they were sent: recorded as 0 */
	uint64_t packets[2], passed_over[2], dropped[2];
	uint32_t blocks_used;
};

/* Into series[LATENCY_WAYS] of LATENCY_MEET_BLOCKS each. An exit code, told on standard error if not EXIT_YES. */
int latency_meet(struct latency_meeting *, struct latency_series *series);
/* Two interfaces, for so long or until interrupted; merged by time as far as they come in time. */
int latency_meet_live(struct latency_pairer *, struct latency_capture capture[2], uint64_t for_ns);

#endif
