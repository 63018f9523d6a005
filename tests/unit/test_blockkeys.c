/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/accounts.c rules/rule_id.c firewall/blocks.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c rules/cross_rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c */
// SPDX-License-Identifier: ISC
/* What an operator stops: by the store's keys, without the store, and across its dumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { CLIENTS = 8, RULES = 8192 };
#include "qdb_feed.h"

static struct ip_addr ip_of(uint8_t client) { return ip_v4(10, 137, 0, client); }

static void open_for_all(void)
{
	start_empty();
	for (uint8_t i = 1; i < 4; i++) {
		char path[64];
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/policy", i);
		put(path, "accept");
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u", i);
		put(path, "");
	}
}

static enum drop to(uint8_t client, struct ip_addr dst)
{
	struct tuple t = { .src = ip_of(client), .dst = dst, .dport = 443, .proto = 6 };
	uint32_t at, number;
	enum drop reason;
	policy_find(policy, t.src, &at);
	policy_judge(policy, at, &t, &number, &reason);
	return reason;
}

static enum drop out(uint8_t client) { return to(client, ip_v4(192, 0, 2, 1)); }

static const char *ask(const char *words)
{
	const char *error = "not asked";
	if (!qdb_tree_ask(tree, words, strlen(words), &error))
		return "not mine";
	return error;
}

/* What the store is told, as "path=value\n" lines; it answers so. */
static const char *told_and(uint8_t answer)
{
	static char lines[4096];
	static uint8_t bytes[QDB_OUT_BYTES];
	lines[0] = 0;
	qdb_output(q, bytes, sizeof(bytes));
	qdb_tree_poll(tree);
	size_t n = qdb_output(q, bytes, sizeof(bytes));
	for (size_t at = 0; at < n; at += 72 + (size_t)bytes[at + 68]) {
		size_t len = strlen(lines);
		if (bytes[at] == 1 && !strncmp((char *)bytes + at + 1, "/postern/", 9))
			snprintf(lines + len, sizeof(lines) - len, "%s=%.*s\n", (char *)bytes + at + 1, bytes[at + 68],
				 (char *)bytes + at + 72);
		if (bytes[at] == 1)
			send_one(answer, (char *)bytes + at + 1, "");
	}
	qdb_tree_poll(tree);
	return lines;
}

static const char *told(void) { return told_and(7); }

/* A link anew, whose dump says this of panic; NULL: nothing. */
static void come_back(const char *panic)
{
	qdb_closed(q);
	qdb_opened(q);
	if (panic)
		dump("/postern/panic", panic);
	dump("", "");
}

static void test_isolate(void **state)
{
	(void)state;
	open_for_all();
	uint64_t before = policy_latest(policy);
	put("/postern/isolate/10.137.0.2", "it talks to strangers");
	assert_int_equal(out(1), DROP_NONE);
	assert_int_equal(out(2), DROP_ISOLATED);
	assert_int_equal(to(1, ip_of(2)), DROP_ISOLATED);
	assert_int_equal(to(1, ip_of(3)), DROP_NONE);
	/* flows of everybody are judged again: the other end may be this one */
	for (uint32_t i = policy_next(policy, NONE); i != NONE; i = policy_next(policy, i))
		assert_true(policy_generation(policy, i) > before);
	before = policy_latest(policy);
	put("/postern/isolate/10.137.0.2", "again");
	assert_true(policy_latest(policy) == before);
	/* rules that change meanwhile change nothing of it */
	put("/qubes-firewall/10.137.0.2", "");
	assert_int_equal(out(2), DROP_ISOLATED);
	rm("/postern/isolate/10.137.0.2");
	assert_int_equal(out(2), DROP_NONE);
	put("/postern/isolate/10.137.0.2", "x");
	put("/postern/isolate/10.137.0.3", "x");
	put("/postern/isolate/10.137.0.3", "off");
	assert_int_equal(out(3), DROP_NONE);
	put("/postern/isolate/nobody", "x");
	assert_int_equal(policy_blocks(policy)->count, 1);
	rm("/postern/isolate/");
	assert_int_equal(policy_blocks(policy)->count, 0);
	assert_string_equal(logged + strlen(logged) - strlen("client 10.137.0.2: not isolated any more\n"),
			    "client 10.137.0.2: not isolated any more\n");
}

