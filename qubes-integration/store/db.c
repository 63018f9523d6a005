/* SPDX-License-Identifier: ISC */
/* db.c: keeps keys and history in SQLite, one transaction for many changes. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "db.h"
#include "schema.h"

enum { BUSY_MS = 200 }; /* how long another program's write lock may hold the loop up */

static const char firewall[] = "/qubes-firewall/";
static const char *const own[] = { "/postern/inbound", "/postern/between", "/postern/set" };

static const char *const text[DB_STATEMENTS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",
	[DB_GET] = "SELECT value FROM kv WHERE path = ?1",
	[DB_PUT] = "INSERT INTO kv(path, value) VALUES(?1, ?2)"
		   " ON CONFLICT(path) DO UPDATE SET value = excluded.value",
	[DB_DELETE] = "DELETE FROM kv WHERE path = ?1",
	[DB_BELOW] = "SELECT 1 FROM kv WHERE path >= ?1 AND path < ?2 LIMIT 1",
	[DB_DELETE_BELOW] = "DELETE FROM kv WHERE path >= ?1 AND path < ?2",
	[DB_FIND_OPEN] = "SELECT number FROM generation WHERE path = ?1 AND closed = 0",
	[DB_OPEN] = "INSERT INTO generation(time, uid, pid, comm, via, path, closed)"
		    " VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[DB_CLOSE] = "UPDATE generation SET closed = 1, time = ?2, uid = ?3, pid = ?4,"
		     " comm = ?5, via = ?6 WHERE number = ?1",
	[DB_LATER] = "SELECT 1 FROM generation WHERE number > ?1 AND closed = 1 AND (path IN"
		     " ('/postern/apply', '/postern/inbound', '/postern/between', '/postern/set') OR"
		     " (path > '/qubes-firewall/' AND path < '/qubes-firewall0')) LIMIT 1",
	[DB_TAKE_OVER] = "UPDATE change SET generation = ?1 WHERE generation = ?2",
	[DB_FORGET] = "DELETE FROM generation WHERE number = ?1",
	[DB_NOTE] = "INSERT INTO change(generation, path, old, new)"
		    " VALUES(?1, ?2, (SELECT value FROM kv WHERE path = ?2), ?3)",
	[DB_NOTE_BELOW] = "INSERT INTO change(generation, path, old, new)"
			  " SELECT ?3, path, value, NULL FROM kv"
			  " WHERE path >= ?1 AND path < ?2 ORDER BY path",
};

static bool refuse(struct db *db, char *reason, size_t len, const char *what, const char *why)
{
	snprintf(reason, len, "%s: %s: %s", db->file, what, why);
	db_close(db);
	return false;
}

