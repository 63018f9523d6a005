/* SPDX-License-Identifier: ISC */
/*
 * ruleset.c: rule sets as chains of chunks, walked from the front.
 */
#include "ruleset.h"
#include "headers.h"

enum { CHUNK_RULES = 16, DNS_PORT = 53 };

struct chunk {
	struct rule rule[CHUNK_RULES];
};

struct ruleset {
	struct rule_pool *pool; /* fixed at creation */
	uint32_t self;
	uint32_t next_free;     /* set, while this one is free */
	uint32_t first, last;   /* chunks, NONE when empty */
	uint32_t count;
	enum rule_verdict policy;
};

struct rule_pool {
	struct chunk *chunk; /* fixed at creation */
	struct ruleset *set;
	uint32_t *next;      /* per chunk: the next of its set or of the free ones */
	uint32_t free_chunk, free_set;
	uint32_t free_chunks;
};

static uint32_t chunks_of(uint32_t sets, uint32_t rules)
{
	/* a set's last chunk is half empty on average; small sets must not starve */
	return rules / CHUNK_RULES + sets / 2 + 1;
}

size_t rule_pool_bytes(uint32_t sets, uint32_t rules)
{
	size_t chunks = chunks_of(sets, rules);
	return sizeof(struct rule_pool) + sets * sizeof(struct ruleset) +
	       chunks * (sizeof(struct chunk) + sizeof(uint32_t)) + (size_t)4 * 64;
}

struct rule_pool *rule_pool_new(struct arena *arena, uint32_t sets, uint32_t rules)
{
	struct arena rest = *arena;
	uint32_t chunks = chunks_of(sets, rules);
	struct rule_pool *pool = arena_take(&rest, 1, sizeof(*pool));
	struct ruleset *set = arena_take(&rest, sets, sizeof(*set));
	struct chunk *chunk = arena_take(&rest, chunks, sizeof(*chunk));
	uint32_t *next = arena_take(&rest, chunks, sizeof(*next));
	if (!pool || !set || !chunk || !next)
		return NULL;
	for (uint32_t i = 0; i < chunks; i++)
		next[i] = i + 1 < chunks ? i + 1 : NONE;
	for (uint32_t i = 0; i < sets; i++) {
		set[i].pool = pool;
		set[i].self = i;
		set[i].next_free = i + 1 < sets ? i + 1 : NONE;
	}
	*pool = (struct rule_pool){ chunk, set, next, 0, sets > 0 ? 0 : NONE, chunks };
	*arena = rest;
	return pool;
}

uint32_t rule_pool_free(const struct rule_pool *pool)
{
	return pool->free_chunks * CHUNK_RULES;
}

struct ruleset *ruleset_new(struct rule_pool *pool, enum rule_verdict policy)
{
	if (pool->free_set == NONE)
		return NULL;
	struct ruleset *set = &pool->set[pool->free_set];
	pool->free_set = set->next_free;
	set->first = set->last = NONE;
	set->count = 0;
	set->policy = policy;
	return set;
}

static bool append_chunk(struct ruleset *set)
{
	struct rule_pool *pool = set->pool;
	uint32_t at = pool->free_chunk;
	if (at == NONE)
		return false;
	pool->free_chunk = pool->next[at];
	pool->free_chunks--;
	pool->next[at] = NONE;
	if (set->last == NONE)
		set->first = at;
	else
		pool->next[set->last] = at;
	set->last = at;
	return true;
}

bool ruleset_append(struct ruleset *set, const struct rule *rule)
{
	if (set->count % CHUNK_RULES == 0 && !append_chunk(set))
		return false;
	set->pool->chunk[set->last].rule[set->count % CHUNK_RULES] = *rule;
	set->count++;
	return true;
}

void ruleset_free(struct ruleset *set)
{
	struct rule_pool *pool = set->pool;
	if (set->last != NONE) {
		pool->next[set->last] = pool->free_chunk;
		pool->free_chunk = set->first;
		pool->free_chunks += (set->count + CHUNK_RULES - 1) / CHUNK_RULES;
	}
	set->next_free = pool->free_set;
	pool->free_set = set->self;
}

static bool is_dns(const struct rule *r, const struct tuple *t, const struct rule_context *context)
{
	if (t->dport != DNS_PORT || (t->proto != PROTO_TCP && t->proto != PROTO_UDP))
		return false;
	/* the Linux agent skips a dns rule whose ports are anything but exactly 53 */
	if ((r->flags & RULE_HAS_PORTS) && (r->port_lo != DNS_PORT || r->port_hi != DNS_PORT))
		return false;
	for (uint32_t i = 0; i < context->dns_count; i++)
		if (ip_eq(t->dst, context->dns[i]))
			return true;
	return false;
}

static bool is_match(const struct rule *r, const struct tuple *t,
		     const struct rule_context *context)
{
	if ((r->flags & RULE_HAS_PROTO) && r->proto != t->proto)
		return false;
	if ((r->flags & RULE_HAS_TYPE) && r->icmp_type != t->kind)
		return false;
	if (r->flags & RULE_HAS_PORTS) {
		if (t->proto != PROTO_TCP && t->proto != PROTO_UDP)
			return false;
		if (t->dport < r->port_lo || t->dport > r->port_hi)
			return false;
	}
	if ((r->flags & RULE_HAS_DST) && !ip_in_prefix(t->dst, r->dst))
		return false;
	/* fail closed: a name that is not resolved forbids everything and permits nothing */
	if ((r->flags & RULE_HAS_HOST) && r->action == VERDICT_ACCEPT)
		return false;
	return !(r->flags & RULE_DNS) || is_dns(r, t, context);
}

const struct rule *ruleset_next(const struct ruleset *set, struct ruleset_walk *walk)
{
	if (walk->index == set->count)
		return NULL;
	if (walk->index % CHUNK_RULES == 0)
		walk->chunk = walk->index == 0 ? set->first : set->pool->next[walk->chunk];
	return &set->pool->chunk[walk->chunk].rule[walk->index++ % CHUNK_RULES];
}

enum rule_verdict ruleset_judge(const struct ruleset *set, const struct tuple *tuple,
				const struct rule_context *context, uint32_t *number)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	while ((rule = ruleset_next(set, &walk))) {
		if (is_match(rule, tuple, context)) {
			*number = rule->number;
			return (enum rule_verdict)rule->action;
		}
	}
	*number = RULE_POLICY;
	return set->policy;
}

uint32_t ruleset_count(const struct ruleset *set)
{
	return set->count;
}

enum rule_verdict ruleset_policy(const struct ruleset *set)
{
	return set->policy;
}
