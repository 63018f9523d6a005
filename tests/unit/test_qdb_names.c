/* links: qubes-integration/staged.c rules/sets.c qubes-integration/qdb_names.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c */
// SPDX-License-Identifier: ISC
/* What the host is told of names: all of it, once, however little room there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "qdb_message.h"
#include "qdb_names.h"
#include "staged.h"

enum { CLIENTS = 4, RULES = 512, NAMES = 60 };

static const struct secret secret = { { 1, 2 }, 0 };
static void *memory;
static struct qdb *q;
static struct policy *policy;
static struct qdb_names told;
static char texts[NAMES][80];
static struct host host[NAMES];
static struct hosts hosts = { host, NAMES, NULL };

static void on_event(void *self) { (void)self; }
static void on_write(void *self, const char *path, const uint8_t *value, size_t len)
{
	(void)self; (void)path; (void)value; (void)len;
}
static void on_path(void *self, const char *path) { (void)self; (void)path; }

static void open_channel(void)
{
	uint8_t bytes[128];
	static uint8_t out[QDB_OUT_BYTES];
	qdb_opened(q);
	qdb_output(q, out, sizeof(out));
	size_t n = message(bytes, 11, "", "", 0); /* the dump is empty */
	assert_int_equal(qdb_feed(q, bytes, n), n);
	assert_int_equal(qdb_state(q), QDB_LIVE);
	qdb_output(q, out, sizeof(out));
}

