/* SPDX-License-Identifier: ISC */
/*
 * generation.h: changes of many clients that hold all together or not at all, and for a
 * while only, unless somebody confirms them.
 *
 * The store says (its apply.h): /postern/hold "N SECONDS", the trees, and
 * /postern/generation "N SECONDS"; in a dump only the latter. Between the two nothing
 * changes for packets; then everything does, between two bursts, or, when one tree is
 * bad or finds no room, nothing. With SECONDS > 0 the rules before come back so long
 * after, by the appliance's own clock, whoever else is alive. What became of it is
 * told in /postern/outcome, "N WORD TEXT", as soon as the store can be written.
 *
 * Pure: no clock but generation_tick's.
 */
#ifndef GENERATION_H
#define GENERATION_H

#include "policy.h"
#include "qdb.h"

enum { GENERATION_LINE = 192, GENERATION_NEVER = 0 };

enum generation_word {
	GENERATION_NOTHING, /* nothing to tell */
	GENERATION_APPLIED,
	GENERATION_UNCONFIRMED,
	GENERATION_CONFIRMED,
	GENERATION_REFUSED,
	GENERATION_REVERTED,
	GENERATION_WORDS,
};

struct generation {
	struct policy *policy; /* fixed at set-up */
	uint64_t now_ns;
	uint64_t held;         /* the number behind the hold; 0: nothing is held */
	char fault[POLICY_ERROR_TEXT]; /* why what is held cannot hold; "": it can */
	uint64_t current;      /* in force; 0: none that is known */
	uint64_t unconfirmed;  /* the current one, while it has a deadline; else 0 */
	uint64_t deadline_ns;
	uint64_t reverted, confirmed, refused; /* the last one each that was; 0: none */
	uint64_t dumped;       /* what the dump says; 0: nothing */
	uint32_t dumped_s;
	enum generation_word word; /* to be told */
	uint64_t word_of;
	char word_text[POLICY_ERROR_TEXT];
};

void generation_init(struct generation *, struct policy *);
/* First in every round: takes back what nobody confirmed. true: it did; what it was is in reverted. */
bool generation_tick(struct generation *, uint64_t now_ns);
uint64_t generation_deadline(const struct generation *); /* UINT64_MAX: none */

/* The values of the keys above, live. Malformed ones are ignored. */
void generation_hold(struct generation *, struct cursor value);
bool generation_is_held(const struct generation *);
/* Why a client's tree cannot hold; the first reason counts. */
void generation_fault(struct generation *, struct ip_addr, const char *why);
/* true: something was judged, and *line says what, for the operator. */
bool generation_publish(struct generation *, struct cursor value, struct text *line);
/* Number, or 0 for the current one. false: nothing waits for a confirmation. */
bool generation_confirm(struct generation *, uint64_t number);
void generation_confirm_key(struct generation *, struct cursor value);

/* A dump begins; the key in it; it ends, before and behind the commits of its trees. */
void generation_opened(struct generation *);
void generation_dumped(struct generation *, struct cursor value);
/* seen: one was complete since boot. false: what this dump says must not hold. */
bool generation_dump_commits(struct generation *, bool seen);
void generation_dump_ends(struct generation *);

/* Tells the store, if there is something and room for it. true: it still waits. */
bool generation_tell(struct generation *, struct qdb *);

#endif
