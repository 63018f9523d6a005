// SPDX-License-Identifier: ISC
/*
 * Measures the pure core alone: nanoseconds a packet, on bursts in memory, by flows and by rules.
 *
 * core                 the table; --json: one JSON object; --runs=N; --only=WORKLOAD; --pages=4k|2m
 * core --costs         what measuring its latency costs it (corecost.c); --json, --pages
 * core --callgrind=W   a fixed count of packets of workload W; all that is measured happens
 *                      inside core_burst(), for callgrind's --toggle-collect to name
 */
#include "corelab.h"

#include <stdio.h>

enum {
	RUNS_DEFAULT = 5,
	FORWARD_PACKETS = 1 << 17,
	NEW_PACKETS = 1 << 15,
	NEW_TABLE_FLOWS = 1 << 16,
};

static bool huge = true;

/* The least of many batches: one that was interrupted would make all that follows look too fast. */
static uint64_t clock_cost_ns(void)
{
	enum { BATCHES = 100, TIMES = 100 };
	uint64_t least = UINT64_MAX, sink = 0;
	for (int b = 0; b < BATCHES; b++) {
		uint64_t before = bench_clock_ns();
		for (int i = 0; i < TIMES; i++)
			sink += bench_clock_ns() & 1;
		uint64_t each = (bench_clock_ns() - before) / TIMES;
		least = each < least ? each : least;
	}
	return sink == UINT64_MAX ? 0 : least;
}

static double ns_per_packet(struct bench *b, bool fresh, uint32_t packets)
{
	uint64_t total = 0, cost = clock_cost_ns(), bursts = packets / BURST;
	b->lost = b->sent = 0;
	for (uint64_t i = 0; i < bursts; i++) {
		uint64_t took = bench_burst(b, fresh);
		total += took > cost ? took - cost : 0;
		if (fresh && i % 8 == 0) {
			fw_poll(&b->fw, b->now_ns);
			bench_reclaim(b);
		}
	}
	if (b->lost)
		bench_fail_dropped(b, "packets were dropped that should pass");
	return (double)total / (double)(bursts * BURST);
}

struct workload {
	const char *name;
	uint32_t flows, rules, table;
	bool fresh;
	bool latency; /* measured meanwhile */
};

static const struct workload workloads[] = {
	{ "core_1", 1, 1, 1 << 10, false, false },
	{ "core_1k", 1 << 10, 1, 1 << 12, false, false },
	{ "core_64k", 1 << 16, 1, 1 << 17, false, false },
	{ "core_1m", FLOWS_MAX, 1, FLOWS_MAX + (1 << 12), false, false },
	{ "core_new_r10", 1, 10, NEW_TABLE_FLOWS, true, false },
	{ "core_new_r100", 1, 100, NEW_TABLE_FLOWS, true, false },
	{ "core_new_r1000", 1, 1000, NEW_TABLE_FLOWS, true, false },
	{ "core_new_r10000", 1, 10000, NEW_TABLE_FLOWS, true, false },
	{ "core_1_latency", 1, 1, 1 << 10, false, true },
	{ "core_64k_latency", 1 << 16, 1, 1 << 17, false, true },
};
enum { WORKLOADS = array_len(workloads) };

static struct bench *prepare(const struct workload *w)
{
	struct bench *b = bench_new(&(struct bench_size){ w->flows, w->rules, w->table, w->latency, huge });
	if (w->fresh)
		bench_fill(b);
	else
		bench_establish(b);
	return b;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static bool wanted(const struct workload *w, const char *only)
{
	return !only || !strcmp(w->name, only);
}

static int measure(uint32_t runs, bool json, const char *only)
{
	double *took = calloc(WORKLOADS * runs, sizeof(*took));
	struct bench *b[WORKLOADS] = { NULL };
	for (int w = 0; w < WORKLOADS; w++)
		if (wanted(&workloads[w], only))
			b[w] = prepare(&workloads[w]);
	for (uint32_t r = 0; r <= runs; r++) { /* round 0 warms up */
		for (int w = 0; w < WORKLOADS; w++) {
			if (!b[w])
				continue;
			bool fresh = workloads[w].fresh;
			double ns = ns_per_packet(b[w], fresh, fresh ? NEW_PACKETS : FORWARD_PACKETS);
			if (r)
				took[(uint32_t)w * runs + r - 1] = ns;
		}
	}
	if (!json)
		printf("%-18s %9s %9s %9s   ns a packet, bursts of %d, %u runs\n", "workload", "median", "min", "max",
		       BURST, runs);
	for (int w = 0, said = 0; w < WORKLOADS; w++) {
		if (!b[w])
			continue;
		double *t = &took[(uint32_t)w * runs];
		qsort(t, runs, sizeof(*t), compare);
		if (json)
			printf("%s\"%s\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f}", said++ ? "," : "{",
			       workloads[w].name, t[runs / 2], t[0], t[runs - 1]);
		else
			printf("%-18s %9.2f %9.2f %9.2f%s\n", workloads[w].name, t[runs / 2], t[0], t[runs - 1],
			       t[runs - 1] > 1.3 * t[0] ? "   noisy" : "");
		bench_free(b[w]);
	}
	if (json)
		puts("}");
	free(took);
	return 0;
}

/* A fixed count of packets, so that the instructions of two builds compare. */
static int count_instructions(const char *name)
{
	for (int w = 0; w < WORKLOADS; w++) {
		if (strcmp(workloads[w].name, name))
			continue;
		struct bench *b = prepare(&workloads[w]);
		bool fresh = workloads[w].fresh;
		uint32_t packets = fresh ? NEW_PACKETS / 4 : FORWARD_PACKETS / 4;
		ns_per_packet(b, fresh, packets);
		printf("%s packets %u\n", name, packets);
		bench_free(b);
		return 0;
	}
	bench_fail("no such workload");
	return 1;
}

int main(int argc, char **argv)
{
	long runs = RUNS_DEFAULT;
	bool json = false, costs = false;
	const char *callgrind = NULL, *only = NULL;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--costs"))
			costs = true;
		else if (!strncmp(argv[i], "--runs=", 7))
			runs = strtol(argv[i] + 7, NULL, 10);
		else if (!strcmp(argv[i], "--pages=4k"))
			huge = false;
		else if (!strncmp(argv[i], "--only=", 7))
			only = argv[i] + 7;
		else if (!strncmp(argv[i], "--callgrind=", 12))
			callgrind = argv[i] + 12;
		else if (strcmp(argv[i], "--pages=2m"))
			bench_fail("usage: core [--json] [--runs=N] [--only=WORKLOAD] [--pages=4k|2m] [--costs|--callgrind=WORKLOAD]");
	}
	if (runs < 1 || runs > 1000)
		bench_fail("runs: 1 to 1000");
	if (costs) {
		bench_costs(json, huge);
		return 0;
	}
	return callgrind ? count_instructions(callgrind) : measure((uint32_t)runs, json, only);
}
