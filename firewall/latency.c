// SPDX-License-Identifier: ISC
/* Histograms of how long packets stay, and the slowest of them. */
#include "latency.h"

enum { CALIBRATE_NS = 1000000000 };

struct latency *latency_new(struct arena *a, uint64_t (*ticks)(void))
{
	struct latency *l = arena_take(a, 1, sizeof(*l));
	if (!l)
		return NULL;
	l->ticks = ticks;
	l->on = ticks != NULL;
	return l;
}

void latency_calibrate(struct latency *l, uint64_t now_ns)
{
	if (!l->ticks || (l->base_ns && now_ns - l->base_ns < CALIBRATE_NS))
		return;
	uint64_t ticks = l->ticks(), passed = ticks - l->base_ticks, ns = now_ns - l->base_ns;
	/* an hour asleep, or a counter that stood still: the next second is measured instead */
	if (l->base_ns && ns < UINT32_MAX && passed > 0)
		l->scale = (ns << 32) / passed;
	l->base_ticks = ticks;
	l->base_ns = now_ns;
}

void latency_switch(struct latency *l, bool on)
{
	l->on = on && l->ticks;
	l->base_ns = 0; /* and measures a second first */
	l->scale = 0;
}

void latency_forget(struct latency *l)
{
	for (uint32_t i = 0; i < LATENCY_KINDS; i++)
		histogram_clear(&l->kind[i]);
	l->slow_floor = 0;
	l->slow_count = 0;
}

const char *latency_kind_word(enum latency_kind kind)
{
	static const char *const word[] = {
		[LATENCY_UP] = "up", [LATENCY_DOWN] = "down", [LATENCY_DROP] = "drop", [LATENCY_PUBLISH] = "publish",
	};
	_Static_assert(array_len(word) == LATENCY_KINDS, "a word for each");
	return word[kind];
}

uint64_t latency_done(struct latency *l, const uint32_t count[LATENCY_KINDS])
{
	uint64_t ns = latency_since(l);
	for (uint32_t i = 0; i < LATENCY_KINDS; i++)
		if (count[i])
			histogram_record_many(&l->kind[i], ns, count[i]);
	return ns;
}

void latency_keep(struct latency *l, const struct latency_slow *packet)
{
	uint32_t least = 0;
	if (l->slow_count < LATENCY_SLOW_MAX) {
		l->slow[l->slow_count++] = *packet;
		return;
	}
	for (uint32_t i = 1; i < LATENCY_SLOW_MAX; i++)
		if (l->slow[i].ns < l->slow[least].ns)
			least = i;
	l->slow_floor = l->slow[least].ns;
	if (packet->ns > l->slow_floor)
		l->slow[least] = *packet;
}
