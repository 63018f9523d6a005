/* SPDX-License-Identifier: ISC */
/*
 * policy.h: which rules hold for which client address, and since when.
 *
 * A client is known by its address and has an index that stays its own while a
 * port is attached for it. A client is OPEN (it has a rule set) or CLOSED (none
 * yet, or its last one was refused): then it can open nothing. Flows that
 * others open to it are those of the cross rules (cross.h), which are CLOSED
 * by themselves; who is to send nothing at all is isolated (blocks.h).
 * A rule set is staged aside and published by one assignment. Every change of
 * what a client may do stamps it with a new generation, counted over all
 * clients: a flow that remembers (client, generation) and finds another
 * generation is judged again. Generations are never 0.
 */
#ifndef POLICY_H
#define POLICY_H

#include "accounts.h"
#include "blocks.h"
#include "ruleset.h"

enum {
	POLICY_CLIENTS_MAX = 1024,
	POLICY_HOLD_MAX = 256, /* clients whose rules can change at once */
	POLICY_ERROR_TEXT = 128,
};

enum policy_state { POLICY_CLOSED, POLICY_OPEN };

struct policy;

/*
 * clients <= POLICY_CLIENTS_MAX addresses, so many rules in all, and room to
 * stage the largest set beside the one it replaces; NULL: the arena is too small.
 */
struct policy *policy_new(struct arena *, const struct secret *, uint32_t clients, uint32_t rules);
size_t policy_bytes(uint32_t clients, uint32_t rules);

/* --- data path -------------------------------------------------------------- */

/* false and *client = NONE: never heard of. */
bool policy_find(const struct policy *, struct ip_addr, uint32_t *client);
/*
 * The tuple must be in request direction. client may be NONE. *rule: the rule_ref (rule.h)
 * of what decided; *reason: DROP_NONE, DROP_RULE, DROP_POLICY, DROP_CLOSED, or policy_blocked's.
 */
enum rule_verdict policy_judge(const struct policy *, uint32_t client, const struct tuple *,
			       uint32_t *rule, enum drop *reason);
/* Where what rules decide is counted, and what they are called. */
struct accounts *policy_accounts(const struct policy *);
/* What an operator has stopped. DROP_NONE: neither end of the flow; policy_judge asks it too. */
enum drop policy_blocked(const struct policy *, const struct tuple *);
const struct blocks *policy_blocks(const struct policy *);
/* What rules refer to beyond themselves, as it is now. */
const struct rule_context *policy_context(const struct policy *);
uint64_t policy_generation(const struct policy *, uint32_t client); /* 0 for NONE */
/* That of every client, by its index, for as long as the policy lives. */
const uint64_t *policy_generations(const struct policy *);
uint64_t policy_latest(const struct policy *); /* the newest generation of any client */

/* --- changes, between bursts -------------------------------------------------- */

/*
 * A port came (true) or went (false) for this address. Calls are counted. A
 * client with a port is never evicted. An address not yet heard of becomes a
 * closed client. false: 1024 clients, all with ports.
 */
bool policy_mark_attached(struct policy *, struct ip_addr, bool attached);
bool policy_is_attached(const struct policy *, struct ip_addr);
/* The address was never heard of, if it has no port and no change that may still come or be taken back; false: it has. */
bool policy_forget(struct policy *, struct ip_addr);

/* A change stamps every client. */
void policy_set_blocks(struct policy *, const struct blocks *);

/* The name servers of specialtarget=dns; at most RULE_DNS_MAX. A change stamps every client. */
void policy_set_dns(struct policy *, const struct ip_addr *servers, uint32_t count);

/* The names that rules may have, before the first rule; they outlive the policy. */
void policy_set_hosts(struct policy *, struct hosts *);
/* The sets that rules were expanded from: their names (rule_context). They outlive the policy. */
void policy_set_sets(struct policy *, const struct sets *);
struct hosts *policy_hosts(const struct policy *); /* or NULL */
/* Names whose bit is set (ruleset_names) have other addresses: the rule sets that have one are compiled and stamped anew. */
void policy_hosts_changed(struct policy *, const uint64_t *bit);

/*
 * Wall-clock time. Rules whose time has come end: in what holds, which is stamped anew, in what waits and in what is
 * kept. How many of what holds; those that are staged later are judged by the newest time given here.
 */
uint32_t policy_expire(struct policy *, uint32_t now_s);
uint32_t policy_next_expiry(const struct policy *); /* seconds since 1970, perhaps too early; UINT32_MAX: none */

/* Begins a rule set for this address; one at a time: an unfinished one is forgotten. */
void policy_stage(struct policy *, struct ip_addr, enum rule_verdict policy);
/* In rule order. Room running out is remembered until policy_publish. */
void policy_stage_rule(struct policy *, const struct rule *);
/*
 * The staged set is now the client's. false: it did not fit, the client is
 * CLOSED with that reason. When 1024 addresses are known the one least recently
 * committed that has no port makes room.
 */
bool policy_publish(struct policy *);
/* CLOSED, for the reason given (cut to POLICY_ERROR_TEXT - 1). Forgets what is staged for it. */
void policy_close(struct policy *, struct ip_addr, const char *error);

/* Why the last policy_publish said false. */
const char *policy_fault(const struct policy *);

/* --- many clients at once, between bursts --------------------------------------- */

/*
 * From here on what is published or closed waits, and packets notice nothing; a set that
 * does not fit closes nobody, and the same rules again need no room. Forgets what waited before.
 */
void policy_hold(struct policy *);
bool policy_is_held(const struct policy *);
/*
 * All that waits is current, under one new generation, and nothing is held any more.
 * keep: what it replaces is kept until policy_settle or policy_revert.
 */
void policy_release(struct policy *, bool keep);
/* Forgets what waits; nothing is held any more. */
void policy_abandon(struct policy *);

/* What a policy_publish or policy_close that is not held does to what it replaces. */
enum policy_keeping {
	POLICY_FORGET, /* the usual: and forgets what was kept of this client */
	POLICY_KEEP,   /* keeps it, if nothing of this client is kept; the same rules again change nothing */
	POLICY_LEAVE,  /* the usual, but the same rules again change nothing, and leave what is kept */
	POLICY_AMEND,  /* nobody's new rules: leaves what is kept in any case */
};
void policy_keeping(struct policy *, enum policy_keeping);
/* What was kept is forgotten. */
void policy_settle(struct policy *);
/* What was kept is current again, under one new generation. */
void policy_revert(struct policy *);

/* --- status ------------------------------------------------------------------- */

struct policy_view {
	struct ip_addr ip;
	enum policy_state state;
	const char *error;      /* why CLOSED; "" when OPEN */
	uint64_t generation;    /* stamp of the last change */
	uint32_t attached;      /* ports */
	bool isolated;
	const struct ruleset *rules; /* NULL when CLOSED */
	bool walked;            /* the rules found no room as an image: judging costs as much as they are many */
};

/* The client behind this one (NONE: the first), or NONE. */
uint32_t policy_next(const struct policy *, uint32_t client);
struct policy_view policy_show(const struct policy *, uint32_t client);
uint32_t policy_rules_free(const struct policy *);
uint32_t policy_rules_walked(const struct policy *); /* clients whose rules are walked */

#endif
