/* links: netstack/text.c */
/* SPDX-License-Identifier: ISC */
/* test_text.c: cutting, numbers, JSON, and the number parser's limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "text.h"

static void cuts_at_the_end(void **state)
{
	(void)state;
	for (size_t room = 1; room < 8; room++) {
		char buffer[8];
		memset(buffer, '#', sizeof(buffer));
		struct text t = text_of(buffer, room);
		text_put(&t, "abcde");
		assert_int_equal(t.len, room - 1 < 5 ? room - 1 : 5);
		assert_int_equal(t.cut, room - 1 < 5);
		assert_memory_equal(buffer, "abcde", t.len);
		assert_int_equal(buffer[t.len], 0);
		for (size_t i = room; i < sizeof(buffer); i++)
			assert_int_equal(buffer[i], '#');
	}
}

static void writes_numbers_as_printf(void **state)
{
	static const uint64_t values[] = { 0, 1, 9, 10, 99, 255, 256, 65535, UINT32_MAX, UINT64_MAX };
	(void)state;
	for (size_t i = 0; i < array_len(values); i++) {
		char got[80], want[80];
		struct text t = text_on(got);
		unsigned long long v = values[i];
		text_u64(&t, v);
		text_char(&t, ' ');
		text_hex(&t, v, 4);
		text_char(&t, ' ');
		text_padded(&t, v, 3);
		snprintf(want, sizeof(want), "%llu %04llx %03llu", v, v, v);
		assert_string_equal(got, want);
	}
}

static void escapes_json(void **state)
{
	char got[80];
	struct text t = text_on(got);
	(void)state;
	text_json(&t, "a\"b\\c\n\x7f\xff\0~", 10);
	assert_string_equal(got, "\"a\\\"b\\\\c\\u000a\\u007f\\u00ff\\u0000~\"");
}

static void reads_numbers(void **state)
{
	static const struct { const char *text; uint32_t max; bool ok; uint32_t value; size_t left; } rows[] = {
		{ "0", 0, true, 0, 0 },
		{ "007x", 9, true, 7, 1 },
		{ "65535", 65535, true, 65535, 0 },
		{ "65536", 65535, false, 0, 5 },
		{ "4294967295", UINT32_MAX, true, UINT32_MAX, 0 },
		{ "4294967296", UINT32_MAX, false, 0, 10 },
		{ "00000000001", UINT32_MAX, false, 0, 11 },
		{ "99999999999999999999", UINT32_MAX, false, 0, 20 },
		{ "", 9, false, 0, 0 },
		{ "-1", 9, false, 0, 2 },
		{ " 1", 9, false, 0, 2 },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct cursor c = cursor_of(rows[i].text, strlen(rows[i].text));
		uint32_t value = 0;
		assert_int_equal(parse_u32(&c, rows[i].max, &value), rows[i].ok);
		assert_int_equal(value, rows[i].value);
		assert_int_equal(c.left, rows[i].left);
	}
}

static void reads_words(void **state)
{
	struct cursor c = cursor_of("tcp/80", 6);
	(void)state;
	assert_false(parse_word(&c, "tcp/8080"));
	assert_false(parse_word(&c, "udp"));
	assert_int_equal(c.left, 6);
	assert_true(parse_word(&c, "tcp"));
	assert_int_equal(c.left, 3);
	assert_true(parse_word(&c, "/80"));
	assert_true(parse_word(&c, ""));
	assert_false(parse_word(&c, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_at_the_end),
		cmocka_unit_test(writes_numbers_as_printf),
		cmocka_unit_test(escapes_json),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