static void test_panic(void **state)
{
	(void)state;
	open_for_all();
	put("/postern/panic", "");
	for (uint8_t i = 1; i < 4; i++)
		assert_int_equal(out(i), DROP_PANIC);
	put("/postern/panic", "off");
	assert_int_equal(out(1), DROP_NONE);
	put("/postern/panic", "fire");
	assert_int_equal(out(1), DROP_PANIC);
	rm("/");
	assert_false(policy_blocks(policy)->panic);
}

/* The dump says what is; until it is whole, what was. */
static void test_dump(void **state)
{
	(void)state;
	open_for_all();
	put("/postern/isolate/10.137.0.1", "x");
	put("/postern/panic", "on");
	qdb_closed(q);
	assert_int_equal(out(3), DROP_PANIC);
	qdb_opened(q);
	dump("/postern/isolate/10.137.0.2", "x");
	dump("/postern/isolate/10.137.0.3", "off");
	assert_int_equal(out(3), DROP_PANIC);
	dump("", "");
	assert_int_equal(out(1), DROP_NONE);
	assert_int_equal(out(2), DROP_ISOLATED);
	assert_int_equal(out(3), DROP_NONE);
}

/* Asked for while the store is away: holds at once, is not undone by its dump, and is told to it. */
static void test_ask(void **state)
{
	(void)state;
	open_for_all();
	qdb_closed(q);
	assert_null(ask("panic on the house burns"));
	assert_null(ask("isolate 10.137.0.2 on"));
	assert_null(ask("isolate 10.137.0.3 on"));
	assert_null(ask("isolate 10.137.0.3 off"));
	assert_int_equal(out(1), DROP_PANIC);
	assert_true(qdb_tree_poll(tree));
	qdb_opened(q);
	dump("/postern/isolate/10.137.0.3", "x");
	dump("", "");
	assert_int_equal(out(1), DROP_PANIC);
	assert_string_equal(told(), "/postern/panic=the house burns\n/postern/isolate/10.137.0.2=on\n"
				    "/postern/isolate/10.137.0.3=off\n");
	assert_string_equal(told(), "");
	assert_null(ask("panic off"));
	assert_int_equal(out(1), DROP_NONE);
	assert_int_equal(out(2), DROP_ISOLATED);
	assert_int_equal(out(3), DROP_NONE);
	assert_string_equal(told(), "/postern/panic=off\n");
	/* what the store says later counts */
	qdb_closed(q);
	assert_null(ask("panic on"));
	qdb_opened(q);
	dump("", "");
	put("/postern/panic", "off");
	assert_int_equal(out(1), DROP_NONE);
	assert_string_equal(told(), "/postern/isolate/10.137.0.2=asked for at the appliance\n");
	assert_null(ask("panic off"));
	assert_string_equal(told(), "");
	assert_null(ask("panic on a\tb\xff"));
	assert_string_equal(told(), "/postern/panic=a?b?\n");
}

/* Told to a store that was gone before it had it: it is told again, and not undone. */
static void test_lost(void **state)
{
	(void)state;
	static uint8_t bytes[QDB_OUT_BYTES];
	open_for_all();
	told();
	for (int sent = 0; sent < 2; sent++) {
		assert_null(ask("panic on fire"));
		qdb_tree_poll(tree);
		if (sent)
			assert_true(qdb_output(q, bytes, sizeof(bytes)) > 0);
		qdb_closed(q);
		assert_int_equal(out(1), DROP_PANIC);
		qdb_opened(q);
		dump("", "");
		assert_int_equal(out(1), DROP_PANIC);
		assert_string_equal(told(), "/postern/panic=fire\n");
		assert_string_equal(told(), "");
		rm("/postern/panic");
		assert_int_equal(out(1), DROP_NONE);
	}
	/* a store that never answers fills nothing up */
	for (uint32_t i = 0; i < 200; i++) {
		assert_null(ask(i % 2 ? "panic off" : "panic on"));
		assert_null(ask(i % 2 ? "isolate 10.137.0.2 off" : "isolate 10.137.0.2 on"));
	}
	char words[64];
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(words, sizeof(words), "isolate 10.1.0.%u on", i);
		assert_null(ask(words));
		qdb_tree_poll(tree);
		qdb_output(q, bytes, sizeof(bytes));
	}
}

