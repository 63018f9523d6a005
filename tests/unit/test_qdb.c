/* links: qubes-integration/qdb.c netstack/arena.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "qdb.h"
#include "qdb_message.h"

enum { LOG_BYTES = 1 << 16 };

static void *memory;
static struct qdb *q;
static char seen[LOG_BYTES]; /* what the sink was told, a line each */
static uint8_t stream[1 << 20];
static uint8_t out[1 << 16];

static void note(const char *what, const char *path, const void *value, size_t len)
{
	size_t at = strlen(seen);
	snprintf(seen + at, LOG_BYTES - at, "%s %s %.*s\n", what, path, (int)(len < 20 ? len : 20), (const char *)value);
}

static void on_opened(void *self) { assert_ptr_equal(self, seen); note("opened", "", "", 0); }
static void on_write(void *self, const char *path, const uint8_t *value, size_t len)
{
	(void)self;
	note("write", path, value, len);
}
static void on_remove(void *self, const char *path) { (void)self; note("remove", path, "", 0); }
static void on_synced(void *self) { (void)self; note("synced", "", "", 0); }
static void on_broken(void *self, const char *reason) { (void)self; note("broken", reason, "", 0); }

static void on_refused(void *self, uint64_t number)
{
	char text[24];
	(void)self;
	snprintf(text, sizeof(text), "%u", (unsigned)number);
	note("refused", text, "", 0);
}

static int make(void **state)
{
	(void)state;
	size_t bytes = QDB_OUT_BYTES + 8192;
	memory = malloc(bytes);
	struct arena a = { memory, bytes };
	q = qdb_new(&a);
	struct qdb_sink sink = { seen, on_opened, on_write, on_remove, on_synced, on_broken, on_refused };
	qdb_set_sink(q, &sink);
	seen[0] = 0;
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static size_t add(size_t at, uint8_t type, const char *path, const char *data)
{
	return at + message(stream + at, type, path, data, strlen(data));
}

static void expect_out(const void *bytes, size_t len)
{
	assert_int_equal(qdb_output(q, out, sizeof(out)), len);
	assert_memory_equal(out, bytes, len);
}

/* The whole conversation, cut into pieces of every size. */
static void test_session(void **state)
{
	(void)state;
	uint8_t expected[72 * 3];
	for (size_t piece = 1; piece < 400; piece += 7) {
		seen[0] = 0;
		qdb_opened(q);
		assert_int_equal(qdb_state(q), QDB_DUMP);
		expect_out(expected, message(expected, 2, "", "", 0));
		size_t n = add(0, 11, "/b", "two");
		n = add(n, 11, "/a", "");
		n = add(n, 11, "", "");
		n = add(n, 1, "/qubes-firewall/10.0.0.1/0000", "action=accept");
		n = add(n, 7, "/x", "");
		n = add(n, 9, "/x", "");
		n = add(n, 4, "/dir/", "");
		for (size_t at = 0; at < n;) {
			size_t m = piece < n - at ? piece : n - at;
			assert_true(qdb_want(q) >= m);
			assert_int_equal(qdb_feed(q, stream + at, m), m);
			at += m;
		}
		assert_string_equal(seen, "opened  \nwrite /b two\nwrite /a \nsynced  \n"
					  "write /qubes-firewall/10.0.0.1/0000 action=accept\nremove /dir/ \n");
		size_t len = message(expected, 7, "/qubes-firewall/10.0.0.1/0000", "", 0);
		len += message(expected + len, 7, "/dir/", "", 0);
		expect_out(expected, len);
		assert_int_equal(qdb_state(q), QDB_LIVE);
	}
	qdb_closed(q);
	assert_int_equal(qdb_output(q, out, sizeof(out)), 0);
	assert_int_equal(qdb_state(q), QDB_CLOSED);
}

static void begin(bool live)
{
	seen[0] = 0;
	qdb_opened(q);
	qdb_output(q, out, sizeof(out));
	if (live)
		qdb_feed(q, stream, add(0, 11, "", ""));
}

static const struct { uint8_t type; const char *path; bool live; bool refused; } cases[] = {
	{ 0, "/a", true, true }, { 2, "", true, true }, { 3, "/a", true, true }, { 5, "/a", true, true },
	{ 6, "/a", true, true }, { 10, "/a", true, true }, { 12, "/a", true, true }, { 13, "/a", true, true },
	{ 14, "/a", true, true }, { 255, "/a", true, true },
	{ 11, "/a", true, true }, { 11, "", true, true }, { 11, "/a", false, false },
	{ 11, "a", false, true }, { 11, "/a/", false, true }, { 11, "/a b", false, true },
	{ 1, "", true, true }, { 1, "a", true, true }, { 1, "/a/", true, true }, { 1, "/a\n", true, true },
	{ 1, "/aA0_.:@-/z", true, false }, { 1, "/a", false, false },
	{ 1, "/23456789012345678901234567890123456789012345678901234567890123", true, false },
	{ 1, "/234567890123456789012345678901234567890123456789012345678901234", true, true }, /* no NUL */
	{ 4, "/", true, false }, { 4, "/a", true, false }, { 4, "/a/", true, false }, { 4, "", true, true },
	{ 4, "a/", true, true }, { 4, "/a", false, false },
	{ 7, "", true, false }, { 8, "/a", true, false }, { 9, "junk \x01", false, false },
};

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		begin(cases[i].live);
		size_t n = add(0, cases[i].type, cases[i].path, "");
		assert_int_equal(qdb_feed(q, stream, n), n);
		if ((qdb_state(q) == QDB_BROKEN) != cases[i].refused)
			fail_msg("case %zu: type %u path '%s'", i, cases[i].type, cases[i].path);
		assert_int_equal(qdb_error(q)[0] != 0, cases[i].refused);
		if (!cases[i].refused)
			continue;
		/* deaf and dumb until it is opened anew */
		size_t told = strlen(seen);
		n = add(0, 1, "/a", "x");
		assert_int_equal(qdb_feed(q, stream, n), n);
		assert_int_equal(strlen(seen), told);
		assert_false(qdb_write(q, "/a", "x", 1));
		assert_int_equal(qdb_output(q, out, sizeof(out)), 0);
	}
	begin(true);
	assert_int_equal(qdb_state(q), QDB_LIVE);
}

