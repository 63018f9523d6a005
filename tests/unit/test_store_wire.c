/* links: qubes-integration/store/wire.c */
// SPDX-License-Identifier: ISC
/* test_store_wire.c: QubesDB messages: bytes, limits, paths, watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The layout spelled out byte by byte, so that a wrong offset cannot agree with itself. */
static void header_bytes(void **state)
{
	uint8_t got[WIRE_HEADER_BYTES], want[WIRE_HEADER_BYTES] = { 0 };
	struct wire_header h;

	(void)state;
	want[0] = 11;
	want[1] = '/';
	want[2] = 'a';
	want[68] = 0xfe;
	want[69] = 0x0b;
	memset(got, 0xaa, sizeof(got));
	wire_put_header(got, WIRE_MULTIREAD_IS, "/a", 0xbfe);
	assert_memory_equal(got, want, sizeof(want));
	/* Padding and what follows the NUL mean nothing. */
	want[4] = 'x';
	want[65] = want[66] = want[67] = 0xff;
	wire_get_header(&h, want);
	assert_int_equal(h.type, WIRE_MULTIREAD_IS);
	assert_true(h.terminated);
	assert_string_equal(h.path, "/a");
	assert_int_equal(h.len, 0xbfe);
}

static void header_without_nul(void **state)
{
	uint8_t bytes[WIRE_HEADER_BYTES];
	struct wire_header h;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	wire_get_header(&h, bytes);
	assert_false(h.terminated);
	assert_int_equal(strlen(h.path), 63);
}

static void long_path_is_cut(void **state)
{
	char path[100];
	uint8_t bytes[WIRE_HEADER_BYTES];
	struct wire_header h;

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	wire_put_header(bytes, WIRE_OK, path, 0);
	wire_get_header(&h, bytes);
	assert_true(h.terminated);
	assert_int_equal(strlen(h.path), 63);
}

static void fronts(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t len;
		size_t there; /* bytes behind the header */
		bool half_header;
		enum wire_front want;
		size_t taken;
	} cases[] = {
		{ WIRE_READ, 0, 0, true, WIRE_PARTIAL, 0 },
		{ WIRE_READ, 0, 0, false, WIRE_WHOLE, 72 },
		{ WIRE_WRITE, 5, 4, false, WIRE_PARTIAL, 0 },
		{ WIRE_WRITE, 5, 5, false, WIRE_WHOLE, 77 },
		{ WIRE_WRITE, 5, 90, false, WIRE_WHOLE, 77 },
		{ WIRE_WRITE, 3071, 3071, false, WIRE_WHOLE, 3143 },
		{ WIRE_WRITE, 3072, 3072, false, WIRE_OVERSIZE, 72 },
		{ WIRE_WRITE, UINT32_MAX, 0, false, WIRE_OVERSIZE, 72 },
		{ WIRE_WATCH_IS, 0, 0, false, WIRE_WHOLE, 72 },
		{ WIRE_TYPES, 0, 0, false, WIRE_UNKNOWN, 0 },
		{ 255, UINT32_MAX, 0, false, WIRE_UNKNOWN, 0 },
	};
	static uint8_t bytes[8192];
	struct wire_message m;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		wire_put_header(bytes, WIRE_READ, "/k", cases[i].len);
		bytes[0] = cases[i].type;
		size_t len = cases[i].half_header ? 71 : 72 + cases[i].there;

		assert_int_equal(wire_take(&m, bytes, len), cases[i].want);
		assert_int_equal(m.taken, cases[i].taken);
		if (cases[i].want == WIRE_WHOLE)
			assert_ptr_equal(m.data, bytes + 72);
	}
}

static void paths(void **state)
{
	static const struct {
		const char *path;
		bool key, target, prefix;
	} cases[] = {
		{ "", false, false, true },
		{ "/", false, true, true },
		{ "/a", true, true, true },
		{ "/a/", false, true, true },
		{ "a", false, false, false },
		{ "-a", false, false, false },
		{ "/qubes-firewall/10.137.0.3/0000", true, true, true },
		{ "/x/fd09:24ef:4179::a89:1@Z_z", true, true, true },
		{ "/a b", false, false, false },
		{ "/a;b", false, false, false },
		{ "/a\\b", false, false, false },
		{ "/a\x01", false, false, false },
		{ "/\xc3\xa4", false, false, false },
		/* 63 and 64 characters */
		{ "/23456789012345678901234567890123456789012345678901234567890123", true, true,
		  true },
		{ "/234567890123456789012345678901234567890123456789012345678901234", false,
		  false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(wire_is_key(cases[i].path), cases[i].key);
		assert_int_equal(wire_is_target(cases[i].path), cases[i].target);
		assert_int_equal(wire_is_prefix(cases[i].path), cases[i].prefix);
	}
}

/* Every byte against the list as the protocol gives it. */
static void characters(void **state)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_/.:@-";
	char path[] = "/.x";

	(void)state;
	for (int c = 1; c < 256; c++) {
		path[1] = (char)c;
		assert_int_equal(wire_is_key(path), strchr(allowed, c) != NULL);
	}
}

static void values(void **state)
{
	static uint8_t value[3072];

	(void)state;
	memset(value, 0xff, sizeof(value));
	assert_true(wire_is_value(NULL, 0));
	assert_true(wire_is_value(value, 3071));
	assert_false(wire_is_value(value, 3072));
	value[3070] = 0;
	assert_false(wire_is_value(value, 3071));
	assert_true(wire_is_value(value, 3070));
}

static void watches(void **state)
{
	static const struct {
		const char *watch, *changed;
		bool fires;
	} cases[] = {
		{ "/d/", "/d/", true },	      { "/", "/d/", true },	 { "/d", "/d/", false },
		{ "/d/sub/", "/d/", false },  { "/d/", "/d/a", true },	 { "/d/", "/d", false },
		{ "/d", "/d", true },	      { "/d", "/d/a", false },	 { "/d", "/da", false },
		{ "/d/", "/d/a/b", true },    { "/", "/x", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(wire_watch_matches(cases[i].watch, cases[i].changed),
				 cases[i].fires);
}

static void requests(void **state)
{
	(void)state;
	for (int t = 0; t < 256; t++)
		assert_int_equal(wire_is_request((uint8_t)t), t < 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_bytes),	    cmocka_unit_test(header_without_nul),
		cmocka_unit_test(long_path_is_cut), cmocka_unit_test(fronts),
		cmocka_unit_test(paths),	    cmocka_unit_test(characters),
		cmocka_unit_test(values),	    cmocka_unit_test(watches),
		cmocka_unit_test(requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
