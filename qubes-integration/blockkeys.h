/* SPDX-License-Identifier: ISC */
/*
 * blockkeys.h: what an operator stops, and the keys that keep it:
 *   /postern/isolate/IP   why; "off" is as no key
 *   /postern/panic        why; "off" is as no key
 * Both hold at once, and while the store is away. What is asked for here, not by the store (blockkeys_ask), is written
 * to the store when it can be, and until it has answered goes before what its dumps say.
 */
#ifndef BLOCKKEYS_H
#define BLOCKKEYS_H

#include "policy.h"
#include "qdb.h"
#include "storelog.h"

enum { BLOCKKEYS_ASKED_MAX = 33 /* panic has a place of its own */, BLOCKKEYS_WHY_BYTES = 64 };

struct blockkeys {
	struct policy *policy; /* fixed at set-up */
	const struct log_sink *log;
	struct blocks now;     /* as wanted; the policy has it too */
	struct blocks dumped;  /* as the dump that is under way says */
	bool in_dump;
	uint32_t asked_count;  /* told to the store, which has not answered, then to be told; oldest first */
	struct asked {
		struct ip_addr ip; /* zero: panic */
		bool on;
		uint64_t told; /* qdb_written behind it; 0: not yet */
		char why[BLOCKKEYS_WHY_BYTES];
	} asked[BLOCKKEYS_ASKED_MAX];
};

void blockkeys_init(struct blockkeys *, struct policy *, const struct log_sink *);
/* key: what follows /postern/. false: not of these. */
bool blockkeys_write(struct blockkeys *, struct cursor key, struct cursor value);
/* The key, or a directory of them, or "": all. */
void blockkeys_remove(struct blockkeys *, struct cursor key);
/* A dump begins; it is whole. */
void blockkeys_opened(struct blockkeys *);
void blockkeys_synced(struct blockkeys *);
/*
 * An operator's words: "panic on|off [WHY]", "isolate IP on|off [WHY]". false: not of these. *error: what is wrong
 * with them, or NULL.
 */
bool blockkeys_ask(struct blockkeys *, struct cursor words, const char **error);
/* Tells the store, as much as goes. true: some still waits. */
bool blockkeys_poll(struct blockkeys *, struct qdb *);

#endif