static int make(void **state)
{
	(void)state;
	size_t bytes = policy_bytes(CLIENTS, RULES) + 32768;
	memory = calloc(1, bytes);
	struct arena a = { memory, bytes };
	q = qdb_new(&a);
	policy = policy_new(&a, &secret, CLIENTS, RULES);
	if (!q || !policy)
		return -1;
	policy_set_hosts(policy, &hosts);
	qdb_set_sink(q, &(struct qdb_sink){ NULL, on_event, on_write, on_path, on_event, on_path, NULL });
	told = (struct qdb_names){ .qdb = q, .policy = policy };
	for (uint32_t i = 0; i < NAMES; i++) {
		snprintf(texts[i], sizeof(texts[i]), "n%u.example", i);
		host[i] = (struct host){ .text = texts[i], .count = HOST_ADDRESSES_MAX };
		for (uint8_t k = 0; k < HOST_ADDRESSES_MAX; k++)
			host[i].address[k] = ip_v4(192, 0, (uint8_t)i, k);
	}
	open_channel();
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static void publish(struct ip_addr client, uint32_t first, uint32_t names)
{
	policy_stage(policy, client, VERDICT_DROP);
	for (uint32_t i = 0; i < names; i++)
		policy_stage_rule(policy, &(struct rule){ .flags = RULE_HAS_HOST, .host = first + i, .number = (uint16_t)i });
	assert_true(policy_publish(policy));
}

/* Polls until nothing waits; counts messages, and those whose path and value begin so. */
static uint32_t take_all(const char *path, const char *value, uint32_t *matching)
{
	static uint8_t out[QDB_OUT_BYTES];
	uint32_t count = 0;
	*matching = 0;
	for (bool more = true; more;) {
		more = qdb_names_poll(&told);
		size_t n = qdb_output(q, out, sizeof(out));
		if (more)
			assert_true(n > 0); /* or it would never end */
		for (size_t at = 0, len; at < n; at += 72 + len, count++) {
			len = (size_t)out[at + 68] | (size_t)out[at + 69] << 8;
			assert_int_equal(out[at], 1);
			assert_int_equal(out[at + 72 + len - 1], '}');
			*matching += !strncmp((char *)out + at + 1, path, strlen(path)) &&
				     !strncmp((char *)out + at + 72, value, strlen(value));
		}
	}
	assert_false(qdb_names_poll(&told));
	assert_int_equal(qdb_output(q, out, sizeof(out)), 0);
	return count;
}

static void test_all(void **state)
{
	uint32_t matching;
	(void)state;
	assert_int_equal(take_all("", "", &matching), 0);
	publish(ip_v4(10, 0, 0, 1), 0, NAMES);
	publish(ip_v4(10, 0, 0, 2), 5, 1);
	assert_int_equal(take_all("/dns/10.0.0.1/n", "{'192.0.", &matching), NAMES + 1);
	assert_int_equal(matching, NAMES);
	/* a name moves: the clients that have it, and no other */
	uint64_t bit[1] = { 1 << 5 };
	host[5].count = 2;
	host[5].address[1] = ip_v4(198, 51, 100, 7);
	policy_hosts_changed(policy, bit);
	assert_int_equal(take_all("/dns/10.0.0.2/n5.example", "{'192.0.5.0/32', '198.51.100.7/32'}", &matching), NAMES + 1);
	assert_int_equal(matching, 1);
	publish(ip_v4(10, 0, 0, 2), 6, 2);
	assert_int_equal(take_all("/dns/10.0.0.2/n", "{", &matching), 2);
	/* a store that starts anew is told all again */
	qdb_closed(q);
	assert_false(qdb_names_poll(&told));
	open_channel();
	qdb_names_forget(&told);
	assert_int_equal(take_all("/dns/10.0.0.1/n", "{", &matching), NAMES + 2);
}

static void test_left_out(void **state)
{
	uint32_t matching;
	(void)state;
	host[1].count = 0;
	memset(texts[2], 'x', sizeof(texts[2]) - 1);
	texts[2][QDB_PATH_MAX - strlen("/dns/10.0.0.1/")] = 0;
	memset(texts[3], 'y', sizeof(texts[3]) - 1);
	texts[3][QDB_PATH_MAX - strlen("/dns/10.0.0.1/") + 1] = 0;
	publish(ip_v4(10, 0, 0, 1), 0, 4);
	policy_close(policy, ip_v4(10, 0, 0, 3), "closed");
	assert_int_equal(take_all("/dns/10.0.0.1/xx", "{", &matching), 2);
	assert_int_equal(matching, 1);
}

/* Clients whose rules came at one moment are told one after the other, each from its first rule. */
static void test_one_generation(void **state)
{
	uint32_t matching;
	(void)state;
	policy_hold(policy);
	publish(ip_v4(10, 0, 0, 1), 0, 20);
	publish(ip_v4(10, 0, 0, 2), 20, 3);
	publish(ip_v4(10, 0, 0, 3), 23, 9);
	policy_release(policy, false);
	assert_int_equal(take_all("/dns/10.0.0.3/n", "{", &matching), 32);
	assert_int_equal(matching, 9);
}

/* Rules that change while they are being told are told from their start. */
static void test_change_meanwhile(void **state)
{
	static uint8_t out[QDB_OUT_BYTES];
	uint32_t matching;
	(void)state;
	publish(ip_v4(10, 0, 0, 1), 0, NAMES);
	assert_true(qdb_names_poll(&told));
	qdb_output(q, out, sizeof(out));
	publish(ip_v4(10, 0, 0, 1), 30, 7);
	assert_int_equal(take_all("/dns/10.0.0.1/n3", "{", &matching), 7);
	assert_int_equal(matching, 7);
}

static void hold_staged(struct staged_pool *pool, struct staged_tree *tree, uint32_t number, uint32_t name)
{
	struct staged *s = staged_put(pool, tree, number);
	assert_non_null(s);
	assert_true(s->bad);
	staged_set(pool, s, &(struct rule){ .flags = RULE_HAS_HOST, .host = name });
}

/* The store's mirror holds the names of its rules, and of none that are gone. */
static void test_staged(void **state)
{
	(void)state;
	size_t bytes = staged_pool_bytes(1, 64);
	uint8_t *room = malloc(bytes);
	struct arena a = { room, bytes };
	struct staged_pool *pool = staged_pool_new(&a, 1, 64);
	struct staged_tree tree;
	staged_init(&tree);
	staged_set_hosts(pool, &hosts);
	hold_staged(pool, &tree, 0, 1);
	hold_staged(pool, &tree, 1, 1);
	hold_staged(pool, &tree, 40, 2);
	hold_staged(pool, &tree, 41, NONE);
	assert_int_equal(host[1].held, 2);
	hold_staged(pool, &tree, 1, 3); /* in place of another */
	assert_int_equal(host[1].held, 1);
	assert_int_equal(host[3].held, 1);
	assert_true(staged_put(pool, &tree, 0)->bad); /* one that cannot be read comes in its place */
	assert_int_equal(host[1].held, 0);
	staged_remove(pool, &tree, 0);
	staged_remove(pool, &tree, 40);
	staged_remove(pool, &tree, 40);
	assert_int_equal(host[2].held, 0);
	staged_clear(pool, &tree);
	for (uint32_t i = 0; i < NAMES; i++)
		assert_int_equal(host[i].held, 0);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, make, unmake),
		cmocka_unit_test_setup_teardown(test_left_out, make, unmake),
		cmocka_unit_test_setup_teardown(test_one_generation, make, unmake),
		cmocka_unit_test_setup_teardown(test_change_meanwhile, make, unmake),
		cmocka_unit_test_setup_teardown(test_staged, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
