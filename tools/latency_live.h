/* SPDX-License-Identifier: ISC */
/*
 * latency_live.h: the histograms that the running appliance keeps, as a run.
 *
 * Control request "latency": lines {"type":"latency","direction":D,"stage":S,"count","sum_ns",
 * "min_ns","max_ns","buckets":[[index,n],...]}; one of a client or rule has "of", whose it is. A
 * series whose buckets do not fit a line goes on in further lines of the same direction and stage,
 * all but the last with "more":true. Lines
 * {"type":"slow",...} are packets that took long, kept as they are in the config.
 */
#ifndef LATENCY_LIVE_H
#define LATENCY_LIVE_H

#include "latency_run.h"

/* One line of the answer; false: it is damaged and counts for nothing. Other types are passed over. */
bool latency_live_take(struct latency_run *, json_t *line);
/* Asks; EXIT_YES and an initialised run, or the exit code of what was told on standard error. */
int latency_live_ask(struct latency_run *, const char *control, const char *request);

#endif
