/* links: tools/rulefile.c rules/rule.c rules/qvm_rule.c rules/cross_line.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Rule files: what they become in the store, and where a bad one is pointed at. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulefile.h"

static bool parse(struct rulefile *f, const char *text, size_t len, bool v6, char **errors)
{
	size_t n;
	FILE *to = open_memstream(errors, &n);
	struct rulefile_source s = { "r", text, len, v6, 1000, RULE_OUTWARD };
	bool good = rulefile_parse(f, &s, to);
	fclose(to);
	return good;
}

/* The store's lines as "NUMBER=LINE;" one behind the other. */
static const struct {
	const char *text;
	bool v6;
	const char *lines;
} good[] = {
	{ "", false, "" },
	{ "\n# nothing\n\n", false, "" },
	{ "accept", false, "0=action=accept;" },
	{ "action=drop proto=icmp\r\naction=accept\n", false,
	  "0=action=drop proto=icmp;1=action=accept;" },
	{ "# web\naccept 10.0.0.1 tcp 80\n\ndrop # rest\n", false,
	  "0=action=accept dst4=10.0.0.1/32 proto=tcp dstports=80-80;1=action=drop;" },
	/* the other family and the expired leave their numbers unused */
	{ "accept fd00::1\naccept 10.0.0.1\ndrop expire=999\ndrop\n", false,
	  "1=action=accept dst4=10.0.0.1/32;3=action=drop;" },
	{ "drop expire=0\ndrop expire=1000\ndrop expire=1001\ndrop expire=+5 label=x\n", false,
	  "2=action=drop expire=1001;3=action=drop expire=1005 label=x;" },
	{ "accept expire=+4294967295\n", false, "0=action=accept expire=4294967295;" },
	{ "accept @lab tcp\n", true, "0=action=accept dstset=lab proto=tcp;" },
	{ "accept fd00::1\naccept 10.0.0.1\ndrop\n", true,
	  "0=action=accept dst6=fd00::1/128;2=action=drop;" },
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct rulefile f;
		char *errors, lines[512] = "";
		assert_true(parse(&f, good[i].text, strlen(good[i].text), good[i].v6, &errors));
		for (size_t n = 0; n < f.count; n++) {
			size_t at = strlen(lines);
			snprintf(lines + at, sizeof(lines) - at, "%u=%s;", f.line[n].number,
				 f.line[n].text);
		}
		assert_string_equal(lines, good[i].lines);
		assert_string_equal(errors, "");
		rulefile_free(&f);
		free(errors);
	}
}

/* Where it is wrong, and the line and caret below. The reasons' words are the parser's. */
static const struct {
	const char *text;
	const char *starts;
	const char *ends;
} bad[] = {
	{ "accept\nfoo\n", "r:2:1: ", "\n  foo\n  ^\n" },
	{ "accept 10.0.0.1 tcp 90-80\n", "r:1:21: ", "\n  accept 10.0.0.1 tcp 90-80\n                      ^\n" },
	{ "drop\n\n# c\naction=accept dst4=1.2.3.4/33", "r:4:20: ",
	  "\n  action=accept dst4=1.2.3.4/33\n                     ^\n" },
	{ "drop expire=x\n", "r:1:13: ", "\n  drop expire=x\n              ^\n" },
	{ "\033[2Jx\n", "r:1:1: ", "\n  ?[2Jx\n  ^\n" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rulefile f;
		char *errors;
		assert_false(parse(&f, bad[i].text, strlen(bad[i].text), false, &errors));
		size_t all = strlen(errors), tail = strlen(bad[i].ends);
		if (strncmp(errors, bad[i].starts, strlen(bad[i].starts)) || all < tail ||
		    strcmp(errors + all - tail, bad[i].ends))
			fail_msg("row %zu: %s", i, errors);
		assert_null(strchr(errors, '\033'));
		rulefile_free(&f);
		free(errors);
	}
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;
	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static void test_many(void **state)
{
	(void)state;
	char *text = calloc(10001, 5), *errors;
	struct rulefile f;
	for (size_t i = 0; i < 10001; i++)
		memcpy(text + 5 * i, "drop\n", 5);
	assert_true(parse(&f, text, 10000 * 5, false, &errors));
	assert_int_equal(f.count, 10000);
	assert_int_equal(f.line[9999].number, 9999);
	rulefile_free(&f);
	free(errors);
	assert_false(parse(&f, text, 10001 * 5, false, &errors));
	assert_non_null(strstr(errors, "r:10001:1: "));
	rulefile_free(&f);
	free(errors);
	memset(text, 'x', 500);
	for (size_t i = 1; i < 100; i += 2)
		text[i] = '\n';
	assert_false(parse(&f, text, 100, false, &errors));
	assert_int_equal(count_of(errors, "r:"), RULEFILE_FAULTS_SHOWN + 1);
	assert_non_null(strstr(errors, "r: 30 more\n"));
	rulefile_free(&f);
	free(errors);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
