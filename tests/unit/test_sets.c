/* links: rules/sets.c rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sets.h"

static struct sets sets;

static int make(void **state)
{
	(void)state;
	memset(&sets, 0, sizeof(sets));
	return 0;
}

static uint32_t handle(const char *name)
{
	return sets_handle(&sets, name, strlen(name));
}

static bool set_to(const char *name, const char *value)
{
	return sets_put(&sets, handle(name), value, strlen(value));
}

/* What "ACTION @name" becomes: its destinations, "any" for all of them. */
static const char *expanded(const char *name, enum rule_verdict action, bool v6)
{
	static char line[1024];
	struct text t = text_on(line);
	struct rule r = { .action = (uint8_t)action, .flags = RULE_HAS_SET, .number = 7, .host = handle(name) }, out;
	sets_hold(&sets, r.host);
	for (uint32_t at = 0; sets_expand(&sets, &r, v6, &at, &out);) {
		if (t.len)
			text_char(&t, ' ');
		assert_int_equal(out.number, 7);
		if (out.flags & RULE_VOID)
			text_put(&t, "none");
		else if (out.flags & RULE_HAS_DST)
			text_prefix(&t, out.dst);
		else
			text_put(&t, "any");
	}
	sets_release(&sets, r.host);
	return line;
}

static void test_expand(void **state)
{
	(void)state;
	assert_true(set_to("office", " 10.0.0.0/8  192.0.2.1\t2001:db8::/32 "));
	assert_string_equal(expanded("office", VERDICT_ACCEPT, false), "10.0.0.0/8 192.0.2.1/32");
	assert_string_equal(expanded("office", VERDICT_DROP, true), "2001:db8::/32");
	/* known, but none of its members is of the family: matches nothing */
	assert_true(set_to("four", "192.0.2.0/24"));
	assert_string_equal(expanded("four", VERDICT_DROP, true), "none");
	/* unknown, empty, bad: permits nothing and forbids everything */
	assert_true(set_to("empty", " "));
	assert_false(set_to("bad", "192.0.2.1 x"));
	static const char *const none[] = { "unknown", "empty", "bad" };
	for (size_t i = 0; i < array_len(none); i++) {
		assert_string_equal(expanded(none[i], VERDICT_ACCEPT, false), "none");
		assert_string_equal(expanded(none[i], VERDICT_DROP, false), "any");
	}
	/* a value that cannot hold does not leave the old one behind */
	assert_false(set_to("office", "10.0.0.0/33"));
	assert_string_equal(expanded("office", VERDICT_ACCEPT, false), "none");
}

static void test_parse(void **state)
{
	(void)state;
	static const struct { const char *in; enum set_fault fault; uint32_t count, column; } cases[] = {
		{ "", SET_GOOD, 0, 1 },
		{ "10.0.0.0/8", SET_GOOD, 1, 11 },
		{ "10.0.0.1 fd00::1", SET_GOOD, 2, 17 },
		{ "10.0.0.1,10.0.0.2", SET_BAD_MEMBER, 0, 1 },
		{ "10.0.0.1  x", SET_BAD_MEMBER, 1, 11 },
		{ "10.0.0.1/33", SET_BAD_MEMBER, 0, 1 },
		{ "10.0.0.1\n", SET_BAD_MEMBER, 0, 1 },
	};
	struct ip_prefix member[SET_MEMBERS_MAX];
	uint32_t count, column;
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_int_equal(set_parse(cases[i].in, strlen(cases[i].in), member, &count, &column), cases[i].fault);
		assert_int_equal(count, cases[i].count);
		assert_int_equal(column, cases[i].column);
	}
	char many[SET_MEMBERS_MAX * 8 + 16] = "";
	for (uint32_t i = 0; i < SET_MEMBERS_MAX; i++)
		strcat(many, "1.2.3.4 ");
	assert_int_equal(set_parse(many, strlen(many), member, &count, &column), SET_GOOD);
	assert_int_equal(count, SET_MEMBERS_MAX);
	strcat(many, "1.2.3.4");
	assert_int_equal(set_parse(many, strlen(many), member, &count, &column), SET_MANY_MEMBERS);
}

/* Sets that come, grow, shrink and go, against a plain array of values. */
static void test_changes(void **state)
{
	(void)state;
	static char value[SETS_MAX + 8][64];
	uint32_t x = 12345;
	for (uint32_t round = 0; round < 20000; round++) {
		x = x * 1103515245 + 12345;
		uint32_t which = (x >> 16) % 20, members = (x >> 8) % 4;
		char name[16];
		snprintf(name, sizeof(name), "s%u", which);
		value[which][0] = 0;
		for (uint32_t i = 0; i < members; i++)
			snprintf(value[which] + strlen(value[which]), 20, "%s10.%u.%u.0/24", i ? " " : "", which, i + round % 7);
		if (members || round % 2)
			assert_true(set_to(name, value[which]));
		else
			sets_empty(&sets, handle(name));
		which = (x >> 20) % 20;
		snprintf(name, sizeof(name), "s%u", which);
		assert_string_equal(expanded(name, VERDICT_ACCEPT, false), value[which][0] ? value[which] : "none");
	}
}

static void test_full(void **state)
{
	(void)state;
	char name[RULE_LABEL_MAX + 8], many[SET_MEMBERS_MAX * 8 + 16] = "";
	for (uint32_t i = 0; i < SETS_MAX; i++) {
		snprintf(name, sizeof(name), "set%u", i);
		assert_true(set_to(name, "10.0.0.1"));
	}
	assert_true(handle("one-more") == NONE);
	assert_string_equal(expanded("one-more", VERDICT_DROP, false), "any");
	sets_empty(&sets, handle("set3"));
	assert_true(handle("one-more") != NONE);
	for (uint32_t i = 0; i < SET_MEMBERS_MAX; i++)
		strcat(many, "1.2.3.4 ");
	uint32_t good = 0;
	for (uint32_t i = 10; i < SETS_MAX; i++) {
		snprintf(name, sizeof(name), "set%u", i);
		good += set_to(name, many);
	}
	assert_int_equal(good, (SETS_MEMBERS_MAX - 9) / SET_MEMBERS_MAX);
	assert_true(handle("") == NONE);
	assert_true(handle("a b") == NONE);
	assert_true(handle("abcdefghijklmnopqrstuvwxy") == NONE);
	assert_string_equal(sets_name(&sets, NONE), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_expand, make),
		cmocka_unit_test_setup(test_parse, make),
		cmocka_unit_test_setup(test_changes, make),
		cmocka_unit_test_setup(test_full, make),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