/* What was asked for here stands, whatever the store does, until an operator says off. */
static void test_own(void **state)
{
	(void)state;
	open_for_all();
	told();
	assert_null(ask("panic on fire"));
	assert_null(ask("isolate 10.137.0.2 on"));
	assert_string_equal(told(), "/postern/panic=fire\n/postern/isolate/10.137.0.2=on\n");
	put("/postern/isolate/10.137.0.3", "only the store's");
	/* another store, which never heard of it: it is told */
	come_back(NULL);
	assert_int_equal(out(1), DROP_PANIC);
	assert_int_equal(policy_blocks(policy)->count, 1);
	assert_string_equal(told(), "/postern/panic=asked for at the appliance\n"
				    "/postern/isolate/10.137.0.2=asked for at the appliance\n");
	/* one that knows is not */
	qdb_opened(q);
	dump("/postern/panic", "fire");
	dump("/postern/isolate/10.137.0.2", "on");
	dump("", "");
	assert_string_equal(told(), "");
	/* who removes everything means other things */
	put("/postern/isolate/10.137.0.3", "only the store's");
	rm("/postern/");
	assert_int_equal(out(1), DROP_PANIC);
	assert_int_equal(policy_blocks(policy)->count, 1);
	assert_string_equal(told(), "/postern/panic=asked for at the appliance\n"
				    "/postern/isolate/10.137.0.2=asked for at the appliance\n");
	rm("/postern/isolate/");
	assert_int_equal(policy_blocks(policy)->count, 0);
	/* released behind our back, in the words that tell it from a loss */
	come_back("off");
	assert_int_equal(out(1), DROP_NONE);
	assert_int_equal(out(2), DROP_NONE);
	assert_string_equal(told(), "");
	assert_null(ask("panic on fire"));
	told();
	come_back("off");
	assert_int_equal(out(1), DROP_NONE);
	come_back(NULL);
	assert_int_equal(out(1), DROP_NONE);
}

/* What the store has said already can be asked for here as well. */
static void test_own_later(void **state)
{
	(void)state;
	open_for_all();
	told();
	put("/postern/panic", "fire");
	assert_null(ask("panic on fire"));
	assert_string_equal(told(), "");
	come_back(NULL);
	assert_int_equal(out(1), DROP_PANIC);
	told();
	assert_null(ask("panic off"));
	assert_int_equal(out(1), DROP_NONE);
	/* the store is away, its dump says what it last knew: the operator's off is newer */
	come_back("fire");
	assert_int_equal(out(1), DROP_NONE);
	assert_string_equal(told(), "/postern/panic=off\n");
	come_back("fire");
	assert_int_equal(out(1), DROP_PANIC);
}

static void test_refused(void **state)
{
	(void)state;
	const uint64_t s = 1000000000;
	open_for_all();
	told();
	qdb_tree_tick(tree, 100 * s, 0);
	assert_null(ask("panic on fire"));
	assert_null(ask("isolate 10.137.0.2 on"));
	assert_string_equal(told_and(9), "/postern/panic=fire\n/postern/isolate/10.137.0.2=on\n");
	assert_string_equal(told_and(9), "");
	assert_non_null(strstr(logged, "panic is on: nothing is forwarded, but the store does not keep it: it is told again\n"));
	assert_true(qdb_tree_deadline(tree) == 110 * s);
	/* what is new does not wait for that, nor counts as taken what is behind */
	assert_null(ask("isolate 10.137.0.3 on"));
	assert_string_equal(told(), "/postern/isolate/10.137.0.3=on\n");
	size_t lines = strlen(logged);
	for (uint64_t at = 110; at < 200; at += 10) {
		qdb_tree_tick(tree, at * s, 0);
		assert_string_equal(told_and(9), "/postern/panic=fire\n/postern/isolate/10.137.0.2=on\n");
		assert_string_equal(told_and(9), "");
		assert_true(qdb_tree_deadline(tree) == (at + 10) * s);
	}
	assert_int_equal(strlen(logged), lines);
	/* a link that is gone is no reason to look again and again */
	qdb_closed(q);
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
	come_back(NULL);
	assert_int_equal(out(1), DROP_PANIC);
	assert_string_equal(told(), "/postern/panic=fire\n/postern/isolate/10.137.0.2=on\n"
				    "/postern/isolate/10.137.0.3=asked for at the appliance\n");
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
	come_back("fire");
	assert_string_equal(told(), "/postern/isolate/10.137.0.2=asked for at the appliance\n"
				    "/postern/isolate/10.137.0.3=asked for at the appliance\n");
	/* a refused off is told again likewise */
	assert_null(ask("panic off"));
	assert_string_equal(told_and(9), "/postern/panic=off\n");
	assert_int_equal(out(1), DROP_NONE);
	come_back("fire");
	assert_int_equal(out(1), DROP_NONE);
	assert_non_null(strstr(told(), "/postern/panic=off\n"));
}

