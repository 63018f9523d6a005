/* SPDX-License-Identifier: ISC */
/*
 * batch.h: what a common change of many rule trees writes, and what is told of it.
 *
 * Between history_begin and history_end: hold, puts and removals, the trees, release.
 * Failures make the transaction fail (db.h).
 */
#ifndef BATCH_H
#define BATCH_H

#include "apply.h"

/* To everybody; nothing is kept as a key. */
void batch_tell(struct apply *a, enum wire_type type, const char *path, const void *value, size_t len);
/* Kept as a key and told, to the appliance only what is in no rule tree. */
void batch_put(struct apply *a, const struct db_author *author, const char *path, const void *value,
	       size_t len);
void batch_take_away(struct apply *a, const struct db_author *author, const char *path);
/* Before the trees: the appliance waits for the release. */
void batch_hold(struct apply *a, const struct history_batch *b);
/* What the batch made of each tree; a tree that it did not commit is committed with it. */
void batch_tell_trees(struct apply *a, const struct db_author *author, int64_t number);
/* Behind the trees: the appliance may take them over. */
void batch_release(struct apply *a, const struct db_author *author, int64_t number, uint32_t confirm_s);

#endif
