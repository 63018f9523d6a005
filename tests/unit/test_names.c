/* links: firewall/names.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/hash.c netstack/table.c netstack/text.c netstack/addr.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/* Names: who holds them, when they are asked for, what changes, and what rules make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "names.h"
#include "policy.h"

#define S UINT64_C(1000000000)

static struct secret secret = { { 5, 6 }, 0 };
static char logged[NAMES_LINE_BYTES];
static uint32_t lines;

static void log_line(const char *line, size_t len)
{
	memcpy(logged, line, len);
	logged[len] = 0;
	lines++;
}

static int setup(void **state)
{
	size_t bytes = (names_bytes() + 63) / 64 * 64;
	uint8_t *memory = aligned_alloc(64, bytes);
	struct arena a = { memory, bytes };
	struct names *n = names_new(&a, &secret, log_line);
	assert_non_null(n);
	assert_ptr_equal(n, memory); /* so that it can be freed */
	lines = 0;
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static uint32_t hold(struct names *n, const char *text)
{
	uint32_t h = hosts_handle(names_hosts(n), text, strlen(text));
	hosts_hold(names_hosts(n), h);
	return h;
}

static void test_handles(void **state)
{
	struct names *n = *state;
	uint64_t bit[NAMES_WORDS];
	uint32_t a = hold(n, "Example.COM"), b = hold(n, "example.org");
	assert_int_equal(hold(n, "example.com."), a);
	assert_int_not_equal(a, b);
	assert_string_equal(hosts_text(names_hosts(n), a), "example.com");
	assert_string_equal(hosts_text(names_hosts(n), NONE), "?");
	assert_null(hosts_resolved(names_hosts(n), a));
	/* an address in text needs no asking, but the rules that have it are told */
	uint32_t literal = hold(n, "192.0.2.7");
	assert_int_equal(names_show(n, literal).state, NAME_ADDRESS);
	assert_true(ip_eq(hosts_resolved(names_hosts(n), literal)->address[0], ip_v4(192, 0, 2, 7)));
	assert_false(names_changed(n, bit)); /* it was so before any rule had it */
	uint32_t asked[2] = { names_ask(n, 0), names_ask(n, 0) };
	assert_true((asked[0] == a && asked[1] == b) || (asked[0] == b && asked[1] == a));
	assert_int_equal(names_ask(n, 0), NONE);
	/* forgotten when nobody holds it, but not under an answer that is on its way */
	hosts_release(names_hosts(n), b);
	assert_int_equal(names_next(n, NONE), a);
	assert_int_equal(names_next(n, a), literal);
	names_fail(n, b, "timeout", S);
	assert_int_equal(names_ask(n, 1000 * S), NONE);
	assert_string_equal(hosts_text(names_hosts(n), b), "?");
}

static void test_full(void **state)
{
	struct names *n = *state;
	char text[16];
	for (uint32_t i = 0; i < NAMES_MAX; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		assert_int_not_equal(hold(n, text), NONE);
	}
	assert_int_equal(lines, 0);
	assert_int_equal(hold(n, "one.more"), NONE);
	assert_int_equal(lines, 0); /* who has the rule says it */
	hosts_release(names_hosts(n), 7);
	assert_int_equal(hold(n, "one.more"), 7);
	assert_string_equal(hosts_text(names_hosts(n), 7), "one.more");
	assert_int_equal(hold(n, "n7.example"), NONE);
	char longest[RULE_HOST_MAX + 1];
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(hosts_handle(names_hosts(n), longest, sizeof(longest)), NONE);
}

/* The wait before the next question: between four fifths of it and all. */
static void assert_due_in(const struct names *n, uint32_t handle, uint64_t now, uint32_t seconds)
{
	uint64_t due = names_show(n, handle).due_ns;
	assert_in_range(due, now + seconds * S / 5 * 4, now + seconds * S);
	assert_true(names_deadline(n) <= due);
}

