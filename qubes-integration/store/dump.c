/* SPDX-License-Identifier: ISC */
/*
 * dump.c: walks the committed keys on a connection of its own.
 *
 * The open statement is a snapshot: SQLite's WAL keeps what it sees while others
 * write, so a long answer needs no copy and cannot mix two generations.
 */
#include <sqlite3.h>

#include <stdlib.h>

#include "history.h"

static const char ascending[] =
	"SELECT path, value FROM kv WHERE path >= ?1 AND path < ?2 ORDER BY path";
static const char descending[] = "SELECT path, value FROM kv ORDER BY path DESC";

/* The same without what nobody committed: in its place the first old value of each key. */
#define HALF "WITH half AS (SELECT path, old FROM change WHERE rowid IN" \
	" (SELECT min(c.rowid) FROM generation g JOIN change c ON g.number = c.generation" \
	"  WHERE g.closed = 0 GROUP BY c.path))"
#define COMMITTED_BELOW HALF " SELECT path, value FROM kv WHERE path >= ?1 AND path < ?2 AND path NOT IN" \
	" (SELECT path FROM half) UNION ALL SELECT path, old FROM half WHERE old IS NOT NULL" \
	" AND path >= ?1 AND path < ?2"
static const char committed_ascending[] = COMMITTED_BELOW " ORDER BY path";
static const char marked_ascending[] = COMMITTED_BELOW " UNION ALL SELECT '" HISTORY_COMMITTED "', x'' ORDER BY path";
static const char committed_descending[] =
	HALF " SELECT path, value FROM kv WHERE path NOT IN (SELECT path FROM half)"
	" UNION ALL SELECT path, old FROM half WHERE old IS NOT NULL ORDER BY path DESC";

/*
 * Generations of rules, each as a JSON object. One of more than 40 clients is several
 * objects, which differ in their clients: so the value stays below WIRE_VALUE_MAX.
 */
static const char log_sql[] =
	"WITH who AS (SELECT generation, client,"
	" (row_number() OVER (PARTITION BY generation ORDER BY client) - 1) / 40 AS part FROM"
	"  (SELECT DISTINCT generation, substr(tree, CASE WHEN tree LIKE '/postern/%' THEN 10 ELSE 17 END)"
	"   AS client FROM change WHERE tree IS NOT NULL)),"
	" t AS (SELECT generation, part, group_concat(client, ' ') AS list FROM who GROUP BY generation, part)"
	" SELECT printf('" HISTORY_LOG "%010d', g.number) || iif(t.part > 0, printf('.%04d', t.part), ''),"
	" CAST(json_object('number', g.number,"
	" 'time_ms', g.time, 'uid', g.uid, 'pid', g.pid, 'comm', g.comm, 'via', g.via,"
	" 'reason', g.reason, 'outcome', g.outcome, 'undoes', g.undoes, 'confirm_s', g.confirm_s,"
	" 'confirm_by_ms', g.confirm_by, 'clients', coalesce(t.list, '')) AS BLOB)"
	" FROM generation g LEFT JOIN t ON t.generation = g.number"
	" WHERE g.closed = 1 AND (g.path IN ('" HISTORY_APPLY "', '/postern/inbound', '/postern/between', '/postern/set') OR"
	" (g.path > '/qubes-firewall/' AND g.path < '/qubes-firewall0')) ORDER BY g.number, t.part";
static const char at_sql[] =
	"SELECT path, new FROM change WHERE new IS NOT NULL AND rowid IN"
	" (SELECT max(c.rowid) FROM change c JOIN generation g ON g.number = c.generation"
	"  WHERE c.tree IS NOT NULL AND c.generation <= ?1 AND g.closed = 1 GROUP BY c.path)"
	" ORDER BY path";

/* What follows HISTORY_COMMITTED; NULL: it is no such prefix. */
static const char *behind_committed(const char *prefix)
{
	const size_t len = sizeof(HISTORY_COMMITTED) - 1;

	return !strncmp(prefix, HISTORY_COMMITTED "/", len + 1) ? prefix + len : NULL;
}

static const char *sql_of(const char *prefix, bool committed)
{
	if (!strcmp(prefix, HISTORY_LOG))
		return log_sql;
	if (!strncmp(prefix, HISTORY_AT, sizeof(HISTORY_AT) - 1))
		return at_sql;
	if (behind_committed(prefix))
		return marked_ascending;
	if (committed)
		return *prefix ? committed_ascending : committed_descending;
	return *prefix ? ascending : descending;
}

bool db_dump_open(struct db_dump *dump, const struct db *db, const char *prefix, bool committed)
{
	const char *sql = sql_of(prefix, committed);
	char to[WIRE_PATH_BYTES];
	size_t len;

	*dump = (struct db_dump){ .sqlite = NULL };
	if (sqlite3_open_v2(db->file, &dump->sqlite, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(dump->sqlite, sql, -1, &dump->walk, NULL) != SQLITE_OK) {
		db_dump_close(dump);
		return false;
	}
	if (sql == at_sql) {
		sqlite3_bind_int64(dump->walk, 1, atoll(prefix + sizeof(HISTORY_AT) - 1));
	} else if (sql == ascending || sql == committed_ascending || sql == marked_ascending) {
		prefix = sql == marked_ascending ? behind_committed(prefix) : prefix;
		len = strlen(prefix);
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
