/* SPDX-License-Identifier: ISC */
/*
 * db.h: the keys, their values and their history, in one SQLite file.
 *
 * Changes gather in one transaction until db_commit; nothing may be acknowledged
 * before it said true. After any failure the whole transaction is lost and
 * db_commit says false. Single-threaded.
 *
 * Every change belongs to a generation. Changes below /qubes-firewall/IP/ join the
 * open generation of that IP, which the empty value written to /qubes-firewall/IP
 * closes (and gives a new number, if one of rules was closed since it was opened: numbers tell
 * the order of commits); likewise those of our own trees, db_tree_of. Every other change
 * is a generation of its own, unless a batch is open (history.h): then all of them are that
 * one. Nothing is ever forgotten (schema.h).
 */
#ifndef DB_H
#define DB_H

#include "wire.h"

struct sqlite3;
struct sqlite3_stmt;

enum db_statement {
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_GET,
	DB_PUT,
	DB_DELETE,
	DB_BELOW,
	DB_DELETE_BELOW,
	DB_FIND_OPEN,
	DB_OPEN,
	DB_CLOSE,
	DB_LATER,
	DB_TAKE_OVER,
	DB_FORGET,
	DB_NOTE,
	DB_NOTE_BELOW,
	DB_STATEMENTS,
};

struct db {
	struct sqlite3 *sqlite;
	struct sqlite3_stmt *statement[DB_STATEMENTS];
	const char *file; /* the caller's */
	int lock;	  /* descriptor whose flock keeps a second store out */
	bool open;	  /* a transaction is */
	bool failed;	  /* the transaction must not be committed */
	int64_t batch;	  /* the generation of all that follows until db_commit; 0: none */
	int64_t joined;	  /* that of the last change */
};

struct db_author {
	uint32_t uid;
	int32_t pid;
	char comm[17];
	const char *via; /* "local" or "link" */
};

enum db_result { DB_DONE, DB_ABSENT, DB_FAILED };

/* False: reason (len bytes) says why, and nothing is open. */
bool db_open(struct db *db, const char *file, char *reason, size_t len);
void db_close(struct db *db);

/* Sees what this transaction changed. */
enum db_result db_read(struct db *db, const char *key, uint8_t value[WIRE_VALUE_MAX], size_t *len);
enum db_result db_write(struct db *db, const char *key, const uint8_t *value, size_t len,
			const struct db_author *author);
/* Target: a key, or a directory ending in '/'. */
enum db_result db_remove(struct db *db, const char *target, const struct db_author *author);

/* The rule tree that a path is in: /qubes-firewall/IP or one of our own; its commit key. False: in none. */
bool db_tree_of(const char *path, char tree[WIRE_PATH_BYTES]);
/* Opens the transaction, unless it is open; for history.c. False: it has failed. */
bool db_begin(struct db *db);
/* True: everything since the last call is on disk (or there was nothing). */
bool db_commit(struct db *db);
/* Why the last failure happened. */
const char *db_error(const struct db *db);

/*
 * A dump walks all keys with a prefix as they were committed when it was opened,
 * whatever changes meanwhile: ascending, or, of everything (empty prefix), descending.
 * The prefixes of history.h are not of keys: they list the history. committed: rule
 * trees show as they were committed last, whatever was written into them since.
 */
struct db_dump {
	struct sqlite3 *sqlite;
	struct sqlite3_stmt *walk;
	int first; /* what the first step said, while primed */
	bool primed;
};

struct db_entry {
	const char *key; /* both valid until the next call */
	const uint8_t *value;
	size_t len;
};

bool db_dump_open(struct db_dump *dump, const struct db *db, const char *prefix, bool committed);
/* DB_ABSENT: that was all. */
enum db_result db_dump_next(struct db_dump *dump, struct db_entry *entry);
void db_dump_close(struct db_dump *dump);

#endif