static void test_times(void **state)
{
	struct names *n = *state;
	static const struct { uint32_t ttl, holds; } ttls[] = { { 0, 30 }, { 29, 30 }, { 300, 300 }, { 1u << 31, 3600 } };
	const struct ip_addr ip = ip_v4(192, 0, 2, 1);
	uint32_t a = hold(n, "a.example");
	uint64_t now = 100 * S, bit[NAMES_WORDS];
	for (size_t i = 0; i < array_len(ttls); i++) {
		assert_int_equal(names_ask(n, now), a);
		names_learn(n, a, &ip, 1, ttls[i].ttl, now);
		assert_int_equal(names_show(n, a).ttl_s, ttls[i].holds);
		assert_due_in(n, a, now, ttls[i].holds);
		assert_int_equal(names_ask(n, now + S), NONE);
		assert_int_equal(names_changed(n, bit), i == 0);
		now = names_show(n, a).due_ns;
		assert_int_equal(names_ask(n, now - 1), NONE);
	}
	assert_int_equal(lines, 1);
	/* failures wait longer and longer, the answer stays, and the log says it once */
	static const uint32_t waits[] = { 5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300, 300 };
	for (size_t i = 0; i < array_len(waits); i++) {
		assert_int_equal(names_ask(n, now), a);
		names_fail(n, a, "timeout", now);
		assert_due_in(n, a, now, waits[i]);
		assert_int_equal(names_show(n, a).state, NAME_STALE);
		assert_string_equal(names_show(n, a).why, "timeout");
		assert_non_null(hosts_resolved(names_hosts(n), a));
		now = names_show(n, a).due_ns;
	}
	assert_false(names_changed(n, bit));
	assert_int_equal(lines, 2);
	assert_string_equal(logged, "name a.example: timeout: the last good answer holds");
	assert_int_equal(names_ask(n, now), a);
	names_fail(n, a, "timeout", now);
	names_retry(n);
	assert_int_equal(names_ask(n, now), a);
	names_learn(n, a, &ip, 1, 60, now);
	assert_int_equal(names_show(n, a).state, NAME_RESOLVED);
	assert_int_equal(lines, 3);
	assert_string_equal(logged, "name a.example: 192.0.2.1");
	names_retry(n);
	assert_int_equal(names_ask(n, now), NONE);
}

static void test_changes(void **state)
{
	struct names *n = *state;
	const struct ip_addr one[] = { ip_v4(192, 0, 2, 1), ip_v4(192, 0, 2, 2) };
	const struct ip_addr turned[] = { one[1], one[0] }, other[] = { one[0], ip_v4(192, 0, 2, 3) };
	static const struct { int which; uint32_t count; bool changes; } steps[] = {
		{ 0, 2, true }, { 0, 2, false }, { 1, 2, false }, { 2, 2, true }, { 0, 1, true }, { 0, 2, true },
	};
	const struct ip_addr *const lists[] = { one, turned, other };
	uint32_t a = hold(n, "a.example");
	uint64_t now = 0, bit[NAMES_WORDS];
	for (size_t i = 0; i < array_len(steps); i++, now += 3600 * S) {
		assert_int_equal(names_ask(n, now), a);
		names_learn(n, a, lists[steps[i].which], steps[i].count, 60, now);
		assert_int_equal(names_changed(n, bit), steps[i].changes);
		assert_int_equal(bit[a / 64], steps[i].changes ? UINT64_C(1) << a % 64 : 0);
	}
}

/* --- what the policy makes of it ------------------------------------------------------- */

static void publish(struct policy *p, struct names *n, struct ip_addr client, const char *line)
{
	struct parsed_rule parsed;
	struct rule_error error;
	policy_stage(p, client, VERDICT_DROP);
	assert_true(rule_parse(line, strlen(line), false, &parsed, &error));
	if (parsed.rule.flags & RULE_HAS_HOST)
		parsed.rule.host = hosts_handle(names_hosts(n), parsed.host, parsed.host_len);
	policy_stage_rule(p, &parsed.rule);
	struct rule accept_udp = { .flags = RULE_HAS_PROTO, .proto = PROTO_UDP, .action = VERDICT_ACCEPT, .number = 1 };
	policy_stage_rule(p, &accept_udp);
	assert_true(policy_publish(p));
}

