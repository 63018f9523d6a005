/* links: firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy.h"

enum { CLIENTS = 4, RULES = 64 };

static const struct secret secret = { { 1, 2 }, 0 };
static void *memory;

static int make(void **state)
{
	size_t bytes = policy_bytes(CLIENTS, RULES);
	memory = malloc(bytes);
	struct arena a = { memory, bytes };
	*state = policy_new(&a, &secret, CLIENTS, RULES);
	return *state ? 0 : -1;
}

static int unmake(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static struct rule rule_of(const char *line, uint16_t number)
{
	struct parsed_rule p;
	struct rule_error err;
	assert_true(rule_parse(line, strlen(line), false, &p, &err));
	p.rule.number = number;
	return p.rule;
}

static struct ip_addr client_ip(uint8_t n)
{
	return ip_v4(10, 137, 0, n);
}

static void commit(struct policy *p, uint8_t n, const char *line)
{
	policy_stage(p, client_ip(n), VERDICT_DROP);
	if (line) {
		struct rule r = rule_of(line, 7);
		policy_stage_rule(p, &r);
	}
	assert_true(policy_publish(p));
}

static uint32_t index_of(const struct policy *p, uint8_t n)
{
	uint32_t client;
	policy_find(p, client_ip(n), &client);
	return client;
}

static enum drop judge(const struct policy *p, uint8_t n, uint16_t port, uint32_t *number)
{
	struct tuple t = { .src = client_ip(n), .dst = ip_v4(10, 139, 1, 1), .dport = port, .proto = 6 };
	enum drop reason;
	enum rule_verdict v = policy_judge(p, index_of(p, n), &t, number, &reason);
	assert_int_equal(v == VERDICT_ACCEPT, reason == DROP_NONE);
	return reason;
}

static void test_states(void **state)
{
	struct policy *p = *state;
	uint32_t number;
	assert_true(index_of(p, 5) == NONE);
	assert_int_equal(judge(p, 5, 80, &number), DROP_CLOSED);
	assert_int_equal(policy_generation(p, NONE), 0);
	commit(p, 5, "action=accept proto=tcp dstports=80-80");
	assert_int_equal(judge(p, 5, 80, &number), DROP_NONE);
	assert_int_equal(number, 7);
	assert_int_equal(judge(p, 5, 81, &number), DROP_POLICY);
	assert_int_equal(rule_ref_number(number), RULE_POLICY);
	assert_int_equal(judge(p, 6, 80, &number), DROP_CLOSED);
	commit(p, 5, "action=drop proto=tcp dstports=80-80");
	assert_int_equal(judge(p, 5, 80, &number), DROP_RULE);
	policy_close(p, client_ip(5), "rule 0001 column 2: why");
	assert_int_equal(judge(p, 5, 80, &number), DROP_CLOSED);
	struct policy_view view = policy_show(p, index_of(p, 5));
	assert_int_equal(view.state, POLICY_CLOSED);
	assert_string_equal(view.error, "rule 0001 column 2: why");
	assert_null(view.rules);
	commit(p, 5, NULL);
	view = policy_show(p, index_of(p, 5));
	assert_int_equal(view.state, POLICY_OPEN);
	assert_string_equal(view.error, "");
	assert_int_equal(ruleset_count(view.rules), 0);
}

/* What is staged holds nothing up and changes nothing until it is published. */
static void test_publish(void **state)
{
	struct policy *p = *state;
	uint32_t number, room = policy_rules_free(p);
	commit(p, 5, "action=accept");
	uint64_t before = policy_generation(p, index_of(p, 5));
	struct rule drop = rule_of("action=drop", 1);
	policy_stage(p, client_ip(5), VERDICT_DROP);
	policy_stage_rule(p, &drop);
	assert_int_equal(judge(p, 5, 80, &number), DROP_NONE);
	assert_int_equal(policy_generation(p, index_of(p, 5)), before);
	policy_stage(p, client_ip(6), VERDICT_ACCEPT); /* forgets the other */
	assert_true(policy_publish(p));
	assert_int_equal(judge(p, 5, 80, &number), DROP_NONE);
	assert_int_equal(policy_generation(p, index_of(p, 5)), before);
	assert_int_equal(judge(p, 6, 80, &number), DROP_NONE);
	assert_int_equal(rule_ref_number(number), RULE_POLICY);
	assert_true(policy_generation(p, index_of(p, 6)) > before);
	policy_close(p, client_ip(5), "x");
	assert_true(policy_generation(p, index_of(p, 5)) > before);
	assert_int_equal(policy_rules_free(p), room);
}