/* The lock's descriptor stays open for good: closing it would drop SQLite's own locks. */
static bool lock_file(struct db *db)
{
	db->lock = open(db->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return db->lock >= 0 && flock(db->lock, LOCK_EX | LOCK_NB) == 0;
}

bool db_open(struct db *db, const char *file, char *reason, size_t len)
{
	const char *what;

	*db = (struct db){ .file = file, .lock = -1 };
	if (!lock_file(db))
		return refuse(db, reason, len, "cannot open and lock",
			      errno == EWOULDBLOCK ? "another store has it" : strerror(errno));
	if (sqlite3_open_v2(file, &db->sqlite, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return refuse(db, reason, len, "cannot open", sqlite3_errmsg(db->sqlite));
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	if (!schema_ready(db->sqlite, &what))
		return refuse(db, reason, len, what, sqlite3_errmsg(db->sqlite));
	for (int i = 0; i < DB_STATEMENTS; i++) {
		if (sqlite3_prepare_v3(db->sqlite, text[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &db->statement[i], NULL) != SQLITE_OK)
			return refuse(db, reason, len, "no store", sqlite3_errmsg(db->sqlite));
	}
	return true;
}

void db_close(struct db *db)
{
	for (int i = 0; i < DB_STATEMENTS; i++)
		sqlite3_finalize(db->statement[i]);
	sqlite3_close(db->sqlite);
	if (db->lock >= 0)
		close(db->lock);
	*db = (struct db){ .lock = -1 };
}

const char *db_error(const struct db *db)
{
	return sqlite3_errmsg(db->sqlite);
}

static void bind_text(struct db *db, enum db_statement which, int at, const char *s)
{
	sqlite3_bind_text(db->statement[which], at, s, -1, SQLITE_STATIC);
}

/* A value of no bytes is a value, which SQLite tells from NULL by the pointer. */
static void bind_value(struct db *db, enum db_statement which, int at, const uint8_t *v, size_t len)
{
	sqlite3_bind_blob(db->statement[which], at, len ? (const void *)v : "", (int)len,
			  SQLITE_STATIC);
}

static void bind_number(struct db *db, enum db_statement which, int at, int64_t number)
{
	sqlite3_bind_int64(db->statement[which], at, number);
}

/* The directory's keys are those in [from, to): its last byte, '/', goes up by one. */
static void bind_below(struct db *db, enum db_statement which, const char *directory)
{
	char to[WIRE_PATH_BYTES];
	size_t len = strlen(directory);

	memcpy(to, directory, len + 1);
	to[len - 1]++;
	bind_text(db, which, 1, directory);
	sqlite3_bind_text(db->statement[which], 2, to, -1, SQLITE_TRANSIENT);
}

static void finish(struct db *db, enum db_statement which)
{
	sqlite3_reset(db->statement[which]);
	sqlite3_clear_bindings(db->statement[which]);
}

/* Runs a bound statement that gives no rows. */
static bool run(struct db *db, enum db_statement which)
{
	bool done = sqlite3_step(db->statement[which]) == SQLITE_DONE;

	finish(db, which);
	db->failed |= !done;
	return done;
}

/* Steps a bound statement once; on DB_DONE the caller reads the row and calls finish(). */
static enum db_result look(struct db *db, enum db_statement which)
{
	int code = sqlite3_step(db->statement[which]);

	if (code == SQLITE_ROW)
		return DB_DONE;
	finish(db, which);
	if (code == SQLITE_DONE)
		return DB_ABSENT;
	db->failed |= db->open;
	return DB_FAILED;
}

bool db_begin(struct db *db)
{
	if (db->failed)
		return false;
	if (!db->open)
		db->open = run(db, DB_BEGIN);
	return db->open;
}

bool db_commit(struct db *db)
{
	bool done = !db->failed;

	if (db->open && done)
		done = run(db, DB_COMMIT);
	/* SQLite may have rolled back by itself already; then this one has nothing to do. */
	if (db->open && !done)
		run(db, DB_ROLLBACK);
	db->open = false;
	db->failed = false;
	db->batch = 0;
	return done;
}

enum db_result db_read(struct db *db, const char *key, uint8_t value[WIRE_VALUE_MAX], size_t *len)
{
	enum db_result found;
	int bytes;

	bind_text(db, DB_GET, 1, key);
	found = look(db, DB_GET);
	if (found != DB_DONE)
		return found;
	bytes = sqlite3_column_bytes(db->statement[DB_GET], 0);
	if (bytes > WIRE_VALUE_MAX)
		found = DB_FAILED;
	else if (bytes > 0)
		memcpy(value, sqlite3_column_blob(db->statement[DB_GET], 0), (size_t)bytes);
	*len = (size_t)bytes;
	finish(db, DB_GET);
	return found;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void bind_author(struct db *db, enum db_statement which, const struct db_author *author)
{
	bind_number(db, which, 2, now_ms());
	bind_number(db, which, 3, author->uid);
	bind_number(db, which, 4, author->pid);
	bind_text(db, which, 5, author->comm);
	bind_text(db, which, 6, author->via);
}

bool db_tree_of(const char *path, char tree[WIRE_PATH_BYTES])
{
	size_t fixed = sizeof(firewall) - 1;
	size_t len;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		len = strlen(own[i]);
		if (strncmp(path, own[i], len) == 0 && (path[len] == 0 || path[len] == '/')) {
			memcpy(tree, own[i], len + 1);
			return true;
		}
	}
	if (strncmp(path, firewall, fixed) != 0)
		return false;
	len = strcspn(path + fixed, "/");
	if (len == 0)
		return false;
	memcpy(tree, path, fixed + len);
	tree[fixed + len] = 0;
	return true;
}

static bool open_generation(struct db *db, const char *path, const struct db_author *author,
			    bool closed, int64_t *number)
{
	bind_author(db, DB_OPEN, author);
	bind_text(db, DB_OPEN, 7, path);
	bind_number(db, DB_OPEN, 8, closed);
	if (!run(db, DB_OPEN))
		return false;
	*number = sqlite3_last_insert_rowid(db->sqlite);
	return true;
}

/* The changes of an open generation become those of another one. */
static bool take_over(struct db *db, int64_t number, int64_t open)
{
	bind_number(db, DB_TAKE_OVER, 1, number);
	bind_number(db, DB_TAKE_OVER, 2, open);
	if (!run(db, DB_TAKE_OVER))
		return false;
	bind_number(db, DB_FORGET, 1, open);
	return run(db, DB_FORGET);
}

/* What somebody wrote into this tree and did not commit belongs to the batch now. */
static bool join_batch(struct db *db, const char *path, int64_t *number)
{
	char tree[WIRE_PATH_BYTES];
	enum db_result found;
	int64_t open;

	*number = db->batch;
	if (!db_tree_of(path, tree))
		return true;
	bind_text(db, DB_FIND_OPEN, 1, tree);
	found = look(db, DB_FIND_OPEN);
	if (found != DB_DONE)
		return found == DB_ABSENT;
	open = sqlite3_column_int64(db->statement[DB_FIND_OPEN], 0);
	finish(db, DB_FIND_OPEN);
	return take_over(db, db->batch, open);
}

/* The tree's open generation is committed: as it is, or, behind others of rules, as the newest. */
static bool close_generation(struct db *db, const char *tree, const struct db_author *author, int64_t *number)
{
	enum db_result later;
	int64_t open = *number;

	bind_number(db, DB_LATER, 1, open);
	later = look(db, DB_LATER);
	if (later == DB_FAILED)
		return false;
	if (later == DB_DONE) {
		finish(db, DB_LATER);
		return open_generation(db, tree, author, true, number) && take_over(db, *number, open);
	}
	bind_number(db, DB_CLOSE, 1, open);
	bind_author(db, DB_CLOSE, author);
	return run(db, DB_CLOSE);
}

/* Which generation a change of path belongs to; emptied: it has no value now, which commits a tree if it is its key. */
static bool find_generation(struct db *db, const char *path, bool emptied,
			    const struct db_author *author, int64_t *number)
{
	char tree[WIRE_PATH_BYTES];
	enum db_result found;
	bool commits;

	if (db->batch)
		return join_batch(db, path, number);
	if (!db_tree_of(path, tree))
		return open_generation(db, path, author, true, number);
	commits = emptied && strcmp(tree, path) == 0;
	if (strcmp(tree, path) == 0 && !commits)
		return open_generation(db, path, author, true, number);
	bind_text(db, DB_FIND_OPEN, 1, tree);
	found = look(db, DB_FIND_OPEN);
	if (found == DB_FAILED)
		return false;
	if (found == DB_ABSENT)
		return open_generation(db, tree, author, commits, number);
	*number = sqlite3_column_int64(db->statement[DB_FIND_OPEN], 0);
	finish(db, DB_FIND_OPEN);
	return !commits || close_generation(db, tree, author, number);
}

static bool join_generation(struct db *db, const char *path, bool emptied,
			    const struct db_author *author, int64_t *number)
{
	bool found = find_generation(db, path, emptied, author, number);

	db->joined = *number;
	return found;
}

enum db_result db_write(struct db *db, const char *key, const uint8_t *value, size_t len,
			const struct db_author *author)
{
	int64_t number = 0;

	if (!db_begin(db) || !join_generation(db, key, len == 0, author, &number))
		return DB_FAILED;
	bind_number(db, DB_NOTE, 1, number);
	bind_text(db, DB_NOTE, 2, key);
	bind_value(db, DB_NOTE, 3, value, len);
	if (!run(db, DB_NOTE))
		return DB_FAILED;
	bind_text(db, DB_PUT, 1, key);
	bind_value(db, DB_PUT, 2, value, len);
	return run(db, DB_PUT) ? DB_DONE : DB_FAILED;
}

static enum db_result remove_below(struct db *db, const char *directory,
				   const struct db_author *author)
{
	enum db_result found;
	int64_t number = 0;

	bind_below(db, DB_BELOW, directory);
	found = look(db, DB_BELOW);
	if (found != DB_DONE)
		return found;
	finish(db, DB_BELOW);
	if (!db_begin(db) || !join_generation(db, directory, false, author, &number))
		return DB_FAILED;
	bind_below(db, DB_NOTE_BELOW, directory);
	bind_number(db, DB_NOTE_BELOW, 3, number);
	if (!run(db, DB_NOTE_BELOW))
		return DB_FAILED;
	bind_below(db, DB_DELETE_BELOW, directory);
	return run(db, DB_DELETE_BELOW) ? DB_DONE : DB_FAILED;
}

static enum db_result remove_one(struct db *db, const char *key, const struct db_author *author)
{
	enum db_result found;
	int64_t number = 0;

	bind_text(db, DB_GET, 1, key);
	found = look(db, DB_GET);
	if (found != DB_DONE)
		return found;
	finish(db, DB_GET);
	if (!db_begin(db) || !join_generation(db, key, true, author, &number))
		return DB_FAILED;
	bind_number(db, DB_NOTE, 1, number);
	bind_text(db, DB_NOTE, 2, key);
	if (!run(db, DB_NOTE))
		return DB_FAILED;
	bind_text(db, DB_DELETE, 1, key);
	return run(db, DB_DELETE) ? DB_DONE : DB_FAILED;
}

enum db_result db_remove(struct db *db, const char *target, const struct db_author *author)
{
	if (wire_is_directory(target))
		return remove_below(db, target, author);
	return remove_one(db, target, author);
}
