/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c rules/cross_rule.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CLIENTS = 8, RULES = 8192 };
#include "qdb_feed.h"

/* What qdb_tree_poll sends, as "path=value\n" lines. */
static const char *handled(void)
{
	static char lines[8192];
	static uint8_t out[QDB_OUT_BYTES];
	lines[0] = 0;
	qdb_output(q, out, sizeof(out));
	qdb_tree_poll(tree);
	size_t n = qdb_output(q, out, sizeof(out));
	for (size_t at = 0; at < n; at += 72 + (size_t)out[at + 68]) {
		assert_int_equal(out[at], 1);
		size_t len = strlen(lines);
		snprintf(lines + len, sizeof(lines) - len, "%s=%.*s\n", (char *)out + at + 1, out[at + 68], (char *)out + at + 72);
	}
	return lines;
}

/* The client's rule numbers in order, "1 2 5 drop", or its error. */
static const char *shown(struct ip_addr ip)
{
	static char line[65536];
	uint32_t client;
	if (!policy_find(policy, ip, &client))
		return "unknown";
	struct policy_view view = policy_show(policy, client);
	if (view.state == POLICY_CLOSED)
		return view.error;
	struct ruleset_walk walk = { 0, 0 };
	const struct rule *r;
	size_t at = 0;
	while ((r = ruleset_next(view.rules, &walk)))
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%u ", r->number);
	snprintf(line + at, sizeof(line) - at, "%s", ruleset_policy(view.rules) == VERDICT_ACCEPT ? "accept" : "drop");
	return line;
}

static struct ip_addr ip5(void) { return ip_v4(10, 137, 0, 5); }

static void test_initial_dump(void **state)
{
	(void)state;
	qdb_opened(q);
	assert_false(qdb_tree_synced(tree));
	dump("/qubes-ip", "10.137.0.2");
	dump("/qubes-firewall/10.137.0.5/policy", "drop");
	dump("/qubes-firewall/10.137.0.5/0007", "action=accept proto=tcp");
	dump("/qubes-firewall/10.137.0.5/0002", "action=drop");
	dump("/qubes-firewall/10.137.0.5/0000", "action=accept specialtarget=dns");
	dump("/qubes-firewall/10.137.0.5", "");
	dump("/qubes-firewall/10.137.0.6/policy", "accept"); /* no commit key, but a policy */
	dump("/qubes-firewall/10.137.0.7/0000", "action=accept"); /* neither */
	dump("/qubes-firewall/10.137.0.8", "");
	dump("/qubes-firewall/fd00::5/policy", "drop");
	dump("/qubes-firewall/fd00::5/0000", "action=accept dst6=2001:db8::/32");
	dump("/qubes-firewall-handled/10.137.0.5", "41");
	assert_string_equal(shown(ip5()), "unknown");
	dump("", "");
	assert_true(qdb_tree_synced(tree));
	assert_string_equal(shown(ip5()), "0 2 7 drop");
	assert_string_equal(shown(ip_v4(10, 137, 0, 6)), "accept");
	assert_string_equal(shown(ip_v4(10, 137, 0, 7)), "unknown");
	assert_string_equal(shown(ip_v4(10, 137, 0, 8)), "no policy");
	assert_string_equal(shown((struct ip_addr){ { 0xfd, [15] = 5 } }), "0 drop");
	const char *lines = handled();
	assert_non_null(strstr(lines, "/qubes-firewall-handled/10.137.0.5=42\n"));
	assert_non_null(strstr(lines, "/qubes-firewall-handled/10.137.0.8=1\n"));
	assert_non_null(strstr(lines, "/qubes-firewall-handled/fd00::5=1\n"));
	assert_null(strstr(lines, "10.137.0.7"));
	assert_string_equal(handled(), "");
	assert_non_null(strstr(logged, "client 10.137.0.5: 3 rules, then drop: open\n"));
	assert_non_null(strstr(logged, "client 10.137.0.8: no policy: closed\n"));
}

