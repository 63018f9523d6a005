/* SPDX-License-Identifier: ISC */
/*
 * accounts.h: what each rule has let through and refused, under an id that stays its own (rule_id.h).
 *
 * An account belongs to a client's address and a rule's id: the same rule finds the same account again after a reload,
 * renumbered or not. It is a handle, 1 to ACCOUNTS_MAX; 0 is nobody's and takes everything. Who keeps a handle holds
 * the account; one that nobody holds and no flow is of is kept until its room is needed. No room is a normal outcome:
 * the handle is 0, which is counted.
 *
 * Packets cost nothing: a flow counts what it sends, and hands it over when it ends or comes under another rule. Whose
 * it then is begins with minus what it has sent so far, so that at any moment
 *     what a rule let through = its account + what its live flows have sent    (mod 2^64)
 *
 * To add up the live flows takes a reckoning, in slices of the flow table, so that it holds no packets up. What
 * happens to a flow behind the slice that was reached last leaves account + reckoning as it is: each flow is
 * counted once, as it was when its slice was added.
 */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include "arena.h"
#include "hash.h"
#include "rule_id.h"
#include "table.h"

enum { ACCOUNTS_MAX = UINT16_MAX - 1 };

struct flow_sent { uint64_t packets, bytes; }; /* IP bytes */

/* What flows and refusals store to; a cache line. */
struct account {
	struct flow_sent sent[2]; /* by enum ct_dir; without live flows */
	uint64_t refused;         /* packets */
	uint64_t flows;           /* that it admitted, and that came under it */
	uint64_t last_ns;         /* of the last packet known here; 0: never hit */
	uint32_t live;            /* flows that are its own now */
	uint32_t held;
};
_Static_assert(sizeof(struct account) == 64, "one cache line");

struct account_about;
struct account_sum;

struct accounts {
	struct account *account; /* by handle; fixed, as are these */
	struct account_about *about;
	struct account_sum *sum; /* of the reckoning */
	struct secret secret;
	uint32_t capacity;
	struct table index;
	uint32_t fresh;      /* handles from here on were never used */
	uint32_t idle;       /* used, but nobody holds them and no flow is of them */
	uint32_t hand;       /* where the search for an idle one goes on */
	uint32_t walked;     /* flows below this one are in the reckoning */
	uint32_t reckoning;  /* its number */
	uint64_t now_ns;
	uint64_t missed;     /* lines and policies that got no account */
};

/* 1 <= count <= ACCOUNTS_MAX; NULL: the arena is too small. */
struct accounts *accounts_new(struct arena *, const struct secret *, uint32_t count);
size_t accounts_bytes(uint32_t count);
/* Time goes on; what is stamped by packets brings its own. */
void accounts_clock(struct accounts *, uint64_t now_ns);

/* --- whose ------------------------------------------------------------------------ */

/* The account of a client's line, made when it is new. */
uint16_t accounts_of_rule(struct accounts *, struct ip_addr client, const struct parsed_rule *);
/* Of the policy behind its last rule. */
uint16_t accounts_of_policy(struct accounts *, struct ip_addr client);
/*
 * A line of a rule set, in order, whose accounts_of_rule this is: the account that it counts in. Sets that are made
 * differ in `set`, which is never 0.
 */
uint16_t accounts_next_line(struct accounts *, uint16_t of_rule, uint64_t set);
void accounts_hold(struct accounts *, uint16_t);
void accounts_release(struct accounts *, uint16_t);

/* --- data path: flow is the number of its slot, and who gets one is held ---------------- */

void accounts_hit_first(struct accounts *, uint16_t, uint64_t now_ns);

static inline void accounts_hit(struct accounts *a, uint16_t at, uint64_t now_ns)
{
	struct account *one = &a->account[at];
	if (one->last_ns == 0)
		accounts_hit_first(a, at, now_ns);
	one->last_ns = now_ns > one->last_ns ? now_ns : one->last_ns;
}

/* A flow that has just begun. */
static inline void accounts_open(struct accounts *a, uint16_t at, uint64_t now_ns)
{
	a->account[at].live++;
	a->account[at].flows++;
	accounts_hit(a, at, now_ns);
}

/* A flow of `from` that goes on under `to`. */
void accounts_move(struct accounts *, uint32_t flow, uint16_t from, uint16_t to, const struct flow_sent sent[2],
		   uint64_t now_ns);
/* Its connection begins anew: what it has sent until now is forgotten after this. */
void accounts_restart(struct accounts *, uint32_t flow, uint16_t, const struct flow_sent sent[2], uint64_t now_ns);
void accounts_unreckon(struct accounts *, uint16_t, const struct flow_sent sent[2]); /* for accounts_close */

static inline void accounts_close(struct accounts *a, uint32_t flow, uint16_t at, const struct flow_sent sent[2],
				  uint64_t touched_ns)
{
	struct account *one = &a->account[at];
	one->sent[0].packets += sent[0].packets;
	one->sent[0].bytes += sent[0].bytes;
	one->sent[1].packets += sent[1].packets;
	one->sent[1].bytes += sent[1].bytes;
	if (flow < a->walked)
		accounts_unreckon(a, at, sent);
	one->last_ns = touched_ns > one->last_ns ? touched_ns : one->last_ns;
	if (--one->live == 0)
		a->idle += at && one->held == 0;
}
/* A packet was refused. */
void accounts_refuse(struct accounts *, uint16_t, uint64_t now_ns);

/* --- looking ------------------------------------------------------------------------- */

/* Begins a reckoning: no flow is in it. One at a time. */
void accounts_reckon(struct accounts *);
/* A live flow, in ascending order of their numbers. */
void accounts_reckon_flow(struct accounts *, uint32_t flow, uint16_t, const struct flow_sent sent[2],
			  uint64_t touched_ns);
/* All flows below this one are in it. */
void accounts_reckoned(struct accounts *, uint32_t below);

struct account_view {
	struct flow_sent sent[2]; /* account and reckoning */
	uint64_t refused, flows;
	uint32_t live;
	uint64_t since_ns;          /* the account was made */
	uint64_t first_ns, last_ns; /* hit; 0: never */
};
/* Zeros for 0. */
struct account_view accounts_show(const struct accounts *, uint16_t);
/* The rule's id; "" for 0. At most RULE_ID_TEXT bytes with the NUL. */
void accounts_id(const struct accounts *, uint16_t, struct text *);
bool accounts_labelled(const struct accounts *, uint16_t);
uint32_t accounts_free(const struct accounts *); /* that a new line can have */
/* Every invariant; live: flows that have an account. For tests. */
bool accounts_valid(const struct accounts *, uint64_t live);

#endif
