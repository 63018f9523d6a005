/* SPDX-License-Identifier: ISC */
/*
 * latency_plan.h: what `postern latency probe` is asked to do, and the trials that makes.
 */
#ifndef LATENCY_PLAN_H
#define LATENCY_PLAN_H

#include "latency_out.h"
#include "latency_sweep.h"
#include "latency_trial.h"

enum { LATENCY_LIST_MAX = 32, LATENCY_TRIALS_MAX = 100 };

enum latency_preset { LATENCY_NO_PRESET, LATENCY_RFC8219, LATENCY_RFC2544 };

struct latency_plan {
	struct latency_wish wish;
	struct latency_trial trial; /* what all have in common */
	const char *host;
	double rate[LATENCY_LIST_MAX];
	uint32_t size[LATENCY_LIST_MAX];
	const char *value[LATENCY_LIST_MAX]; /* handed to `program` before the trials with it */
	size_t rates, sizes, values;
	unsigned trials; /* of each */
	const char *program;
	const char *reflector; /* "appliance", or its address; NULL: none */
	const char *control;
	struct latency_sweep sweep; /* client NULL: `program` is run with the values */
	struct sockaddr_in reflect_to;
	int cpu;     /* -1: any */
	bool load;   /* rates are shares of a measured maximum, at most rate[0] */
	bool report; /* progress on standard error */
	enum latency_preset preset;
	double scale; /* of a preset's durations */
};

/* From the command line; -1, or the exit code of a verb that is done. */
int latency_plan_read(struct latency_plan *, int argc, char **argv);

#endif
