/* SPDX-License-Identifier: ISC */
/*
 * status.h: the control protocol's answers. A request is a line, its answer a
 * run of lines, one JSON object each with a "type", closed by a line ".".
 * Answers of any length are made a line at a time, so that they need no
 * memory and never hold the packets up.
 *
 *   status   appliance, port..., client..., drop..., platform
 *   flows [EXPRESSION]    flow... (match.h)
 *   latency [...]    latency..., slow..., heat, state; or switches, with no line (latencyreport.h)
 *   names [refresh]    resolver, name... (names_status.h)
 *   rules [CLIENT]    accounts, rule... (rulereport.h)
 *   kill PROTO SRC SPORT DST DPORT    killed (flowkill.h)
 *   events SINCE [MAX]    events, event... (events.h)
 *   watch start|read|stop ...    watch, watchport, packet, bytes (watchreport.h)
 *   explain CLIENT PROTO SRC SPORT DST DPORT    explain, rule..., verdict (explain.h)
 */
#ifndef STATUS_H
#define STATUS_H

#include "eventsreport.h"
#include "explain.h"
#include "flowkill.h"
#include "latencyreport.h"
#include "match.h"
#include "names_status.h"
#include "rulereport.h"
#include "watchreport.h"

enum { STATUS_LINE_BYTES = 2048, STATUS_SCHEMA = 1 };

/* What main.c knows and fw does not. */
struct status_facts {
	const char *platform;
	const char *store; /* "down", "connecting", "synced", "broken" */
	uint64_t started_ns;
	uint64_t now_ns, unix_ns; /* when the request is read */
	uint64_t generation;      /* of the rules that the store applied; 0: none is known */
	uint64_t confirm_by_ns;   /* when it goes back unless confirmed; 0: it stays */
	/* writes the platform's counters, at least one, as JSON members; may be NULL */
	void (*counters)(struct text *);
};

enum status_stage {
	STATUS_APPLIANCE, STATUS_PORTS, STATUS_CLIENTS, STATUS_DROPS, STATUS_PLATFORM,
	STATUS_FLOWS, STATUS_EXPLAIN, STATUS_LATENCY, STATUS_NAMES, STATUS_RULES, STATUS_KILL, STATUS_WATCH, STATUS_EVENTS,
	STATUS_ERROR, STATUS_END, STATUS_IDLE,
};

struct status {
	enum status_stage stage;
	uint32_t index;
	const char *error; /* of STATUS_ERROR */
	struct explain explain;
	struct flowkill kill;
	struct match match; /* of flows */
	char fault[MATCH_FAULT_BYTES];
	struct latency_report latency;
	struct names_status names;
	struct rule_report rules;
	struct watchreport watch;
	struct eventsreport events;
};

/* Begins the answer to a request line. */
void status_begin(struct status *, struct fw *, const struct status_facts *, const char *request, size_t len);
/*
 * The next line of the answer (with its newline) onto *line, which is empty
 * and holds STATUS_LINE_BYTES; false when the answer is complete. A line may
 * come out empty: ask again.
 */
bool status_next(struct status *, struct fw *, const struct status_facts *, uint64_t now_ns, struct text *line);

#endif
