/* SPDX-License-Identifier: ISC */
/*
 * latencyreport.h: what latency.h measured, as lines of the control protocol.
 *
 *   latency               latency... of the whole, slow...
 *   latency clients       latency... of every client port that had packets
 *   latency client IP     those of one
 *   latency rules         latency... of the rules that decide most packets
 *   latency heat          heat...
 *   latency state         state
 *   latency reflect       reflect
 *   latency reflect PORT|off    reflect; switches the reflector (reflect.h)
 *   latency on|stages|off|reset    no line: switches; on: all but the stages
 *
 *   latency  {"type":"latency","direction":"up"|"down"|"any","stage":"residence"|"drop"|"answer"|"parse"|"lookup"|"forward"|
 *            "publish"|"host-in"|"host-out","count":N,"sum_ns":N,"min_ns":N,"max_ns":N,"buckets":[[index,count],...]},
 *            index being histogram.h's. More buckets than a line holds follow in further
 *            lines of the same direction, stage and "of"; a line that is followed by
 *            another of its kind has "more":true. Not of the whole: "of" names it and "client"
 *            has its address ("uplink": what was dropped there); of a rule also "rule" (a number or "policy"), "id",
 *            "generation" and "weight" (latencyby.h).
 *   slow     one of each of the slowest packets
 *   heat     the stay of all packets together, whatever became of them, in coarser steps, four to a power of two:
 *            "count", "sum_ns", "rows":[[lowest ns,packets],...]; for who asks often and takes differences
 *   reflect  "port" (0: off), "answered", "limited"
 *   state    "on","stages","clients_unkept","rules_unkept" (packets), "histograms" (there are), "histograms_used"
 */
#ifndef LATENCYREPORT_H
#define LATENCYREPORT_H

#include "fw.h"

enum latency_report_of {
	LATENCY_REPORT_NOTHING, LATENCY_REPORT_WHOLE, LATENCY_REPORT_CLIENTS, LATENCY_REPORT_RULES,
	LATENCY_REPORT_HEAT, LATENCY_REPORT_STATE, LATENCY_REPORT_REFLECT,
};

struct latency_report {
	enum latency_report_of of;
	uint32_t at, last; /* kind, port and way, or rule: where it is, and where it ends */
	uint32_t bucket, slow;
};

/* words: what stands behind the request's first; NULL, or what is wrong with them. */
const char *latency_report_begin(struct latency_report *, struct fw *, const char *words, size_t len);
/* As status_next; false: complete. */
bool latency_report_next(struct latency_report *, const struct fw *, struct text *line);

#endif
