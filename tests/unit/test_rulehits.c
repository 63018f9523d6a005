/* links: tools/rulehits.c tools/web_rules.c tools/answer.c tools/columns.c tools/controlclient.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* test_rulehits.c: which rules are unused, in which order rules are shown, and words for times. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "rulehits.h"
#include "verbs.h"

/* The tools' own, without the table of verbs behind it. */
int complain(enum verb_exit code, const char *format, ...)
{
	(void)format;
	return (int)code;
}

/* a: busy; b: refuses; c: never hit; d: young, never hit; e: hit long ago; f: not counted; policy: never hit */
static json_t *listing(void)
{
	static const char text[] =
		"[{\"rule\":0,\"id\":\"a\",\"packets\":90,\"bytes\":900,\"flows\":3,\"refused\":0,\"since_s\":9000,\"last_s\":1},"
		"{\"rule\":1,\"id\":\"b\",\"packets\":0,\"bytes\":0,\"flows\":0,\"refused\":7,\"since_s\":9000,\"last_s\":0},"
		"{\"rule\":2,\"id\":\"c\",\"packets\":0,\"bytes\":0,\"flows\":0,\"refused\":0,\"since_s\":9000},"
		"{\"rule\":3,\"id\":\"d\",\"packets\":0,\"bytes\":0,\"flows\":0,\"refused\":0,\"since_s\":10},"
		"{\"rule\":4,\"id\":\"e\",\"packets\":5,\"bytes\":5000,\"flows\":9,\"refused\":0,\"since_s\":9000,\"last_s\":8000},"
		"{\"rule\":5,\"id\":\"\"},"
		"{\"rule\":\"policy\",\"id\":\"p\",\"packets\":0,\"bytes\":0,\"flows\":0,\"refused\":0,\"since_s\":9000}]";
	json_t *rules = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(rules), 7);
	return rules;
}

static void test_pick(void **state)
{
	static const struct {
		struct rulehits_wish wish;
		const char *ids;
		size_t young;
	} cases[] = {
		{ { .sort = RULEHITS_ORDER }, "abcde?p", 0 },
		{ { .sort = RULEHITS_PACKETS }, "aebcd?p", 0 },
		{ { .sort = RULEHITS_BYTES }, "eabcd?p", 0 },
		{ { .sort = RULEHITS_FLOWS }, "eabcd?p", 0 },
		{ { .sort = RULEHITS_REFUSED }, "bacde?p", 0 },
		{ { .sort = RULEHITS_LAST }, "baecd?p", 0 },
		{ { .unused = true }, "cd", 0 },
		{ { .unused = true, .since_s = 5 }, "cde", 0 },
		{ { .unused = true, .since_s = 10 }, "cde", 0 },
		{ { .unused = true, .since_s = 11 }, "ce", 1 },
		{ { .unused = true, .since_s = 8000 }, "ce", 1 },
		{ { .unused = true, .since_s = 8001 }, "c", 1 },
		{ { .unused = true, .since_s = 9001 }, "", 2 },
	};
	json_t *rules = listing();
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		char ids[8] = "";
		size_t young;
		json_t *picked = rulehits_pick(rules, &cases[i].wish, &young);
		for (size_t k = 0; k < json_array_size(picked); k++) {
			const char *id = json_string_value(json_object_get(json_array_get(picked, k), "id"));
			ids[k] = *id ? *id : '?';
			ids[k + 1] = 0;
		}
		if (strcmp(ids, cases[i].ids) || young != cases[i].young)
			fail_msg("case %zu: %s, %zu young", i, ids, young);
		json_decref(picked);
	}
	json_decref(rules);
}

static void test_words(void **state)
{
	static const struct { const char *word; uint32_t seconds; } good[] = {
		{ "1", 1 }, { "90", 90 }, { "90s", 90 }, { "15m", 900 }, { "2h", 7200 }, { "7d", 604800 },
	};
	static const char *const bad[] = { "", "0", "0d", "d", "7w", "7dd", "-1", "7 d", "99999999999", "4000d" };
	static const struct { json_int_t seconds; const char *word; } ages[] = {
		{ -1, "0s" }, { 0, "0s" }, { 119, "119s" }, { 120, "2m" }, { 7199, "119m" }, { 7200, "2h" },
		{ 172799, "47h" }, { 172800, "2d" }, { 31536000, "365d" },
	};
	enum rulehits_sort sort = RULEHITS_ORDER;
	uint32_t seconds = 0;
	char age[24];
	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		assert_true(rulehits_seconds(good[i].word, &seconds));
		assert_int_equal(seconds, good[i].seconds);
	}
	for (size_t i = 0; i < array_len(bad); i++)
		if (rulehits_seconds(bad[i], &seconds))
			fail_msg("'%s' is taken", bad[i]);
	for (size_t i = 0; i < array_len(ages); i++) {
		rulehits_age(age, sizeof(age), ages[i].seconds);
		assert_string_equal(age, ages[i].word);
	}
	assert_true(rulehits_sort_parse(&sort, "bytes") && sort == RULEHITS_BYTES);
	assert_false(rulehits_sort_parse(&sort, "size"));
	assert_int_equal(sort, RULEHITS_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pick), cmocka_unit_test(test_words) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
