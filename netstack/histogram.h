/* SPDX-License-Identifier: ISC */
/*
 * histogram.h: how long things took, log-linear, in fixed memory, mergeable.
 *
 * Nanoseconds. Values below 64 have a bucket each; above, every power of two is
 * cut into 32 of equal width, so that a bucket is at most 1/32 (3.125 %) of its lowest
 * value wide. Values from 2^40 ns (18 minutes) on share the last bucket; count, sum,
 * min and max stay exact for them too. Nothing here allocates or divides by a variable.
 *
 * A histogram that is all zero bytes is empty and ready for use.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include "base.h"

enum {
	HISTOGRAM_SUB_BITS = 5, /* 32 buckets a power of two */
	HISTOGRAM_MAX_BITS = 40,
	HISTOGRAM_BUCKETS = (HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
	HISTOGRAM_WHOLE_PPM = 1000000,
};

struct histogram {
	uint64_t count, sum_ns;
	uint64_t min_ns, max_ns; /* 0 while count is 0 */
	/*
	 * Before one would wrap, all are halved (rounded up): after 4 thousand million values in
	 * one bucket the shape stays and the buckets add up to less than count.
	 */
	uint32_t bucket[HISTOGRAM_BUCKETS];
};

static inline uint32_t histogram_index(uint64_t ns)
{
	if (ns < 1u << HISTOGRAM_SUB_BITS)
		return (uint32_t)ns;
	uint32_t top = 63 - (uint32_t)__builtin_clzll(ns);
	if (top >= HISTOGRAM_MAX_BITS)
		return HISTOGRAM_BUCKETS - 1;
	uint32_t shift = top - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (uint32_t)(ns >> shift);
}

/* Lowest and highest value of a bucket; index is below HISTOGRAM_BUCKETS. */
uint64_t histogram_low(uint32_t index);
uint64_t histogram_high(uint32_t index);

/* All buckets to half, rounded up; the exact members stay. */
void histogram_halve(struct histogram *);

/* n values that are the same; n at least 1, and far below 2^31; index is that of ns. */
static inline void histogram_record_at(struct histogram *h, uint32_t index, uint64_t ns, uint32_t n)
{
	uint32_t *bucket = &h->bucket[index];
	if (__builtin_expect(*bucket > UINT32_MAX - n, 0))
		histogram_halve(h);
	*bucket += n;
	if (ns < h->min_ns || !h->count)
		h->min_ns = ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->count += n;
	h->sum_ns += ns * n;
}

static inline void histogram_record_many(struct histogram *h, uint64_t ns, uint32_t n)
{
	histogram_record_at(h, histogram_index(ns), ns, n);
}

static inline void histogram_record(struct histogram *h, uint64_t ns)
{
	histogram_record_many(h, ns, 1);
}

void histogram_clear(struct histogram *);
/* Adds n values to one bucket and to nothing else: for readers of a histogram sent in pieces. False: no such bucket. */
bool histogram_fill(struct histogram *, uint32_t index, uint32_t n);
/* As if every value of `from` had been recorded in `into`. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* What the buckets hold together. */
uint64_t histogram_held(const struct histogram *);
/*
 * The value at or below which `ppm` millionths of what is held lie: the upper end of the
 * bucket of the value of rank ceil(held * ppm / 10^6), not outside min and max. So it is
 * never below the true one and at most 1/32 above. 0 when empty; ppm 0 is the least value.
 */
uint64_t histogram_quantile(const struct histogram *, uint32_t ppm);
/* How many of what is held lie beyond the value of that rank: the count behind the quantile. */
uint64_t histogram_beyond(const struct histogram *, uint32_t ppm);
/* Mean, rounded down; 0 when empty. */
uint64_t histogram_mean(const struct histogram *);

#endif
