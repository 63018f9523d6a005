/* SPDX-License-Identifier: ISC */
/*
 * listing.h: answers to MULTIREAD and LIST, which may be long.
 *
 * Asked for while requests are read, begun after that round's commit, then fed to the
 * peer as it reads: the whole answer shows one moment of the store, in bounded memory.
 */
#ifndef LISTING_H
#define LISTING_H

#include "session.h"

enum {
	LISTING_AHEAD_BYTES = 64 * 1024, /* out is filled up to this */
	LISTING_LIMIT_MS = 60 * 1000, /* a snapshot keeps the log from shrinking */
};

/* Answers WIRE_ERROR by itself if the request is wrong. */
void listing_want(struct peer *p, const struct wire_message *m);
void listing_begin(struct peer *p, const struct db *db, int64_t now_ms);
void listing_feed(struct peer *p, int64_t now_ms);

#endif
