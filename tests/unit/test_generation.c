/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c rules/cross_rule.c */
// SPDX-License-Identifier: ISC
/* Changes of many clients: none of two generations mixed, all or nothing, back when nobody confirms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { CLIENTS = 16, RULES = 30000, TCP = 6, TCP_RULES = 20 };
#include "qdb_feed.h"

static const uint64_t S = 1000000000, WALL = 0;

/* The outcome that is told, or "". */
static const char *told(void)
{
	static char value[512];
	static uint8_t out[QDB_OUT_BYTES];
	value[0] = 0;
	qdb_output(q, out, sizeof(out));
	qdb_tree_poll(tree);
	size_t n = qdb_output(q, out, sizeof(out));
	for (size_t at = 0; at < n; at += 72 + (size_t)out[at + 68])
		if (out[at] == 1 && !strcmp((char *)out + at + 1, "/postern/outcome"))
			snprintf(value, sizeof(value), "%.*s", out[at + 68], (char *)out + at + 72);
	return value;
}

static bool accepts(uint8_t client, uint32_t port)
{
	struct tuple t = { .src = ip_v4(10, 137, 0, client), .dst = ip_v4(192, 0, 2, 1), .dport = (uint16_t)port, .proto = TCP };
	uint32_t index, number;
	enum drop reason;
	policy_find(policy, t.src, &index);
	return policy_judge(policy, index, &t, &number, &reason) == VERDICT_ACCEPT;
}

static void write_tree(uint8_t client, uint32_t port, uint32_t rules)
{
	char path[64], value[64];
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/", client);
	rm(path);
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/policy", client);
	put(path, "drop");
	for (uint32_t i = 0; i < rules; i++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/%04u", client, i);
		snprintf(value, sizeof(value), "action=accept proto=tcp dstports=%u-%u", port + i, port + i);
		put(path, value);
	}
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u", client);
	put(path, "");
}

/* One rule for each of clients 1 and 2, as generation n for s seconds. */
static void apply(uint32_t n, uint32_t s, uint32_t port)
{
	char value[32];
	snprintf(value, sizeof(value), "%u %u", n, s);
	put("/postern/hold", value);
	write_tree(1, port, 1);
	write_tree(2, port, 1);
	put("/postern/generation", value);
}

static void expect(uint32_t port)
{
	for (uint8_t client = 1; client <= 2; client++)
		for (uint32_t p = 1000; p < 1010; p++)
			assert_int_equal(accepts(client, p), p == port);
}

/* --- no mixture ------------------------------------------------------------------------ */

static uint32_t storm_now, storm_seen, storm_judged;

/* Which generation a packet sees: every probe of every client must say the same. */
static void probe(void)
{
	uint32_t seen = 0;
	for (uint32_t g = storm_now - 1; g <= storm_now; g++) {
		uint32_t base = 1000 + (g % 1000) * TCP_RULES, yes = 0;
		for (uint8_t client = 1; client <= 3; client++)
			yes += accepts(client, base) + accepts(client, base + TCP_RULES - 1);
		assert_true(yes == 0 || yes == 6);
		seen = yes ? g : seen;
		storm_judged += 6;
	}
	assert_true(seen >= storm_seen && seen > 0);
	storm_seen = seen;
}

static void test_storm(void **state)
{
	(void)state;
	char value[32];
	start_empty();
	for (uint32_t g = 1; g <= 1001; g++) {
		between = g > 1 ? probe : NULL;
		storm_now = g;
		snprintf(value, sizeof(value), "%u 0", g);
		put("/postern/hold", value);
		for (uint8_t client = 1; client <= 3; client++)
			write_tree(client, 1000 + (g % 1000) * TCP_RULES, TCP_RULES);
		if (g > 1)
			assert_int_equal(storm_seen ? storm_seen : 1, g - 1);
		put("/postern/generation", value);
		storm_seen = g;
	}
	assert_true(storm_judged > 100000);
}

/* --- all or nothing ---------------------------------------------------------------------- */

