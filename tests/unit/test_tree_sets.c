/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c rules/cross_rule.c */
// SPDX-License-Identifier: ISC
/* What changes without a client's tree being written: sets that it refers to, and the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { CLIENTS = 8, RULES = 8192 };
#include "qdb_feed.h"

static const uint64_t S = 1000000000;

static void rules_of(uint8_t client, const char *rule)
{
	char path[64];
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/policy", client);
	put(path, "drop");
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u/0003", client);
	put(path, rule);
}

static void commit(uint8_t client)
{
	char path[64];
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%u", client);
	put(path, "");
}

static void set_to(const char *name, const char *value)
{
	char path[64];
	snprintf(path, sizeof(path), "/postern/set/%s", name);
	put(path, value);
	put("/postern/set", "");
}

static uint32_t client_of(uint8_t client)
{
	uint32_t at;
	policy_find(policy, ip_v4(10, 137, 0, client), &at);
	return at;
}

static bool accepts(uint8_t client, uint8_t last)
{
	struct tuple t = { .src = ip_v4(10, 137, 0, client), .dst = ip_v4(192, 0, 2, last), .dport = 443, .proto = 6 };
	uint32_t number;
	enum drop reason;
	return policy_judge(policy, client_of(client), &t, &number, &reason) == VERDICT_ACCEPT;
}

static uint64_t generation(uint8_t client)
{
	return policy_generation(policy, client_of(client));
}

/* Which of 192.0.2.1 to .9 it may reach. */
static const char *reaches(uint8_t client)
{
	static char digits[16];
	struct text t = text_on(digits);
	t.at[0] = 0;
	for (uint8_t i = 1; i < 10; i++)
		if (accepts(client, i))
			text_u64(&t, i);
	return digits;
}

static void test_shared(void **state)
{
	(void)state;
	start_empty();
	set_to("lab", "192.0.2.1 192.0.2.4/31 2001:db8::/32");
	rules_of(1, "action=accept dstset=lab");
	commit(1);
	rules_of(2, "action=accept dstset=lab proto=tcp dstports=443-443");
	commit(2);
	rules_of(3, "action=accept dstset=other");
	commit(3);
	assert_string_equal(reaches(1), "145");
	assert_string_equal(reaches(2), "145");
	assert_string_equal(reaches(3), "");
	uint64_t of_third = generation(3), of_first = generation(1);
	set_to("lab", "192.0.2.1 192.0.2.9");
	assert_string_equal(reaches(1), "19");
	assert_string_equal(reaches(2), "19");
	assert_true(generation(1) > of_first);
	assert_true(generation(3) == of_third);
	/* all copies of a rule have its number */
	struct ruleset_walk walk = { 0, 0 };
	const struct rule *r;
	uint32_t copies = 0;
	for (; (r = ruleset_next(policy_show(policy, client_of(1)).rules, &walk)); copies++)
		assert_int_equal(r->number, 3);
	assert_int_equal(copies, 2);
	/* all sets that change do it together, when that is said */
	put("/postern/set/lab", "192.0.2.3");
	rm("/postern/set/lab");
	put("/postern/set/lab", "192.0.2.4");
	assert_string_equal(reaches(1), "19");
	put("/postern/set", "");
	assert_string_equal(reaches(1), "4");
	/* a set that comes, one that goes, and one that cannot be read */
	set_to("other", "192.0.2.7");
	assert_string_equal(reaches(3), "7");
	rm("/postern/set/other");
	put("/postern/set", "");
	assert_string_equal(reaches(3), "");
	set_to("lab", "192.0.2.1 nonsense");
	assert_string_equal(reaches(1), "");
	assert_non_null(strstr(logged, "store: /postern/set/lab: not a set of networks"));
	set_to("lab", "192.0.2.2");
	set_to("other", "192.0.2.3");
	assert_string_equal(reaches(1), "2");
	rm("/postern/set/");
	put("/postern/set", "");
	assert_string_equal(reaches(1), "");
	assert_string_equal(reaches(3), "");
}

/* A set nobody knows permits nothing and forbids everything. */
static void test_unknown(void **state)
{
	(void)state;
	start_empty();
	put("/qubes-firewall/10.137.0.1/0000", "action=drop dstset=bad");
	rules_of(1, "action=accept");
	commit(1);
	assert_string_equal(reaches(1), "");
	set_to("bad", "192.0.2.0/29");
	assert_string_equal(reaches(1), "89");
	set_to("bad", "2001:db8::/32");
	assert_string_equal(reaches(1), "123456789");
	set_to("bad", "");
	assert_string_equal(reaches(1), "");
}

