/* SPDX-License-Identifier: ISC */
/*
 * history.h: generations of rules, looked at and taken back.
 *
 * Only generations that concern rules count here: those of one rule tree, and
 * batches, which may concern many (`postern apply`). What became of a batch:
 *   waiting      the appliance has not judged it
 *   applied      it is in force for good
 *   unconfirmed  it is in force until its deadline
 *   confirmed    it is in force for good
 *   refused      the appliance would not have it; taken back
 *   reverted     nobody confirmed it in time; taken back
 * All of it belongs to the transaction of db.h.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "db.h"

#define HISTORY_APPLY "/postern/apply"
/*
 * Listed like keys: PREFIX number, and PREFIX number.part for the rest of one of very many
 * clients; all keys of all rule trees at a generation; and, with the prefix of some keys
 * behind it, those keys as they were committed last, and HISTORY_COMMITTED itself, empty,
 * by which this is told from a store that does not know it.
 */
#define HISTORY_LOG "/postern/log/"
#define HISTORY_AT "/postern/at/"
#define HISTORY_COMMITTED "/postern/committed"

enum { HISTORY_REASON_MAX = 255 };

struct history_batch {
	int64_t number;
	int64_t undoes;
	uint32_t confirm_s;  /* 0: needs no confirmation */
	int64_t confirm_by;  /* ms since 1970; set by history_begin */
	char outcome[16];
};

/* The newest generation of rules; 0: there is none. -1: failed. */
int64_t history_latest(struct db *db);
/* Everything that follows, until db_commit or history_end, is one generation, closed at once. */
bool history_begin(struct db *db, const struct db_author *author, const char *reason,
		   struct history_batch *batch);
void history_end(struct db *db);
/* False: no such batch. */
bool history_read(struct db *db, int64_t number, struct history_batch *batch);
/* The newest batch whose outcome is waiting or unconfirmed and that has a deadline. */
bool history_unconfirmed(struct db *db, struct history_batch *batch);
bool history_judge(struct db *db, int64_t number, const char *outcome);

/* Called for each rule tree, as value NULL, and behind it for each of its keys; false ends it. */
typedef bool history_each(void *context, const char *path, const uint8_t *value, size_t len);
/*
 * What stood at generation `at` in the trees that `of` changed, those left out that a
 * generation above `unless_after` has changed again.
 */
bool history_trees(struct db *db, int64_t of, int64_t at, int64_t unless_after, history_each *each,
		   void *context);

/*
 * What generation `number` made of this tree, in the fewest words: each key that it changed
 * with its value, or NULL if it is gone; first of all the directory itself, with NULL, when
 * nothing older is left in it. Without the commit key.
 */
bool history_tree(struct db *db, int64_t number, const char *tree, history_each *each, void *context);
/* Called for each rule tree of generation `number`; committed: its commit key is in it. */
typedef void history_name(void *context, const char *tree, bool committed);
bool history_names(struct db *db, int64_t number, history_name *each, void *context);
/* Takes back what was begun in this tree, or in all trees below a directory, and not committed. */
bool history_undo(struct db *db, const char *tree);

#endif
