/* links: qubes-integration/storelink.c qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c rules/cross_rule.c */
// SPDX-License-Identifier: ISC
/* A store that breaks the protocol once, and one that does so again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { CLIENTS = 8, RULES = 64 };
#include "qdb_feed.h"
#include "storelink.h"

#define SECOND UINT64_C(1000000000)
#define C1 ip_v4(10, 0, 0, 1)

static uint8_t stream[4096]; /* that the peer sends */
static size_t at, len;
static unsigned resets;
static bool deaf; /* a platform that does not close it at once */
static uint64_t now_ns;
static struct storelink l;

static size_t on_read(void *bytes, size_t room)
{
	size_t n = len - at < room ? len - at : room;
	memcpy(bytes, stream + at, n);
	at += n;
	return n;
}

static size_t on_write(const void *bytes, size_t n)
{
	(void)bytes;
	return n;
}

static void on_reset(void)
{
	resets++;
	at = len = 0;
	if (!deaf)
		qdb_closed(q);
}

static void says(uint8_t type, const char *path, const char *value)
{
	len += message(stream + len, type, path, value, strlen(value));
}

static bool round_at(uint64_t ns)
{
	now_ns = ns;
	return storelink_round(&l, now_ns, now_ns);
}

static void opened(void)
{
	qdb_opened(q);
	at = len = 0;
}

static void says_rules(const char *rule)
{
	says(11, "/qubes-firewall/10.0.0.1/policy", "drop");
	says(11, "/qubes-firewall/10.0.0.1/0000", rule);
	says(11, "/qubes-firewall/10.0.0.1", "");
	says(11, "", "");
}

static bool accepts(uint16_t dport)
{
	const struct tuple t = { C1, ip_v4(192, 0, 2, 1), 1000, dport, PROTO_TCP, 0, 0 };
	uint32_t client, rule;
	enum drop reason = DROP_CLOSED;
	if (policy_find(policy, C1, &client))
		policy_judge(policy, client, &t, &rule, &reason);
	return reason == DROP_NONE;
}

static unsigned lines(const char *part)
{
	unsigned n = 0;
	for (const char *c = logged; (c = strstr(c, part)); c++)
		n++;
	return n;
}

static int begin(void **state)
{
	int made = make(state);
	l = (struct storelink){ .qdb = q, .tree = tree, .read = on_read, .write = on_write, .reset = on_reset };
	at = len = resets = 0;
	deaf = false;
	return made;
}

static void test_one_break(void **state)
{
	(void)state;
	opened();
	says_rules("action=accept proto=tcp dstports=80-80");
	round_at(5 * SECOND);
	assert_string_equal(storelink_word(&l), "synced");
	assert_true(accepts(80));
	assert_int_equal(storelink_deadline(&l), UINT64_MAX);
	says(99, "/x", "");
	round_at(6 * SECOND);
	assert_string_equal(storelink_word(&l), "broken");
	assert_int_equal(storelink_deadline(&l), 7 * SECOND);
	for (unsigned i = 0; i < 9; i++) {
		says(1, "/qubes-firewall/10.0.0.1/0000", "action=drop");
		says(1, "/qubes-firewall/10.0.0.1", "");
		round_at(6 * SECOND + i * SECOND / 10);
		assert_true(accepts(80)); /* what follows says nothing, and what was said holds */
	}
	assert_int_equal(resets, 0);
	assert_true(round_at(7 * SECOND)); /* and does not sleep: the events of that are to be seen */
	assert_int_equal(resets, 1);
	assert_true(accepts(80));
	/* all of what it has now, whatever was missed */
	opened();
	assert_string_equal(storelink_word(&l), "connecting");
	says_rules("action=accept proto=tcp dstports=81-81");
	round_at(7 * SECOND + 1);
	assert_string_equal(storelink_word(&l), "synced");
	assert_false(accepts(80));
	assert_true(accepts(81));
	assert_int_equal(storelink_deadline(&l), UINT64_MAX);
	assert_int_equal(resets, 1);
	assert_int_equal(lines("not listening"), 1);
}

/* Breaks, and is opened as soon as it was left: after how many seconds was that? */
static uint64_t pause_of_break(void)
{
	unsigned before = resets;
	opened();
	says(99, "/x", "");
	round_at(now_ns);
	uint64_t from = now_ns;
	while (resets == before) {
		assert_true(storelink_deadline(&l) > now_ns);
		round_at(storelink_deadline(&l));
	}
	return (now_ns - from) / SECOND;
}

static void test_again_and_again(void **state)
{
	(void)state;
	static const uint64_t pauses[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60 };
	for (size_t i = 0; i < array_len(pauses); i++) {
		assert_int_equal(pause_of_break(), pauses[i]);
		assert_int_equal(lines("not listening"), i + 1);
	}
	now_ns += 59 * SECOND;
	assert_int_equal(pause_of_break(), 60);
	now_ns += 60 * SECOND; /* it was good for that long */
	assert_int_equal(pause_of_break(), 1);
	assert_int_equal(pause_of_break(), 2);
}

/* The peer goes, or comes back, by itself while it is not listened to. */
static void test_gone_meanwhile(void **state)
{
	(void)state;
	opened();
	says(99, "/x", "");
	round_at(SECOND);
	qdb_closed(q);
	round_at(SECOND + 1);
	assert_int_equal(storelink_deadline(&l), UINT64_MAX);
	round_at(10 * SECOND);
	assert_int_equal(resets, 0);
	/* a platform that does not hear it is told again */
	deaf = true;
	opened();
	says(99, "/x", "");
	round_at(20 * SECOND);
	for (uint64_t s = 21; s < 40; s++)
		round_at(s * SECOND);
	assert_in_range(resets, 2, 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_break, begin, unmake),
		cmocka_unit_test_setup_teardown(test_again_and_again, begin, unmake),
		cmocka_unit_test_setup_teardown(test_gone_meanwhile, begin, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
