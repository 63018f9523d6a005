/* links: qubes-integration/store/db.c qubes-integration/store/dump.c qubes-integration/store/schema.c qubes-integration/store/wire.c */
// SPDX-License-Identifier: ISC
/* test_store_db.c: keys, history and snapshots in a temporary file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "db.h"

static const struct db_author author = { .uid = 7, .pid = 42, .comm = "test", .via = "local" };
static char folder[] = "/tmp/store-db-XXXXXX";
static char file[64];
static struct db db;

static void open_store(void)
{
	char reason[200] = "";

	if (!db_open(&db, file, reason, sizeof(reason)))
		fail_msg("%s", reason);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/db", folder);
	open_store();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(&db);
	unlink(file);
	return rmdir(folder); /* fails if the store left anything else behind */
}

static void put(const char *key, const char *value)
{
	assert_int_equal(db_write(&db, key, (const uint8_t *)value, strlen(value), &author),
			 DB_DONE);
}

/* NULL: absent. */
static void expect(const char *key, const char *value)
{
	uint8_t got[WIRE_VALUE_MAX];
	size_t len = 0;

	assert_int_equal(db_read(&db, key, got, &len), value ? DB_DONE : DB_ABSENT);
	if (value) {
		assert_int_equal(len, strlen(value));
		assert_memory_equal(got, value, len);
	}
}

