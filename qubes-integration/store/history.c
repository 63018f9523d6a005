/* SPDX-License-Identifier: ISC */
/* history.c: asks and notes what is known of generations of rules. */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "history.h"

#define RULES "closed = 1 AND (path IN ('" HISTORY_APPLY "', '/postern/inbound', '/postern/between', '/postern/set') OR" \
	      " (path > '/qubes-firewall/' AND path < '/qubes-firewall0'))"

static const char columns[] =
	"SELECT number, undoes, confirm_s, confirm_by, outcome FROM generation"
	" WHERE path = '" HISTORY_APPLY "' AND ";

static const char begin_sql[] =
	"INSERT INTO generation(time, uid, pid, comm, via, path, closed, reason, outcome,"
	" confirm_s, confirm_by, undoes)"
	" VALUES(?1, ?2, ?3, ?4, ?5, '" HISTORY_APPLY "', 1, ?6, ?7, ?8, ?9, ?10)";

static const char trees_sql[] =
	"SELECT DISTINCT tree FROM change WHERE generation = ?1 AND tree IS NOT NULL AND tree NOT IN"
	" (SELECT c.tree FROM change c JOIN generation g ON g.number = c.generation"
	"  WHERE c.generation > ?2 AND g.closed = 1 AND c.tree IS NOT NULL) ORDER BY tree";

static const char keys_sql[] =
	"SELECT path, new FROM change WHERE new IS NOT NULL AND rowid IN"
	" (SELECT max(c.rowid) FROM change c JOIN generation g ON g.number = c.generation"
	"  WHERE c.tree = ?1 AND c.generation <= ?2 AND g.closed = 1 GROUP BY c.path)"
	" ORDER BY path DESC";

static sqlite3_stmt *prepare(struct db *db, const char *sql)
{
	sqlite3_stmt *ask = NULL;

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &ask, NULL) != SQLITE_OK)
		db->failed |= db->open;
	return ask;
}

/* One step that gives no row. */
static bool run(struct db *db, sqlite3_stmt *ask)
{
	bool done = sqlite3_step(ask) == SQLITE_DONE;

	sqlite3_finalize(ask);
	db->failed |= !done;
	return done;
}

int64_t history_latest(struct db *db)
{
	sqlite3_stmt *ask = prepare(db, "SELECT max(number) FROM generation WHERE " RULES);
	int64_t number = -1;

	if (sqlite3_step(ask) == SQLITE_ROW)
		number = sqlite3_column_int64(ask, 0);
	sqlite3_finalize(ask);
	return number;
}

bool history_begin(struct db *db, const struct db_author *author, const char *reason,
		   struct history_batch *batch)
{
	sqlite3_stmt *ask = db_begin(db) ? prepare(db, begin_sql) : NULL;
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &t);
	now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	batch->confirm_by = batch->confirm_s ? now + (int64_t)batch->confirm_s * 1000 : 0;
	sqlite3_bind_int64(ask, 1, now);
	sqlite3_bind_int64(ask, 2, author->uid);
	sqlite3_bind_int64(ask, 3, author->pid);
	sqlite3_bind_text(ask, 4, author->comm, -1, SQLITE_STATIC);
	sqlite3_bind_text(ask, 5, author->via, -1, SQLITE_STATIC);
	sqlite3_bind_text(ask, 6, reason, -1, SQLITE_STATIC);
	sqlite3_bind_text(ask, 7, batch->outcome, -1, SQLITE_STATIC);
	sqlite3_bind_int64(ask, 8, batch->confirm_s);
	sqlite3_bind_int64(ask, 9, batch->confirm_by);
	sqlite3_bind_int64(ask, 10, batch->undoes);
	if (!run(db, ask))
		return false;
	batch->number = sqlite3_last_insert_rowid(db->sqlite);
	db->batch = batch->number;
	return true;
}

void history_end(struct db *db)
{
	db->batch = 0;
}

