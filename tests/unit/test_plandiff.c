/* links: tools/plandiff.c tools/plan.c tools/setlist.c rules/sets.c tools/ruletree.c tools/rulefile.c tools/storeclient.c rules/rule.c rules/qvm_rule.c rules/cross_line.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Differences of two rule lists: what is said turns the one into the other, and moves as few as can be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "plandiff.h"

/* Each letter is a rule. */
static struct plan_client client_of(const char *letters)
{
	struct plan_client c = { .policy = "drop" };
	for (uint32_t i = 0; letters[i]; i++)
		rulefile_keep(&c.rules, i, (char[]){ letters[i], 0 });
	return c;
}

static void show(const json_t *list, char *to, size_t room)
{
	const json_t *one;
	size_t i, at = 0;
	to[0] = 0;
	json_array_foreach(list, i, one)
		at += (size_t)snprintf(to + at, room - at, "%c%s ", json_string_value(json_object_get(one, "change"))[0],
				       json_string_value(json_object_get(one, "rule")));
}

static const struct {
	const char *from, *to, *says;
} cases[] = {
	{ "", "", "" },
	{ "abc", "abc", "" },
	{ "abc", "", "ra rb rc " },
	{ "", "ab", "aa ab " },
	{ "abc", "axbc", "ax " },
	{ "abc", "ac", "rb " },
	{ "abcd", "bcda", "ma " },
	{ "abcd", "dabc", "md " },
	{ "aab", "aba", "mb " },
	{ "aa", "a", "ra " },
	{ "a", "aa", "aa " },
	{ "abc", "xyz", "ra rb rc ax ay az " },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan_client a = client_of(cases[i].from), b = client_of(cases[i].to);
		json_t *list = plandiff_rules(&a, &b);
		char shown[256];
		show(list, shown, sizeof(shown));
		assert_string_equal(shown, cases[i].says);
		json_decref(list);
		rulefile_free(&a.rules);
		rulefile_free(&b.rules);
	}
}

/* The longest common subsequence, by the naive table: with distinct rules the fewest moves. */
static void test_fewest_moves(void **state)
{
	(void)state;
	uint32_t x = 12345;
	for (int round = 0; round < 300; round++) {
		char a[] = "abcdefghij", b[] = "abcdefghij";
		unsigned most[11][11] = { { 0 } };
		for (size_t i = 9; i > 0; i--) {
			x = x * 1664525 + 1013904223;
			size_t k = (x >> 8) % (i + 1);
			char kept = b[i];
			b[i] = b[k];
			b[k] = kept;
		}
		for (size_t i = 0; i < 10; i++)
			for (size_t k = 0; k < 10; k++)
				most[i + 1][k + 1] = a[i] == b[k] ? most[i][k] + 1 :
					most[i][k + 1] > most[i + 1][k] ? most[i][k + 1] : most[i + 1][k];
		struct plan_client from = client_of(a), to = client_of(b);
		json_t *list = plandiff_rules(&from, &to);
		assert_int_equal(json_array_size(list), 10 - most[10][10]);
		json_decref(list);
		rulefile_free(&from.rules);
		rulefile_free(&to.rules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_fewest_moves) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
