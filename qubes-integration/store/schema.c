/* SPDX-License-Identifier: ISC */
/* schema.c: makes the tables, brings older files up to date, takes half-written trees back. */
#include <sqlite3.h>
#include <stddef.h>

#include "schema.h"

static const char settings[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"PRAGMA journal_size_limit = 16777216;";

/* From each version to the next. */
static const char *const step[] = {
	"BEGIN IMMEDIATE;"
	"CREATE TABLE kv(path TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE generation(number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" time INTEGER NOT NULL, uid INTEGER NOT NULL, pid INTEGER NOT NULL,"
	" comm TEXT NOT NULL, via TEXT NOT NULL, path TEXT NOT NULL, closed INTEGER NOT NULL);"
	"CREATE INDEX generation_open ON generation(path) WHERE closed = 0;"
	"CREATE TABLE change(generation INTEGER NOT NULL REFERENCES generation(number),"
	" path TEXT NOT NULL, old BLOB, new BLOB);"
	"CREATE INDEX change_generation ON change(generation);"
	"PRAGMA user_version = 1;"
	"COMMIT;",

	"BEGIN IMMEDIATE;"
	"ALTER TABLE generation ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE generation ADD COLUMN outcome TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE generation ADD COLUMN confirm_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE generation ADD COLUMN confirm_by INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE generation ADD COLUMN undoes INTEGER NOT NULL DEFAULT 0;"
	/* the rule tree of a change: its commit key; NULL: in none */
	"ALTER TABLE change ADD COLUMN tree TEXT GENERATED ALWAYS AS"
	" (CASE WHEN path > '/qubes-firewall/' AND path < '/qubes-firewall0' THEN"
	"  substr(path, 1, 15 + instr(substr(path, 17) || '/', '/')) END) VIRTUAL;"
	"CREATE INDEX change_tree ON change(tree, generation);"
	"PRAGMA user_version = 2;"
	"COMMIT;",

	"BEGIN IMMEDIATE;"
	"DROP INDEX change_tree;"
	"ALTER TABLE change DROP COLUMN tree;"
	"ALTER TABLE change ADD COLUMN tree TEXT GENERATED ALWAYS AS"
	" (CASE WHEN path > '/qubes-firewall/' AND path < '/qubes-firewall0' THEN"
	"  substr(path, 1, 15 + instr(substr(path, 17) || '/', '/'))"
	" WHEN path = '/postern/inbound' OR (path > '/postern/inbound/' AND path < '/postern/inbound0') THEN"
	"  '/postern/inbound'"
	" WHEN path = '/postern/between' OR (path > '/postern/between/' AND path < '/postern/between0') THEN"
	"  '/postern/between' END) VIRTUAL;"
	"CREATE INDEX change_tree ON change(tree, generation);"
	"PRAGMA user_version = 3;"
	"COMMIT;",

	"BEGIN IMMEDIATE;"
	"DROP INDEX change_tree;"
	"ALTER TABLE change DROP COLUMN tree;"
	"ALTER TABLE change ADD COLUMN tree TEXT GENERATED ALWAYS AS"
	" (CASE WHEN path > '/qubes-firewall/' AND path < '/qubes-firewall0' THEN"
	"  substr(path, 1, 15 + instr(substr(path, 17) || '/', '/'))"
	" WHEN path = '/postern/inbound' OR (path > '/postern/inbound/' AND path < '/postern/inbound0') THEN"
	"  '/postern/inbound'"
	" WHEN path = '/postern/between' OR (path > '/postern/between/' AND path < '/postern/between0') THEN"
	"  '/postern/between'"
	" WHEN path = '/postern/set' OR (path > '/postern/set/' AND path < '/postern/set0') THEN"
	"  '/postern/set' END) VIRTUAL;"
	"CREATE INDEX change_tree ON change(tree, generation);"
	"PRAGMA user_version = 4;"
	"COMMIT;",
};

enum { SCHEMA_VERSION = sizeof(step) / sizeof(step[0]) };

/*
 * A rule tree whose commit never came, because its writer or this program was
 * killed in the middle, is taken back: the first old value of each key.
 */
static const char take_back[] =
	"BEGIN IMMEDIATE;"
	"CREATE TEMP TABLE undo AS SELECT path, old FROM change WHERE rowid IN"
	" (SELECT min(c.rowid) FROM change c JOIN generation g ON g.number = c.generation"
	"  WHERE g.closed = 0 GROUP BY c.path);"
	"DELETE FROM kv WHERE path IN (SELECT path FROM undo);"
	"INSERT INTO kv SELECT path, old FROM undo WHERE old IS NOT NULL;"
	"DELETE FROM change WHERE generation IN (SELECT number FROM generation WHERE closed = 0);"
	"DELETE FROM generation WHERE closed = 0;"
	"DROP TABLE undo;"
	"COMMIT;";

static int version_of(struct sqlite3 *sqlite)
{
	sqlite3_stmt *ask;
	int version = -1;

	if (sqlite3_prepare_v2(sqlite, "PRAGMA user_version", -1, &ask, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(ask) == SQLITE_ROW)
		version = sqlite3_column_int(ask, 0);
	sqlite3_finalize(ask);
	return version;
}

static bool carry_out(struct sqlite3 *sqlite, const char *sql, const char *is, const char **what)
{
	*what = is;
	return sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool schema_ready(struct sqlite3 *sqlite, const char **what)
{
	int version;

	if (!carry_out(sqlite, settings, "no store", what))
		return false;
	version = version_of(sqlite);
	*what = "no store, or one written by a later version";
	if (version < 0 || version > SCHEMA_VERSION)
		return false;
	for (; version < SCHEMA_VERSION; version++) {
		if (!carry_out(sqlite, step[version], "cannot set up", what))
			return false;
	}
	return carry_out(sqlite, take_back, "cannot recover", what);
}
