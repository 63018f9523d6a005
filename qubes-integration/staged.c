/* SPDX-License-Identifier: ISC */
/*
 * staged.c: per tree a doubly linked chain of chunks in ascending order, each
 * for 16 consecutive numbers and never empty.
 */
#include "staged.h"

enum { CHUNK_RULES = 16 };

struct chunk {
	uint32_t prev, next; /* NONE at the ends; next also chains the free ones */
	uint32_t base;       /* number / 16 */
	uint32_t present;    /* bit i: item[i] is there */
	struct staged item[CHUNK_RULES];
};

struct staged_pool {
	struct chunk *chunk; /* fixed at creation */
	struct hosts *hosts; /* or NULL */
	struct sets *sets;   /* or NULL */
	struct accounts *accounts; /* or NULL */
	uint32_t free;
	uint32_t fresh, count; /* from fresh on none was ever used: boot touches none of them */
};

static uint32_t chunks_of(uint32_t trees, uint32_t rules)
{
	return rules / CHUNK_RULES + trees / 2 + 1;
}

size_t staged_pool_bytes(uint32_t trees, uint32_t rules)
{
	return sizeof(struct staged_pool) + chunks_of(trees, rules) * sizeof(struct chunk) +
	       (size_t)2 * 64;
}

struct staged_pool *staged_pool_new(struct arena *arena, uint32_t trees, uint32_t rules)
{
	struct arena rest = *arena;
	uint32_t chunks = chunks_of(trees, rules);
	struct staged_pool *pool = arena_take(&rest, 1, sizeof(*pool));
	struct chunk *chunk = arena_take(&rest, chunks, sizeof(*chunk));
	if (!pool || !chunk)
		return NULL;
	*pool = (struct staged_pool){ chunk, NULL, NULL, NULL, NONE, 0, chunks };
	*arena = rest;
	return pool;
}

void staged_set_hosts(struct staged_pool *pool, struct hosts *hosts)
{
	pool->hosts = hosts;
}

void staged_set_sets(struct staged_pool *pool, struct sets *sets)
{
	pool->sets = sets;
}

void staged_set_accounts(struct staged_pool *pool, struct accounts *accounts)
{
	pool->accounts = accounts;
}

static void release(const struct staged_pool *pool, const struct staged *s)
{
	if (!s->bad && pool->accounts)
		accounts_release(pool->accounts, s->rule.account);
	if (!s->bad && s->rule.flags & RULE_HAS_HOST)
		hosts_release(pool->hosts, s->rule.host);
	if (!s->bad && (s->rule.flags & RULE_HAS_SET) && pool->sets)
		sets_release(pool->sets, s->rule.host);
}

/* The last chunk whose base is <= base, or NONE when all are above. */
static uint32_t last_up_to(const struct staged_pool *pool, const struct staged_tree *t,
			   uint32_t base)
{
	const struct chunk *chunk = pool->chunk;
	uint32_t at = t->hint != NONE ? t->hint : t->first;
	while (at != NONE && chunk[at].base > base)
		at = chunk[at].prev;
	if (at == NONE)
		return NONE;
	while (chunk[at].next != NONE && chunk[chunk[at].next].base <= base)
		at = chunk[at].next;
	return at;
}

/* A fresh chunk behind prev (NONE: in front), or NONE. */
static uint32_t insert_behind(struct staged_pool *pool, struct staged_tree *t, uint32_t prev,
			      uint32_t base)
{
	struct chunk *chunk = pool->chunk;
	uint32_t at = pool->free;
	if (at != NONE)
		pool->free = chunk[at].next;
	else if (pool->fresh < pool->count)
		at = pool->fresh++;
	else
		return NONE;
	uint32_t next = prev == NONE ? t->first : chunk[prev].next;
	chunk[at].prev = prev;
	chunk[at].next = next;
	chunk[at].base = base;
	chunk[at].present = 0;
	if (prev == NONE)
		t->first = at;
	else
		chunk[prev].next = at;
	if (next != NONE)
		chunk[next].prev = at;
	return at;
}

