// SPDX-License-Identifier: ISC
/* Which client and which rule the time of packets belongs to. */
#include "latencyby.h"

enum {
	POOL_SHARE = 32,  /* one part in so many of the memory that is left */
	POOL_LEAST = 16,
	POOL_MOST = PORT_COUNT * LATENCY_WAYS,
	KNOCKS = 64,      /* packets from one newcomer to the next: emptying a histogram takes as long as judging some */
};

struct latency_by *latency_by_new(struct arena *a)
{
	size_t size = a->left / POOL_SHARE / sizeof(struct histogram);
	size = size < POOL_LEAST ? POOL_LEAST : size > POOL_MOST ? POOL_MOST : size;
	struct latency_by *by = arena_take(a, 1, sizeof(*by));
	struct histogram *pool = arena_take(a, size, sizeof(*pool));
	uint16_t *given_back = arena_take(a, size, sizeof(*given_back));
	if (!by || !pool || !given_back)
		return NULL;
	by->pool = pool;
	by->free = given_back;
	by->pool_size = (uint32_t)size;
	return by;
}

void latency_by_release(struct latency_by *by, uint16_t port)
{
	for (uint32_t way = 0; way < LATENCY_WAYS; way++) {
		uint16_t place = by->of[port][way];
		if (place)
			by->free[by->free_count++] = place;
		by->of[port][way] = 0;
	}
}

void latency_by_forget(struct latency_by *by)
{
	memset(by->of, 0, sizeof(by->of));
	memset(by->rule, 0, sizeof(by->rule));
	by->pool_used = by->free_count = by->knocks = 0;
	by->unkept = by->rules_unkept = 0;
}

/* An empty one; 0: none is left. */
static uint16_t take_place(struct latency_by *by)
{
	uint16_t place = 0;
	if (by->free_count)
		place = by->free[--by->free_count];
	else if (by->pool_used < by->pool_size)
		place = (uint16_t)++by->pool_used;
	if (place)
		histogram_clear(&by->pool[place - 1]);
	return place;
}

static uint32_t memo_of(uint64_t rule, uint64_t whose)
{
	uint64_t mixed = (rule ^ whose << 7 ^ whose >> 25) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(mixed >> 58);
}

/* The place of the least weight goes to a newcomer, when it is due. NULL: not now. */
static struct latency_rule *let_in(struct latency_by *by, const struct latency_stretch *s, uint64_t whose)
{
	struct latency_rule *least = &by->rule[0];
	by->knocks += s->count;
	for (uint32_t i = 1; i < LATENCY_RULES_MAX && least->weight; i++)
		if (by->rule[i].weight < least->weight)
			least = &by->rule[i];
	if (least->weight && by->knocks < KNOCKS)
		return NULL;
	by->knocks = 0;
	least->rule = s->rule;
	least->whose = whose;
	least->client = *s->client;
	histogram_clear(&least->stay);
	return least;
}

static inline bool is_of(const struct latency_rule *r, const struct latency_stretch *s, uint64_t whose)
{
	return r->rule == s->rule && r->whose == whose && r->weight;
}

/* Where the stretch did not know it. NULL: it has no place. */
static __attribute__((noinline)) struct latency_rule *find(struct latency_by *by, const struct latency_stretch *s,
							    uint64_t whose)
{
	uint8_t *memo = &by->memo[memo_of(s->rule, whose)];
	struct latency_rule *r = &by->rule[*memo], *end = by->rule + LATENCY_RULES_MAX;
	if (is_of(r, s, whose))
		return r;
	for (r = by->rule; r < end && !is_of(r, s, whose);)
		r++;
	if (r == end)
		r = let_in(by, s, whose);
	if (r)
		*memo = (uint8_t)(r - by->rule);
	return r;
}

static inline void add_to_rule(struct latency_by *by, struct latency_stretch *s, uint32_t index, uint64_t ns)
{
	uint64_t whose = s->whose & ~(uint64_t)UINT16_MAX;
	struct latency_rule *r = &by->rule[s->place];
	if (!is_of(r, s, whose)) {
		r = find(by, s, whose);
		if (!r) {
			by->rules_unkept += s->count;
			return;
		}
		s->place = (uint32_t)(r - by->rule);
	}
	r->weight += s->count;
	histogram_record_at(&r->stay, index, ns, s->count);
}

void latency_by_add(struct latency_by *by, struct latency_stretch *const stretch[], uint32_t n, uint64_t ns)
{
	uint32_t index = histogram_index(ns);
	for (uint32_t i = 0; i < n; i++) {
		struct latency_stretch *s = stretch[i];
		uint16_t port = (uint16_t)s->whose;
		enum latency_kind way = latency_way(s);
		ensure(port < PORT_COUNT && way < LATENCY_WAYS);
		uint16_t *place = &by->of[port][way];
		if (!*place)
			*place = take_place(by);
		if (*place)
			histogram_record_at(&by->pool[*place - 1], index, ns, s->count);
		else
			by->unkept += s->count;
		if (s->rule != LATENCY_NO_RULE)
			add_to_rule(by, s, index, ns);
	}
}