/* One text out of the file, asked on a connection of its own. */
static void expect_sql(const char *sql, const char *want)
{
	sqlite3_stmt *ask;
	sqlite3 *other;

	assert_int_equal(sqlite3_open_v2(file, &other, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(other, sql, -1, &ask, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(ask), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(ask, 0), want);
	sqlite3_finalize(ask);
	sqlite3_close(other);
}

static void expect_dump(const char *prefix, const char *want)
{
	struct db_dump dump;
	struct db_entry e;
	char got[400] = "";

	assert_true(db_dump_open(&dump, &db, prefix, false));
	while (db_dump_next(&dump, &e) == DB_DONE) {
		size_t at = strlen(got);

		snprintf(got + at, sizeof(got) - at, "%s=%.*s ", e.key, (int)e.len,
			 (const char *)(e.len ? e.value : (const uint8_t *)""));
	}
	db_dump_close(&dump);
	assert_string_equal(got, want);
}

static void reads_what_was_written(void **state)
{
	(void)state;
	expect("/a", NULL);
	put("/a", "1");
	put("/empty", "");
	expect("/a", "1");
	put("/a", "2");
	assert_true(db_commit(&db));
	expect("/a", "2");
	expect("/empty", "");
	assert_int_equal(db_remove(&db, "/a", &author), DB_DONE);
	assert_int_equal(db_remove(&db, "/a", &author), DB_ABSENT);
	expect("/a", NULL);
	assert_true(db_commit(&db));
}

static void longest_value(void **state)
{
	static uint8_t value[WIRE_VALUE_MAX], got[WIRE_VALUE_MAX];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(1 + i % 255);
	assert_int_equal(db_write(&db, "/v", value, sizeof(value), &author), DB_DONE);
	assert_true(db_commit(&db));
	assert_int_equal(db_read(&db, "/v", got, &len), DB_DONE);
	assert_int_equal(len, sizeof(value));
	assert_memory_equal(got, value, len);
}

static void only_commits_survive(void **state)
{
	(void)state;
	put("/kept", "1");
	assert_true(db_commit(&db));
	put("/kept", "2");
	put("/lost", "1");
	db_close(&db);
	open_store();
	expect("/kept", "1");
	expect("/lost", NULL);
	expect_sql("SELECT count(*) FROM change", "1");
}

static void removes_only_below(void **state)
{
	(void)state;
	put("/d", "");
	put("/d/1", "x");
	put("/d/2/3", "x");
	put("/d.", "x");
	put("/d0", "x");
	put("/e", "x");
	assert_int_equal(db_remove(&db, "/d/", &author), DB_DONE);
	assert_int_equal(db_remove(&db, "/d/", &author), DB_ABSENT);
	assert_true(db_commit(&db));
	expect_dump("/", "/d= /d.=x /d0=x /e=x ");
}

static void dumps_in_order(void **state)
{
	(void)state;
	put("/b", "2");
	put("/a", "1");
	put("/a/x", "");
	put("/ab", "3");
	assert_true(db_commit(&db));
	expect_dump("", "/b=2 /ab=3 /a/x= /a=1 ");
	expect_dump("/", "/a=1 /a/x= /ab=3 /b=2 ");
	expect_dump("/a", "/a=1 /a/x= /ab=3 ");
	expect_dump("/a/", "/a/x= ");
	expect_dump("/c", "");
}

/* Other case, other key; and '_' is no wildcard. */
static void keys_are_bytes(void **state)
{
	(void)state;
	put("/A", "1");
	put("/a_b", "2");
	put("/axb", "3");
	assert_true(db_commit(&db));
	expect("/a", NULL);
	expect_dump("/a_", "/a_b=2 ");
}

static void dump_shows_one_moment(void **state)
{
	struct db_dump dump;
	struct db_entry e;

	(void)state;
	put("/a", "old");
	put("/b", "old");
	assert_true(db_commit(&db));
	assert_true(db_dump_open(&dump, &db, "/", false));
	put("/b", "new");
	put("/c", "new");
	assert_true(db_commit(&db));
	assert_int_equal(db_dump_next(&dump, &e), DB_DONE);
	assert_string_equal(e.key, "/a");
	assert_int_equal(db_dump_next(&dump, &e), DB_DONE);
	assert_memory_equal(e.value, "old", 3);
	assert_int_equal(db_dump_next(&dump, &e), DB_ABSENT);
	db_dump_close(&dump);
}

static void dump_shows_only_commits(void **state)
{
	(void)state;
	put("/a", "1");
	expect_dump("/", "");
	assert_true(db_commit(&db));
	expect_dump("/", "/a=1 ");
}

static void generations(void **state)
{
	static const struct {
		const char *key;
		const char *value; /* NULL: removed */
		const char *generations; /* number:path:closed of all, after it */
	} steps[] = {
		{ "/name", "fw", "1:/name:1" },
		{ "/qubes-firewall/1.1/policy", "drop", "1:/name:1,2:/qubes-firewall/1.1:0" },
		{ "/qubes-firewall/1.1/0000", "", "1:/name:1,2:/qubes-firewall/1.1:0" },
		{ "/qubes-firewall/2.2/policy", "drop",
		  "1:/name:1,2:/qubes-firewall/1.1:0,3:/qubes-firewall/2.2:0" },
		{ "/qubes-firewall/1.1", "",
		  "1:/name:1,2:/qubes-firewall/1.1:1,3:/qubes-firewall/2.2:0" },
		{ "/qubes-firewall/1.1/", NULL,
		  "1:/name:1,2:/qubes-firewall/1.1:1,3:/qubes-firewall/2.2:0,"
		  "4:/qubes-firewall/1.1:0" },
		{ "/qubes-firewall/1.1", "",
		  "1:/name:1,2:/qubes-firewall/1.1:1,3:/qubes-firewall/2.2:0,"
		  "4:/qubes-firewall/1.1:1" },
		{ "/qubes-firewall/2.2", "x",
		  "1:/name:1,2:/qubes-firewall/1.1:1,3:/qubes-firewall/2.2:0,"
		  "4:/qubes-firewall/1.1:1,5:/qubes-firewall/2.2:1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].value)
			put(steps[i].key, steps[i].value);
		else
			assert_int_equal(db_remove(&db, steps[i].key, &author), DB_DONE);
		assert_true(db_commit(&db));
		expect_sql("SELECT group_concat(number || ':' || path || ':' || closed)"
			   " FROM generation",
			   steps[i].generations);
	}
	expect_sql("SELECT group_concat(path || ' ' || quote(CAST(old AS TEXT)) || ' ' ||"
		   " quote(CAST(new AS TEXT))) FROM change WHERE generation = 4",
		   "/qubes-firewall/1.1/0000 '' NULL,/qubes-firewall/1.1/policy 'drop' NULL,"
		   "/qubes-firewall/1.1 '' ''");
	expect_sql("SELECT uid || pid || comm || via FROM generation WHERE number = 4",
		   "742testlocal");
	expect_sql("SELECT time > 1600000000000 FROM generation WHERE number = 1", "1");
}

/* Killed in the middle of a rule tree: the tree of the last commit is back, the rest stays. */
static void half_a_tree_is_taken_back(void **state)
{
	(void)state;
	put("/qubes-firewall/1.1/policy", "accept");
	put("/qubes-firewall/1.1/0000", "old");
	put("/qubes-firewall/1.1/0001", "gone");
	put("/qubes-firewall/1.1", "");
	put("/qubes-firewall/2.2/policy", "drop");
	put("/qubes-firewall/2.2", "");
	assert_true(db_commit(&db));
	assert_int_equal(db_remove(&db, "/qubes-firewall/1.1/", &author), DB_DONE);
	put("/qubes-firewall/1.1/policy", "drop");
	put("/qubes-firewall/1.1/0000", "half");
	put("/qubes-firewall/1.1/0000", "new");
	put("/qubes-firewall/1.1/0002", "more");
	put("/qubes-firewall/3.3/policy", "drop");
	put("/mark", "1");
	assert_true(db_commit(&db));
	expect_sql("SELECT count(*) FROM generation WHERE closed = 0", "2");
	db_close(&db);
	open_store();
	expect_dump("/", "/mark=1 /qubes-firewall/1.1= /qubes-firewall/1.1/0000=old "
			 "/qubes-firewall/1.1/0001=gone /qubes-firewall/1.1/policy=accept "
			 "/qubes-firewall/2.2= /qubes-firewall/2.2/policy=drop ");
	expect_sql("SELECT count(*) || ':' || sum(closed) FROM generation", "3:3");
	put("/qubes-firewall/3.3", "");
	assert_true(db_commit(&db));
	db_close(&db);
	open_store(); /* what has its commit stays */
	expect("/qubes-firewall/3.3", "");
}

/* Another program holds the write lock: nothing is acknowledged, and it passes. */
static void locked_out(void **state)
{
	sqlite3 *other;

	(void)state;
	put("/a", "1");
	assert_true(db_commit(&db));
	assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_write(&db, "/a", (const uint8_t *)"2", 1, &author), DB_FAILED);
	assert_int_equal(db_remove(&db, "/a", &author), DB_FAILED);
	assert_false(db_commit(&db));
	expect("/a", "1");
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	put("/a", "3");
	assert_true(db_commit(&db));
	expect("/a", "3");
}

/* The disk is full in the middle of a transaction: all of it is gone, none of it half. */
static void disk_full(void **state)
{
	static uint8_t value[WIRE_VALUE_MAX];
	enum db_result r = DB_DONE;
	char key[32];

	(void)state;
	memset(value, 'x', sizeof(value));
	put("/before", "1");
	assert_true(db_commit(&db));
	assert_int_equal(sqlite3_exec(db.sqlite, "PRAGMA max_page_count = 60", NULL, NULL, NULL),
			 SQLITE_OK);
	for (int i = 0; i < 200 && r == DB_DONE; i++) {
		snprintf(key, sizeof(key), "/fill/%d", i);
		r = db_write(&db, key, value, sizeof(value), &author);
	}
	assert_int_equal(r, DB_FAILED);
	assert_false(db_commit(&db));
	expect_dump("/", "/before=1 ");
	expect_sql("SELECT count(*) FROM generation", "1");
	put("/after", "1");
	assert_true(db_commit(&db));
}

static void refuses_a_second_store(void **state)
{
	char reason[200];
	struct db second;

	(void)state;
	assert_false(db_open(&second, file, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "another store"));
}

static void refuses_strange_files(void **state)
{
	static const char *const contents[] = { "this is no database, but long enough to be read",
						NULL /* another version's */ };
	char reason[200], strange[80];
	struct db second;
	sqlite3 *other;
	FILE *f;

	(void)state;
	snprintf(strange, sizeof(strange), "%s/strange", folder);
	for (size_t i = 0; i < 2; i++) {
		if (contents[i]) {
			f = fopen(strange, "w");
			assert_non_null(f);
			for (int k = 0; k < 40; k++)
				fputs(contents[i], f);
			fclose(f);
		} else {
			assert_int_equal(sqlite3_open(strange, &other), SQLITE_OK);
			assert_int_equal(sqlite3_exec(other, "PRAGMA user_version = 99", NULL,
						      NULL, NULL),
					 SQLITE_OK);
			sqlite3_close(other);
		}
		assert_false(db_open(&second, strange, reason, sizeof(reason)));
		assert_non_null(strstr(reason, "no store"));
		unlink(strange);
	}
	assert_false(db_open(&second, folder, reason, sizeof(reason)));
}

/* A tree begun before another generation and committed after it is the newer one: `if=` and a look back count on that. */
static void late_commits_come_last(void **state)
{
	(void)state;
	put("/qubes-firewall/10.0.0.1/policy", "drop");
	assert_true(db_commit(&db));
	put("/qubes-firewall/10.0.0.2/policy", "drop");
	put("/qubes-firewall/10.0.0.2", "");
	assert_true(db_commit(&db));
	put("/qubes-firewall/10.0.0.1/0000", "action=accept");
	put("/qubes-firewall/10.0.0.1", "");
	assert_true(db_commit(&db));
	expect_sql("SELECT path FROM generation WHERE closed = 1 ORDER BY number DESC LIMIT 1", "/qubes-firewall/10.0.0.1");
	expect_sql("SELECT count(*) FROM change WHERE generation = (SELECT max(number) FROM generation)", "3");
	expect_sql("SELECT count(*) FROM generation", "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_was_written), TEST(longest_value),
		TEST(only_commits_survive),   TEST(removes_only_below),
		TEST(dumps_in_order),	      TEST(keys_are_bytes),
		TEST(dump_shows_one_moment),  TEST(dump_shows_only_commits),
		TEST(generations),	      TEST(half_a_tree_is_taken_back),
		TEST(locked_out),	      TEST(disk_full),
		TEST(refuses_a_second_store), TEST(refuses_strange_files),
		TEST(late_commits_come_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
