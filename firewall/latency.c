// SPDX-License-Identifier: ISC
/* Histograms of how long packets stay, and the slowest of them. */
#include "latency.h"

#include "latencyby.h"

enum { CALIBRATE_NS = 1000000000 };
static const uint64_t HOST_TICKS_MAX = UINT64_C(1) << 36; /* half a minute; more is no measurement */

struct latency *latency_new(struct arena *a, uint64_t (*ticks)(void))
{
	struct latency *l = arena_take(a, 1, sizeof(*l));
	struct latency_stretches *stretches = arena_take(a, 1, sizeof(*stretches));
	if (!l || !stretches)
		return NULL;
	stretches->flow = NONE;
	l->stretches = stretches;
	l->ticks = ticks;
	l->on = l->stages = ticks != NULL;
	if (ticks)
		l->by = latency_by_new(a);
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

void latency_switch(struct latency *l, bool on, bool stages)
{
	l->on = on && l->ticks;
	l->stages = stages;
	l->base_ns = 0; /* how long a tick is stays known; the next second is measured from now */
}

void latency_forget(struct latency *l)
{
	for (uint32_t i = 0; i < LATENCY_KINDS; i++)
		histogram_clear(&l->kind[i]);
	l->slow_floor = 0;
	l->slow_count = 0;
	if (l->by)
		latency_by_forget(l->by);
}

const char *latency_kind_word(enum latency_kind kind)
{
	static const char *const word[] = {
		[LATENCY_UP] = "up", [LATENCY_DOWN] = "down", [LATENCY_DROP] = "drop", [LATENCY_ANSWER] = "answer",
		[LATENCY_PARSE] = "parse",
		[LATENCY_LOOKUP] = "lookup", [LATENCY_FORWARD] = "forward", [LATENCY_PUBLISH] = "publish",
		[LATENCY_HOST_IN] = "host-in", [LATENCY_HOST_OUT] = "host-out",
	};
	_Static_assert(array_len(word) == LATENCY_KINDS, "a word for each");
	return word[kind];
}

static void stage(struct latency *l, enum latency_kind kind, uint64_t from, uint64_t to, uint32_t n)
{
	histogram_record_many(&l->kind[kind], latency_ns(l, to - from), n);
}

uint64_t latency_done(struct latency *l, const struct latency_group *g, const uint32_t count[LATENCY_WAYS])
{
	uint64_t ns = latency_ns(l, g->done - l->began);
	uint32_t n = 0;
	for (uint32_t i = 0; i < LATENCY_WAYS; n += count[i++])
		if (count[i])
			histogram_record_many(&l->kind[i], ns, count[i]);
	if (l->stages && n) {
		stage(l, LATENCY_PARSE, l->began, g->parsed, n);
		stage(l, LATENCY_LOOKUP, g->parsed, g->looked_up, n);
		stage(l, LATENCY_FORWARD, g->looked_up, g->done, n);
	}
	return ns;
}

void latency_published(struct latency *l, uint32_t n)
{
	if (n && latency_runs(l))
		stage(l, LATENCY_PUBLISH, l->began, l->ticks(), n);
}

void latency_arrived(struct latency *l, uint64_t ticks, uint32_t n)
{
	/* stamps of another counter than ours would show as ages, or as the future */
	if (n && ticks && latency_runs(l) && l->began - ticks < HOST_TICKS_MAX)
		stage(l, LATENCY_HOST_IN, ticks, l->began, n);
}

void latency_written(struct latency *l, uint64_t ticks, uint32_t n)
{
	if (n && latency_runs(l) && ticks < HOST_TICKS_MAX)
		stage(l, LATENCY_HOST_OUT, 0, ticks, n);
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