static void test_exhausted(void **state)
{
	struct policy *p = *state;
	uint32_t number, room = policy_rules_free(p);
	struct rule accept = rule_of("action=accept", 0);
	commit(p, 6, "action=accept");
	for (int round = 0; round < 3; round++) {
		policy_stage(p, client_ip(5), VERDICT_ACCEPT);
		for (uint32_t i = 0; i < room + 10; i++)
			policy_stage_rule(p, &accept);
		assert_false(policy_publish(p));
		assert_int_equal(judge(p, 5, 80, &number), DROP_CLOSED);
		assert_string_equal(policy_show(p, index_of(p, 5)).error, "too many rules: no room left");
		assert_int_equal(judge(p, 6, 80, &number), DROP_NONE);
	}
	policy_close(p, client_ip(6), "x");
	assert_int_equal(policy_rules_free(p), room);
}

/* More rules than an image can have: the client is open, judged by walking, and shown so. */
static void test_walked(void **state)
{
	(void)state;
	enum { MANY = 10001 };
	size_t bytes = policy_bytes(2, 2 * MANY);
	void *big = malloc(bytes);
	struct arena a = { big, bytes };
	struct policy *p = policy_new(&a, &secret, 2, 2 * MANY);
	uint32_t number;
	for (int walked = 0; walked < 2; walked++) {
		struct rule r = rule_of("action=accept proto=tcp dstports=80-80", 9);
		policy_stage(p, client_ip(5), VERDICT_DROP);
		for (int i = 0; i < MANY - !walked; i++)
			policy_stage_rule(p, &r);
		assert_true(policy_publish(p));
		assert_int_equal(policy_show(p, index_of(p, 5)).walked, walked);
		assert_int_equal(policy_rules_walked(p), walked);
		assert_int_equal(judge(p, 5, 80, &number), DROP_NONE);
		assert_int_equal(number, 9);
		assert_int_equal(judge(p, 5, 81, &number), DROP_POLICY);
	}
	policy_close(p, client_ip(5), "x");
	assert_int_equal(policy_rules_walked(p), 0);
	free(big);
}

/* Whatever the pool's size, a set that does not fit closes its client and leaves nothing behind. */
static void test_exhausted_anywhere(void **state)
{
	(void)state;
	for (uint32_t rules = 0; rules < 200; rules += 7) {
		size_t bytes = policy_bytes(2, rules);
		void *small = malloc(bytes);
		struct arena a = { small, bytes };
		struct policy *p = policy_new(&a, &secret, 2, rules);
		uint32_t number, room = policy_rules_free(p);
		struct rule r = rule_of("action=accept dst4=10.139.1.0/24 dstports=70-80", 0);
		for (uint32_t count = 0; count < 220; count += 11) {
			policy_stage(p, client_ip(5), VERDICT_DROP);
			for (r.number = 0; r.number < count; r.number++) {
				r.dst.addr.b[14] = (uint8_t)r.number;
				policy_stage_rule(p, &r);
			}
			bool fits = policy_publish(p);
			assert_int_equal(judge(p, 5, 80, &number), !fits ? DROP_CLOSED : count < 2 ? DROP_POLICY : DROP_NONE);
			struct policy_view view = policy_show(p, index_of(p, 5));
			assert_string_equal(view.error, fits ? "" : "too many rules: no room left");
			assert_false(view.walked);
			policy_close(p, client_ip(5), "x");
			assert_int_equal(policy_rules_free(p), room);
		}
		free(small);
	}
}

static void test_eviction(void **state)
{
	struct policy *p = *state;
	uint32_t number;
	for (uint8_t n = 1; n <= CLIENTS; n++)
		commit(p, n, "action=accept");
	assert_true(policy_mark_attached(p, client_ip(1), true));
	commit(p, 2, "action=accept"); /* 3 is now the oldest without a port */
	uint64_t generation = policy_generation(p, index_of(p, 3));
	uint32_t index = index_of(p, 3);
	commit(p, 9, "action=drop");
	assert_true(index_of(p, 3) == NONE);
	assert_true(index_of(p, 9) == index);
	assert_true(policy_generation(p, index) > generation);
	assert_int_equal(judge(p, 1, 80, &number), DROP_NONE);
	assert_int_equal(judge(p, 2, 80, &number), DROP_NONE);
	assert_int_equal(judge(p, 3, 80, &number), DROP_CLOSED);
	/* all have ports: nobody goes */
	assert_true(policy_mark_attached(p, client_ip(2), true));
	assert_true(policy_mark_attached(p, client_ip(4), true));
	assert_true(policy_mark_attached(p, client_ip(9), true));
	assert_false(policy_mark_attached(p, client_ip(10), true));
	policy_stage(p, client_ip(10), VERDICT_ACCEPT);
	assert_false(policy_publish(p));
	assert_int_equal(judge(p, 10, 80, &number), DROP_CLOSED);
	policy_mark_attached(p, client_ip(4), false);
	assert_false(policy_is_attached(p, client_ip(4)));
	assert_true(policy_mark_attached(p, client_ip(10), true));
	assert_true(policy_is_attached(p, client_ip(10)));
	assert_string_equal(policy_show(p, index_of(p, 10)).error, "no rules yet");
	/* counted: two ports, one gone */
	policy_mark_attached(p, client_ip(10), true);
	policy_mark_attached(p, client_ip(10), false);
	assert_true(policy_is_attached(p, client_ip(10)));
	uint32_t seen = 0;
	for (uint32_t c = policy_next(p, NONE); c != NONE; c = policy_next(p, c))
		seen++;
	assert_int_equal(seen, CLIENTS);
}

