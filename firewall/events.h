/* SPDX-License-Identifier: ISC */
/*
 * events.h: what happened, in a ring of the last EVENTS_KEPT: each a JSON object, numbered from 1 since boot.
 *
 * Of drops there is one for each EVENTS_A_SECOND of a port and reason in a second, and EVENTS_RATE of all; what is
 * left out is counted, and told with the next one of its kind or, a second later, in an event of its own. A drop that
 * is left out costs a look at one counter.
 *
 *   start     platform                                       the appliance began
 *   port      what: "attached", "detached", "link-up", "link-down", "refused"; port, name, ip
 *   drop      reason, text, port, name, client, the tuple, rule and rule_id when a rule decided; suppressed: how many
 *             of this port and reason before it were not told
 *   suppressed  reason, port, name, count
 *   client    client, state "open" or "closed", rules, generation, error: its rules changed
 *   generation  generation, text: "refused: ...", "in force", ...
 *   store     state, as in status
 *   name      name, text: its addresses, or why there are none
 *   watch     id, state, why: an operator began or ended to look at packets
 *
 * `events SINCE [MAX]` (control protocol): a line {"type":"events", boot, next, oldest, lost, unix_ns}, then the events
 * numbered from SINCE on, at most MAX: {"type":"event", seq, unix_ns, kind, ...}. lost: of those from SINCE on, the
 * ring has no more so many. boot: differs for each start of the appliance.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "arena.h"
#include "drop.h"
#include "frame.h"
#include "limit.h"
#include "policy.h"
#include "watch.h"

enum {
	EVENTS_KEPT = 512,
	EVENT_BYTES = 496,        /* of the members of one; a longer one is told without them */
	EVENTS_A_SECOND = 4,      /* drops of one port and reason */
	EVENTS_RATE = 100,        /* drops a second, all in all */
	EVENTS_BURST = 200,
};

struct event {
	uint64_t ns;
	uint32_t len;
	char text[EVENT_BYTES]; /* JSON members, from "kind" on */
};

/* Of one port and reason. */
struct event_gate {
	uint32_t window : 24;   /* the second it counts in */
	uint32_t told : 8;
	uint32_t suppressed;
};

struct events {
	uint64_t boot;
	uint64_t next;          /* number of the next one */
	struct event *event;    /* by number, modulo EVENTS_KEPT */
	struct event_gate *gate; /* port * DROP_COUNT + reason */
	struct limit limit;     /* of drops */
	uint32_t behind;        /* gates that have suppressed some, at most */
	uint64_t sweep_ns;      /* when they are told of; UINT64_MAX: there are none */
	/* what was told last (told.c) */
	uint64_t *client;       /* generation, by client of the policy */
	struct { uint32_t id; enum watch_state state; } watch[WATCH_SESSIONS];
	const char *store;
	uint64_t generation;    /* of the store, that holds */
	bool unconfirmed;
};

struct events *events_new(struct arena *, uint64_t boot, uint64_t now_ns); /* NULL: the arena is too small */

/* An event is written between the two: its members, by json_ functions, onto the text. */
struct text events_begin(struct events *, const char *kind, uint64_t now_ns);
void events_end(struct events *, const struct text *);

/* May a drop be told? How many of its port and reason were not, since the last one that was. */
bool events_allow(struct events *, uint16_t port, enum drop, uint64_t now_ns, uint32_t *suppressed);
/* The next port and reason with some that were not told a second ago; false: none is left for now. *at begins with 0. */
bool events_suppressed(struct events *, uint64_t now_ns, uint32_t *at, uint16_t *port, enum drop *, uint32_t *count);

#endif
