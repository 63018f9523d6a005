/* links: qubes-integration/store/apply.c qubes-integration/store/batch.c qubes-integration/store/draft.c qubes-integration/store/history.c qubes-integration/store/half.c qubes-integration/store/change.c qubes-integration/store/session.c qubes-integration/store/db.c qubes-integration/store/dump.c qubes-integration/store/schema.c qubes-integration/store/wire.c */
// SPDX-License-Identifier: ISC
/* Changes of many rule trees in the store: one generation each, conflicts, taking back; older files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "apply.h"

static const struct db_author author = { .uid = 7, .pid = 42, .comm = "test", .via = "local" };
static char folder[] = "/tmp/store-apply-XXXXXX";
static char file[64];
static struct db db;
static struct change_list changes;
static struct apply a;
static struct peer *peer;
static int other; /* the far end of the peer's connection */

static void open_store(void)
{
	char reason[200] = "";
	if (!db_open(&db, file, reason, sizeof(reason)))
		fail_msg("%s", reason);
	a = (struct apply){ .db = &db, .changes = &changes };
	apply_load(&a);
}

static int setup(void **state)
{
	int pair[2];
	(void)state;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/db", folder);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = peer_new(pair[0], PEER_LOCAL, &author, 0);
	other = pair[1];
	open_store();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer_free(peer);
	close(other);
	change_free(&changes);
	db_close(&db);
	unlink(file);
	return rmdir(folder);
}

/* The type of the answer, or 0 when it was none of apply's messages. */
static uint8_t send_one(uint8_t type, const char *path, const char *value)
{
	struct wire_message m = { .header = { .type = type, .terminated = true, .len = (uint32_t)strlen(value) },
				  .data = (const uint8_t *)value };
	snprintf(m.header.path, sizeof(m.header.path), "%s", path);
	buffer_free(&peer->out);
	if (!apply_handle(&a, peer, &m))
		return 0;
	return peer->out.bytes[peer->out.head];
}

static void write_tree(const char *client, const char *rule)
{
	char path[64];
	snprintf(path, sizeof(path), "/qubes-firewall/%s/", client);
	assert_int_equal(send_one(WIRE_RM, path, ""), WIRE_OK);
	snprintf(path, sizeof(path), "/qubes-firewall/%s/policy", client);
	assert_int_equal(send_one(WIRE_WRITE, path, "drop"), WIRE_OK);
	snprintf(path, sizeof(path), "/qubes-firewall/%s/0000", client);
	assert_int_equal(send_one(WIRE_WRITE, path, rule), WIRE_OK);
	snprintf(path, sizeof(path), "/qubes-firewall/%s", client);
	assert_int_equal(send_one(WIRE_WRITE, path, ""), WIRE_OK);
}

/* Two trees with this rule; what is said of it. */
static const char *apply(const char *rule, const char *commit)
{
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), WIRE_OK);
	write_tree("10.0.0.1", rule);
	write_tree("10.0.0.2", rule);
	change_forget(&changes);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", commit), WIRE_OK);
	assert_true(db_commit(&db));
	return peer->said;
}

static void outcome(const char *value)
{
	struct wire_message m = { .header = { .type = WIRE_WRITE, .terminated = true, .path = "/postern/outcome",
					      .len = (uint32_t)strlen(value) },
				  .data = (const uint8_t *)value };
	change_forget(&changes);
	apply_outcome(&a, &m);
	assert_true(db_commit(&db));
}

static void expect(const char *key, const char *value)
{
	uint8_t got[WIRE_VALUE_MAX];
	size_t len = 0;
	assert_int_equal(db_read(&db, key, got, &len), value ? DB_DONE : DB_ABSENT);
	assert_int_equal(len, value ? strlen(value) : 0);
	if (value)
		assert_memory_equal(got, value, len);
}

