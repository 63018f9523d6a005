// SPDX-License-Identifier: ISC
/* Differences of percentiles with intervals, from blocks of time or from pairs of runs. */
#include <math.h>
#include <stdlib.h>

#include "latency_stats.h"

struct estimate {
	double value, variance, df;
};

double latency_quantile_within(const struct histogram *h, uint32_t ppm)
{
	double rank = (double)histogram_held(h) * ppm / HISTOGRAM_WHOLE_PPM, seen = 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (seen + h->bucket[i] < rank || !h->bucket[i]) {
			seen += h->bucket[i];
			continue;
		}
		double low = fmax((double)histogram_low(i), (double)h->min_ns);
		double high = fmin((double)histogram_high(i) + 1, (double)h->max_ns + 1);
		return low + (high - low) * fmax(0, rank - seen) / h->bucket[i];
	}
	return (double)h->max_ns;
}

/* Area under Student's density from 0 to t, by Simpson's rule. */
static double student_area(double df, double t, double scale)
{
	enum { STEPS = 256 };
	double sum = 0, h = t / STEPS;
	for (int i = 0; i <= STEPS; i++) {
		double x = h * i, weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
		sum += weight * exp(-(df + 1) / 2 * log1p(x * x / df));
	}
	return scale * sum * h / 3;
}

double latency_student(double df, double confidence)
{
	double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * M_PI), low = 0, high = 2;
	while (student_area(df, high, scale) < confidence / 2 && high < 1e4)
		high *= 2;
	for (int i = 0; i < 40; i++) {
		double middle = (low + high) / 2;
		*(student_area(df, middle, scale) < confidence / 2 ? &low : &high) = middle;
	}
	return high;
}

/* Neighbouring blocks are put together until each group can know the percentile; how many groups there are. */
static uint32_t group_blocks(const struct latency_series *s, uint32_t ppm, double *quantile)
{
	static struct histogram group;
	uint64_t tail = ppm < HISTOGRAM_WHOLE_PPM / 2 ? ppm : HISTOGRAM_WHOLE_PPM - ppm;
	uint32_t groups = 0;
	histogram_clear(&group);
	for (uint32_t i = 0; i < s->blocks; i++) {
		histogram_merge(&group, &s->block[i]);
		if (group.count * tail < (uint64_t)LATENCY_GROUP_BEYOND * HISTOGRAM_WHOLE_PPM)
			continue;
		quantile[groups++] = latency_quantile_within(&group, ppm);
		histogram_clear(&group);
	}
	return groups;
}

static bool section(const struct latency_series *s, uint32_t ppm, struct estimate *e)
{
	double quantile[LATENCY_BLOCKS_MAX], sum = 0;
	uint32_t n = s->total.count ? group_blocks(s, ppm, quantile) : 0;
	if (n < LATENCY_GROUPS_MIN)
		return false;
	e->value = latency_quantile_within(&s->total, ppm);
	for (uint32_t i = 0; i < n; i++)
		sum += (quantile[i] - e->value) * (quantile[i] - e->value);
	e->df = n - 1;
	e->variance = sum / e->df / n;
	return true;
}

/* Values that all fall into one bucket have no spread, but are not known better than that. */
static double resolution(double ns)
{
	double width = ns / 32;
	return ns < 64 ? 1.0 / 12 : width * width / 12 / 100;
}

static void interval(struct latency_change *c, double variance, double df, double confidence)
{
	double half = latency_student(df < 1 ? 1 : df, confidence) * sqrt(variance);
	c->low_ns = c->change_ns - half;
	c->high_ns = c->change_ns + half;
}

static void by_pairs(struct latency_change *c, const double *change, size_t pairs, double confidence)
{
	double n = (double)pairs, sum = 0;
	for (size_t i = 0; i < pairs; i++)
		sum += (change[i] - c->change_ns) * (change[i] - c->change_ns);
	double variance = sum / (n - 1) / n + 2 * resolution(c->a_ns) / n;
	interval(c, variance, n - 1, confidence);
}

bool latency_change_of(const struct latency_series *const *a, const struct latency_series *const *b, size_t pairs,
		       uint32_t ppm, double confidence, struct latency_change *c)
{
	double change[LATENCY_PAIRS_MAX], variance = 0, weight = 0, n = (double)pairs;
	*c = (struct latency_change){ .a_ns = 0 };
	if (!pairs || pairs > LATENCY_PAIRS_MAX)
		return false;
	for (size_t i = 0; i < pairs; i++) {
		const struct latency_series *side[2] = { a[i], b[i] };
		struct estimate e[2];
		for (int s = 0; s < 2; s++) {
			bool known = section(side[s], ppm, &e[s]);
			/* Pairs speak for themselves; their runs need not know their own spread. */
			if (!known && (pairs < LATENCY_PAIRED || side[s]->total.count * (HISTOGRAM_WHOLE_PPM - ppm) <
									 LATENCY_GROUP_BEYOND * HISTOGRAM_WHOLE_PPM))
				return false;
			if (!known)
				e[s] = (struct estimate){ latency_quantile_within(&side[s]->total, ppm), 0, 1 };
			double v = (e[s].variance + resolution(e[s].value)) / n / n;
			variance += v;
			weight += v * v / e[s].df;
		}
		c->a_ns += e[0].value / n;
		c->b_ns += e[1].value / n;
		change[i] = e[1].value - e[0].value;
	}
	c->change_ns = c->b_ns - c->a_ns;
	if (pairs >= LATENCY_PAIRED)
		by_pairs(c, change, pairs, confidence);
	else
		interval(c, variance, variance * variance / weight, confidence);
	return true;
}