/* Rules that are being written are not committed by a set that changes meanwhile. */
static void test_half_written(void **state)
{
	(void)state;
	start_empty();
	set_to("lab", "192.0.2.1");
	rules_of(1, "action=accept dstset=lab");
	commit(1);
	rm("/qubes-firewall/10.137.0.1/");
	put("/qubes-firewall/10.137.0.1/policy", "accept");
	put("/qubes-firewall/10.137.0.1/0000", "action=drop dstset=lab");
	set_to("lab", "192.0.2.2");
	assert_string_equal(reaches(1), "1");
	commit(1);
	assert_string_equal(reaches(1), "13456789");
	/* nor one that could not be committed */
	put("/qubes-firewall/10.137.0.1/0001", "nonsense");
	commit(1);
	set_to("lab", "192.0.2.3");
	assert_string_equal(reaches(1), "");
}

static void apply(const char *number, const char *set)
{
	put("/postern/hold", number);
	set_to("lab", set);
	put("/postern/generation", number);
}

/* Held, released and reverted with the rest. */
static void test_held(void **state)
{
	(void)state;
	qdb_tree_tick(tree, S, 0);
	start_empty();
	set_to("lab", "192.0.2.1");
	rules_of(1, "action=accept dstset=lab");
	commit(1);
	rules_of(2, "action=accept dstset=lab");
	commit(2);
	put("/postern/hold", "1 60");
	/* the trees before the set that they use, and a client that is new */
	rules_of(2, "action=accept dstset=lab proto=tcp");
	commit(2);
	rules_of(3, "action=accept dstset=lab");
	commit(3);
	set_to("lab", "192.0.2.2");
	assert_string_equal(reaches(1), "1");
	assert_string_equal(reaches(2), "1");
	put("/postern/generation", "1 60");
	assert_string_equal(reaches(1), "2");
	assert_string_equal(reaches(2), "2");
	assert_string_equal(reaches(3), "2");
	assert_true(generation(1) == generation(2) && generation(2) == generation(3));
	qdb_tree_tick(tree, 61 * S, 0);
	assert_string_equal(reaches(1), "1");
	assert_string_equal(reaches(2), "1");
	assert_string_equal(reaches(3), "");
	/* the store takes its keys back too */
	apply("2 0", "192.0.2.1");
	apply("3 0", "192.0.2.5");
	assert_string_equal(reaches(1), "5");
}

static void test_dump(void **state)
{
	(void)state;
	start_empty();
	set_to("lab", "192.0.2.1");
	rules_of(1, "action=accept dstset=lab");
	commit(1);
	qdb_closed(q);
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.1/policy", "drop");
	dump("/qubes-firewall/10.137.0.1/0000", "action=accept dstset=lab");
	dump("/qubes-firewall/10.137.0.1", "");
	assert_string_equal(reaches(1), "1");
	dump("/postern/set/lab", "192.0.2.6");
	assert_string_equal(reaches(1), "1");
	dump("", "");
	assert_string_equal(reaches(1), "6");
}

/* By the wall clock; looked at again often enough for a clock that is set. */
static void test_expire(void **state)
{
	(void)state;
	qdb_tree_tick(tree, S, 1000 * S);
	start_empty();
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
	rules_of(1, "action=accept expire=1005");
	commit(1);
	assert_true(qdb_tree_deadline(tree) == 6 * S);
	rules_of(2, "action=accept expire=2000");
	commit(2);
	rules_of(3, "action=accept expire=1000");
	commit(3);
	assert_false(accepts(3, 1));
	qdb_tree_tick(tree, 5 * S, 1004 * S);
	assert_true(accepts(1, 1));
	uint64_t before = generation(1);
	qdb_tree_tick(tree, 6 * S, 1005 * S);
	assert_false(accepts(1, 1));
	assert_true(generation(1) > before);
	assert_true(accepts(2, 1));
	assert_non_null(strstr(logged, "1 rule has expired\n"));
	assert_true(qdb_tree_deadline(tree) == 16 * S);
	qdb_tree_tick(tree, 7 * S, 2000 * S);
	assert_false(accepts(2, 1));
	assert_true(qdb_tree_deadline(tree) == UINT64_MAX);
}

/* What ran out while a change waited for its confirmation does not come back with it. */
static void test_expire_and_revert(void **state)
{
	(void)state;
	qdb_tree_tick(tree, S, 1000 * S);
	start_empty();
	rules_of(1, "action=accept expire=1005");
	commit(1);
	put("/postern/hold", "1 60");
	rules_of(1, "action=accept proto=udp");
	commit(1);
	put("/postern/generation", "1 60");
	qdb_tree_tick(tree, 10 * S, 1010 * S);
	assert_false(accepts(1, 1));
	qdb_tree_tick(tree, 61 * S, 1061 * S);
	assert_false(accepts(1, 1));
	assert_non_null(strstr(logged, "generation 1: nobody confirmed it in time"));
}

