/* SPDX-License-Identifier: ISC */
/*
 * half.h: rule trees that were begun and not committed, and who is at it.
 *
 * Nobody but programs on this host sees what is in them. One whose writer has gone is
 * taken back (history.h) when nobody has touched it for a while: a script may write
 * key by key, each on a connection of its own.
 */
#ifndef HALF_H
#define HALF_H

#include "wire.h"

struct peer;

enum { HALF_MAX = 1024 };

/* What a round begins and ends counts when its commit is known (half_settle). */
struct half {
	struct half_tree {
		char path[WIRE_PATH_BYTES]; /* of the commit key */
		const struct peer *by; /* who wrote last; NULL: gone */
		int64_t ms;	       /* when that was; 0: in this round */
		bool was, is;	       /* begun: before this round, now */
	} *tree;		       /* twice HALF_MAX: so many were, and so many are */
	size_t count;
	size_t begun; /* that are */
};

/* by wrote into this tree. False: too many, or no memory. */
bool half_begun(struct half *h, const char *tree, const struct peer *by);
/* It is whole, or taken back; so are all below a directory ("/": all), as history_undo has it. */
void half_over(struct half *h, const char *tree);
/* The round is on the disk; or, false, nothing of it has happened, and what was there waits from now on. */
void half_settle(struct half *h, bool committed);
void half_left(struct half *h, const struct peer *by);
/* A tree that its writer left so long ago; NULL: none. */
const char *half_abandoned(struct half *h, int64_t now_ms, int64_t patience_ms);
/* True: one may become that with time alone. */
bool half_waits(const struct half *h);
void half_free(struct half *h);

#endif