/* number=outcome of all batches */
static void expect_batches(const char *want)
{
	sqlite3_stmt *ask;
	assert_int_equal(sqlite3_prepare_v2(db.sqlite, "SELECT group_concat(number || '=' || outcome, ' ') FROM"
					    " (SELECT * FROM generation WHERE path = '/postern/apply' ORDER BY number)",
					    -1, &ask, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(ask), SQLITE_ROW);
	const char *got = (const char *)sqlite3_column_text(ask, 0);
	assert_string_equal(got ? got : "", want);
	sqlite3_finalize(ask);
}

/* What the appliance hears: the ends of the paths, a '-' before those that go. */
static const char *told(void)
{
	static char line[1000];
	size_t at = 0;
	line[0] = 0;
	for (size_t i = 0; i < changes.count; i++) {
		const struct change *c = &changes.item[i];
		const char *path = strncmp(c->path, "/postern/", 9) ? c->path + 16 : c->path + 9;
		if (c->whom != CHANGE_FOR_PROGRAMS)
			at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s ", c->type == WIRE_RM ? "-" : "", path);
	}
	return line;
}

/* A program's message outside of a batch; then what the appliance hears. */
static const char *change(uint8_t type, const char *path, const char *value)
{
	struct wire_message m = { .header = { .type = type, .terminated = true, .len = (uint32_t)strlen(value) },
				  .data = (const uint8_t *)value };
	snprintf(m.header.path, sizeof(m.header.path), "%s%s", path[0] == '/' ? "" : "/qubes-firewall/", path);
	change_forget(&changes);
	if (type == WIRE_WRITE)
		change_write(&changes, &db, peer, &m);
	else
		change_remove(&changes, &db, peer, &m);
	assert_true(db_commit(&db));
	half_settle(&changes.half, true);
	return told();
}

static void test_one_generation(void **state)
{
	(void)state;
	assert_string_equal(apply("action=accept", "commit\nreason=why"), "1 alone");
	expect("/qubes-firewall/10.0.0.2/0000", "action=accept");
	expect("/postern/generation", "1 0");
	expect_batches("1=applied");
	/* the appliance is told: hold first, then the trees, the generation last */
	assert_string_equal(changes.item[0].path, "/postern/hold");
	assert_string_equal(changes.item[changes.count - 1].path, "/postern/generation");
	assert_string_equal(told(), "hold 10.0.0.1/0000 10.0.0.1/policy 10.0.0.1 10.0.0.2/0000 10.0.0.2/policy"
				    " 10.0.0.2 generation ");
	assert_string_equal(apply("action=drop", "commit\nif=0"), "conflict 1");
	expect("/qubes-firewall/10.0.0.2/0000", "action=accept");
	assert_string_equal(apply("action=drop", "commit\nif=1"), "2 alone");
	expect("/qubes-firewall/10.0.0.1/0000", "action=drop");
}

static void test_what_is_not_permitted(void **state)
{
	static const char *const bad[] = { "", "x", "commit", "commit\nconfirm=x", "commit\nconfirm=99999999",
					   "commit\nif=", "commit\nif=1x", "commit\n", "commit\ncarrot=1", "commits" };
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* "commit" itself lacks only its begin */
		if (strcmp(bad[i], "commit"))
			assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), WIRE_OK);
		assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", bad[i]), WIRE_ERROR);
		assert_false(peer->drafting);
	}
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), WIRE_OK);
	assert_int_equal(send_one(WIRE_WRITE, "/elsewhere", "1"), 0);
	assert_int_equal(send_one(WIRE_WRITE, "/qubes-firewall/10.0.0.1/", "1"), WIRE_ERROR);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "commit"), WIRE_ERROR);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/confirm", "1"), WIRE_ERROR);
	peer->kind = PEER_READ_ONLY;
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), 0);
	assert_true(db_commit(&db));
	expect_batches("");
}

static void test_refused(void **state)
{
	(void)state;
	apply("action=accept", "commit");
	a.linked = true;
	assert_string_equal(apply("action=carrot", "commit"), "2 linked");
	expect_batches("1=applied 2=waiting");
	outcome("2 refused client 10.0.0.1: rule 0000 carrot");
	expect("/qubes-firewall/10.0.0.1/0000", "action=accept");
	expect("/qubes-firewall/10.0.0.2/0000", "action=accept");
	expect_batches("1=applied 2=refused 3=waiting");
	/* what takes back is not taken back, and what is settled stays so */
	outcome("3 refused whatever");
	outcome("2 applied");
	outcome("1 reverted");
	outcome("99 applied");
	outcome("nonsense");
	expect_batches("1=applied 2=refused 3=refused");
}

static void test_confirmation(void **state)
{
	(void)state;
	apply("action=accept", "commit");
	assert_string_equal(apply("action=drop", "commit\nconfirm=60"), "2 alone");
	assert_string_equal(apply("action=accept", "commit"), "unconfirmed 2");
	assert_int_equal(send_one(WIRE_WRITE, "/postern/confirm", "1"), WIRE_ERROR);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/confirm", "2"), WIRE_OK);
	assert_true(db_commit(&db));
	expect("/postern/generation", "2 0");
	assert_false(a.waits);
}

