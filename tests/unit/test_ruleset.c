/* links: rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "headers.h"
#include "ruleset.h"

enum { SETS = 3, RULES = 64 };

static struct rule_pool *new_pool(uint32_t sets, uint32_t rules, void **memory)
{
	size_t bytes = rule_pool_bytes(sets, rules);
	*memory = malloc(bytes);
	struct arena a = { *memory, bytes };
	struct rule_pool *pool = rule_pool_new(&a, sets, rules);
	assert_non_null(pool);
	return pool;
}

static struct rule rule_of(const char *line, bool v6, uint16_t number)
{
	struct parsed_rule p;
	struct rule_error err;
	if (!rule_parse(line, strlen(line), v6, &p, &err))
		fail_msg("'%s' column %d fault %d", line, err.column, err.fault);
	p.rule.number = number;
	return p.rule;
}

static const char *const lines4[] = {
	/* 0 */ "action=drop dst4=10.0.0.1/32 proto=tcp dstports=80-80",
	/* 1 */ "action=accept dst4=10.0.0.1/32 proto=tcp dstports=80-443",
	/* 2 */ "action=accept dst4=4.4.4.4/24",
	/* 3 */ "action=accept dsthost=example.com proto=tcp",
	/* 4 */ "action=accept proto=udp specialtarget=dns",
	/* 5 */ "action=accept specialtarget=dns dstports=53-54",
	/* 6 */ "action=drop proto=icmp icmptype=13",
	/* 7 */ "action=accept proto=icmp",
	/* 8 */ "action=accept dstports=1000-2000",
	/* 9 */ "action=drop dsthost=bad.example proto=udp dstports=7-7",
	/* 10 */ "action=accept proto=udp dstports=1-99",
	/* 11 */ "action=accept specialtarget=dns proto=tcp dstports=53-53",
	/* 12 */ "action=accept dst4=9.9.9.9/32",
};

/* dst, proto, port or ICMP type -> number that decides */
static const struct { uint8_t dst[4]; uint8_t proto; uint16_t port; uint32_t number; } verdicts4[] = {
	{ { 10, 0, 0, 1 }, 6, 80, 0 },
	{ { 10, 0, 0, 1 }, 6, 81, 1 },
	{ { 10, 0, 0, 1 }, 6, 443, 1 },
	{ { 10, 0, 0, 1 }, 6, 444, RULE_POLICY },
	{ { 10, 0, 0, 2 }, 6, 80, RULE_POLICY },
	{ { 4, 4, 4, 8 }, 6, 1, 2 },
	{ { 4, 4, 4, 0 }, 47, 0, 2 },
	{ { 4, 4, 5, 0 }, 47, 0, RULE_POLICY },
	{ { 10, 139, 1, 1 }, 17, 53, 4 },
	{ { 10, 139, 1, 2 }, 17, 53, 4 },
	{ { 10, 139, 1, 3 }, 17, 53, 10 },
	{ { 10, 139, 1, 1 }, 17, 54, 10 },
	{ { 10, 139, 1, 1 }, 6, 53, 11 },
	{ { 10, 139, 1, 1 }, 6, 54, RULE_POLICY },
	{ { 1, 1, 1, 1 }, 1, 8, 7 },
	{ { 1, 1, 1, 1 }, 1, 13, 6 },
	{ { 1, 1, 1, 1 }, 58, 13, RULE_POLICY },
	{ { 1, 1, 1, 1 }, 6, 1000, 8 },
	{ { 1, 1, 1, 1 }, 17, 2000, 8 },
	{ { 1, 1, 1, 1 }, 6, 15, RULE_POLICY }, /* not as text: "15" is not between "1000" and "2000" */
	{ { 1, 1, 1, 1 }, 47, 1500, RULE_POLICY }, /* no ports in that protocol */
	{ { 1, 1, 1, 1 }, 17, 7, 9 },
	{ { 1, 1, 1, 1 }, 17, 8, 10 },
	{ { 9, 9, 9, 9 }, 132, 0, 12 },
};

static struct tuple tuple_of(struct ip_addr dst, uint8_t proto, uint16_t port)
{
	bool icmp = proto == PROTO_ICMP || proto == PROTO_ICMPV6;
	return (struct tuple){ .src = ip_v4(10, 137, 0, 5), .dst = dst, .sport = 40000, .proto = proto,
			       .dport = icmp ? 0 : port, .kind = icmp ? (uint8_t)port : 0 };
}

static void test_verdicts(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(SETS, RULES, &memory);
	struct rule_context dns = { .dns = { ip_v4(10, 139, 1, 1), ip_v4(10, 139, 1, 2) }, .dns_count = 2 };
	for (int accept = 0; accept < 2; accept++) {
		struct ruleset *set = ruleset_new(pool, accept ? VERDICT_ACCEPT : VERDICT_DROP);
		for (uint16_t i = 0; i < array_len(lines4); i++) {
			struct rule r = rule_of(lines4[i], false, (uint16_t)(i * 3));
			assert_true(ruleset_append(set, &r));
		}
		for (size_t i = 0; i < array_len(verdicts4); i++) {
			const uint8_t *d = verdicts4[i].dst;
			struct tuple t = tuple_of(ip_v4(d[0], d[1], d[2], d[3]), verdicts4[i].proto, verdicts4[i].port);
			uint32_t number, expected = verdicts4[i].number;
			enum rule_verdict v = ruleset_judge(set, &t, &dns, &number);
			if (number != (expected == RULE_POLICY ? expected : expected * 3))
				fail_msg("tuple %zu: rule %u instead of %u", i, number / 3, expected);
			bool is_drop = expected == RULE_POLICY ? !accept : lines4[expected][7] == 'd';
			assert_int_equal(v, is_drop ? VERDICT_DROP : VERDICT_ACCEPT);
		}
		ruleset_free(set);
	}
	free(memory);
}

