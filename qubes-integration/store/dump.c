/* SPDX-License-Identifier: ISC */
/*
 * dump.c: walks the committed keys on a connection of its own.
 *
 * The open statement is a snapshot: SQLite's WAL keeps what it sees while others
 * write, so a long answer needs no copy and cannot mix two generations.
 */
#include <sqlite3.h>

#include "db.h"

static const char ascending[] =
	"SELECT path, value FROM kv WHERE path >= ?1 AND path < ?2 ORDER BY path";
static const char descending[] = "SELECT path, value FROM kv ORDER BY path DESC";

bool db_dump_open(struct db_dump *dump, const struct db *db, const char *prefix)
{
	char to[WIRE_PATH_BYTES];
	size_t len = strlen(prefix);

	*dump = (struct db_dump){ .sqlite = NULL };
	if (sqlite3_open_v2(db->file, &dump->sqlite, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(dump->sqlite, len ? ascending : descending, -1, &dump->walk,
			       NULL) != SQLITE_OK) {
		db_dump_close(dump);
		return false;
	}
	if (len) {
		memcpy(to, prefix, len + 1);
		to[len - 1]++;
		sqlite3_bind_text(dump->walk, 1, prefix, -1, SQLITE_TRANSIENT);
		sqlite3_bind_text(dump->walk, 2, to, -1, SQLITE_TRANSIENT);
	}
	/* The snapshot is taken by the first step, so that is taken now. */
	dump->first = sqlite3_step(dump->walk);
	dump->primed = true;
	return true;
}

enum db_result db_dump_next(struct db_dump *dump, struct db_entry *entry)
{
	int code = dump->primed ? dump->first : sqlite3_step(dump->walk);

	dump->primed = false;
	if (code == SQLITE_DONE)
		return DB_ABSENT;
	if (code != SQLITE_ROW)
		return DB_FAILED;
	entry->value = sqlite3_column_blob(dump->walk, 1);
	entry->len = (size_t)sqlite3_column_bytes(dump->walk, 1);
	entry->key = (const char *)sqlite3_column_text(dump->walk, 0);
	if (!entry->key || entry->len > WIRE_VALUE_MAX || strlen(entry->key) >= WIRE_PATH_BYTES)
		return DB_FAILED;
	return DB_DONE;
}

void db_dump_close(struct db_dump *dump)
{
	sqlite3_finalize(dump->walk);
	sqlite3_close(dump->sqlite);
	*dump = (struct db_dump){ .sqlite = NULL };
}