/* A tree that was changed alone meanwhile keeps what it has. */
static void test_not_confirmed(void **state)
{
	(void)state;
	apply("action=accept", "commit");
	a.linked = true;
	assert_string_equal(apply("action=drop", "commit\nconfirm=60"), "2 linked");
	outcome("2 unconfirmed");
	const struct db_author *by = &author;
	db_write(&db, "/qubes-firewall/10.0.0.2/0000", (const uint8_t *)"later", 5, by);
	db_write(&db, "/qubes-firewall/10.0.0.2", (const uint8_t *)"", 0, by);
	assert_true(db_commit(&db));
	outcome("2 reverted nobody confirmed it in time");
	expect("/qubes-firewall/10.0.0.1/0000", "action=accept");
	expect("/qubes-firewall/10.0.0.2/0000", "later");
	assert_false(a.waits);
}

static void test_expired_while_away(void **state)
{
	(void)state;
	apply("action=accept", "commit");
	apply("action=drop", "commit\nconfirm=60");
	db_close(&db);
	open_store();
	assert_true(a.waits);
	apply_tick(&a);
	expect("/qubes-firewall/10.0.0.1/0000", "action=drop"); /* its time has not come */
	a.unconfirmed.confirm_by = 1;
	apply_tick(&a);
	assert_true(db_commit(&db));
	expect("/qubes-firewall/10.0.0.1/0000", "action=accept");
	/* the appliance had a confirmation that this store never heard of */
	outcome("2 confirmed");
	expect("/qubes-firewall/10.0.0.1/0000", "action=drop");
}

/* Somebody was in the middle of writing this tree, or died there: the change of many goes before. */
static void test_takes_over_a_half_written_tree(void **state)
{
	(void)state;
	db_write(&db, "/qubes-firewall/10.0.0.1/0007", (const uint8_t *)"half", 4, &author);
	assert_true(db_commit(&db));
	apply("action=accept", "commit");
	expect("/qubes-firewall/10.0.0.1/0007", NULL);
	db_close(&db);
	open_store();
	expect("/qubes-firewall/10.0.0.1/0000", "action=accept");
	expect("/qubes-firewall/10.0.0.1/0007", NULL);
}

/* The appliance hears of a tree when it is whole, in the fewest words, and not before. */
static void test_half_a_tree_is_told_to_nobody(void **state)
{
	(void)state;
	assert_string_equal(change(WIRE_WRITE, "1/policy", "drop"), "");
	assert_string_equal(change(WIRE_WRITE, "1/0000", "a"), "");
	assert_string_equal(change(WIRE_WRITE, "1/0001", "b"), "");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "1/0000 1/0001 1/policy 1 ");
	/* one rule of many */
	assert_string_equal(change(WIRE_WRITE, "1/0001", "c"), "");
	assert_string_equal(change(WIRE_RM, "1/0000", ""), "");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "-1/0000 1/0001 1 ");
	/* all anew */
	assert_string_equal(change(WIRE_RM, "1/", ""), "");
	assert_string_equal(change(WIRE_WRITE, "1/policy", "accept"), "");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "-1/ 1/policy 1 ");
	assert_string_equal(change(WIRE_RM, "1/", ""), "");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "-1/ 1 ");
	assert_int_equal(changes.half.begun, 0);
	/* begun in one tree: the commit of another says nothing of it */
	assert_string_equal(change(WIRE_WRITE, "2/0000", "x"), "");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "1 ");
	assert_int_equal(changes.half.begun, 1);
	/* a common change says what it took over */
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), WIRE_OK);
	assert_int_equal(send_one(WIRE_WRITE, "/qubes-firewall/2/policy", "drop"), WIRE_OK);
	change_forget(&changes);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "commit"), WIRE_OK);
	assert_string_equal(told(), "hold 2/0000 2/policy 2 generation ");
	assert_true(db_commit(&db));
	expect("/qubes-firewall/2", "");
	assert_int_equal(changes.half.begun, 0);
}

