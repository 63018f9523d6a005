// SPDX-License-Identifier: ISC
/* Fits the difference of two clocks from delays in both directions. */
#include <math.h>
#include <stdlib.h>

#include "latency_clock.h"

enum { FIRST_WIDTH_NS = 100000000, SLOPES_MIN = 3 };

void latency_clock_init(struct latency_clock *c, int64_t coarse_ns)
{
	*c = (struct latency_clock){ .coarse_ns = coarse_ns, .width_ns = FIRST_WIDTH_NS };
}

/* Two windows become one: its least. */
static void widen(struct latency_clock *c)
{
	for (int way = 0; way < 2; way++)
		for (size_t i = 0; i < LATENCY_CLOCK_WINDOWS; i++) {
			struct latency_low *low = c->low[way], best = { 0, 0, false };
			for (size_t k = 2 * i; k < 2 * i + 2 && k < LATENCY_CLOCK_WINDOWS; k++)
				if (low[k].any && (!best.any || low[k].ns < best.ns))
					best = low[k];
			low[i] = best;
		}
	c->width_ns *= 2;
}

void latency_clock_add(struct latency_clock *c, unsigned way, uint64_t a_ns, uint64_t b_ns)
{
	if (!c->base_ns)
		c->base_ns = a_ns;
	if (a_ns < c->base_ns)
		return;
	int64_t ahead = (int64_t)(b_ns - a_ns) - c->coarse_ns, ns = way ? -ahead : ahead;
	while ((a_ns - c->base_ns) / c->width_ns >= LATENCY_CLOCK_WINDOWS)
		widen(c);
	struct latency_low *low = &c->low[way][(a_ns - c->base_ns) / c->width_ns];
	if (!low->any || ns < low->ns)
		*low = (struct latency_low){ (int64_t)(a_ns - c->base_ns), ns, true };
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Theil and Sen: the median of the slopes between all pairs, which a few bad windows do not move. */
static bool median_slope(const struct latency_clock *c, double *slope)
{
	size_t n = 0, most = (size_t)LATENCY_CLOCK_WINDOWS * LATENCY_CLOCK_WINDOWS;
	double *list = malloc(most * sizeof(*list));
	for (int way = 0; list && way < 2; way++)
		for (size_t i = 0; i < LATENCY_CLOCK_WINDOWS; i++)
			for (size_t k = i + 1; k < LATENCY_CLOCK_WINDOWS && n < most; k++) {
				const struct latency_low *x = &c->low[way][i], *y = &c->low[way][k];
				if (x->any && y->any && y->at_ns > x->at_ns)
					list[n++] = (way ? -1 : 1) * (double)(y->ns - x->ns) /
						    (double)(y->at_ns - x->at_ns);
			}
	if (n >= SLOPES_MIN) {
		qsort(list, n, sizeof(*list), ascending);
		*slope = list[n / 2];
	}
	free(list);
	return n >= SLOPES_MIN;
}

bool latency_clock_fit(struct latency_clock *c)
{
	double least[2];
	if (!median_slope(c, &c->drift))
		c->drift = 0;
	for (int way = 0; way < 2; way++) {
		least[way] = INFINITY;
		for (size_t i = 0; i < LATENCY_CLOCK_WINDOWS; i++) {
			const struct latency_low *low = &c->low[way][i];
			double flat = (double)low->ns - (way ? -1 : 1) * c->drift * (double)low->at_ns;
			if (low->any && flat < least[way])
				least[way] = flat;
		}
	}
	if (isinf(least[0]) || isinf(least[1]))
		return false;
	c->offset_ns = (least[0] - least[1]) / 2;
	c->round_trip_ns = least[0] + least[1];
	/* Nothing arrives before it was sent. */
	c->swapped = c->round_trip_ns < 0;
	return true;
}

uint64_t latency_clock_to_a(const struct latency_clock *c, uint64_t b_ns)
{
	uint64_t a = b_ns - (uint64_t)c->coarse_ns;
	double since = (double)(int64_t)(a - c->base_ns);
	return a - (uint64_t)(int64_t)llround(c->offset_ns + c->drift * since);
}
