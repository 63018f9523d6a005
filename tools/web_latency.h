/* SPDX-License-Identifier: ISC */
/*
 * web_latency.h: what the page shows of latency: of the whole and by client, in the last second and since
 * the start.
 *
 * A sample is an object of series: those of the whole by their names, "passed" (up and down residence together)
 * and "client IP", which is that client's passed; each
 *
 *   {"count":N,"p50":ns,"p90":ns,"p99":ns,"p999":ns,"rows":[[row,count],...]}
 *
 * of what came between two looks; where nothing came, none. A row is eight of histogram.h's buckets: a quarter of
 * a power of two from 32 ns on. Of clients those with most packets, at most WEB_LATENCY_CLIENTS.
 */
#ifndef WEB_LATENCY_H
#define WEB_LATENCY_H

#include <jansson.h>

#include "latency_run.h"

enum {
	WEB_LATENCY_MAX = 12,     /* series of the whole in a sample */
	WEB_LATENCY_CLIENTS = 32,
	WEB_ROW_BUCKETS = 8,
	WEB_ROWS = HISTOGRAM_BUCKETS / WEB_ROW_BUCKETS,
};

/* The histograms of one look: of the appliance as a whole, and by client. */
struct web_latency {
	struct latency_run whole, clients;
};

void web_latency_init(struct web_latency *);
void web_latency_free(struct web_latency *);
/* The caller's reference, as below. */
json_t *web_latency_sample(const struct web_latency *before, const struct web_latency *now);
/* {"schema":1,"clients":[{"client","count","max_ns","percentiles":[{"p","ns","reliable"},...]},...]} */
json_t *web_latency_clients(const struct web_latency *);

#endif
