/* SPDX-License-Identifier: ISC */
/*
 * corelab.h: a firewall in memory between four clients and an uplink, with flows of
 * 64 byte datagrams. What fails ends the program with a sentence.
 */
#ifndef CORELAB_H
#define CORELAB_H

#include <stdlib.h>
#include <string.h>

#include "fw.h"

enum {
	BURST = 32,
	FRAMES = 2 * BURST,
	FLOWS_MAX = 1 << 20,
};

struct bench {
	struct fw fw;
	struct policy *policy;
	struct frame frames[FRAMES];
	struct frame_queue free;
	uint8_t *memory;
	size_t memory_bytes;
	uint64_t now_ns;
	uint32_t flows, at, serial; /* the walk through the flows; new flows so far */
	uint16_t *nat_port;         /* by flow */
	uint64_t sent, lost;
};

struct bench_size {
	uint32_t flows;  /* a power of two */
	uint32_t rules;  /* of each client; the last one matches */
	uint32_t table;  /* flows that fit in */
	bool latency;    /* it measures itself */
	bool huge;       /* pages of 2 MiB are asked for */
};

/* bench_free() releases it. */
struct bench *bench_new(const struct bench_size *);
void bench_free(struct bench *);
/* Opens every flow and answers it, so that all of them are established. */
void bench_establish(struct bench *);
/* Until every new flow takes the place of an old one. */
void bench_fill(struct bench *);
/* BURST packets of flows that stand, or each of a new one; nanoseconds they took, with one bench_clock_ns() in it. */
uint64_t bench_burst(struct bench *, bool fresh);
/* Takes back the frames that left, and counts those that did not. */
void bench_reclaim(struct bench *);
uint64_t bench_clock_ns(void);
_Noreturn void bench_fail(const char *what);
_Noreturn void bench_fail_dropped(const struct bench *, const char *what); /* with the reasons */

/* corecost.c: what measuring costs a packet, as a table or as members of a JSON object. */
void bench_costs(bool json, bool huge);

#endif
