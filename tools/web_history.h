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
 *    "latency":{"NAME":series,...}}                                                       web_latency.h
 */
#ifndef WEB_HISTORY_H
#define WEB_HISTORY_H

#include <jansson.h>

#include "web_latency.h"

enum {
	WEB_SAMPLES = 600,
	WEB_SAMPLE_BYTES = 64 << 10, /* a longer one is kept without its ports */
};

/* One look at the appliance. document is what `postern status -j` prints; both are owned. */
struct web_look {
	json_t *document; /* NULL: nobody answered */
	struct web_latency latency;
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
