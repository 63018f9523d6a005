/* SPDX-License-Identifier: ISC */
/*
 * latency_run.h: a latency run: what was measured, with what, on what machine; and its file.
 *
 * The file is one JSON document: "schema" 1, "kind" "postern-latency-run", "tool", "config" and
 * "host" (objects of scalars), "warnings" (strings) and "series". A series has "name", "role",
 * "count", "sum_ns", "min_ns", "max_ns", "percentiles", "counters", "buckets" and
 * "blocks". Buckets are [index, count] pairs of histogram.h; blocks are the same values cut by
 * time into pieces of equal length, each with its own buckets: what `compare` takes its
 * confidence from. Percentiles are for readers of the file; they are not read back.
 */
#ifndef LATENCY_RUN_H
#define LATENCY_RUN_H

#include <jansson.h>
#include <stdio.h>

#include "histogram.h"

enum {
	LATENCY_NAME_BYTES = 96,
	LATENCY_BLOCKS = 20,
	LATENCY_BLOCKS_MAX = 1000,
	LATENCY_SERIES_MAX = 1024,
	LATENCY_REASON_BYTES = 320,
	LATENCY_RELIABLE = 10, /* fewer values than this beyond a percentile: it is not to be trusted */
};

enum latency_role {
	LATENCY_MEASURED, /* what was asked for */
	LATENCY_PART,	  /* a component of it, or another view */
	LATENCY_NOISE,	  /* the tool's own error */
	LATENCY_ROLES,
};

struct latency_series {
	char name[LATENCY_NAME_BYTES];
	enum latency_role role;
	struct histogram total;
	struct histogram *block; /* blocks of them, owned; NULL: none */
	uint32_t blocks;
	json_t *counters; /* owned; name to integer: sent, lost, ... */
};

struct latency_run {
	char tool[16];
	json_t *config, *host, *warnings; /* owned */
	struct latency_series *series;	  /* owned */
	size_t count;
};

/* All empty; ends the program when there is no memory, as do all below. */
void latency_run_init(struct latency_run *, const char *tool);
void latency_run_free(struct latency_run *);
/* The pointer is good until the next one is added. */
struct latency_series *latency_run_add(struct latency_run *, const char *name, enum latency_role role,
				       uint32_t blocks);
struct latency_series *latency_run_find(const struct latency_run *, const char *name);
/* The series that stands for the run: the named one, or (NULL) the first measured one; NULL: none. */
struct latency_series *latency_run_main(const struct latency_run *, const char *name);
void latency_run_warn(struct latency_run *, const char *format, ...) __attribute__((format(printf, 2, 3)));

void latency_record(struct latency_series *, uint32_t block, uint64_t ns);
void latency_count(struct latency_series *, const char *counter, uint64_t n);

/* The document; the caller's reference. */
json_t *latency_run_json(const struct latency_run *);
/* False: no run of ours, and why. The run is initialised and then filled; freed when false. */
bool latency_run_parse(struct latency_run *, const json_t *document, char reason[LATENCY_REASON_BYTES]);
bool latency_run_load(struct latency_run *, const char *file, char reason[LATENCY_REASON_BYTES]);
bool latency_run_save(const struct latency_run *, const char *file, char reason[LATENCY_REASON_BYTES]);

/* [index, count] pairs; false: not such a list. */
json_t *latency_buckets_json(const struct histogram *);
bool latency_buckets_parse(struct histogram *, const json_t *buckets);
/* Whether buckets, count, min and max of what was read can belong together. */
bool latency_histogram_plausible(const struct histogram *);

/* The percentiles that are shown, in millionths, ascending; the last one is 10^6, the maximum. */
extern const uint32_t latency_ppm[];
extern const size_t latency_ppm_count;

#endif
