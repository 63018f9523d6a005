/* SPDX-License-Identifier: ISC */
/*
 * rulereport.h: what each rule in force has done: the answer to `rules [CLIENT]`.
 *
 * The live flows are added up first (accounts.h), some in each line that comes out empty. Then, a JSON line each:
 *   accounts  how many there are, are free, and how many lines have none for want of room
 *   rule      each rule and each policy in force, in order: "client", "rule" (its number, or "policy"), "id", "text",
 *             "labelled", "packets", "bytes", "up_..." (what openers sent) and "down_...", "flows" so far, "live" flows,
 *             "refused" packets, "since_s", and "first_s", "last_s" of its hits, all seconds ago; without the latter
 *             two it was never hit, without all counters it has no account
 */
#ifndef RULEREPORT_H
#define RULEREPORT_H

#include "fw.h"

enum rule_report_stage { RULE_REPORT_FLOWS, RULE_REPORT_POOL, RULE_REPORT_CLIENT, RULE_REPORT_RULES, RULE_REPORT_END };

struct rule_report {
	enum rule_report_stage stage;
	struct ip_addr only;  /* one client; zero: all */
	uint32_t flow;        /* the next slot to look at */
	uint32_t client;      /* of the policy */
	uint64_t generation;  /* of that client when its lines began: a change starts them over */
	struct ruleset_walk walk;
	uint32_t number;      /* of the line before; NONE: none */
	bool policy_told;
};

/* NULL, or what is wrong with the words behind `rules`. */
const char *rule_report_begin(struct rule_report *, const struct fw *, const char *words, size_t len);
/* As status_next: a line onto *line, which holds STATUS_LINE_BYTES and may come out empty; false: complete. */
bool rule_report_next(struct rule_report *, struct fw *, uint64_t now_ns, struct text *line);

/* --- for other answers ------------------------------------------------------------ */

/* A member: the id of what a rule_ref says; "" when it has none. */
void json_rule_id(struct text *, const char *name, const struct fw *, uint32_t rule);
/* A member: its number, or "policy". */
void json_rule_number(struct text *, const char *name, uint32_t rule);
/* The canonical line of a rule in force. */
void rule_report_text(const struct fw *, const struct rule *, struct text *);

#endif