static void test_dns(void **state)
{
	struct policy *p = *state;
	uint32_t number;
	struct ip_addr server = ip_v4(10, 139, 1, 1);
	commit(p, 5, "action=accept specialtarget=dns");
	uint64_t before = policy_generation(p, index_of(p, 5));
	assert_int_equal(judge(p, 5, 53, &number), DROP_POLICY);
	policy_set_dns(p, &server, 1);
	assert_int_equal(judge(p, 5, 53, &number), DROP_NONE);
	uint64_t after = policy_generation(p, index_of(p, 5));
	assert_true(after > before);
	policy_set_dns(p, &server, 1);
	assert_int_equal(policy_generation(p, index_of(p, 5)), after);
}

/* Rules end at their time wherever they are: in force, waiting, kept, or still to be staged. */
static void test_expire(void **state)
{
	struct policy *p = *state;
	static const char to_80[] = "action=accept proto=tcp dstports=80-80 expire=1000";
	uint32_t number;
	assert_int_equal(policy_expire(p, 900), 0);
	assert_int_equal(policy_next_expiry(p), UINT32_MAX);
	commit(p, 5, to_80);
	commit(p, 6, "action=accept proto=tcp dstports=80-80 expire=2000");
	commit(p, 7, "action=accept proto=tcp dstports=80-80");
	assert_int_equal(policy_next_expiry(p), 1000);
	uint64_t before = policy_latest(p);
	assert_int_equal(policy_expire(p, 999), 0);
	assert_int_equal(policy_latest(p), before);
	assert_int_equal(judge(p, 5, 80, &number), DROP_NONE);
	assert_int_equal(policy_expire(p, 1000), 1);
	assert_int_equal(policy_next_expiry(p), 2000);
	assert_int_equal(judge(p, 5, 80, &number), DROP_POLICY);
	assert_int_equal(judge(p, 6, 80, &number), DROP_NONE);
	assert_true(policy_generation(p, index_of(p, 5)) > before);
	assert_true(policy_generation(p, index_of(p, 6)) <= before);
	/* staged when it is over already */
	commit(p, 5, to_80);
	assert_int_equal(judge(p, 5, 80, &number), DROP_POLICY);
	assert_int_equal(policy_next_expiry(p), 2000);
	/* kept, and waiting */
	policy_hold(p);
	commit(p, 6, "action=accept proto=tcp dstports=81-81 expire=3000");
	policy_release(p, true);
	policy_hold(p);
	commit(p, 7, "action=accept proto=tcp dstports=82-82 expire=3000");
	assert_int_equal(policy_expire(p, 2500), 0);
	assert_int_equal(policy_expire(p, 3000), 1);
	assert_int_equal(judge(p, 6, 81, &number), DROP_POLICY);
	policy_release(p, true);
	assert_int_equal(judge(p, 7, 82, &number), DROP_POLICY);
	policy_revert(p);
	assert_int_equal(judge(p, 6, 80, &number), DROP_POLICY);
	assert_int_equal(judge(p, 7, 80, &number), DROP_NONE);
	assert_int_equal(policy_next_expiry(p), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, make, unmake),
		cmocka_unit_test_setup_teardown(test_publish, make, unmake),
		cmocka_unit_test_setup_teardown(test_exhausted, make, unmake),
		cmocka_unit_test(test_exhausted_anywhere),
		cmocka_unit_test(test_walked),
		cmocka_unit_test_setup_teardown(test_eviction, make, unmake),
		cmocka_unit_test_setup_teardown(test_dns, make, unmake),
		cmocka_unit_test_setup_teardown(test_expire, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
