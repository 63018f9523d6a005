/* links: tender/host/spin.c */
// SPDX-License-Identifier: ISC
/* How long the tender looks before it sleeps: wider while that pays, not at all when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tender.h"

enum { STEP_NS = 5000, SHORT_NS = 30000, LONG_NS = 400000, MAX_NS = 100000 };

struct tender tender;
static bool one_cpu;
static uint32_t looks, comes_at; /* the look that finds something; 0: none */
static uint64_t step_ns;

bool cpus_are_shared(void)
{
	return one_cpu;
}

void pump_time(void)
{
	tender.now_ns += step_ns;
}

bool pump_look(void)
{
	return ++looks == comes_at;
}

static bool spin(uint32_t comes)
{
	looks = 0;
	comes_at = comes;
	return spin_for(tender.now_ns + 10 * MAX_NS);
}

static void closed(bool shared)
{
	one_cpu = shared;
	step_ns = STEP_NS;
	spin_setup();
	for (int i = 0; i < 8; i++)
		spin_learn(LONG_NS);
	assert_int_equal(spin_window_ns(), 0);
}

static void begins_closed(void **state)
{
	(void)state;
	closed(false);
	assert_false(spin(1));
	assert_int_equal(looks, 0); /* not even one: idle is idle */
}

static void short_sleeps_open(void **state)
{
	(void)state;
	closed(false);
	for (uint64_t was = 0; was < MAX_NS; was = spin_window_ns()) {
		spin_learn(SHORT_NS);
		assert_true(spin_window_ns() > was && spin_window_ns() <= MAX_NS);
	}
	spin_learn(SHORT_NS);
	assert_int_equal(spin_window_ns(), MAX_NS);
	assert_true(spin(3));
	assert_int_equal(looks, 3);
	assert_false(spin(0));
	assert_int_equal(looks, MAX_NS / STEP_NS);
}

static void long_sleeps_close(void **state)
{
	(void)state;
	closed(false);
	for (int i = 0; i < 8; i++)
		spin_learn(SHORT_NS);
	uint32_t sleeps = 0;
	for (; spin_window_ns(); sleeps++)
		spin_learn(LONG_NS);
	assert_in_range(sleeps, 2, 4); /* one is an accident, a few are a habit */
}

static void keeps_the_deadline(void **state)
{
	(void)state;
	closed(false);
	for (int i = 0; i < 8; i++)
		spin_learn(SHORT_NS);
	looks = comes_at = 0;
	assert_false(spin_for(tender.now_ns + 3 * STEP_NS));
	assert_int_equal(looks, 3);
	assert_false(spin_for(tender.now_ns));
	assert_int_equal(looks, 3);
}

static void never_alone(void **state)
{
	(void)state;
	closed(true);
	for (int i = 0; i < 8; i++)
		spin_learn(SHORT_NS);
	assert_false(spin_is_useful());
	assert_int_equal(spin_window_ns(), 0);
	assert_false(spin(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_closed),
		cmocka_unit_test(short_sleeps_open),
		cmocka_unit_test(long_sleeps_close),
		cmocka_unit_test(keeps_the_deadline),
		cmocka_unit_test(never_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