static void test_commit(void **state)
{
	(void)state;
	start_empty();
	put("/qubes-firewall/10.137.0.5/policy", "drop");
	put("/qubes-firewall/10.137.0.5/0000", "action=accept");
	assert_string_equal(shown(ip5()), "unknown");
	assert_string_equal(handled(), "");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "0 drop");
	assert_string_equal(handled(), "/qubes-firewall-handled/10.137.0.5=1\n");
	rm("/qubes-firewall/10.137.0.5/");
	assert_string_equal(shown(ip5()), "0 drop");
	put("/qubes-firewall/10.137.0.5/policy", "accept");
	put("/qubes-firewall/10.137.0.5/0003", "action=drop");
	assert_string_equal(shown(ip5()), "0 drop");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "3 accept");
	rm("/qubes-firewall/10.137.0.5/0003");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "accept");
	rm("/qubes-firewall/10.137.0.5");
	assert_string_equal(shown(ip5()), "accept");
	rm("/qubes-firewall/10.137.0.5/");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "no policy");
	assert_string_equal(handled(), "/qubes-firewall-handled/10.137.0.5=4\n");
}

/* child, value, what the client is then */
static const struct { const char *child, *value, *error; } faults[] = {
	{ "0007", "action=drop proto=tcp dstport=80-80",
	  "rule 0007 column 23: unknown key 'dstport' (did you mean 'dstports'?)" },
	{ "0007", "", "rule 0007 column 1: no action" },
	{ "0007", "action=accept dst6=fd00::/8", "rule 0007 column 20: dst6 for an IPv4 client 'fd00::/8'" },
	{ "policy", "reject", "policy is neither accept nor drop" },
	{ "policy", "", "policy is neither accept nor drop" },
	{ "00007", "action=accept", "key '00007' is neither policy nor a rule of four digits" },
	{ "007", "action=accept", "key '007' is neither policy nor a rule of four digits" },
	{ "000x", "action=accept", "key '000x' is neither policy nor a rule of four digits" },
	{ "Policy", "drop", "key 'Policy' is neither policy nor a rule of four digits" },
	{ "0000/x", "", "key '0000/x' is neither policy nor a rule of four digits" },
};

static void test_faults(void **state)
{
	(void)state;
	start_empty();
	put("/qubes-firewall/10.137.0.6/policy", "drop");
	put("/qubes-firewall/10.137.0.6", "");
	for (size_t i = 0; i < array_len(faults); i++) {
		char path[80], line[256];
		put("/qubes-firewall/10.137.0.5/policy", "drop");
		put("/qubes-firewall/10.137.0.5/0000", "action=accept");
		put("/qubes-firewall/10.137.0.5", "");
		assert_string_equal(shown(ip5()), "0 drop");
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.5/%s", faults[i].child);
		put(path, faults[i].value);
		assert_string_equal(shown(ip5()), "0 drop");
		logged[0] = 0;
		put("/qubes-firewall/10.137.0.5", "");
		assert_string_equal(shown(ip5()), faults[i].error);
		snprintf(line, sizeof(line), "client 10.137.0.5: %s: closed\n", faults[i].error);
		assert_string_equal(logged, line);
		assert_string_equal(shown(ip_v4(10, 137, 0, 6)), "drop"); /* nobody else is disturbed */
		rm(path);
		assert_string_equal(shown(ip5()), faults[i].error);
	}
	put("/qubes-firewall/10.137.0.5/policy", "drop");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "0 drop");
	/* more strays than are remembered: only an emptied tree is clean again */
	put("/qubes-firewall/10.137.0.5/a", "");
	put("/qubes-firewall/10.137.0.5/b", "");
	rm("/qubes-firewall/10.137.0.5/a");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "keys that are neither policy nor a rule of four digits");
	logged[0] = 0;
	put("/qubes-firewall/10.137.0/policy", "drop");
	put("/qubes-firewall/10.137.0.5x", "");
	assert_string_equal(logged, "store: /qubes-firewall/10.137.0/policy: not a client's address: ignored\n"
				    "store: /qubes-firewall/10.137.0.5x: not a client's address: ignored\n");
}