/* What was begun goes when all trees do, and when its time is up. */
static void test_what_was_begun_is_taken_back(void **state)
{
	(void)state;
	change(WIRE_WRITE, "1/policy", "drop");
	change(WIRE_WRITE, "1/0000", "a");
	change(WIRE_WRITE, "1", "");
	change(WIRE_WRITE, "1/0000", "b");
	change(WIRE_WRITE, "1/0000", "c");
	change(WIRE_RM, "1/policy", "");
	change(WIRE_WRITE, "1/0001", "d");
	change(WIRE_WRITE, "2/0001", "e");
	assert_int_equal(changes.half.begun, 2);
	assert_null(half_abandoned(&changes.half, 1000, 0)); /* its writer is there */
	half_left(&changes.half, peer);
	assert_null(half_abandoned(&changes.half, 1099, 100));
	assert_non_null(half_abandoned(&changes.half, 1100, 100));
	assert_true(history_undo(&db, "/qubes-firewall/1") && db_commit(&db));
	expect("/qubes-firewall/1/policy", "drop");
	expect("/qubes-firewall/1/0000", "a");
	expect("/qubes-firewall/1/0001", NULL);
	expect("/qubes-firewall/2/0001", "e");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "1 ");
	change(WIRE_WRITE, "1/0000", "f");
	assert_string_equal(change(WIRE_RM, "", ""), "- ");
	assert_int_equal(changes.half.begun, 0);
	expect("/qubes-firewall/1/0000", NULL);
	expect("/qubes-firewall/2/0001", NULL);
	db_close(&db);
	open_store();
	expect("/qubes-firewall/1/0000", NULL);
}

/* Who removes all trees of one kind takes back what was begun in those, and nobody else's. */
static void test_a_removal_takes_back_its_own(void **state)
{
	(void)state;
	change(WIRE_WRITE, "1/0000", "begun");
	change(WIRE_WRITE, "/postern/set/a", "192.0.2.1");
	change(WIRE_WRITE, "/postern/inbound/0000", "begun");
	change(WIRE_RM, "/postern/", "");
	assert_int_equal(changes.half.begun, 1);
	expect("/qubes-firewall/1/0000", "begun");
	change(WIRE_WRITE, "1/0001", "more");
	assert_string_equal(change(WIRE_WRITE, "1", ""), "1/0000 1/0001 1 ");
	db_close(&db);
	open_store();
	expect("/postern/set/a", NULL);
	expect("/postern/inbound/0000", NULL);
	/* likewise the other way round */
	change(WIRE_WRITE, "/postern/set/a", "192.0.2.1");
	change(WIRE_WRITE, "1/0001", "begun");
	change(WIRE_RM, "", "");
	assert_int_equal(changes.half.begun, 1);
	expect("/postern/set/a", "192.0.2.1");
	/* as part of a common change, too */
	change(WIRE_WRITE, "2/0000", "was");
	change(WIRE_WRITE, "2", "");
	change(WIRE_WRITE, "2/0000", "begun");
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), WIRE_OK);
	assert_int_equal(send_one(WIRE_RM, "/qubes-firewall/", ""), WIRE_OK);
	write_tree("10.0.0.1", "action=accept");
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "commit"), WIRE_OK);
	assert_true(db_commit(&db));
	assert_int_equal(changes.half.begun, 1);
	db_close(&db);
	open_store();
	expect("/qubes-firewall/2/0000", NULL);
	expect("/qubes-firewall/10.0.0.1/0000", "action=accept");
	/* and all of it */
	change(WIRE_WRITE, "/postern/set/a", "192.0.2.1");
	change(WIRE_WRITE, "2/0000", "begun");
	change(WIRE_RM, "/", "");
	assert_int_equal(changes.half.begun, 0);
	db_close(&db);
	open_store();
	expect("/postern/set/a", NULL);
	expect("/qubes-firewall/2/0000", NULL);
}

/* A round that never came onto the disk has begun nothing and ended nothing. */
static void test_half_waits_for_the_commit(void **state)
{
	(void)state;
	struct half h = { .count = 0 };
	char path[WIRE_PATH_BYTES];
	half_begun(&h, "/a", peer);
	half_settle(&h, true);
	half_begun(&h, "/b", peer);
	half_over(&h, "/a");
	half_settle(&h, false);
	half_left(&h, peer);
	assert_int_equal(h.count, 1);
	assert_null(half_abandoned(&h, 1000, 100));
	assert_string_equal(half_abandoned(&h, 1100, 100), "/a");
	/* what could not be taken back is not tried again at once */
	half_over(&h, "/a");
	half_settle(&h, false);
	assert_null(half_abandoned(&h, 1200, 100));
	assert_string_equal(half_abandoned(&h, 1300, 100), "/a");
	half_over(&h, "/a");
	half_settle(&h, true);
	assert_int_equal(h.count, 0);
	/* so many can be, and as many come instead of them in one round */
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i <= HALF_MAX; i++) {
			snprintf(path, sizeof(path), "/%d/%d", round, i);
			assert_int_equal(half_begun(&h, path, peer), i < HALF_MAX);
		}
		assert_true(half_begun(&h, path, peer) == false);
		half_settle(&h, round > 0);
		assert_int_equal(h.count, round > 0 ? HALF_MAX : 0);
		half_over(&h, "/");
		assert_false(half_waits(&h) && h.begun);
	}
	half_settle(&h, false);
	assert_int_equal(h.begun, HALF_MAX);
	half_free(&h);
}

