/* links: netstack/limit.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_limit.c: the token bucket, step by step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "limit.h"

#define S UINT64_C(1000000000)

struct step {
	uint64_t now;
	bool allowed;
	uint64_t suppressed;
};

static void play(struct limit l, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(limit_allows(&l, steps[i].now), steps[i].allowed);
		assert_int_equal(l.suppressed, steps[i].suppressed);
		assert_in_range(l.tokens, 0, l.burst);
	}
}

static void burst_then_rate(void **state)
{
	(void)state;
	static const struct step STEPS[] = {
		{ 10 * S, true, 0 }, { 10 * S, true, 0 }, { 10 * S, false, 1 }, { 10 * S, false, 2 },
		{ 10 * S + S / 2 - 1, false, 3 },
		{ 10 * S + S / 2, true, 0 }, { 10 * S + S / 2, false, 1 },
		/* three quarters later: one token, and half of the next is not lost */
		{ 11 * S + S / 4, true, 0 }, { 11 * S + S / 4, false, 1 },
		{ 11 * S + S / 2, true, 0 },
		/* a long silence fills it to the burst only */
		{ 1000 * S, true, 0 }, { 1000 * S, true, 0 }, { 1000 * S, false, 1 },
	};
	play(limit_of(2, 2, 10 * S), STEPS, array_len(STEPS));
}

static void clock_steps_back(void **state)
{
	(void)state;
	static const struct step STEPS[] = {
		{ 10 * S, true, 0 }, { 5 * S, false, 1 }, { 10 * S, false, 2 },
		{ 0, false, 3 }, { 11 * S - 1, false, 4 }, { 11 * S, true, 0 },
		{ UINT64_MAX, true, 0 }, { UINT64_MAX, false, 1 }, { 0, false, 2 },
	};
	play(limit_of(1, 1, 10 * S), STEPS, array_len(STEPS));
}

static void odd_rates(void **state)
{
	(void)state;
	static const struct step NEVER[] = {
		{ 0, true, 0 }, { 1000000 * S, false, 1 }, { UINT64_MAX - 1, false, 2 },
	};
	play(limit_of(0, 1, 0), NEVER, array_len(NEVER));
	static const struct step FAST[] = {
		{ 0, true, 0 }, { 0, false, 1 }, { 1, true, 0 }, { 1, false, 1 },
	};
	play(limit_of(UINT32_MAX, 0, 0), FAST, array_len(FAST));
}

/* Over any stretch no more pass than the burst and what grew meanwhile. */
static void never_more_than_promised(void **state)
{
	(void)state;
	struct limit l = limit_of(7, 5, 0);
	uint64_t now = 0, seed = 9, passed = 0;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		now += (seed >> 33) % (S / 10);
		passed += limit_allows(&l, now);
		assert_true(passed <= 5 + now / (S / 7));
	}
	/* and it does let the rate through: asked about 20 times a second */
	assert_true(passed >= now / S * 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_rate),
		cmocka_unit_test(clock_steps_back),
		cmocka_unit_test(odd_rates),
		cmocka_unit_test(never_more_than_promised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