static void test_reconnect(void **state)
{
	(void)state;
	struct ip_addr ip6 = ip_v4(10, 137, 0, 6);
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.5/policy", "drop");
	dump("/qubes-firewall/10.137.0.5/0001", "action=accept");
	dump("/qubes-firewall/10.137.0.6/policy", "drop");
	dump("", "");
	qdb_closed(q);
	assert_string_equal(shown(ip5()), "1 drop");
	/* a dump that breaks off changes nothing */
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.5/policy", "accept");
	qdb_closed(q);
	assert_string_equal(shown(ip5()), "1 drop");
	/* a whole one replaces; who is not in it keeps what holds */
	qdb_opened(q);
	dump("/qubes-firewall/10.137.0.6/policy", "accept");
	dump("/qubes-firewall/10.137.0.6/0002", "action=accept");
	dump("", "");
	assert_string_equal(shown(ip5()), "1 drop");
	assert_string_equal(shown(ip6), "2 accept");
	put("/qubes-firewall/10.137.0.5/0009", "action=drop");
	put("/qubes-firewall/10.137.0.5/policy", "drop");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "9 drop");
	assert_string_equal(handled(), "/qubes-firewall-handled/10.137.0.5=2\n/qubes-firewall-handled/10.137.0.6=2\n");
	/* a peer that talks nonsense is ignored */
	logged[0] = 0;
	uint8_t junk[72];
	memset(junk, 0xff, sizeof(junk));
	qdb_feed(q, junk, sizeof(junk));
	assert_int_equal(qdb_state(q), QDB_BROKEN);
	assert_non_null(strstr(logged, "the last good rules hold"));
	assert_string_equal(shown(ip5()), "9 drop");
}

static void test_many_rules(void **state)
{
	(void)state;
	char path[64], *expected = malloc(65536);
	size_t at = 0;
	start_empty();
	for (int direction = 0; direction < 2; direction++) {
		for (int i = 0; i < 5000; i++) {
			snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.5/%04d", direction ? 9999 - i : i);
			put(path, "action=accept proto=tcp dstports=1-1");
		}
		put("/qubes-firewall/10.137.0.5/policy", "drop");
		put("/qubes-firewall/10.137.0.5", "");
		at = 0;
		for (int i = 0; i < 5000; i++)
			at += (size_t)snprintf(expected + at, 65536 - at, "%d ", direction ? 5000 + i : i);
		snprintf(expected + at, 65536 - at, "drop");
		assert_string_equal(shown(ip5()), expected);
		rm(direction ? "/" : "/qubes-firewall/");
	}
	/* more than there is room for: that client only */
	put("/qubes-firewall/10.137.0.6/policy", "drop");
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.5/%04d", i);
		put(path, "action=accept");
	}
	put("/qubes-firewall/10.137.0.5/policy", "drop");
	put("/qubes-firewall/10.137.0.5", "");
	put("/qubes-firewall/10.137.0.6", "");
	assert_string_equal(shown(ip5()), "too many rules: no room left");
	assert_string_equal(shown(ip_v4(10, 137, 0, 6)), "drop");
	rm("/qubes-firewall/10.137.0.5/");
	put("/qubes-firewall/10.137.0.5/policy", "accept");
	put("/qubes-firewall/10.137.0.5", "");
	assert_string_equal(shown(ip5()), "accept");
	free(expected);
}

/* Random writes, removals and commits on two clients against a naive copy of the keys. */
static void test_against_naive(void **state)
{
	(void)state;
	static bool present[2][10000];
	bool has_policy[2] = { false, false };
	char path[64], *expected[2] = { calloc(1, 65536), calloc(1, 65536) };
	strcpy(expected[0], "unknown");
	strcpy(expected[1], "unknown");
	memset(present, 0, sizeof(present));
	start_empty();
	srand(7);
	for (int step = 0; step < 6000; step++) {
		int c = rand() % 2, what = rand() % 100;
		int number = rand() % 3 ? rand() % 200 : rand() % 10000;
		int n = snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d", c + 5);
		if (what < 55) {
			snprintf(path + n, sizeof(path) - (size_t)n, "/%04d", number);
			put(path, "action=accept");
			present[c][number] = true;
		} else if (what < 88) {
			snprintf(path + n, sizeof(path) - (size_t)n, "/%04d", number);
			rm(path);
			present[c][number] = false;
		} else if (what < 92) {
			has_policy[c] = what < 91;
			snprintf(path + n, sizeof(path) - (size_t)n, "/policy");
			if (has_policy[c])
				put(path, "drop");
			else
				rm(path);
		} else if (what < 93) {
			snprintf(path + n, sizeof(path) - (size_t)n, "/");
			rm(path);
			memset(present[c], 0, sizeof(present[c]));
			has_policy[c] = false;
		} else {
			size_t at = 0;
			put(path, "");
			for (int i = 0; i < 10000; i++)
				if (present[c][i])
					at += (size_t)snprintf(expected[c] + at, 65536 - at, "%d ", i);
			strcpy(expected[c] + at, "drop");
			if (!has_policy[c])
				strcpy(expected[c], "no policy");
		}
		assert_string_equal(shown(ip_v4(10, 137, 0, (uint8_t)(c + 5))), expected[c]);
	}
	free(expected[0]);
	free(expected[1]);
}

