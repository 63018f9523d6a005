/* SPDX-License-Identifier: ISC */
/*
 * web_flows.h: the open flows of two looks, and the best of them by some order.
 *
 * At most WEB_FLOWS_MAX are kept, as text; more are counted only.
 */
#ifndef WEB_FLOWS_H
#define WEB_FLOWS_H

#include <jansson.h>

#include "base.h"

enum { WEB_FLOWS_MAX = 1 << 17, WEB_FLOWS_TOP = 100, WEB_FLOWS_TOP_MAX = 500, WEB_FILTER_BYTES = 128 };

enum web_flow_order { WEB_BY_RATE, WEB_BY_BYTES, WEB_BY_PACKETS, WEB_BY_IDLE, WEB_ORDERS };

struct web_flow {
	uint64_t key; /* of its tuple: the same in the next look */
	int64_t count[4], rate[4]; /* up and down bytes, up and down packets; a second */
	int64_t idle_s;
	char *line, *words; /* the object as text; what a filter looks at, in lower case, the client first */
	size_t client_len;  /* of words */
};

struct web_flows {
	struct web_flow *flow;
	size_t count, room;
	uint64_t total;	     /* there were */
	int64_t taken_ms;    /* monotonic */
	int64_t age_ms;      /* now, for whoever is told of them */
	int64_t interval_ms; /* since the look that the rates come from; 0: there are no rates */
};

void web_flows_free(struct web_flows *);
/* An object of the answer; of another type it is passed over. For answer_each. */
void web_flows_take(void *flows, json_t *object);
/* Gives `now` its rates since `before`, which may be empty; both are sorted for it. */
void web_flows_rate(struct web_flows *now, struct web_flows *before);

/* False: no such word. */
bool web_flow_order_parse(enum web_flow_order *, const char *word);
/*
 * {"schema":1,"age_ms","interval_ms","total","matching","flows":[...]}: a flow as `postern flows -j` has it, and
 * up_bytes_s, down_bytes_s, up_packets_s and down_packets_s. client: an address or ""; filter: words that
 * all must occur in a flow, or "". Compact text, to be freed.
 */
char *web_flows_text(const struct web_flows *, const char *client, const char *filter, enum web_flow_order, size_t top,
		     size_t *len);

#endif
