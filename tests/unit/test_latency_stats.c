/* links: tools/latency_stats.c tools/latency_run.c netstack/histogram.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_latency_stats.c: a thousand comparisons each of runs that are equal, equal with noise that comes in
 * blocks, and shifted: wrong alarms, found differences and intervals that hold are as often as stated.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "latency_stats.h"

enum { TRIALS = 1000, PER_BLOCK = 150 };

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* Lognormal about 20 us; `noise` moves whole blocks, as a busy neighbour does. */
static void draw(struct latency_series *s, double factor, double noise)
{
	histogram_clear(&s->total);
	for (uint32_t b = 0; b < s->blocks; b++) {
		double of_block = 20000 * factor * exp(noise * normal());
		histogram_clear(&s->block[b]);
		for (int i = 0; i < PER_BLOCK; i++)
			latency_record(s, b, (uint64_t)(of_block * exp(0.3 * normal())));
	}
}

struct tally {
	int slower, faster, held;
};

static struct tally trials(size_t pairs, double factor, double noise, double run_noise, uint32_t ppm)
{
	struct latency_run run;
	const struct latency_series *a[LATENCY_PAIRS_MAX], *b[LATENCY_PAIRS_MAX];
	struct tally n = { 0, 0, 0 };
	latency_run_init(&run, "test");
	for (size_t i = 0; i < 2 * pairs; i++)
		latency_run_add(&run, "x", LATENCY_MEASURED, LATENCY_BLOCKS);
	seed = 42 + pairs + ppm;
	for (int t = 0; t < TRIALS; t++) {
		struct latency_change c;
		for (size_t i = 0; i < pairs; i++) {
			a[i] = &run.series[2 * i];
			b[i] = &run.series[2 * i + 1];
			draw(&run.series[2 * i], exp(run_noise * normal()), noise);
			draw(&run.series[2 * i + 1], factor * exp(run_noise * normal()), noise);
		}
		assert_true(latency_change_of(a, b, pairs, ppm, 0.95, &c));
		double truth = (factor - 1) * c.a_ns;
		n.slower += c.low_ns > 0;
		n.faster += c.high_ns < 0;
		n.held += c.low_ns <= truth && truth <= c.high_ns;
	}
	latency_run_free(&run);
	return n;
}

/* 5 % of 1000 are 50, give or take 7 (one standard deviation). */
static void equal_runs(void **state)
{
	(void)state;
	static const uint32_t ppm[] = { 500000, 900000, 950000 };
	for (size_t i = 0; i < array_len(ppm); i++) {
		struct tally n = trials(1, 1, 0, 0, ppm[i]);
		print_message("p%g: %d slower, %d faster\n", ppm[i] / 1e4, n.slower, n.faster);
		assert_in_range(n.slower + n.faster, 1, 72);
	}
}

static void equal_runs_with_noise_in_blocks(void **state)
{
	(void)state;
	struct tally n = trials(1, 1, 0.1, 0, 500000);
	print_message("%d slower, %d faster\n", n.slower, n.faster);
	assert_in_range(n.slower + n.faster, 1, 72);
}

static void equal_runs_in_turns(void **state)
{
	(void)state;
	struct tally n = trials(4, 1, 0.05, 0.05, 500000);
	print_message("%d slower, %d faster\n", n.slower, n.faster);
	assert_in_range(n.slower + n.faster, 1, 72);
}

static void shifted_runs(void **state)
{
	(void)state;
	struct tally n = trials(1, 1.05, 0, 0, 500000);
	print_message("%d of %d found, %d intervals hold\n", n.slower, TRIALS, n.held);
	assert_true(n.slower >= 950 && n.faster == 0 && n.held >= 920);
	n = trials(1, 0.9, 0, 0, 900000);
	print_message("%d of %d found, %d intervals hold\n", n.faster, TRIALS, n.held);
	assert_true(n.faster >= 950 && n.slower == 0 && n.held >= 920);
}

/* The table that every textbook has. */
static void student(void **state)
{
	(void)state;
	static const struct {
		double df, confidence, t;
	} known[] = { { 1, 0.95, 12.706 }, { 2, 0.95, 4.303 }, { 5, 0.95, 2.571 }, { 19, 0.95, 2.093 },
		      { 38, 0.99, 2.712 }, { 1000, 0.95, 1.962 } };
	for (size_t i = 0; i < array_len(known); i++)
		assert_true(fabs(latency_student(known[i].df, known[i].confidence) - known[i].t) < 0.005);
}

static void too_few(void **state)
{
	(void)state;
	struct latency_run run;
	struct latency_change c;
	latency_run_init(&run, "test");
	latency_run_add(&run, "a", LATENCY_MEASURED, LATENCY_BLOCKS);
	latency_run_add(&run, "b", LATENCY_MEASURED, 0);
	const struct latency_series *a = &run.series[0], *b = &run.series[1];
	assert_false(latency_change_of(&a, &a, 1, 500000, 0.95, &c));
	for (uint32_t i = 0; i < 1000; i++) {
		latency_record(&run.series[0], i / 50, 1000);
		latency_record(&run.series[1], 0, 1000);
	}
	assert_true(latency_change_of(&a, &a, 1, 500000, 0.95, &c));
	assert_true(c.low_ns <= 0 && c.high_ns >= 0); /* no spread is no certainty */
	assert_false(latency_change_of(&a, &a, 1, 999000, 0.95, &c));
	assert_false(latency_change_of(&a, &b, 1, 500000, 0.95, &c)); /* no blocks */
	latency_run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_runs),	    cmocka_unit_test(equal_runs_with_noise_in_blocks),
		cmocka_unit_test(equal_runs_in_turns), cmocka_unit_test(shifted_runs),
		cmocka_unit_test(student),	    cmocka_unit_test(too_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