static void test_many_clients(void **state)
{
	(void)state;
	char path[64];
	start_empty();
	assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, 1), true));
	for (int i = 1; i <= 100; i++) {
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d/policy", i);
		put(path, "accept");
		snprintf(path, sizeof(path), "/qubes-firewall/10.137.0.%d", i);
		put(path, "");
	}
	assert_string_equal(shown(ip_v4(10, 137, 0, 1)), "accept");
	assert_string_equal(shown(ip_v4(10, 137, 0, 2)), "unknown");
	assert_string_equal(shown(ip_v4(10, 137, 0, 100)), "accept");
	put("/qubes-firewall/10.137.0.1", "");
	assert_string_equal(shown(ip_v4(10, 137, 0, 1)), "accept");
	for (int i = 94; i <= 100; i++)
		assert_true(policy_mark_attached(policy, ip_v4(10, 137, 0, (uint8_t)i), true));
	logged[0] = 0;
	put("/qubes-firewall/10.137.0.3", "");
	assert_string_equal(logged, "client 10.137.0.3: too many clients: ignored\n");
}

static void test_config(void **state)
{
	(void)state;
	uint32_t number, client;
	enum drop reason;
	assert_true(ip_eq(config.dns[0], ip_v4(10, 139, 1, 1)) && ip_eq(config.dns[1], ip_v4(10, 139, 1, 2)));
	qdb_opened(q);
	dump("/qubes-primary-dns", "9.9.9.9");
	dump("/qubes-netvm-gateway", "10.137.0.2");
	dump("/qubes-netmask", "255.255.255.0");
	dump("/qubes-ip", "10.137.0.2");
	dump("/qubes-gateway", "10.137.0.1");
	dump("/qubes-firewall/10.137.0.5/policy", "drop");
	dump("/qubes-firewall/10.137.0.5/0000", "action=accept specialtarget=dns");
	dump("/connected-ips", "10.137.0.5 10.137.0.6");
	dump("", "");
	assert_true(config.changed);
	assert_true(ip_eq(config.ip, ip_v4(10, 137, 0, 2)) && ip_eq(config.gateway, ip_v4(10, 137, 0, 1)));
	assert_true(ip_eq(config.netvm_gateway, ip_v4(10, 137, 0, 2)));
	assert_int_equal(config.prefix_len, 24);
	assert_int_equal(config.connected_count, 2);
	assert_true(ip_eq(config.connected[1], ip_v4(10, 137, 0, 6)));
	struct tuple t = { .src = ip5(), .dst = ip_v4(9, 9, 9, 9), .dport = 53, .proto = 17 };
	assert_true(policy_find(policy, ip5(), &client));
	assert_int_equal(policy_judge(policy, client, &t, &number, &reason), VERDICT_ACCEPT);
	config.changed = false;
	put("/qubes-ip", "10.137.0.2");
	put("/connected-ips", "10.137.0.5 10.137.0.6");
	put("/qubes-netmask", "24");
	put("/name", "sys-firewall");
	assert_false(config.changed);
	logged[0] = 0;
	put("/qubes-ip", "10.137.0");
	put("/qubes-netmask", "255.0.255.0");
	put("/connected-ips", "10.137.0.5x");
	assert_string_equal(logged, "store: /qubes-ip: malformed value: ignored\n"
				    "store: /qubes-netmask: malformed value: ignored\n"
				    "store: /connected-ips: malformed value: ignored\n");
	assert_false(config.changed);
	put("/qubes-primary-dns", "8.8.8.8");
	assert_true(config.changed);
	assert_int_equal(policy_judge(policy, client, &t, &number, &reason), VERDICT_DROP);
	rm("/qubes-ip");
	put("/connected-ips", "");
	assert_true(ip_is_zero(config.ip));
	assert_int_equal(config.connected_count, 0);
	rm("/");
	assert_true(ip_eq(config.dns[0], ip_v4(10, 139, 1, 1)));
	assert_int_equal(config.prefix_len, 32);
}

