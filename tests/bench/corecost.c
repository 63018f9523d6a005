// SPDX-License-Identifier: ISC
/*
 * What measuring costs the core, by slices of one run in one piece of memory.
 *
 * As in slices.py: a quad is every state once in an order drawn at random and once more in the opposite
 * order, so that what drifts cancels; each gives a difference to "off"; told is their median, and between
 * which of them the true one lies with 95 % confidence. "null" is "off" again, and has to come out as nothing.
 */
#include "corelab.h"

#include <math.h>
#include <stdio.h>

enum { QUADS = 500, SLICE_BURSTS = 128, SETTLE_BURSTS = 8 };
enum state { OFF, ON, STAGES, NOTHING, STATES };

struct cost {
	double difference[STATES][QUADS]; /* ns a packet, sorted at the end */
	double off[QUADS];
};

static double slice(struct bench *b, enum state s)
{
	uint64_t took = 0;
	latency_switch(b->fw.latency, s == ON || s == STAGES, s == STAGES);
	for (int i = 0; i < SETTLE_BURSTS + SLICE_BURSTS; i++) {
		uint64_t burst = bench_burst(b, false);
		took += i < SETTLE_BURSTS ? 0 : burst;
	}
	return (double)took / (double)(SLICE_BURSTS * BURST);
}

static void shuffle(enum state order[STATES], uint64_t *seed)
{
	for (uint32_t left = STATES; left > 1; left--) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint32_t i = (uint32_t)(*seed >> 33) % left;
		enum state last = order[left - 1];
		order[left - 1] = order[i];
		order[i] = last;
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void run(struct bench *b, struct cost *c)
{
	enum state order[STATES] = { OFF, ON, STAGES, NOTHING };
	uint64_t seed = 1;
	for (int q = 0; q < QUADS; q++) {
		double ns[STATES] = { 0 };
		shuffle(order, &seed);
		for (int i = 0; i < 2 * STATES; i++) {
			enum state s = order[i < STATES ? i : 2 * STATES - 1 - i];
			ns[s] += slice(b, s) / 2;
		}
		c->off[q] = ns[OFF];
		for (int s = 0; s < STATES; s++)
			c->difference[s][q] = ns[s] - ns[OFF];
	}
	if (b->lost)
		bench_fail_dropped(b, "packets were dropped that should pass");
	qsort(c->off, QUADS, sizeof(*c->off), compare);
	for (int s = 0; s < STATES; s++)
		qsort(c->difference[s], QUADS, sizeof(*c->off), compare);
}

static void tell(const char *name, const struct cost *c, bool json, bool first)
{
	static const char *const word[STATES] = { "off", "on", "stages", "null" };
	int low = (int)((QUADS - 1.96 * sqrt(QUADS)) / 2), high = QUADS - 1 - low;
	const double *told = c->difference[STAGES];
	if (json) {
		printf("%s\"%s\":{\"median\":%.2f,\"low\":%.2f,\"high\":%.2f,\"quads\":%d}", first ? "{" : ",", name,
		       told[QUADS / 2], told[low], told[high], QUADS);
		return;
	}
	for (int s = ON; s < STATES; s++)
		printf("%-18s %-7s %+6.2f ns (%+.2f..%+.2f) a packet; off %.2f ns\n", name, word[s],
		       c->difference[s][QUADS / 2], c->difference[s][low], c->difference[s][high], c->off[QUADS / 2]);
}

void bench_costs(bool json, bool huge)
{
	static const struct {
		const char *name;
		uint32_t flows;
	} workloads[] = { { "core_latency_1", 1 }, { "core_latency_64k", 1 << 16 } };
	static struct cost cost;
	for (uint32_t i = 0; i < array_len(workloads); i++) {
		uint32_t flows = workloads[i].flows;
		struct bench *b = bench_new(&(struct bench_size){ flows, 1, flows < 512 ? 1 << 10 : 2 * flows, true, huge });
		bench_establish(b);
		run(b, &cost);
		tell(workloads[i].name, &cost, json, i == 0);
		bench_free(b);
	}
	if (json)
		puts("}");
}
