/* SPDX-License-Identifier: ISC */
/*
 * web_history.h: what changed from second to second, for as long as a page shows it.
 *
 * A sample is JSON text, made once and kept; WEB_SAMPLES of them, the oldest goes. The bound on
 * memory is WEB_SAMPLES * WEB_SAMPLE_BYTES.
 *
 *   {"seq":N,"time_ms":wall clock,"span_ms":N,"down":true}     nobody answered, or nothing to compare with
 *   {"seq","time_ms","span_ms","flows":N,"opened_s":N,
 *    "ports":{"NUMBER":[rx_bytes_s,tx_bytes_s,rx_packets_s,tx_packets_s,drops_s],...}    all zero: left out
 *    "drops":{"REASON":packets in the span,...},                                         0: left out
 *    "latency":{"up residence":{"count":N,"p50":ns,"p90":ns,"p99":ns,"p999":ns,"rows":[[row,count],...]},...}}
 *
 * The latency of "passed" is up and down residence together. A row is eight of histogram.h's buckets: a quarter
 * of a power of two from 32 ns on.
 */
#ifndef WEB_HISTORY_H
#define WEB_HISTORY_H

#include <jansson.h>

#include "latency_run.h"

enum {
	WEB_SAMPLES = 600,
	WEB_SAMPLE_BYTES = 64 << 10, /* a longer one is kept without its ports */
	WEB_LATENCY_MAX = 12,	     /* series in a sample */
	WEB_ROW_BUCKETS = 8,
	WEB_ROWS = HISTOGRAM_BUCKETS / WEB_ROW_BUCKETS,
};

/* One look at the appliance. document is what `postern status -j` prints; both are owned. */
struct web_look {
	json_t *document; /* NULL: nobody answered */
	struct latency_run latency;
	int64_t taken_ms; /* monotonic */
};

struct web_history {
	char *sample[WEB_SAMPLES]; /* of sequence number s at s % WEB_SAMPLES */
	uint64_t next;		   /* sequence number of the next one; the first is 1 */
	int64_t boot_ms;	   /* wall clock when it began: tells one server's numbers from the next one's */
};

void web_look_init(struct web_look *);
void web_look_free(struct web_look *);

void web_history_init(struct web_history *, int64_t boot_ms);
void web_history_free(struct web_history *);
void web_history_add(struct web_history *, const struct web_look *before, const struct web_look *now, int64_t time_ms);
/* {"schema":1,"boot_ms","period_ms","keeps","newest","samples":[...]} of those after `since`; to be freed. */
char *web_history_text(const struct web_history *, uint64_t since, int period_ms, size_t *len);

#endif