static bool passes(const struct policy *p, struct ip_addr client, struct ip_addr dst, uint8_t proto)
{
	struct tuple t = { .src = client, .dst = dst, .proto = proto, .dport = 443 };
	uint32_t at, number;
	enum drop reason;
	assert_true(policy_find(p, client, &at));
	return policy_judge(p, at, &t, &number, &reason) == VERDICT_ACCEPT;
}

static uint64_t generation(const struct policy *p, struct ip_addr client)
{
	uint32_t at;
	assert_true(policy_find(p, client, &at));
	return policy_generation(p, at);
}

static void test_policy(void **state)
{
	struct names *n = *state;
	size_t bytes = policy_bytes(4, 256);
	uint8_t *memory = calloc(1, bytes);
	struct arena arena = { memory, bytes };
	struct policy *p = policy_new(&arena, &secret, 4, 256);
	const struct ip_addr c1 = ip_v4(10, 0, 0, 1), c2 = ip_v4(10, 0, 0, 2), c3 = ip_v4(10, 0, 0, 3);
	const struct ip_addr a = ip_v4(192, 0, 2, 1), b = ip_v4(192, 0, 2, 2);
	uint64_t bit[NAMES_WORDS];
	policy_set_hosts(p, names_hosts(n));
	publish(p, n, c1, "action=accept dsthost=a.example proto=tcp");
	publish(p, n, c2, "action=drop dsthost=a.example");
	publish(p, n, c3, "action=accept dst4=192.0.2.1 proto=tcp");
	/* not resolved: permits nothing, forbids everything, disturbs nobody else */
	assert_false(passes(p, c1, a, PROTO_TCP));
	assert_true(passes(p, c1, a, PROTO_UDP));
	assert_false(passes(p, c2, a, PROTO_UDP) || passes(p, c2, b, PROTO_UDP));
	assert_true(passes(p, c3, a, PROTO_TCP));
	uint64_t g1 = generation(p, c1), g2 = generation(p, c2), g3 = generation(p, c3);
	uint32_t h = names_ask(n, S);
	assert_int_equal(names_ask(n, S), NONE); /* one name, asked for once */
	names_learn(n, h, &a, 1, 60, S);
	assert_true(names_changed(n, bit));
	policy_hosts_changed(p, bit);
	assert_true(passes(p, c1, a, PROTO_TCP) && !passes(p, c1, b, PROTO_TCP));
	assert_true(!passes(p, c2, a, PROTO_UDP) && passes(p, c2, b, PROTO_UDP));
	assert_true(generation(p, c1) > g1 && generation(p, c2) > g2);
	assert_int_equal(generation(p, c3), g3);
	/* elsewhere: the old address is as any other */
	assert_int_equal(names_ask(n, 100 * S), h);
	names_learn(n, h, &b, 1, 60, 100 * S);
	assert_true(names_changed(n, bit));
	policy_hosts_changed(p, bit);
	assert_true(!passes(p, c1, a, PROTO_TCP) && passes(p, c1, b, PROTO_TCP));
	assert_true(passes(p, c2, a, PROTO_UDP) && !passes(p, c2, b, PROTO_UDP));
	/* rules that go let go */
	assert_int_equal(names_hosts(n)->host[h].held, 2);
	publish(p, n, c1, "action=accept proto=tcp");
	policy_close(p, c2, "enough");
	assert_int_equal(names_hosts(n)->host[h].held, 0);
	free(memory);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(name_state_word(NAME_UNRESOLVED), "unresolved");
	assert_string_equal(name_state_word(NAME_ADDRESS), "address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_handles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
