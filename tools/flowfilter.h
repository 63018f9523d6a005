/* SPDX-License-Identifier: ISC */
/*
 * flowfilter.h: which of the flows that the control socket lists are meant, and in
 * which order: for every verb that shows or ends flows.
 */
#ifndef FLOWFILTER_H
#define FLOWFILTER_H

#include <jansson.h>

#include "addr.h"

enum { FLOWFILTER_WORD_BYTES = 64 };

/* All zero: every flow. */
struct flowfilter {
	struct ip_addr client;
	struct ip_prefix dst;
	uint16_t dport;
	bool by_client, by_dst, by_dport;
	char proto[FLOWFILTER_WORD_BYTES]; /* these as the listing writes them; "": any */
	char rule[FLOWFILTER_WORD_BYTES];
	char state[FLOWFILTER_WORD_BYTES];
};

enum flowsort { FLOWSORT_NONE, FLOWSORT_BYTES, FLOWSORT_PACKETS, FLOWSORT_IDLE };

/* NULL, or what is wrong with the word; the filter is then as it was. */
const char *flowfilter_client(struct flowfilter *, const char *word); /* an address */
const char *flowfilter_proto(struct flowfilter *, const char *word);  /* a name or number */
const char *flowfilter_dst(struct flowfilter *, const char *word);    /* PREFIX, PREFIX:PORT, [PREFIX]:PORT or :PORT */
const char *flowfilter_rule(struct flowfilter *, const char *word);   /* as listed: an id, a number, "policy" */
const char *flowfilter_state(struct flowfilter *, const char *word);
const char *flowsort_parse(enum flowsort *, const char *word);

bool flowfilter_any(const struct flowfilter *); /* it filters at all */
bool flowfilter_hits(const struct flowfilter *, const json_t *flow);
/*
 * A new array, the caller's, of the flows that hit, sorted (most bytes or packets of
 * both directions, or longest idle, first) and no more than `top` of them; 0: all.
 */
json_t *flowfilter_pick(const struct flowfilter *, const json_t *flows, enum flowsort, size_t top);

#endif