static void apply_inbound(const char *rule, const char *commit, const char *said)
{
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", "begin"), WIRE_OK);
	assert_int_equal(send_one(WIRE_RM, "/postern/inbound/", ""), WIRE_OK);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/inbound/0000", rule), WIRE_OK);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/inbound", ""), WIRE_OK);
	assert_int_equal(send_one(WIRE_WRITE, "/postern/inboundx", ""), 0); /* none of a tree */
	assert_int_equal(send_one(WIRE_WRITE, "/postern/apply", commit), WIRE_OK);
	assert_true(db_commit(&db));
	assert_string_equal(peer->said, said);
}

/* Trees of our own are changed, counted and taken back as the clients' are. */
static void test_own_trees(void **state)
{
	(void)state;
	apply("action=accept", "commit");
	apply_inbound("one", "commit\nif=1", "2 alone");
	a.linked = true;
	apply_inbound("two", "commit\nif=2\nconfirm=60", "3 linked");
	expect("/postern/inbound/0000", "two");
	outcome("3 unconfirmed");
	outcome("3 reverted nobody confirmed it in time");
	expect("/postern/inbound/0000", "one");
	expect("/postern/inbound", "");
	expect("/qubes-firewall/10.0.0.1/0000", "action=accept");
	/* one at a time, without a batch: its commit closes the generation */
	const struct db_author *by = &author;
	db_write(&db, "/postern/between/0000", (const uint8_t *)"a", 1, by);
	db_write(&db, "/postern/between/0001", (const uint8_t *)"b", 1, by);
	int64_t before = history_latest(&db);
	db_write(&db, "/postern/between", (const uint8_t *)"", 0, by);
	assert_true(db_commit(&db));
	assert_int_equal(history_latest(&db), before + 1);
}

static void test_file_of_the_first_version(void **state)
{
	static const char first[] =
		"PRAGMA journal_mode = WAL;"
		"CREATE TABLE kv(path TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE generation(number INTEGER PRIMARY KEY AUTOINCREMENT,"
		" time INTEGER NOT NULL, uid INTEGER NOT NULL, pid INTEGER NOT NULL,"
		" comm TEXT NOT NULL, via TEXT NOT NULL, path TEXT NOT NULL, closed INTEGER NOT NULL);"
		"CREATE INDEX generation_open ON generation(path) WHERE closed = 0;"
		"CREATE TABLE change(generation INTEGER NOT NULL REFERENCES generation(number),"
		" path TEXT NOT NULL, old BLOB, new BLOB);"
		"CREATE INDEX change_generation ON change(generation);"
		"INSERT INTO kv VALUES('/qubes-firewall/10.0.0.1/0000', 'old');"
		"INSERT INTO generation VALUES(1, 1, 0, 0, 'x', 'local', '/qubes-firewall/10.0.0.1', 1);"
		"INSERT INTO change VALUES(1, '/qubes-firewall/10.0.0.1/0000', NULL, 'old');"
		"PRAGMA user_version = 1;";
	sqlite3 *old;
	(void)state;
	db_close(&db);
	unlink(file);
	assert_int_equal(sqlite3_open(file, &old), SQLITE_OK);
	assert_int_equal(sqlite3_exec(old, first, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(old);
	open_store();
	a.linked = true;
	assert_string_equal(apply("action=drop", "commit"), "2 linked");
	outcome("2 refused so");
	expect("/qubes-firewall/10.0.0.1/0000", "old");
	expect("/qubes-firewall/10.0.0.2/0000", NULL);
	expect("/qubes-firewall/10.0.0.2", "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_generation),
		TEST(test_what_is_not_permitted),
		TEST(test_refused),
		TEST(test_confirmation),
		TEST(test_not_confirmed),
		TEST(test_expired_while_away),
		TEST(test_takes_over_a_half_written_tree),
		TEST(test_half_a_tree_is_told_to_nobody),
		TEST(test_a_removal_takes_back_its_own), TEST(test_half_waits_for_the_commit),
		TEST(test_what_was_begun_is_taken_back),
		TEST(test_own_trees),
		TEST(test_file_of_the_first_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
