/* SPDX-License-Identifier: ISC */
/*
 * session.h: one connection: what came in, what waits to go out, what it watches.
 *
 * Memory per peer is bounded: in[] is fixed, out and held stop at PEER_OUT_MAX, after
 * which the peer is dead. Nothing here ends the program: a peer that misbehaves is
 * marked closing (what is queued still goes out) or dead.
 */
#ifndef SESSION_H
#define SESSION_H

#include "db.h"
#include "wire.h"

enum {
	PEER_IN_BYTES = 16 * 1024,
	PEER_OUT_HIGH = 256 * 1024, /* no more requests are taken above this */
	PEER_OUT_MAX = 4 * 1024 * 1024,
	PEER_RULES_MAX = 32 * 1024 * 1024, /* where all the rules of a change must fit at once */
	PEER_WATCHES_MAX = 64,
	PEER_SKIP_MAX = 64 * 1024, /* an oversized value up to this is read and thrown away */
};

enum peer_kind { PEER_LOCAL, PEER_READ_ONLY, PEER_LINK };

struct buffer {
	uint8_t *bytes;
	size_t head; /* bytes gone already */
	size_t len;  /* bytes from head */
	size_t room;
	size_t limit; /* 0: PEER_OUT_MAX */
};

/* False: no memory, or above the limit; nothing was added. */
bool buffer_add(struct buffer *b, const void *from, size_t len);
void buffer_free(struct buffer *b);

enum listing_state { LISTING_NONE, LISTING_WANTED, LISTING_RUNNING };

struct peer {
	/* fixed when accepted */
	int fd;
	enum peer_kind kind;
	struct db_author author;

	uint8_t in[PEER_IN_BYTES];
	size_t in_len;
	size_t skip; /* bytes of an oversized value still to come */
	bool ended;  /* it will send nothing more */
	bool blocked; /* what is in in[] was not looked at: answers come first */

	struct buffer out;
	size_t mark; /* out.len when the round began */
	int64_t moved_ms; /* when out was empty or shrank last */
	bool closing;
	bool dead;
	uint32_t events; /* what epoll watches for */

	char (*watch)[WIRE_PATH_BYTES];
	size_t watches;

	/* MULTIREAD or LIST under way; no further request is taken meanwhile */
	enum listing_state listing;
	enum wire_type listing_type; /* WIRE_MULTIREAD_IS or WIRE_LIST_IS */
	char listing_prefix[WIRE_PATH_BYTES];
	int64_t listing_ms; /* when it began */
	struct db_dump dump;

	/* changes that wait for their common commit (apply.h), and what became of the last ones */
	bool drafting;
	struct buffer draft;
	char said[40];

	/* link only */
	bool mirrored;	    /* it asked for everything: changes are pushed */
	struct buffer held; /* pushes that wait behind the listing */
};

struct peer *peer_new(int fd, enum peer_kind kind, const struct db_author *author, int64_t now_ms);
void peer_free(struct peer *p);

/* Reads once. */
void peer_fill(struct peer *p);
/* Writes what it can. */
void peer_flush(struct peer *p, int64_t now_ms);
void peer_answer(struct peer *p, enum wire_type type, const char *path, const uint8_t *data,
		 size_t len);
/* Its requests are read: no listing is under way, and not too much waits to go out. */
bool peer_takes(const struct peer *p);
/* The next whole request or answer that came in, if its turn has come. */
bool peer_next(struct peer *p, struct wire_message *m);
/* The message's bytes are no longer needed. */
void peer_taken(struct peer *p, const struct wire_message *m);
/* The round's transaction failed: every answer of this round becomes WIRE_ERROR. */
void peer_disown(struct peer *p);

#endif
