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

struct half {
	struct half_tree {
		char path[WIRE_PATH_BYTES]; /* of the commit key */
		const struct peer *by; /* who wrote last; NULL: gone */
		int64_t ms;	       /* when that was; 0: in this round */
	} *tree;
	size_t count;
};

/* by wrote into this tree. False: too many, or no memory. */
bool half_begun(struct half *h, const char *tree, const struct peer *by);
/* It is whole, or taken back. NULL: all are. */
void half_over(struct half *h, const char *tree);
void half_left(struct half *h, const struct peer *by);
/* A tree that its writer left so long ago; NULL: none. */
const char *half_abandoned(struct half *h, int64_t now_ms, int64_t patience_ms);
/* True: one may become that with time alone. */
bool half_waits(const struct half *h);
void half_free(struct half *h);

#endif
