/* SPDX-License-Identifier: ISC */
/*
 * blockkeys.h: what an operator stops, and the keys that keep it:
 *   /postern/isolate/IP   why; "off" is as no key
 *   /postern/panic        why; "off" is as no key
 * Both hold at once. What an operator asks for here, at the appliance (blockkeys_ask), is its own: it is written to the
 * store, and stands until an operator releases it, whatever the store says or fails to say. A release is
 *   off, asked for here;
 *   a change of that very key in the store, to "off" or to none, or a removal of /postern/isolate/, while it is linked;
 *   "off" in a dump.
 * What only the store asked for is released by any of these, by a removal of more, and by a dump without the key. So:
 *   the store refuses the write       it holds all the same; told again after BLOCKKEYS_AGAIN_S, and with the next link
 *   the store is away, or goes        it holds; told when it is back, before what its dump says counts
 *   it comes back without the key     (another store, an older copy) it holds, and the store is told anew
 *   its key goes while it is away     likewise: who cannot reach the appliance writes "off", as `postern panic off` does
 *   "off" comes while our "on" is on its way: the store had it before ours, which is its last word: it holds
 *   the appliance starts anew         what the store has; nothing is forwarded before its dump. What it never took is lost
 *   off, asked for here, is refused or not heard: it goes before what dumps say until the store has taken it
 */
#ifndef BLOCKKEYS_H
#define BLOCKKEYS_H

#include "policy.h"
#include "qdb.h"
#include "storelog.h"

enum { BLOCKKEYS_ASKED_MAX = 33 /* panic has a place of its own */, BLOCKKEYS_WHY_BYTES = 64,
       BLOCKKEYS_AGAIN_S = 10 };

struct blockkeys {
	struct policy *policy; /* fixed at set-up */
	const struct log_sink *log;
	struct blocks now;     /* as wanted; the policy has it too */
	struct blocks own;     /* those of now that were asked for here */
	struct blocks dumped;  /* as the dump that is under way says */
	uint32_t dump_lost;    /* isolations of that dump that found no room */
	bool in_dump;
	uint64_t again_ns;     /* when what was refused is told again; 0: not known yet */
	uint32_t asked_count;  /* what the store has not taken yet; oldest first */
	struct asked {
		struct ip_addr ip; /* zero: panic */
		bool on;
		bool refused;
		uint64_t told; /* qdb_written behind it; 0: not yet, or not any more */
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
/* The store would not have the write of this number (qdb_sink). */
void blockkeys_refused(struct blockkeys *, uint64_t number);
/* Tells the store, as much as goes. true: some still waits. */
bool blockkeys_poll(struct blockkeys *, struct qdb *, uint64_t now_ns);
uint64_t blockkeys_deadline(const struct blockkeys *); /* UINT64_MAX: none */

#endif
