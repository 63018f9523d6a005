/* SPDX-License-Identifier: ISC */
/*
 * latencyreport.h: what latency.h measured, as lines of the control protocol.
 *
 *   latency  one of each kind that has counted: {"type":"latency","direction":
 *            "up"|"down"|"any","stage":"residence"|"drop"|"publish","count":N,
 *            "sum_ns":N,"min_ns":N,"max_ns":N,"buckets":[[index,count],...]}, index
 *            being histogram.h's. More buckets than a line holds follow in further
 *            lines of the same direction and stage; a line that is followed by
 *            another of its kind has "more":true.
 *   slow     one of each of the slowest packets
 */
#ifndef LATENCYREPORT_H
#define LATENCYREPORT_H

#include "latency.h"

struct latency_report {
	uint32_t kind, bucket, slow;
};

/* words: what stands behind the request's first; NULL, or what is wrong with them. */
const char *latency_report_begin(struct latency_report *, struct latency *, const char *words, size_t len);
/* As status_next; false: complete. */
bool latency_report_next(struct latency_report *, const struct latency *, struct text *line);

#endif
