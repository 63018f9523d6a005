/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c rules/cross_rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c */
// SPDX-License-Identifier: ISC
/* The inbound and the between tree: their own keys, no policy, no counter, and the same generations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cross_rule.h"

enum { CLIENTS = 8, RULES = 1024 };
#include "qdb_feed.h"

/* "0 7", the numbers of the rules in force; or why there are none. */
static const char *shown(enum rule_kind kind)
{
	static char line[256];
	uint32_t client;
	if (!policy_find(policy, cross_owner(kind), &client))
		return "unknown";
	struct policy_view view = policy_show(policy, client);
	if (view.state == POLICY_CLOSED)
		return view.error;
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *r;
	size_t at = 0;
	line[0] = 0;
	assert_int_equal(ruleset_policy(view.rules), VERDICT_DROP);
	while ((r = ruleset_next(view.rules, &walk))) {
		assert_int_equal(r->kind, kind);
		at += (size_t)snprintf(line + at, sizeof(line) - at, at ? " %u" : "%u", r->number);
	}
	return line;
}

static void write_trees(const char *inbound, const char *among)
{
	rm("/postern/inbound/");
	rm("/postern/between/");
	if (inbound)
		put("/postern/inbound/0003", inbound);
	if (among)
		put("/postern/between/0004", among);
	put("/postern/inbound", "");
	put("/postern/between", "");
}

static const char lead[] = "action=accept proto=tcp dstports=2222 to=10.137.0.5:22";
static const char among[] = "action=accept src4=10.137.0.5 dst4=10.137.0.6 proto=tcp dstports=22";

static void test_commit(void **state)
{
	(void)state;
	qdb_opened(q);
	dump("/postern/inbound/0001", lead);
	dump("/postern/inbound/0000", "action=drop src4=192.0.2.0/24");
	dump("/postern/inbound", "");
	dump("/postern/between/0000", among); /* never committed */
	dump("", "");
	assert_string_equal(shown(RULE_INBOUND), "0 1");
	assert_string_equal(shown(RULE_BETWEEN), "unknown");
	assert_non_null(strstr(logged, "rules inbound: 2 rules, then drop: open\n"));
	assert_false(qdb_tree_poll(tree));
	put("/postern/between", "");
	assert_string_equal(shown(RULE_BETWEEN), "0");
	rm("/postern/inbound/0000");
	assert_string_equal(shown(RULE_INBOUND), "0 1");
	put("/postern/inbound", "");
	assert_string_equal(shown(RULE_INBOUND), "1");
	/* each directory is emptied for itself */
	rm("/qubes-firewall/");
	put("/postern/inbound", "");
	assert_string_equal(shown(RULE_INBOUND), "1");
	rm("/postern/inbound/");
	put("/postern/inbound", "");
	assert_string_equal(shown(RULE_INBOUND), "no rules");
	assert_string_equal(shown(RULE_BETWEEN), "0");
	rm("/postern/");
	put("/postern/between", "");
	assert_string_equal(shown(RULE_BETWEEN), "no rules");
}

/* Neither tree takes the other's lines or a client's, and no client's directory leads to them. */
static void test_apart(void **state)
{
	(void)state;
	static const struct { const char *key, *value, *error; } bad[] = {
		{ "/postern/inbound/0000", among, "rule 0000 column 31: unknown key 'dst4'" },
		{ "/postern/inbound/0000", "action=accept", "rule 0000 column 1: which ports? dstports is missing" },
		{ "/postern/inbound/policy", "accept", "key 'policy' is neither policy nor a rule of four digits" },
		{ "/postern/inbound/00", lead, "key '00' is neither policy nor a rule of four digits" },
	};
	start_empty();
	for (size_t i = 0; i < array_len(bad); i++) {
		rm("/postern/inbound/");
		put(bad[i].key, bad[i].value);
		put("/postern/inbound", "");
		assert_string_equal(shown(RULE_INBOUND), bad[i].error);
	}
	put("/qubes-firewall/0.0.0.2/policy", "accept");
	put("/qubes-firewall/0.0.0.2", "");
	assert_string_equal(shown(RULE_BETWEEN), "unknown");
	assert_non_null(strstr(logged, "/qubes-firewall/0.0.0.2: not a client's address: ignored\n"));
	put("/qubes-firewall/10.137.0.5/policy", "drop");
	put("/qubes-firewall/10.137.0.5/0000", lead);
	put("/qubes-firewall/10.137.0.5", "");
	assert_non_null(strstr(logged, "client 10.137.0.5: rule 0000 column 39: unknown key 'to': closed\n"));
	put("/postern/inboundx", "");
	put("/postern/else/0000", lead);
	assert_non_null(strstr(logged, "/postern/inboundx: not a client's address: ignored\n"));
}

static void test_generations(void **state)
{
	(void)state;
	start_empty();
	qdb_tree_tick(tree, 1, 0);
	put("/postern/hold", "7 0");
	write_trees(lead, among);
	assert_string_equal(shown(RULE_INBOUND), "no rules yet");
	put("/postern/generation", "7 0");
	assert_string_equal(shown(RULE_INBOUND), "3");
	assert_string_equal(shown(RULE_BETWEEN), "4");
	/* for 5 s: nothing leads inside; then all is as before */
	put("/postern/hold", "8 5");
	write_trees(NULL, among);
	put("/postern/generation", "8 5");
	assert_string_equal(shown(RULE_INBOUND), "no policy");
	assert_string_equal(shown(RULE_BETWEEN), "4");
	qdb_tree_tick(tree, UINT64_C(5000000001), 0);
	assert_string_equal(shown(RULE_INBOUND), "3");
	/* one bad tree, and neither changes */
	put("/postern/hold", "9 0");
	write_trees("action=accept to=10.137.0.5", NULL);
	put("/postern/generation", "9 0");
	assert_string_equal(shown(RULE_INBOUND), "3");
	assert_string_equal(shown(RULE_BETWEEN), "4");
	assert_non_null(strstr(logged, "generation 9: refused: rules inbound: rule 0003 column 1: which ports?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commit, make, unmake),
		cmocka_unit_test_setup_teardown(test_apart, make, unmake),
		cmocka_unit_test_setup_teardown(test_generations, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
