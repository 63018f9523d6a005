/* links: netstack/histogram.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_histogram.c: bucket bounds, and quantiles against the sorted list of the values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "histogram.h"

static uint64_t random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 20;
}

/* Spread over all magnitudes, some past the last bucket. */
static uint64_t random_ns(uint64_t *seed)
{
	uint64_t bits = random_next(seed) % 42;
	return random_next(seed) & ((2ull << bits) - 1);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void buckets_tile_the_range(void **state)
{
	(void)state;
	uint64_t next = 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t low = histogram_low(i), high = histogram_high(i);
		assert_true(low == next);
		assert_true(high >= low);
		assert_int_equal(histogram_index(low), i);
		assert_int_equal(histogram_index(high), i);
		assert_true((high - low) * 32 <= low || high == low);
		next = high + 1;
	}
	assert_true(next == 1ull << HISTOGRAM_MAX_BITS);
	assert_int_equal(histogram_index(next), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void against_sorted(const struct histogram *h, uint64_t *value, uint64_t n)
{
	static const uint32_t ppm[] = { 0,	1,	10000,	250000, 500000,	 750000, 900000,
					990000, 999000, 999900, 999990, 1000000, 2000000 };
	uint64_t sum = 0;
	qsort(value, n, sizeof(*value), ascending);
	for (uint64_t i = 0; i < n; i++)
		sum += value[i];
	assert_true(h->count == n && h->sum_ns == sum);
	assert_true(h->min_ns == value[0] && h->max_ns == value[n - 1]);
	assert_true(histogram_mean(h) == sum / n);
	assert_true(histogram_held(h) == n);
	for (size_t i = 0; i < array_len(ppm); i++) {
		uint64_t rank = 1;
		while (rank < n && rank * 1000000 < n * (uint64_t)ppm[i])
			rank++;
		uint64_t truth = value[rank - 1], got = histogram_quantile(h, ppm[i]);
		assert_true(got >= truth);
		assert_true(got - truth <= truth / 32 || truth >= histogram_low(HISTOGRAM_BUCKETS - 1));
		assert_true(got <= value[n - 1]);
		assert_true(histogram_beyond(h, ppm[i]) == n - rank);
	}
}

static void quantiles(void **state)
{
	(void)state;
	static uint64_t value[5000];
	static struct histogram h;
	uint64_t seed = 7;
	for (int round = 0; round < 60; round++) {
		uint64_t n = round < 10 ? (uint64_t)round + 1 : 1 + random_next(&seed) % array_len(value);
		histogram_clear(&h);
		for (uint64_t i = 0; i < n; i++) {
			value[i] = random_ns(&seed);
			histogram_record(&h, value[i]);
		}
		against_sorted(&h, value, n);
	}
}

static void merging_is_recording(void **state)
{
	(void)state;
	static struct histogram all, part[3], sum;
	uint64_t seed = 11;
	histogram_clear(&all);
	histogram_clear(&sum);
	for (int p = 0; p < 3; p++) {
		histogram_clear(&part[p]);
		for (int i = 0; i < 1000 * p; i++) { /* the first one stays empty */
			uint64_t ns = random_ns(&seed);
			histogram_record(&all, ns);
			histogram_record(&part[p], ns);
		}
		histogram_merge(&sum, &part[p]);
	}
	assert_memory_equal(&sum, &all, sizeof(all));
}

static void filling_in_pieces(void **state)
{
	(void)state;
	static struct histogram h, copy;
	uint64_t seed = 13;
	for (int i = 0; i < 2000; i++)
		histogram_record(&h, random_ns(&seed));
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_fill(&copy, i, h.bucket[i]));
	assert_false(histogram_fill(&copy, HISTOGRAM_BUCKETS, 1));
	copy.count = h.count;
	copy.sum_ns = h.sum_ns;
	copy.min_ns = h.min_ns;
	copy.max_ns = h.max_ns;
	assert_memory_equal(&copy, &h, sizeof(h));
}

static void a_full_bucket_halves_them_all(void **state)
{
	(void)state;
	static struct histogram h, other;
	h.count = UINT32_MAX + 9ull;
	h.min_ns = 10;
	h.max_ns = 20;
	h.bucket[10] = UINT32_MAX;
	h.bucket[20] = 9;
	histogram_record(&h, 10);
	assert_int_equal(h.bucket[10], (1u << 31) + 1);
	assert_int_equal(h.bucket[20], 5);
	assert_true(h.count == UINT32_MAX + 10ull);
	assert_true(histogram_quantile(&h, 500000) == 10);
	assert_true(histogram_quantile(&h, 1000000) == 20);
	other = h;
	histogram_merge(&other, &h);
	assert_true(histogram_held(&other) <= other.count);
	assert_in_range(other.bucket[10], 1u << 31, (1u << 31) + 4);
	assert_true(histogram_fill(&h, 20, UINT32_MAX));
	assert_int_equal(h.bucket[20], (1u << 31) + 3);
}

static void empty(void **state)
{
	(void)state;
	static struct histogram h;
	assert_true(histogram_quantile(&h, 500000) == 0);
	assert_true(histogram_beyond(&h, 500000) == 0);
	assert_true(histogram_mean(&h) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_tile_the_range),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(merging_is_recording),
		cmocka_unit_test(filling_in_pieces),
		cmocka_unit_test(a_full_bucket_halves_them_all),
		cmocka_unit_test(empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
