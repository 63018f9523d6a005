/* SPDX-License-Identifier: ISC */
/* web_events.h: the last events of the appliance, asked for a few at a time. */
#ifndef WEB_EVENTS_H
#define WEB_EVENTS_H

#include "web_ask.h"

/* Of those kept, at most so many are of drops: a flood of them does not wash the others away. */
enum { WEB_EVENTS_KEPT = 300, WEB_EVENTS_DROPS = 150, WEB_EVENTS_ASKED = 512 };

/* All zero: nothing was asked yet. */
struct web_events {
	json_t *array; /* the newest last */
	char boot[32];	/* of the appliance they are of; "": none was heard */
	json_int_t next;
	int code; /* of the last time */
	char why[WEB_WHY_BYTES];
};

void web_events_free(struct web_events *);
/* Asks for those that are new; after another start of the appliance, for all of them. */
void web_events_ask(struct web_events *, const char *socket);
/*
 * {"schema":1,"events":[...]}, a new object: the last ones, with or without drops, as `postern events -j`
 * tells them, and "time_ms".
 */
json_t *web_events_pick(const struct web_events *, bool drops, size_t top);

/* For the tests: a line of the answer. */
void web_events_take(void *events, json_t *object);

#endif