/* A set that changes while a change waits for its confirmation does not confirm it. */
static void test_set_and_revert(void **state)
{
	(void)state;
	qdb_tree_tick(tree, S, 1000 * S);
	start_empty();
	set_to("lab", "192.0.2.1");
	rules_of(1, "action=accept dstset=lab");
	commit(1);
	rules_of(2, "action=accept dstset=lab");
	commit(2);
	put("/postern/hold", "1 60");
	put("/qubes-firewall/10.137.0.1/0004", "action=accept proto=tcp");
	commit(1);
	put("/postern/generation", "1 60");
	assert_true(accepts(1, 9));
	set_to("lab", "192.0.2.2");
	assert_true(accepts(1, 9));
	assert_string_equal(reaches(2), "2");
	qdb_tree_tick(tree, 61 * S, 1061 * S);
	assert_non_null(strstr(logged, "generation 1: nobody confirmed it in time"));
	assert_false(accepts(1, 9));
	assert_string_equal(reaches(2), "2");
}

/* What was taken back does not come again with a set that changes before the store has taken it back, too. */
static void test_set_behind_revert(void **state)
{
	(void)state;
	static const char *const way[] = { "nobody confirms it", "refused", "never released", "another instead" };
	qdb_tree_tick(tree, S, 1000 * S);
	start_empty();
	for (uint32_t i = 0; i < array_len(way); i++) {
		char number[16];
		set_to("lab", "192.0.2.1");
		set_to("other", "");
		rm("/qubes-firewall/");
		rules_of(1, "action=accept dstset=lab");
		commit(1);
		rules_of(2, "action=accept dstset=lab");
		commit(2);
		/* this one uses a set that changes, too */
		rules_of(3, "action=accept dstset=lab");
		put("/qubes-firewall/10.137.0.3/0005", "action=accept dstset=other");
		commit(3);
		snprintf(number, sizeof(number), "%u 60", 2 * i + 1);
		put("/postern/hold", number);
		put("/qubes-firewall/10.137.0.1/0004", "action=accept proto=tcp");
		commit(1);
		set_to("other", "192.0.2.7 192.0.2.8");
		if (i == 1) {
			put("/qubes-firewall/10.137.0.4/0004", "nonsense");
			commit(4);
		}
		if (i != 2)
			put("/postern/generation", number);
		assert_true(accepts(1, 9) == (i == 0 || i == 3));
		if (i == 0)
			qdb_tree_tick(tree, 61 * S, 1061 * S);
		snprintf(number, sizeof(number), "%u 0", 2 * i + 2);
		if (i >= 2)
			put("/postern/hold", number);
		if (i >= 2)
			put("/postern/generation", number);
		set_to("lab", "192.0.2.2");
		if (accepts(1, 9))
			fail_msg("%s: it is back", way[i]);
		assert_string_equal(reaches(1), "1");
		assert_string_equal(reaches(2), "2");
		assert_string_equal(reaches(3), "1");
		/* the store takes it back */
		put("/postern/hold", number);
		set_to("other", "");
		rm("/qubes-firewall/10.137.0.1/");
		rules_of(1, "action=accept dstset=lab");
		commit(1);
		put("/postern/generation", number);
		assert_string_equal(reaches(1), "2");
		assert_string_equal(reaches(3), "2");
		set_to("lab", "192.0.2.3");
		assert_string_equal(reaches(1), "3");
		assert_string_equal(reaches(2), "3");
	}
}

/* A set that has grown too large closes its clients, until it is smaller again. */
static void test_too_large(void **state)
{
	(void)state;
	char path[64], large[QDB_VALUE_MAX + 1] = "192.0.2.1";
	start_empty();
	set_to("lab", large);
	rules_of(1, "action=accept dstset=lab");
	for (uint32_t i = 100; i < 200; i++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.1/%04u", i);
		put(path, "action=accept dstset=lab");
	}
	commit(1);
	assert_string_equal(reaches(1), "1");
	for (uint32_t i = 0; i < 255; i++)
		snprintf(large + strlen(large), sizeof(large) - strlen(large), " 10.0.%u.1", i);
	set_to("lab", large);
	assert_string_equal(reaches(1), "");
	assert_non_null(strstr(logged, "too many rules: no room left: closed"));
	set_to("lab", "192.0.2.2");
	assert_string_equal(reaches(1), "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
		TEST(test_shared), TEST(test_unknown), TEST(test_half_written), TEST(test_held), TEST(test_dump),
		TEST(test_expire), TEST(test_expire_and_revert), TEST(test_set_and_revert), TEST(test_too_large),
		TEST(test_set_behind_revert),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
