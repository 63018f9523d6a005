/* SPDX-License-Identifier: ISC */
/*
 * latency_stats.h: whether a percentile of B really differs from that of A, and by how much.
 *
 * Packets that follow one another wait for the same things, so single values are not independent and
 * tests that take them to be find differences where there are none. Here the blocks of time of a run are the
 * units (sectioning: the spread of the blocks' percentiles about the whole run's), and with
 * LATENCY_PAIRED or more runs of each, made in turns, the pairs are: then what differs from run to run is in
 * the interval too. Intervals are Student's, with Welch's degrees of freedom.
 */
#ifndef LATENCY_STATS_H
#define LATENCY_STATS_H

#include "latency_run.h"

enum { LATENCY_PAIRED = 4, LATENCY_PAIRS_MAX = 64, LATENCY_GROUPS_MIN = 5, LATENCY_GROUP_BEYOND = 5 };

struct latency_change {
	double a_ns, b_ns;	   /* the percentile, within its bucket by its rank; means over the pairs */
	double change_ns;	   /* B less A */
	double low_ns, high_ns;	   /* the interval of it */
};

/* False: too few values to tell. confidence: of the interval, 0 to 1. */
bool latency_change_of(const struct latency_series *const *a, const struct latency_series *const *b, size_t pairs,
		       uint32_t ppm, double confidence, struct latency_change *);

/* Half the width of Student's interval in standard errors; df at least 1. */
double latency_student(double df, double confidence);
double latency_quantile_within(const struct histogram *, uint32_t ppm);

#endif
