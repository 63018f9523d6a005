/* SPDX-License-Identifier: ISC */
/*
 * latency_clock.h: how far B's clock is ahead of A's, as a line over time.
 *
 * From the packets of both directions: the quickest packet of each took its way plus or minus the
 * difference of the clocks. Half of the sum is the shortest round trip, half of the difference the clocks'
 * (if both ways take equally long at best: it cannot be told, and the error is at most half of that round
 * trip). The slope comes from how those minima move.
 */
#ifndef LATENCY_CLOCK_H
#define LATENCY_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LATENCY_CLOCK_WINDOWS = 256 };

struct latency_low {
	int64_t at_ns, ns; /* when, since `base`; the least difference then */
	bool any;
};

struct latency_clock {
	int64_t coarse_ns; /* B less A, taken off before anything else */
	uint64_t base_ns, width_ns;
	struct latency_low low[2][LATENCY_CLOCK_WINDOWS]; /* B - A of A to B; A - B of B to A */
	/* the fit */
	double offset_ns, drift; /* at base; ns a ns */
	double round_trip_ns;	 /* shortest; the offset is known to half of it */
	bool swapped;		 /* the directions were named the wrong way round */
};

void latency_clock_init(struct latency_clock *, int64_t coarse_ns);
/* way: 0 from A to B. Times as captured. */
void latency_clock_add(struct latency_clock *, unsigned way, uint64_t a_ns, uint64_t b_ns);
/* False: too few packets of one direction. */
bool latency_clock_fit(struct latency_clock *);
/* B's time on A's clock. */
uint64_t latency_clock_to_a(const struct latency_clock *, uint64_t b_ns);

#endif