/* The store said off before it had heard our on, which is what it has then. */
static void test_crossed(void **state)
{
	(void)state;
	static uint8_t bytes[QDB_OUT_BYTES];
	open_for_all();
	told();
	put("/postern/panic", "fire");
	put("/postern/panic", "off");
	qdb_output(q, bytes, sizeof(bytes));
	assert_null(ask("panic on again"));
	qdb_tree_poll(tree);
	assert_true(qdb_output(q, bytes, sizeof(bytes)) > 0);
	put("/postern/panic", "off");
	assert_int_equal(out(1), DROP_PANIC);
	send_one(7, "/postern/panic", "");
	qdb_tree_poll(tree);
	assert_int_equal(out(1), DROP_PANIC);
	put("/postern/panic", "off");
	assert_int_equal(out(1), DROP_NONE);
}

/* More than there is room for: it is said how many, and those that were asked for here are in. */
static void test_many(void **state)
{
	(void)state;
	char path[64];
	open_for_all();
	told();
	assert_null(ask("isolate 10.137.0.1 on"));
	assert_null(ask("isolate 10.0.0.1 on"));
	told();
	qdb_closed(q);
	qdb_opened(q);
	for (uint32_t i = 0; i < BLOCKS_MAX + 5; i++) {
		snprintf(path, sizeof(path), "/postern/isolate/10.0.%u.%u", i / 250, 1 + i % 250);
		dump(path, "x");
	}
	dump("", "");
	assert_int_equal(policy_blocks(policy)->count, BLOCKS_MAX);
	assert_int_equal(out(1), DROP_ISOLATED);
	assert_true(blocks_isolates(policy_blocks(policy), ip_v4(10, 0, 0, 1)));
	assert_non_null(strstr(logged, "\ntoo many clients are isolated: 6 of them are not\n"));
	come_back(NULL);
	assert_int_equal(policy_blocks(policy)->count, 2);
}

static void test_bad_words(void **state)
{
	(void)state;
	open_for_all();
	static const char *const bad[] = { "panic", "panic ", "panic maybe", "panic onwards", "isolate", "isolate x on",
					   "isolate 10.137.0.1", "isolate 10.137.0.1on", "isolate 10.137.0.1 ", "isolate 0.0.0.0 on x" };
	for (size_t i = 0; i + 1 < array_len(bad); i++)
		assert_non_null(ask(bad[i]));
	assert_string_equal(ask("status"), "not mine");
	assert_int_equal(policy_blocks(policy)->any, false);
	char words[64];
	qdb_closed(q);
	for (uint32_t i = 0; i < 40; i++) {
		snprintf(words, sizeof(words), "isolate 10.0.0.%u on", i);
		assert_true(!ask(words) == (i < 32));
	}
	assert_null(ask("panic on")); /* that always has room */
	assert_int_equal(out(1), DROP_PANIC);
}

/* Against a plain list. */
static void test_list(void **state)
{
	(void)state;
	static struct blocks b;
	bool is[64] = { false };
	memset(&b, 0, sizeof(b));
	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t which = draw(64), on = draw(2);
		assert_true(blocks_isolate(&b, ip_v4(10, 0, 0, (uint8_t)which), on) == (is[which] != on));
		is[which] = on;
		which = draw(64);
		assert_true(blocks_isolates(&b, ip_v4(10, 0, 0, (uint8_t)which)) == is[which]);
		assert_true(b.any == (b.count > 0));
	}
	for (uint32_t i = 0; i < 2 * BLOCKS_MAX; i++)
		blocks_isolate(&b, ip_v4(11, 0, (uint8_t)(i >> 8), (uint8_t)i), true);
	assert_int_equal(b.count, BLOCKS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
		TEST(test_isolate), TEST(test_panic), TEST(test_dump), TEST(test_ask), TEST(test_lost),
		TEST(test_own), TEST(test_own_later), TEST(test_refused), TEST(test_crossed), TEST(test_many),
		TEST(test_bad_words), TEST(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