/* IPv6, mapped addresses and the host's randomness are read and kept. */
static void test_config_more(void **state)
{
	(void)state;
	struct ip_addr ip6 = { { 0xfd, 9, [15] = 5 } };
	start_empty();
	config.changed = false;
	put("/qubes-ip6", "fd09::5");
	put("/qubes-gateway6", "fd09::1");
	put("/qubes-netvm-gateway6", "fd09::5");
	put("/connected-ips6", "fd09::6 fd09::7");
	put("/mapped-ip/10.137.0.5/visible-ip", "192.168.1.5");
	put("/mapped-ip/10.137.0.5/visible-gateway", "192.168.1.1");
	put("/qubes-random-seed", "c2VjcmV0");
	assert_true(config.changed);
	assert_true(ip_eq(config.ip6, ip6) && ip_eq(config.netvm_gateway6, ip6));
	assert_int_equal(config.connected6_count, 2);
	assert_int_equal(config.connected_count, 0);
	assert_true(ip_eq(fakeip_visible(&config.fakeip, ip_v4(10, 137, 0, 5)), ip_v4(192, 168, 1, 5)));
	assert_true(ip_eq(fakeip_gateway(&config.fakeip, ip_v4(10, 137, 0, 5)), ip_v4(192, 168, 1, 1)));
	put("/qubes-netvm-gateway", "10.138.0.1");
	put("/mapped-ip/10.137.0.6/visible-gateway", "10.138.0.1"); /* as it is said of everybody */
	assert_int_equal(config.fakeip.count, 1);
	assert_int_equal(config.seed_len, 8);
	assert_memory_equal(config.seed, "c2VjcmV0", 8);
	logged[0] = 0;
	put("/qubes-ip6", "10.137.0.5");
	put("/mapped-ip/10.137.0.5/visible-ip", "192.168.1");
	assert_string_equal(logged, "store: /qubes-ip6: malformed value: ignored\n"
				    "store: /mapped-ip/10.137.0.5/visible-ip: malformed value: ignored\n");
	assert_true(ip_eq(config.ip6, ip6));
	rm("/mapped-ip/10.137.0.5/");
	assert_int_equal(config.fakeip.count, 0);
	rm("/connected-ips6");
	assert_int_equal(config.connected6_count, 0);
	rm("/");
	assert_true(ip_is_zero(config.ip6) && ip_is_zero(config.gateway6));
}

/* A qube that may ask says once a session, after the dump, that it filters. */
static void test_feature_request(void **state)
{
	(void)state;
	static const struct { const char *class; bool asks; } rows[] = {
		{ "StandaloneVM", true }, { "TemplateVM", true }, { "AppVM", false }, { "StandaloneVMx", false }, { "", false },
	};
	uint8_t expected[100], out[QDB_OUT_BYTES];
	size_t n = message(expected, 1, "/features-request/qubes-firewall", "1", 1);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		qdb_opened(q);
		dump("/type", rows[i].class);
		qdb_tree_poll(tree);
		qdb_output(q, out, sizeof(out)); /* the MULTIREAD, and no more yet */
		dump("", "");
		qdb_tree_poll(tree);
		qdb_tree_poll(tree);
		assert_int_equal(qdb_output(q, out, sizeof(out)), rows[i].asks ? n : 0);
		if (rows[i].asks)
			assert_memory_equal(out, expected, n);
	}
}

/* Counters that find no room wait for it. */
static void test_handled_waits(void **state)
{
	(void)state;
	start_empty();
	put("/qubes-firewall/10.137.0.5", "");
	put("/qubes-firewall/10.137.0.5", "");
	while (qdb_write(q, "/filler", "x", 1))
		;
	assert_true(qdb_tree_poll(tree));
	static uint8_t out[QDB_OUT_BYTES];
	qdb_output(q, out, sizeof(out));
	assert_string_equal(handled(), "/qubes-firewall-handled/10.137.0.5=2\n");
	assert_false(qdb_tree_poll(tree));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_initial_dump, make, unmake),
		cmocka_unit_test_setup_teardown(test_commit, make, unmake),
		cmocka_unit_test_setup_teardown(test_faults, make, unmake),
		cmocka_unit_test_setup_teardown(test_reconnect, make, unmake),
		cmocka_unit_test_setup_teardown(test_many_rules, make, unmake),
		cmocka_unit_test_setup_teardown(test_against_naive, make, unmake),
		cmocka_unit_test_setup_teardown(test_many_clients, make, unmake),
		cmocka_unit_test_setup_teardown(test_config, make, unmake),
		cmocka_unit_test_setup_teardown(test_config_more, make, unmake),
		cmocka_unit_test_setup_teardown(test_feature_request, make, unmake),
		cmocka_unit_test_setup_teardown(test_handled_waits, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
