// SPDX-License-Identifier: ISC
/* Log-linear histograms of durations: bucket bounds, merging, quantiles. */
#include "histogram.h"

enum { SUB = 1 << HISTOGRAM_SUB_BITS };

static uint32_t shift_of(uint32_t index)
{
	return index < SUB ? 0 : (index >> HISTOGRAM_SUB_BITS) - 1;
}

uint64_t histogram_low(uint32_t index)
{
	ensure(index < HISTOGRAM_BUCKETS);
	uint32_t shift = shift_of(index);
	return (uint64_t)(index - (shift << HISTOGRAM_SUB_BITS)) << shift;
}

uint64_t histogram_high(uint32_t index)
{
	return histogram_low(index) + (1ull << shift_of(index)) - 1;
}

void histogram_halve(struct histogram *h)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->bucket[i] = h->bucket[i] / 2 + h->bucket[i] % 2;
}

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

bool histogram_fill(struct histogram *h, uint32_t index, uint32_t n)
{
	if (index >= HISTOGRAM_BUCKETS)
		return false;
	while (n > UINT32_MAX - h->bucket[index]) {
		histogram_halve(h);
		n = n / 2 + n % 2;
	}
	h->bucket[index] += n;
	return true;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	uint32_t halved = 0;
	if (!from->count)
		return;
	if (from->min_ns < into->min_ns || !into->count)
		into->min_ns = from->min_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	/* Where one sum is too large for a bucket, both sides are scaled alike. */
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (from->bucket[i] > UINT32_MAX - into->bucket[i])
			halved = 1;
	if (halved)
		histogram_halve(into);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i] >> halved;
}

uint64_t histogram_held(const struct histogram *h)
{
	uint64_t held = 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		held += h->bucket[i];
	return held;
}

/* From 1; held is below 2^43 and ppm below 2^20, so the product fits. */
static uint64_t rank_of(uint64_t held, uint32_t ppm)
{
	if (ppm > HISTOGRAM_WHOLE_PPM)
		ppm = HISTOGRAM_WHOLE_PPM;
	uint64_t rank = (held * ppm + HISTOGRAM_WHOLE_PPM - 1) / HISTOGRAM_WHOLE_PPM;
	return rank ? rank : 1;
}

uint64_t histogram_quantile(const struct histogram *h, uint32_t ppm)
{
	uint64_t held = histogram_held(h), seen = 0;
	if (!held)
		return 0;
	uint64_t rank = rank_of(held, ppm);
	uint32_t i = 0;
	/* The first rank and the last are known exactly, the last one also past the last bucket. */
	if (rank == held)
		return h->max_ns;
	if (rank == 1)
		return h->min_ns;
	while (seen + h->bucket[i] < rank)
		seen += h->bucket[i++];
	uint64_t value = i == HISTOGRAM_BUCKETS - 1 ? h->max_ns : histogram_high(i);
	if (value > h->max_ns)
		value = h->max_ns;
	return value < h->min_ns ? h->min_ns : value;
}

uint64_t histogram_beyond(const struct histogram *h, uint32_t ppm)
{
	uint64_t held = histogram_held(h);
	return held ? held - rank_of(held, ppm) : 0;
}

uint64_t histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum_ns / h->count : 0;
}