static void test_v6(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(SETS, RULES, &memory);
	struct ruleset *set = ruleset_new(pool, VERDICT_DROP);
	struct rule a = rule_of("action=accept dst6=2003::3/112", true, 0);
	struct rule b = rule_of("action=accept proto=icmp icmptype=128", true, 1);
	assert_true(ruleset_append(set, &a) && ruleset_append(set, &b));
	struct rule_context none = { .dns_count = 0 };
	struct ip_addr in = { { 0x20, 3, [15] = 5 } }, out = { { 0x20, 3, [13] = 1, [15] = 5 } };
	uint32_t number;
	struct tuple t = tuple_of(in, 6, 1);
	assert_int_equal(ruleset_judge(set, &t, &none, &number), VERDICT_ACCEPT);
	t = tuple_of(out, 6, 1);
	assert_int_equal(ruleset_judge(set, &t, &none, &number), VERDICT_DROP);
	t = tuple_of(out, PROTO_ICMPV6, 128);
	assert_int_equal(ruleset_judge(set, &t, &none, &number), VERDICT_ACCEPT);
	assert_int_equal(number, 1);
	t = tuple_of(out, PROTO_ICMPV6, 129);
	assert_int_equal(ruleset_judge(set, &t, &none, &number), VERDICT_DROP);
	free(memory);
}

/* Sets made, filled to the brim and freed, over and over: nothing leaks, order holds. */
static void test_pool(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(SETS, RULES, &memory);
	uint32_t all = rule_pool_free(pool);
	assert_true(all >= RULES);
	for (int round = 0; round < 50; round++) {
		struct ruleset *set[SETS];
		for (int s = 0; s < SETS; s++)
			set[s] = ruleset_new(pool, VERDICT_DROP);
		assert_null(ruleset_new(pool, VERDICT_DROP));
		struct rule r = rule_of("action=accept", false, 0);
		uint32_t total = 0, counts[SETS] = { 0 };
		for (; ruleset_append(set[total % SETS], &r); total++, r.number++)
			counts[total % SETS]++;
		assert_true(total >= RULES);
		for (uint32_t s = 0; s < SETS; s++) {
			struct ruleset_walk walk = { 0, 0 };
			const struct rule *at;
			uint32_t seen = 0;
			assert_int_equal(ruleset_count(set[s]), counts[s]);
			while ((at = ruleset_next(set[s], &walk)))
				assert_int_equal(at->number, s + SETS * seen++);
			assert_int_equal(seen, counts[s]);
		}
		for (int s = 0; s < SETS; s++)
			ruleset_free(set[(s + round) % SETS]);
		assert_int_equal(rule_pool_free(pool), all);
	}
	free(memory);
}

static void test_small_arena(void **state)
{
	(void)state;
	size_t bytes = rule_pool_bytes(SETS, RULES);
	void *memory = malloc(bytes);
	for (size_t have = 0; have < bytes - 12 * 64; have += 97) {
		struct arena a = { memory, have };
		assert_null(rule_pool_new(&a, SETS, RULES));
		assert_int_equal(a.left, have);
	}
	free(memory);
}

/* Which part of a rule a packet disagrees with: the first in the order of enum rule_trial. */
static void test_trials(void **state)
{
	static const struct {
		const char *line;
		uint8_t proto;
		uint16_t port;
		enum rule_trial trial;
	} cases[] = {
		{ "action=accept dst4=10.139.1.1/32 proto=udp dstports=53-53", PROTO_UDP, 53, TRIAL_HIT },
		{ "action=accept dst4=10.139.1.1/32 proto=udp dstports=53-53", PROTO_TCP, 53, TRIAL_PROTO },
		{ "action=accept dst4=10.139.1.1/32 proto=udp dstports=53-53", PROTO_UDP, 54, TRIAL_PORTS },
		{ "action=accept dst4=10.139.1.2/32 proto=udp dstports=53-53", PROTO_UDP, 53, TRIAL_DST },
		{ "action=drop dstports=1-65535", 47, 0, TRIAL_PORTS },
		{ "action=drop proto=icmp icmptype=8", PROTO_ICMP, 8, TRIAL_HIT },
		{ "action=drop proto=icmp icmptype=8", PROTO_ICMP, 13, TRIAL_TYPE },
		{ "action=accept dsthost=example.com", PROTO_TCP, 1, TRIAL_HOST },
		{ "action=drop dsthost=example.com", PROTO_TCP, 1, TRIAL_HIT },
		{ "action=accept specialtarget=dns", PROTO_TCP, 53, TRIAL_HIT },
		{ "action=accept specialtarget=dns", PROTO_TCP, 54, TRIAL_DNS },
	};
	struct rule_context context = { .dns = { ip_v4(10, 139, 1, 1) }, .dns_count = 1 };
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct rule rule = rule_of(cases[i].line, false, 0);
		struct tuple t = tuple_of(ip_v4(10, 139, 1, 1), cases[i].proto, cases[i].port);
		assert_string_equal(rule_trial_word(ruleset_try(&rule, &t, &context)),
				    rule_trial_word(cases[i].trial));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_trials),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_small_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