static void test_lengths(void **state)
{
	(void)state;
	static uint8_t value[QDB_VALUE_MAX + 1];
	memset(value, 'v', sizeof(value));
	begin(true);
	size_t n = message(stream, 1, "/a", value, QDB_VALUE_MAX);
	assert_int_equal(qdb_feed(q, stream, n), n);
	assert_int_equal(qdb_state(q), QDB_LIVE);
	assert_non_null(strstr(seen, "write /a vvv"));
	message(stream, 1, "/a", value, QDB_VALUE_MAX + 1);
	qdb_feed(q, stream, 72); /* refused by the header alone */
	assert_int_equal(qdb_state(q), QDB_BROKEN);
	begin(true);
	message(stream, 7, "/a", "", 0);
	stream[71] = 0x80;
	qdb_feed(q, stream, 72);
	assert_int_equal(qdb_state(q), QDB_BROKEN);
}

/* Never anything that kills the peer's daemon. */
static void test_own_writes(void **state)
{
	(void)state;
	static uint8_t value[QDB_VALUE_MAX + 1], expected[72 + QDB_VALUE_MAX];
	memset(value, 'v', sizeof(value));
	assert_false(qdb_write(q, "/a", "x", 1)); /* closed */
	begin(false);
	static const char *const refused[] = {
		"", "a", "/", "/a/", "/a b", "/a\x7f", "/\xc3\xa4", "/a*",
		"/234567890123456789012345678901234567890123456789012345678901234",
	};
	for (size_t i = 0; i < array_len(refused); i++)
		assert_false(qdb_write(q, refused[i], "x", 1));
	assert_false(qdb_write(q, "/a", "x\0y", 3));
	assert_false(qdb_write(q, "/a", value, QDB_VALUE_MAX + 1));
	assert_int_equal(qdb_output(q, out, sizeof(out)), 0);
	assert_true(qdb_write(q, "/a", value, QDB_VALUE_MAX));
	expect_out(expected, message(expected, 1, "/a", value, QDB_VALUE_MAX));
	assert_true(qdb_write(q, "/a", "", 0));
	expect_out(expected, message(expected, 1, "/a", "", 0));
	/* one MULTIREAD per connection: nothing but writes came after it */
	qdb_feed(q, stream, add(0, 11, "", ""));
	assert_int_equal(qdb_output(q, out, sizeof(out)), 0);
}