struct staged *staged_put(struct staged_pool *pool, struct staged_tree *t, uint32_t number)
{
	ensure(number <= RULE_NUMBER_MAX);
	uint32_t base = number / CHUNK_RULES, slot = number % CHUNK_RULES;
	uint32_t at = last_up_to(pool, t, base);
	if (at == NONE || pool->chunk[at].base != base)
		at = insert_behind(pool, t, at, base);
	if (at == NONE)
		return NULL;
	t->hint = at;
	struct chunk *c = &pool->chunk[at];
	if (c->present & 1u << slot)
		release(pool, &c->item[slot]);
	c->present |= 1u << slot;
	c->item[slot].bad = true;
	c->item[slot].number = (uint16_t)number;
	return &c->item[slot];
}

void staged_set(struct staged_pool *pool, struct staged *s, const struct rule *rule)
{
	s->rule = *rule;
	s->bad = false;
	if (pool->accounts)
		accounts_hold(pool->accounts, rule->account);
	if (rule->flags & RULE_HAS_HOST)
		hosts_hold(pool->hosts, rule->host);
	if ((rule->flags & RULE_HAS_SET) && pool->sets)
		sets_hold(pool->sets, rule->host);
}

void staged_remove(struct staged_pool *pool, struct staged_tree *t, uint32_t number)
{
	struct chunk *chunk = pool->chunk;
	uint32_t at = last_up_to(pool, t, number / CHUNK_RULES);
	if (at == NONE || chunk[at].base != number / CHUNK_RULES)
		return;
	uint32_t slot = number % CHUNK_RULES;
	if (chunk[at].present & 1u << slot)
		release(pool, &chunk[at].item[slot]);
	chunk[at].present &= ~(1u << slot);
	if (chunk[at].present)
		return;
	uint32_t prev = chunk[at].prev, next = chunk[at].next;
	if (prev == NONE)
		t->first = next;
	else
		chunk[prev].next = next;
	if (next != NONE)
		chunk[next].prev = prev;
	t->hint = prev;
	chunk[at].next = pool->free;
	pool->free = at;
}

void staged_clear(struct staged_pool *pool, struct staged_tree *t)
{
	while (t->first != NONE) {
		uint32_t at = t->first;
		for (uint32_t i = 0; i < CHUNK_RULES; i++)
			if (pool->chunk[at].present & 1u << i)
				release(pool, &pool->chunk[at].item[i]);
		t->first = pool->chunk[at].next;
		pool->chunk[at].next = pool->free;
		pool->free = at;
	}
	t->hint = NONE;
}

struct staged_walk staged_start(const struct staged_tree *t)
{
	return (struct staged_walk){ t->first, 0 };
}

const struct staged *staged_next(const struct staged_pool *pool, struct staged_walk *w)
{
	while (w->chunk != NONE) {
		const struct chunk *c = &pool->chunk[w->chunk];
		while (w->at < CHUNK_RULES) {
			uint32_t at = w->at++;
			if (c->present & 1u << at)
				return &c->item[at];
		}
		*w = (struct staged_walk){ c->next, 0 };
	}
	return NULL;
}

bool staged_uses_set(const struct staged_pool *pool, const struct staged_tree *t, uint32_t set)
{
	struct staged_walk walk = staged_start(t);
	const struct staged *s;
	while ((s = staged_next(pool, &walk)))
		if (!s->bad && (s->rule.flags & RULE_HAS_SET) && s->rule.host == set)
			return true;
	return false;
}

bool staged_has_names(const struct staged_pool *pool, const struct staged_tree *t)
{
	struct staged_walk walk = staged_start(t);
	const struct staged *s;
	while ((s = staged_next(pool, &walk)))
		if (!s->bad && (s->rule.flags & RULE_HAS_HOST))
			return true;
	return false;
}
