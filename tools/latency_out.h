/* SPDX-License-Identifier: ISC */
/*
 * latency_out.h: runs for readers: tables, terminal histograms, CSV, .hgrm, OpenMetrics, SVG.
 */
#ifndef LATENCY_OUT_H
#define LATENCY_OUT_H

#include "latency_run.h"

enum { LATENCY_DURATION_BYTES = 24, LATENCY_OVERLAY_MAX = 8 };

/* "1.25 us": three digits and a unit. */
void latency_duration(char to[LATENCY_DURATION_BYTES], uint64_t ns);
/* "99.9", "max", "min"... of millionths. */
void latency_ppm_name(char to[LATENCY_DURATION_BYTES], uint32_t ppm);

/* Percentiles with what lies beyond each, counters, a histogram of the main series, warnings. */
void latency_print_run(FILE *to, const struct latency_run *, const char *series);
void latency_print_histogram(FILE *to, const struct histogram *);
void latency_print_warnings(FILE *to, const struct latency_run *);

/* Header, then series,percentile,ns,beyond,count. */
void latency_print_csv(FILE *to, const struct latency_run *const *run, const char *const *label, size_t n);
/* HdrHistogram's percentile distribution text, in microseconds. */
void latency_print_hgrm(FILE *to, const struct latency_series *);
/* A histogram a series, bounds a power of two apart from 1 us to 17 s, ended by # EOF. */
void latency_print_openmetrics(FILE *to, const struct latency_run *);

struct latency_curve {
	const char *label;
	const struct histogram *histogram;
};

/* One picture that needs nothing else: percentile curves over histograms; at most LATENCY_OVERLAY_MAX. */
void latency_print_svg(FILE *to, const char *title, const struct latency_curve *curve, size_t n);

/* What the verbs that end in a run have in common. */
struct latency_wish {
	enum { LATENCY_TABLE, LATENCY_JSON, LATENCY_CSV, LATENCY_HGRM, LATENCY_METRICS, LATENCY_NOTHING } form;
	const char *svg, *save, *series; /* file names; NULL: no */
};
/* Long options of getopt_long, to be put first into a verb's own; their values. */
enum { LATENCY_OPT_CSV = 256, LATENCY_OPT_HGRM, LATENCY_OPT_METRICS, LATENCY_OPT_SVG, LATENCY_OPT_SERIES, LATENCY_OPT_OWN };
#define LATENCY_OUT_OPTIONS                                           \
	{ "json", no_argument, NULL, 'j' },                           \
	{ "output", required_argument, NULL, 'o' },                   \
	{ "csv", no_argument, NULL, LATENCY_OPT_CSV },                \
	{ "hgrm", no_argument, NULL, LATENCY_OPT_HGRM },              \
	{ "openmetrics", no_argument, NULL, LATENCY_OPT_METRICS },    \
	{ "svg", required_argument, NULL, LATENCY_OPT_SVG },          \
	{ "series", required_argument, NULL, LATENCY_OPT_SERIES },    \
	{ "help", no_argument, NULL, 'h' }
/* True: the option was one of these. */
bool latency_wish_take(struct latency_wish *, int option, const char *argument);
/* Does all that is wished with one run, or several overlaid. The exit code. */
int latency_grant(const struct latency_wish *, const struct latency_run *const *run, const char *const *label,
		  size_t n);

#endif