/* The peer does not read: nothing is lost, nothing grows, and want() keeps its word. */
static void test_back_pressure(void **state)
{
	(void)state;
	begin(true);
	size_t n = 0, fed = 0, answered = 0, writes = 2000;
	for (size_t i = 0; i < writes; i++)
		n = add(n, i % 3 ? 1 : 4, "/key", i % 3 == 1 ? "value" : "");
	srand(1);
	while (fed < n || answered < writes * 72) {
		size_t m = (size_t)rand() % 5000;
		m = m < n - fed ? m : n - fed;
		size_t want = qdb_want(q), taken = qdb_feed(q, stream + fed, m);
		assert_true(taken <= m && (m > want || taken == m));
		fed += taken;
		if (rand() % 4 == 0 || taken == 0)
			answered += qdb_output(q, out, (size_t)rand() % 9000);
	}
	assert_int_equal(answered, writes * 72);
	size_t lines = 0;
	for (const char *c = seen; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 2 + writes);
	/* full with own writes: refused, not lost */
	size_t queued = 0;
	while (qdb_write(q, "/a", "12345678", 8))
		queued++;
	assert_int_equal(queued, QDB_OUT_BYTES / 80);
	assert_int_equal(qdb_output(q, out, sizeof(out)), queued * 80);
}

static void test_reopened(void **state)
{
	(void)state;
	begin(true);
	qdb_feed(q, stream, add(0, 1, "/a", "half of it") - 5);
	assert_true(qdb_write(q, "/mine", "x", 1));
	qdb_closed(q);
	assert_int_equal(qdb_feed(q, stream, 10), 10); /* late bytes of the old stream */
	qdb_opened(q);
	uint8_t expected[72];
	expect_out(expected, message(expected, 2, "", "", 0));
	qdb_feed(q, stream, add(0, 11, "/b", "x"));
	assert_non_null(strstr(seen, "write /b x"));
	assert_null(strstr(seen, "half"));
}

/* Which of our writes was not taken; what nobody waits for refuses nothing. */
static void test_refused(void **state)
{
	(void)state;
	begin(true);
	seen[0] = 0;
	for (int i = 0; i < 4; i++)
		assert_true(qdb_write(q, "/a", "1", 1));
	size_t n = add(0, 7, "/a", "");
	n = add(n, 9, "/a", "");
	n = add(n, 7, "/a", "");
	n = add(n, 8, "/a", "");
	n = add(n, 9, "/a", "");
	qdb_feed(q, stream, n);
	assert_string_equal(seen, "refused 2 \nrefused 4 \n");
	assert_int_equal(qdb_answered(q), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_session, make, unmake),
		cmocka_unit_test_setup_teardown(test_malformed, make, unmake),
		cmocka_unit_test_setup_teardown(test_lengths, make, unmake),
		cmocka_unit_test_setup_teardown(test_own_writes, make, unmake),
		cmocka_unit_test_setup_teardown(test_back_pressure, make, unmake),
		cmocka_unit_test_setup_teardown(test_reopened, make, unmake),
		cmocka_unit_test_setup_teardown(test_refused, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
