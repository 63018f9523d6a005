/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c rules/cross_rule.c */
// SPDX-License-Identifier: ISC
/* More clients, rules, names and addresses than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CLIENTS = 8, RULES = 8192 };
#include "qdb_feed.h"

/* "open", why it is closed, or "unknown". */
static const char *state_of(int client)
{
	uint32_t at;
	if (!policy_find(policy, ip_v4(10, 137, 0, (uint8_t)client), &at))
		return "unknown";
	struct policy_view view = policy_show(policy, at);
	return view.state == POLICY_OPEN ? "open" : view.error;
}

static void put_rules(int client, int count)
{
	char path[64];
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d/policy", client);
	put(path, "drop");
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d/%04d", client, i);
		put(path, "action=accept proto=tcp dstports=1-2");
	}
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d", client);
	put(path, "");
}

static bool is_open(int client)
{
	return strcmp(state_of(client), "open") == 0;
}

/* Nobody removes the rules of qubes that are gone (qubes.md 2.2): they make room, not those who are here. */
static void test_rules_of_the_departed(void **state)
{
	(void)state;
	start_empty();
	assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, 1), true));
	put_rules(1, 3000);
	put_rules(2, 3000);
	put_rules(3, 2000);
	logged[0] = 0;
	put_rules(4, 3000);
	assert_true(is_open(1) && is_open(3) && is_open(4));
	assert_string_equal(state_of(2), "unknown");
	assert_string_equal(logged, "client 10.137.0.2: not here, and its rules made room for others: forgotten\n"
				    "client 10.137.0.4: 3000 rules, then drop: open\n");
	/* half written, with a port, or part of a change that is held: nobody's room */
	put("/qubes-firewall/10.137.0.3/0000", "action=drop");
	assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, 4), true));
	put_rules(5, 3500);
	assert_string_equal(state_of(5), "too many rules: no room left");
	assert_true(is_open(1) && is_open(3) && is_open(4));
	rm("/qubes-firewall/10.137.0.5/");
	put("/qubes-firewall/10.137.0.3", "");
	put("/postern/hold", "7 0");
	put_rules(5, 3500);
	put("/postern/generation", "7 0");
	assert_true(is_open(1) && is_open(3) && is_open(4) && !is_open(5));
	rm("/qubes-firewall/10.137.0.5/");
	put_rules(5, 1900);
	assert_true(is_open(1) && is_open(4) && is_open(5));
	assert_string_equal(state_of(3), "unknown");
	/* who was forgotten comes with rules, as Qubes starts it */
	assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, 2), true));
	put_rules(2, 1000);
	assert_true(is_open(2));
}

/* A table of two names. */
static char name_text[2][32];
static struct host name_table[2];

static uint32_t name_handle(struct hosts *hosts, const char *text, size_t len)
{
	uint32_t free = NONE;
	for (uint32_t i = 0; i < hosts->capacity; i++) {
		struct host *h = &hosts->host[i];
		if (h->text && strlen(h->text) == len && !memcmp(h->text, text, len))
			return i;
		if (h->held == 0)
			free = i;
	}
	if (free == NONE)
		return NONE;
	snprintf(name_text[free], sizeof(name_text[free]), "%.*s", (int)len, text);
	hosts->host[free] = (struct host){ .text = name_text[free] };
	return free;
}

static struct hosts two_names = { name_table, 2, name_handle };

static int make_named(void **state)
{
	feed_hosts = &two_names;
	int result = make(state);
	feed_hosts = NULL;
	return result;
}

static void put_named(int client, const char *name)
{
	char path[64], rule[64];
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d/policy", client);
	put(path, "drop");
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d/0000", client);
	snprintf(rule, sizeof(rule), "action=accept dsthost=%s", name);
	put(path, rule);
	snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d", client);
	put(path, "");
}

/* As with the rules of those who are gone, so with the names in them. */
static void test_names_of_the_departed(void **state)
{
	(void)state;
	start_empty();
	put_rules(1, 1);
	put_named(2, "a.example");
	put_named(3, "b.example");
	assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, 3), true));
	logged[0] = 0;
	put_named(4, "b.example");
	put_named(5, "c.example");
	assert_string_equal(logged, "client 10.137.0.4: 1 rule, then drop: open\n"
				    "client 10.137.0.2: not here, and its rules made room for others: forgotten\n"
				    "client 10.137.0.5: 1 rule, then drop: open\n");
	assert_true(is_open(1) && is_open(3) && is_open(4) && !is_open(2));
	assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, 5), true));
	logged[0] = 0;
	put_named(6, "d.example");
	/* the last one with names that was not here has none that nobody else has */
	assert_string_equal(logged, "client 10.137.0.4: not here, and its rules made room for others: forgotten\n"
				    "client 10.137.0.6: too many names: a rule has one that is never resolved\n"
				    "client 10.137.0.6: 1 rule, then drop: open\n");
	assert_true(is_open(1) && is_open(3) && is_open(5) && is_open(6));
}

/* What a value can hold of IPv4 is kept, all of it; of IPv6 the first ones are, which is said. */
static void test_many_connected(void **state)
{
	(void)state;
	char list[QDB_VALUE_MAX + 1] = "";
	int i;
	start_empty();
	for (i = 0; strlen(list) + 8 <= QDB_VALUE_MAX; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s1.%d.%d.%d", i ? " " : "", i / 100,
			 i / 10 % 10, i % 10);
	logged[0] = 0;
	put("/connected-ips", list);
	assert_int_equal(config.connected_count, i);
	i--;
	assert_true(ip_eq(config.connected[i], ip_v4(1, (uint8_t)(i / 100), (uint8_t)(i / 10 % 10), (uint8_t)(i % 10))));
	assert_string_equal(logged, "");
	put("/connected-ips", " 1.1.1.1  2.2.2.2 ");
	assert_int_equal(config.connected_count, 2);
	list[0] = 0;
	for (i = 0; i <= CONFIG_CONNECTED_MAX; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s::%x", i ? " " : "", i);
	put("/connected-ips6", list);
	assert_int_equal(config.connected6_count, CONFIG_CONNECTED_MAX);
	assert_string_equal(logged, "store: /connected-ips6: more addresses than are kept\n");
	put("/connected-ips6", "::1");
	assert_int_equal(config.connected6_count, 1);
	assert_string_equal(logged, "store: /connected-ips6: more addresses than are kept\n");
}

static void test_many_mapped(void **state)
{
	(void)state;
	char path[64];
	start_empty();
	logged[0] = 0;
	for (int i = 0; i <= FAKEIP_MAX; i++) {
		snprintf(path, sizeof(path), "/mapped-ip/10.137.%d.%d/visible-ip", i / 100, i % 100);
		put(path, "192.168.1.128");
	}
	assert_int_equal(config.fakeip.count, FAKEIP_MAX);
	char line[128];
	snprintf(line, sizeof(line), "store: %s: more mapped addresses than are kept: this one is not\n", path);
	assert_string_equal(logged, line);
	put(path, "10.137.2.56"); /* which is its own: nothing to keep */
	rm("/mapped-ip/10.137.0.7/");
	put(path, "192.168.1.128");
	assert_int_equal(config.fakeip.count, FAKEIP_MAX);
	assert_string_equal(logged, line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules_of_the_departed, make, unmake),
		cmocka_unit_test_setup_teardown(test_names_of_the_departed, make_named, unmake),
		cmocka_unit_test_setup_teardown(test_many_connected, make, unmake),
		cmocka_unit_test_setup_teardown(test_many_mapped, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
