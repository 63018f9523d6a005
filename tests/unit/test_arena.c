/* links: netstack/arena.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_arena.c: alignment, zeroing, and refusals that leave the arena as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arena.h"

enum { BYTES = 1024 };
static _Alignas(64) uint8_t memory[BYTES];

static void takes(void **state)
{
	(void)state;
	static const struct {
		size_t start;    /* where the arena begins */
		size_t n, size;
		size_t at;       /* where the items should stand; BYTES: refused */
		size_t left;
	} CASES[] = {
		{ 0, 1, 1, 0, BYTES - 1 },
		{ 0, 1, BYTES, 0, 0 },
		{ 0, BYTES, 1, 0, 0 },
		{ 0, 1, BYTES + 1, BYTES, BYTES },
		{ 1, 1, 64, 64, BYTES - 128 },
		{ 1, 1, BYTES - 64, 64, 0 },
		{ 1, 1, BYTES - 63, BYTES, BYTES - 1 },
		{ 64, 3, 20, 64, BYTES - 124 },
		{ BYTES - 3, 1, 1, BYTES, 3 },
		{ 0, SIZE_MAX, 2, BYTES, BYTES },
		{ 0, SIZE_MAX / 2 + 1, 2, BYTES, BYTES },
		{ 0, 2, SIZE_MAX / 2 + 1, BYTES, BYTES },
		{ 0, 5, 0, 0, BYTES },
	};
	for (size_t i = 0; i < array_len(CASES); i++) {
		memset(memory, 0xaa, sizeof(memory));
		struct arena a = { memory + CASES[i].start, BYTES - CASES[i].start };
		uint8_t *got = arena_take(&a, CASES[i].n, CASES[i].size);
		assert_int_equal(a.left, CASES[i].left);
		if (CASES[i].at == BYTES) {
			assert_null(got);
			assert_ptr_equal(a.at, memory + CASES[i].start);
			continue;
		}
		assert_ptr_equal(got, memory + CASES[i].at);
		assert_ptr_equal(a.at + a.left, memory + BYTES);
		for (size_t b = 0; b < BYTES; b++) {
			bool mine = b >= CASES[i].at && b - CASES[i].at < CASES[i].n * CASES[i].size;
			assert_int_equal(memory[b], mine ? 0 : 0xaa);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
