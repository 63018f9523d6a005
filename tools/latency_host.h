/* SPDX-License-Identifier: ISC */
/*
 * latency_host.h: the machine a run was made on, and what of it makes numbers doubtful.
 */
#ifndef LATENCY_HOST_H
#define LATENCY_HOST_H

#include "latency_run.h"

struct latency_host {
	uint64_t steal, total; /* of /proc/stat when it began, ticks */
	int64_t offset_ns;     /* CLOCK_REALTIME less CLOCK_MONOTONIC */
};

void latency_host_begin(struct latency_host *);
/* Facts into run->host, doubts into run->warnings: also percentiles that stand on too few values. */
void latency_host_end(const struct latency_host *, struct latency_run *);

/* CLOCK_REALTIME, the clock of the kernel's packet stamps. */
uint64_t latency_now(void);

#endif
