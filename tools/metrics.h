/* SPDX-License-Identifier: ISC */
/*
 * metrics.h: the appliance's counters as OpenMetrics 1.0 text.
 *
 * No label takes more values than there are ports, clients, reasons or stages: a peer
 * that answers more than METRICS_ROWS_MAX of a kind has the rest left out. Of rules, those
 * with a label and the busiest others are told.
 */
#ifndef METRICS_H
#define METRICS_H

#include <jansson.h>
#include <stdio.h>

#include "latency_run.h"

enum {
	METRICS_ROWS_MAX = 512,
	METRICS_LABELLED_MAX = 256, /* rules with a label */
	METRICS_BUSY_MAX = 64,      /* and of the others */
};

enum metrics_format {
	METRICS_OPENMETRICS, /* application/openmetrics-text; version=1.0.0 */
	METRICS_PLAIN,	     /* text/plain; version=0.0.4: node_exporter's textfiles */
};

/* The answers it is made of; all owned, each may be NULL or empty. */
struct metrics {
	json_t *appliance, *platform, *tender; /* objects */
	json_t *ports, *clients, *drops;       /* arrays */
	json_t *rules;                         /* those that metrics_pick_rules chose */
	struct latency_run latency, by_client;
};

void metrics_init(struct metrics *);
/* Asks; EXIT_YES, or the exit code after telling standard error. What was heard until then is kept. */
int metrics_gather(struct metrics *, const char *socket);
void metrics_free(struct metrics *);
/* Of all rules as the appliance tells them (rulereport.h), those to be shown: METRICS_LABELLED_MAX and METRICS_BUSY_MAX. */
void metrics_pick_rules(struct metrics *, const json_t *rules);
/* postern_up says whether there is an appliance. */
void metrics_print(FILE *, const struct metrics *, enum metrics_format);

#endif