static void test_bad_tree(void **state)
{
	(void)state;
	start_empty();
	apply(1, 0, 1001);
	assert_string_equal(told(), "1 applied");
	expect(1001);
	uint32_t free_rules = policy_rules_free(policy);
	put("/postern/hold", "2 0");
	write_tree(1, 1002, 1);
	put("/qubes-firewall/10.137.0.2/0000", "action=carrot");
	put("/qubes-firewall/10.137.0.2", "");
	put("/postern/generation", "2 0");
	assert_memory_equal(told(), "2 refused client 10.137.0.2: rule 0000 ", 39);
	expect(1001);
	assert_int_equal(policy_rules_free(policy), free_rules);
	apply(3, 0, 1003);
	assert_string_equal(told(), "3 applied");
	expect(1003);
}

static void test_pool_full(void **state)
{
	(void)state;
	char path[64];
	start_empty();
	apply(1, 0, 1001);
	uint32_t free_rules = policy_rules_free(policy);
	put("/postern/hold", "2 0");
	for (uint8_t client = 1; client <= 5; client++)
		write_tree(client, 10000, 9000);
	put("/postern/generation", "2 0");
	assert_non_null(strstr(told(), "too many rules"));
	expect(1001);
	for (uint8_t client = 1; client <= 5; client++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/", client);
		rm(path);
	}
	assert_int_equal(policy_rules_free(policy), free_rules);
	apply(3, 0, 1003);
	expect(1003);
}

/* Taking back a change that was refused for want of room must not want room itself. */
static void test_same_again_needs_no_room(void **state)
{
	(void)state;
	start_empty();
	put("/postern/hold", "1 0");
	for (uint8_t client = 1; client <= 3; client++)
		write_tree(client, 10000, 9000);
	put("/postern/generation", "1 0");
	assert_string_equal(told(), "1 applied");
	uint64_t stamp = policy_generation(policy, 0);
	put("/postern/hold", "2 60");
	for (uint8_t client = 1; client <= 3; client++)
		write_tree(client, 10000, 9000);
	put("/postern/generation", "2 60");
	assert_string_equal(told(), "2 unconfirmed");
	assert_int_equal(policy_generation(policy, 0), stamp);
	put("/postern/hold", "3 0");
	for (uint8_t client = 1; client <= 3; client++)
		write_tree(client, 20000, 9000);
	put("/postern/generation", "3 0");
	assert_non_null(strstr(told(), "3 refused"));
	assert_true(accepts(3, 10000) && !accepts(3, 20000));
}

static void test_emptied_client_is_closed(void **state)
{
	(void)state;
	start_empty();
	apply(1, 0, 1001);
	put("/postern/hold", "2 0");
	rm("/qubes-firewall/10.137.0.1/");
	put("/qubes-firewall/10.137.0.1", "");
	put("/postern/generation", "2 0");
	assert_string_equal(told(), "2 applied");
	assert_false(accepts(1, 1001));
	assert_true(accepts(2, 1001));
}

static void test_broken_off(void **state)
{
	(void)state;
	start_empty();
	apply(1, 0, 1001);
	put("/postern/hold", "2 0");
	write_tree(1, 1002, 1);
	start_empty();
	expect(1001);
	/* a publish without its hold, and one of another number, change nothing */
	put("/postern/generation", "2 0");
	put("/postern/hold", "3 0");
	write_tree(1, 1003, 1);
	put("/postern/generation", "4 0");
	expect(1001);
	/* and malformed ones */
	static const char *const bad[] = { "", "x", "0 0", "5", "5 ", "5 x", "5 0 ", "99999999999 0", "-1 0" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("/postern/hold", bad[i]);
		put("/postern/generation", bad[i]);
		put("/postern/confirm", bad[i]);
	}
	apply(5, 0, 1005);
	expect(1005);
}

/* --- confirmation --------------------------------------------------------------------------- */