static bool read_batch(struct db *db, const char *where, int64_t number, struct history_batch *b)
{
	char sql[400];
	sqlite3_stmt *ask;
	bool found;

	snprintf(sql, sizeof(sql), "%s%s", columns, where);
	ask = prepare(db, sql);
	sqlite3_bind_int64(ask, 1, number);
	found = sqlite3_step(ask) == SQLITE_ROW;
	if (found) {
		b->number = sqlite3_column_int64(ask, 0);
		b->undoes = sqlite3_column_int64(ask, 1);
		b->confirm_s = (uint32_t)sqlite3_column_int64(ask, 2);
		b->confirm_by = sqlite3_column_int64(ask, 3);
		snprintf(b->outcome, sizeof(b->outcome), "%s", (const char *)sqlite3_column_text(ask, 4));
	}
	sqlite3_finalize(ask);
	return found;
}

bool history_read(struct db *db, int64_t number, struct history_batch *batch)
{
	return read_batch(db, "number = ?1", number, batch);
}

bool history_unconfirmed(struct db *db, struct history_batch *batch)
{
	return read_batch(db, "number > ?1 AND confirm_s > 0 AND outcome IN ('waiting', 'unconfirmed')"
			      " ORDER BY number DESC LIMIT 1", 0, batch);
}

bool history_judge(struct db *db, int64_t number, const char *outcome)
{
	sqlite3_stmt *ask = db_begin(db) ?
		prepare(db, "UPDATE generation SET outcome = ?2 WHERE number = ?1") : NULL;

	sqlite3_bind_int64(ask, 1, number);
	sqlite3_bind_text(ask, 2, outcome, -1, SQLITE_STATIC);
	return run(db, ask);
}

static bool give_keys(struct db *db, const char *tree, int64_t at, history_each *each, void *context)
{
	sqlite3_stmt *ask = prepare(db, keys_sql);
	bool good = each(context, tree, NULL, 0);
	int code = SQLITE_DONE;

	sqlite3_bind_text(ask, 1, tree, -1, SQLITE_STATIC);
	sqlite3_bind_int64(ask, 2, at);
	while (good && (code = sqlite3_step(ask)) == SQLITE_ROW) {
		/* the bytes first: a value of none has no pointer */
		int len = sqlite3_column_bytes(ask, 1);
		const void *value = sqlite3_column_blob(ask, 1);

		good = each(context, (const char *)sqlite3_column_text(ask, 0),
			    value ? value : (const void *)"", (size_t)len);
	}
	sqlite3_finalize(ask);
	return good && code == SQLITE_DONE;
}

bool history_trees(struct db *db, int64_t of, int64_t at, int64_t unless_after, history_each *each,
		   void *context)
{
	sqlite3_stmt *ask = prepare(db, trees_sql);
	bool good = true;
	int code = SQLITE_DONE;

	sqlite3_bind_int64(ask, 1, of);
	sqlite3_bind_int64(ask, 2, unless_after);
	while (good && (code = sqlite3_step(ask)) == SQLITE_ROW)
		good = give_keys(db, (const char *)sqlite3_column_text(ask, 0), at, each, context);
	sqlite3_finalize(ask);
	return good && code == SQLITE_DONE;
}

/* --- one generation's trees ------------------------------------------------------------- */

/* Something went, and nothing is left that this generation did not write. */
static const char anew_sql[] =
	"SELECT EXISTS (SELECT 1 FROM change WHERE tree = ?2 AND generation = ?1 AND new IS NULL)"
	" AND NOT EXISTS (SELECT 1 FROM kv WHERE path > ?2 || '/' AND path < ?2 || '0' AND path NOT IN"
	"  (SELECT path FROM change WHERE tree = ?2 AND generation = ?1))";

static const char changed_sql[] =
	"SELECT c.path, kv.value FROM"
	" (SELECT DISTINCT path FROM change WHERE tree = ?2 AND generation = ?1 AND path <> ?2) c"
	" LEFT JOIN kv ON kv.path = c.path ORDER BY c.path";

