/* SPDX-License-Identifier: ISC */
/*
 * latency_view.h: what of the appliance's histograms is asked for and shown: the whole, its stages, clients or rules.
 */
#ifndef LATENCY_VIEW_H
#define LATENCY_VIEW_H

#include <stdio.h>

#include "latency_run.h"

enum latency_view { LATENCY_VIEW_WHOLE, LATENCY_VIEW_STAGES, LATENCY_VIEW_CLIENTS, LATENCY_VIEW_RULES };

enum { LATENCY_REQUEST_BYTES = 128 };

/* The request whose answer has it; client: of CLIENTS only that one, or NULL. False: the client is no address. */
bool latency_view_request(enum latency_view, const char *client, char request[LATENCY_REQUEST_BYTES]);
/* Of the stages only those stay; the others' series are left alone. */
void latency_view_select(enum latency_view, struct latency_run *);
/*
 * Leaves what came since `before`, which becomes what the run was. A series that has less than
 * then was emptied meanwhile, and stays as it is.
 */
void latency_view_since(struct latency_run *, struct latency_run *before);
/* A line for each series, those of most packets first. */
void latency_view_print(FILE *to, enum latency_view, const struct latency_run *);

#endif