static void test_deadline(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, 100 * S, WALL);
	apply(1, 0, 1001);
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
	assert_false(qdb_tree_confirm(tree));
	apply(2, 60, 1002);
	assert_string_equal(told(), "2 unconfirmed");
	assert_true(qdb_tree_deadline(tree) == 160 * S);
	expect(1002);
	qdb_tree_tick(tree, 160 * S - 1, WALL);
	expect(1002);
	/* the store is gone: it happens, and is told when it is back */
	qdb_closed(q);
	qdb_tree_tick(tree, 160 * S, WALL);
	expect(1001);
	assert_string_equal(told(), "");
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
	assert_false(qdb_tree_confirm(tree));
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.1/policy", "accept");
	dump("/qubes-firewall/10.137.0.1", "");
	dump("/postern/generation", "2 60");
	dump("", "");
	expect(1001);
	assert_string_equal(told(), "2 reverted nobody confirmed it in time");
	put("/postern/confirm", "2");
	assert_string_equal(told(), "2 reverted nobody confirmed it in time");
	apply(3, 0, 1003);
	expect(1003);
}

static void test_confirm_before_and_after(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		start_empty();
		qdb_tree_tick(tree, 100 * S, WALL);
		apply(11, 0, 1001);
		apply(12, 10, 1002);
		qdb_tree_tick(tree, 110 * S - !late, WALL);
		put("/postern/confirm", "12");
		assert_string_equal(told(), late ? "12 reverted nobody confirmed it in time" : "12 confirmed");
		qdb_tree_tick(tree, 500 * S, WALL);
		expect(late ? 1001 : 1002);
		unmake(state);
		make(state);
	}
}

static void test_confirmed_without_the_store(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, S, WALL);
	apply(1, 0, 1001);
	apply(2, 10, 1002);
	qdb_closed(q);
	assert_true(qdb_tree_confirm(tree));
	qdb_tree_tick(tree, 100 * S, WALL);
	expect(1002);
	/* the store has taken it back meanwhile, but hears of it */
	qdb_opened(q);
	dump("/postern/generation", "3 0");
	dump("", "");
	assert_string_equal(told(), "2 confirmed");
}

static void test_redump_while_unconfirmed(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, S, WALL);
	apply(1, 0, 1001);
	apply(2, 10, 1002);
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.1/policy", "drop");
	dump("/qubes-firewall/10.137.0.1/0000", "action=accept proto=tcp dstports=1002-1002");
	dump("/qubes-firewall/10.137.0.1", "");
	dump("/postern/generation", "2 10");
	dump("", "");
	expect(1002);
	assert_true(qdb_tree_deadline(tree) == 11 * S);
	qdb_tree_tick(tree, 11 * S, WALL);
	expect(1001);
}

/* Applied while the link was down: it holds from the dump on, and no longer than it may. */
static void test_unconfirmed_comes_in_a_dump(void **state)
{
	(void)state;
	start_empty();
	apply(1, 0, 1001);
	qdb_closed(q);
	qdb_tree_tick(tree, 50 * S, WALL);
	qdb_opened(q);
	for (uint8_t client = 1; client <= 2; client++) {
		char path[64];
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/policy", client);
		dump(path, "drop");
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/0000", client);
		dump(path, "action=accept proto=tcp dstports=1004-1004");
	}
	dump("/postern/generation", "4 10");
	dump("", "");
	expect(1004);
	assert_string_equal(told(), "4 unconfirmed");
	qdb_tree_tick(tree, 60 * S, WALL);
	expect(1001);
	assert_string_equal(told(), "4 reverted nobody confirmed it in time");
}

/* One that changes alone meanwhile is not taken back with the others. */
static void test_later_change_outlives(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, S, WALL);
	apply(1, 0, 1001);
	apply(2, 10, 1002);
	write_tree(2, 1005, 1);
	qdb_tree_tick(tree, 20 * S, WALL);
	assert_true(accepts(1, 1001));
	assert_true(accepts(2, 1005));
}

/* The same while the link was down: the dump shows it. */
static void test_later_change_in_a_dump_outlives(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, S, WALL);
	apply(1, 0, 1001);
	apply(2, 10, 1002);
	qdb_opened(q);
	for (uint8_t client = 1; client <= 2; client++) {
		char path[64];
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/policy", client);
		dump(path, "drop");
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/0000", client);
		dump(path, client == 1 ? "action=accept proto=tcp dstports=1002-1002" :
					 "action=accept proto=tcp dstports=1005-1005");
	}
	dump("/postern/generation", "2 10");
	dump("", "");
	assert_true(accepts(1, 1002) && accepts(2, 1005));
	qdb_tree_tick(tree, 20 * S, WALL);
	assert_true(accepts(1, 1001));
	assert_true(accepts(2, 1005) && !accepts(2, 1001));
}