static const char names_sql[] =
	"SELECT tree, max(path = tree AND new IS NOT NULL) FROM change WHERE generation = ?1"
	" AND tree IS NOT NULL GROUP BY tree ORDER BY tree";

static sqlite3_stmt *prepare_tree(struct db *db, const char *sql, int64_t number, const char *tree)
{
	sqlite3_stmt *ask = prepare(db, sql);

	sqlite3_bind_int64(ask, 1, number);
	sqlite3_bind_text(ask, 2, tree, -1, SQLITE_STATIC);
	return ask;
}

bool history_tree(struct db *db, int64_t number, const char *tree, history_each *each, void *context)
{
	sqlite3_stmt *ask = prepare_tree(db, anew_sql, number, tree);
	char below[WIRE_PATH_BYTES + 1];
	bool good = sqlite3_step(ask) == SQLITE_ROW, anew = good && sqlite3_column_int(ask, 0);
	int code = SQLITE_DONE;

	sqlite3_finalize(ask);
	snprintf(below, sizeof(below), "%s/", tree);
	if (anew)
		good = each(context, below, NULL, 0);
	ask = prepare_tree(db, changed_sql, number, tree);
	while (good && (code = sqlite3_step(ask)) == SQLITE_ROW) {
		bool gone = sqlite3_column_type(ask, 1) == SQLITE_NULL;
		int len = sqlite3_column_bytes(ask, 1);
		const void *value = sqlite3_column_blob(ask, 1);

		if (gone && anew)
			continue;
		good = each(context, (const char *)sqlite3_column_text(ask, 0),
			    gone ? NULL : value ? value : (const void *)"", (size_t)len);
	}
	sqlite3_finalize(ask);
	return good && code == SQLITE_DONE;
}

bool history_names(struct db *db, int64_t number, history_name *each, void *context)
{
	sqlite3_stmt *ask = prepare(db, names_sql);
	int code;

	sqlite3_bind_int64(ask, 1, number);
	while ((code = sqlite3_step(ask)) == SQLITE_ROW)
		each(context, (const char *)sqlite3_column_text(ask, 0), sqlite3_column_int(ask, 1));
	sqlite3_finalize(ask);
	return code == SQLITE_DONE;
}

/* --- taking back what was begun ------------------------------------------------------------ */

/* ?2: behind all paths below the directory ?1; NULL: it is a tree. */
#define OF_THESE " closed = 0 AND (path = ?1 OR (?2 IS NOT NULL AND path > ?1 AND path < ?2))"
#define BEGUN " (SELECT number FROM generation WHERE" OF_THESE ")"
#define FIRST " (SELECT min(rowid) FROM change WHERE generation IN" BEGUN " GROUP BY path)"

bool history_undo(struct db *db, const char *tree)
{
	static const char *const step[] = {
		"INSERT OR REPLACE INTO kv SELECT path, old FROM change WHERE old IS NOT NULL AND rowid IN" FIRST,
		"DELETE FROM kv WHERE path IN (SELECT path FROM change WHERE old IS NULL AND rowid IN" FIRST ")",
		"DELETE FROM change WHERE generation IN" BEGUN,
		"DELETE FROM generation WHERE" OF_THESE,
	};
	char behind[WIRE_PATH_BYTES];
	bool good = db_begin(db);

	snprintf(behind, sizeof(behind), "%s", tree);
	behind[strlen(behind) - 1]++;
	for (size_t i = 0; good && i < sizeof(step) / sizeof(step[0]); i++) {
		sqlite3_stmt *ask = prepare(db, step[i]);

		sqlite3_bind_text(ask, 1, tree, -1, SQLITE_STATIC);
		if (wire_is_directory(tree))
			sqlite3_bind_text(ask, 2, behind, -1, SQLITE_STATIC);
		good = run(db, ask);
	}
	return good;
}
