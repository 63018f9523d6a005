/* SPDX-License-Identifier: ISC */
/*
 * latency_split.h: which part of a way is the link to the appliance, which the appliance, and which lies beyond, by
 * probes through it beside probes to its own reflector (firewall/reflect.h).
 *
 * Medians: the link is the way to the reflector and back (its answering is in it), the appliance what it measured
 * itself of the probes that passed, up and down; what is left of the whole lies beyond. They do not add up
 * exactly, as medians do not; what would be less than nothing is 0.
 */
#ifndef LATENCY_SPLIT_H
#define LATENCY_SPLIT_H

#include <netinet/in.h>

#include "latency_run.h"

struct latency_split {
	const char *control; /* NULL: the appliance's own histograms are not asked for */
	struct latency_run before, after; /* what they were, around the trial that went through */
};

/* Where the appliance answers, by its control socket. EXIT_YES, or the exit code after telling why. */
int latency_split_find(const char *control, struct sockaddr_in *to);
/* Before and after the trial that goes through. */
void latency_split_begin(struct latency_split *);
void latency_split_through(struct latency_split *);
/* After the other one. Adds to the run's config "split": what series `name` and its `to` ("NAME appliance net") say, in nanoseconds. */
void latency_split_end(struct latency_split *, struct latency_run *, const char *name, const char *to);
void latency_split_print(FILE *to, const struct latency_run *);

#endif