/* What was said goes lost with the link: a dump that does not know it yet hears it again. */
static void test_outcomes_are_told_again(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, S, WALL);
	apply(1, 0, 1001);
	apply(2, 10, 1002);
	put("/postern/confirm", "2");
	assert_string_equal(told(), "2 confirmed");
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.1/policy", "drop");
	dump("/qubes-firewall/10.137.0.1/0000", "action=accept proto=tcp dstports=1002-1002");
	dump("/postern/generation", "2 10");
	dump("", "");
	assert_string_equal(told(), "2 confirmed");
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
	expect(1002);
	put("/postern/hold", "3 0");
	write_tree(1, 1003, 1);
	put("/qubes-firewall/10.137.0.2/0000", "action=carrot");
	put("/qubes-firewall/10.137.0.2", "");
	put("/postern/generation", "3 0");
	assert_string_equal(told(), "3 refused client 10.137.0.2: no policy");
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.1/policy", "drop");
	dump("/qubes-firewall/10.137.0.1/0000", "action=accept proto=tcp dstports=1003-1003");
	dump("/postern/generation", "3 0");
	dump("", "");
	assert_string_equal(told(), "3 refused client 10.137.0.2: no policy");
	expect(1002);
	apply(4, 0, 1004);
	assert_string_equal(told(), "4 applied");
	expect(1004);
}

/* --- how long packets wait -------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Told, not judged: what the store may do between two bursts while 10000 rules are replaced. */
static void test_gap(void **state)
{
	(void)state;
	static uint8_t all[4 << 20], bytes[4096], answer[QDB_OUT_BYTES];
	char path[64], value[64];
	size_t total = 0;
	start_empty();
	apply(1, 0, 1001);
	total += message(all + total, 1, "/postern/hold", "2 0", 3);
	total += message(all + total, 1, "/qubes-firewall/10.137.0.1/policy", "drop", 4);
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.1/%04u", i);
		int n = snprintf(value, sizeof(value), "action=accept dst4=198.%u.%u.%u/32 proto=tcp dstports=1-%u",
				 18 + i % 2, i / 256, i % 256, i + 1);
		total += message(all + total, 1, path, value, (size_t)n);
	}
	total += message(all + total, 1, "/qubes-firewall/10.137.0.1", "", 0);
	uint64_t longest = 0, last = 0;
	for (size_t at = 0; at < total;) {
		uint64_t began = now_ns();
		for (int reads = 0; reads < 64 && at < total; reads++) {
			size_t n = 1024 < total - at ? 1024 : total - at;
			memcpy(bytes, all + at, n);
			assert_int_equal(qdb_feed(q, bytes, n), n);
			qdb_output(q, answer, sizeof(answer));
			at += n;
		}
		uint64_t took = now_ns() - began;
		longest = took > longest ? took : longest;
	}
	size_t n = message(bytes, 1, "/postern/generation", "2 0", 3);
	last = now_ns();
	qdb_feed(q, bytes, n);
	last = now_ns() - last;
	print_message("a swap of 10000 rules: the longest pause %u us, while they are compiled; the swap itself %u ns\n",
		      (unsigned)(longest / 1000), (unsigned)last);
	assert_string_equal(told(), "2 applied");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_storm),
		TEST(test_bad_tree),
		TEST(test_pool_full),
		TEST(test_same_again_needs_no_room),
		TEST(test_emptied_client_is_closed),
		TEST(test_broken_off),
		TEST(test_deadline),
		TEST(test_confirm_before_and_after),
		TEST(test_confirmed_without_the_store),
		TEST(test_redump_while_unconfirmed),
		TEST(test_unconfirmed_comes_in_a_dump),
		TEST(test_later_change_outlives),
		TEST(test_later_change_in_a_dump_outlives),
		TEST(test_outcomes_are_told_again),
		TEST(test_gap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
