/* SPDX-License-Identifier: ISC */
/*
 * setlist.h: named sets of networks, out of a file or out of the store (sets.h).
 */
#ifndef SETLIST_H
#define SETLIST_H

#include "sets.h"
#include "storeclient.h"

#define SETLIST_ROOT "/postern/set"

struct setlist {
	struct setlist_set {
		char name[RULE_LABEL_MAX + 1];
		char *members; /* canonical; "": it is to go */
	} *set;
	size_t count, room;
};

/*
 * The canonical text of members: sorted, none twice, a blank between them, no mask behind a single address. NULL:
 * *why says what is wrong at *column (1-based). The caller frees it.
 */
char *setlist_canonical(const char *value, size_t len, const char **why, uint32_t *column);
/* NULL: not in it. */
const char *setlist_find(const struct setlist *, const char *name);
/* members is copied, and takes the place of what it had. */
void setlist_put(struct setlist *, const char *name, const char *members);
/* As setlist_put for a key of the store; false: it is not one of a set's. */
bool setlist_take_key(struct setlist *, const char *key, const uint8_t *value, size_t len);
void setlist_free(struct setlist *);

/* *out: what turns `now` into `wanted`; whole: sets that are only in `now` are to go. */
void setlist_difference(struct setlist *out, const struct setlist *now, const struct setlist *wanted, bool whole);

/* Queues the sets and their commit. */
enum store_result setlist_send(struct storeclient *, const struct setlist *);
/* What the rules refer to, as they judge by it; the caller frees it. */
struct sets *setlist_sets(const struct setlist *);

#endif
