/* SPDX-License-Identifier: ISC */
/*
 * apply.h: many rule trees changed at once, confirmed, or taken back.
 *
 * A program writes "begin" to /postern/apply; from then on its WRITEs and RMs below
 * /qubes-firewall/IP, /postern/inbound and /postern/between are gathered, until it writes "commit"
 * there and, in lines of their own,
 *   confirm=SECONDS     taken back unless confirmed by then; at most APPLY_CONFIRM_MAX_S
 *   if=GENERATION       only if that is still the newest generation of rules
 *   reason=TEXT
 * All of it is then one transaction and one generation (history.h). Its READ of
 * /postern/apply says what became of it: "N linked" or "N alone" (no appliance is
 * connected), "conflict M" (the newest is M), "unconfirmed M" (M still waits for its
 * confirmation: nothing else may be applied) or "empty".
 *
 * The appliance sees: WRITE /postern/hold "N SECONDS"; the trees, each with its commit
 * key; WRITE /postern/generation "N SECONDS", which is kept as a key too, so that it is
 * in a dump. It answers by /postern/outcome "N WORD TEXT", WORD as in history.h.
 * /postern/confirm N, written by a program, is passed on to it. While it is away the
 * store judges alone. Refused and unconfirmed generations are taken back as a new one.
 */
#ifndef APPLY_H
#define APPLY_H

#include "change.h"
#include "history.h"

#define APPLY_GENERATION "/postern/generation"
#define APPLY_HOLD "/postern/hold"
#define APPLY_CONFIRM "/postern/confirm"
#define APPLY_OUTCOME "/postern/outcome"

enum {
	APPLY_CONFIRM_MAX_S = 24 * 60 * 60,
	APPLY_GRACE_MS = 3000, /* the appliance's own clock decides, if it is there to say so */
};

struct apply {
	struct db *db; /* fixed at start */
	struct change_list *changes;
	bool linked; /* an appliance is told of changes */
	bool resync; /* the appliance may hold something else than the keys say: it shall read all anew */
	bool waits;  /* a generation waits for its confirmation */
	struct history_batch unconfirmed;
};

/* Learns from the database what waits: at start, and after a failed commit. */
void apply_load(struct apply *a);
/* True: it was one of the messages above, from a program, and is answered. */
bool apply_handle(struct apply *a, struct peer *p, const struct wire_message *m);
/* After every WRITE of the appliance. */
void apply_outcome(struct apply *a, const struct wire_message *m);
/* Takes back what was not confirmed in time. */
void apply_tick(struct apply *a);
/* How long to wait for events, if otherwise it were wait_ms (-1: for ever). */
int apply_wait_ms(const struct apply *a, int wait_ms);

#endif
