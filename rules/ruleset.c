/* SPDX-License-Identifier: ISC */
/*
 * ruleset.c: rule sets as chains of chunks, and the images that they are compiled to.
 *
 * Images lie one behind the other in the order of the list that links their
 * sets. A new one goes behind the last; when there is too little room there,
 * all move to the front first, so that no hole is ever lost.
 */
#include "ruleset.h"
#include "compiled.h"
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
	uint16_t account;       /* of the policy */
	bool walked;            /* compiling it failed */
	uint32_t named;         /* rules with a name */
	uint32_t temporary;     /* rules with a time, that has not come */
	size_t image_at, image_bytes; /* 0 bytes: none */
	uint32_t before, behind; /* sets with the neighbouring images */
};

struct rule_pool {
	struct chunk *chunk; /* fixed at creation */
	struct ruleset *set;
	uint32_t *next;      /* per chunk: the next of its set or of the free ones */
	uint32_t free_chunk, free_set;
	uint32_t free_chunks;
	struct compiler *compiler;
	struct hosts *hosts; /* or NULL */
	uint8_t *image;
	size_t image_room;   /* fixed at creation */
	size_t image_free;   /* of it, holes included */
	uint32_t first_image, last_image; /* sets */
	uint32_t walked;
};

static uint32_t chunks_of(uint32_t sets, uint32_t rules)
{
	/* a set's last chunk is half empty on average; small sets must not starve */
	return rules / CHUNK_RULES + sets / 2 + 1;
}

static size_t image_bytes_of(uint32_t sets, uint32_t chunks)
{
	return ((size_t)chunks * CHUNK_RULES + COMPILED_SPARE_ITEMS) * COMPILED_RULE_BYTES +
	       (size_t)sets * COMPILED_HEAD_BYTES + chunks * sizeof(uint32_t);
}

/* Rules that one set can have and be compiled. */
static uint32_t compiled_most(uint32_t chunks)
{
	return chunks < COMPILED_RULES / CHUNK_RULES ? chunks * CHUNK_RULES : COMPILED_RULES;
}

size_t rule_pool_bytes(uint32_t sets, uint32_t rules)
{
	uint32_t chunks = chunks_of(sets, rules);
	return sizeof(struct rule_pool) + sets * sizeof(struct ruleset) +
	       chunks * (sizeof(struct chunk) + sizeof(uint32_t)) + image_bytes_of(sets, chunks) +
	       compiler_bytes(compiled_most(chunks)) + (size_t)5 * 64;
}

struct rule_pool *rule_pool_new(struct arena *arena, uint32_t sets, uint32_t rules)
{
	struct arena rest = *arena;
	uint32_t chunks = chunks_of(sets, rules);
	struct rule_pool *pool = arena_take(&rest, 1, sizeof(*pool));
	struct ruleset *set = arena_take(&rest, sets, sizeof(*set));
	struct chunk *chunk = arena_take_raw(&rest, chunks, sizeof(*chunk));
	uint32_t *next = arena_take_raw(&rest, chunks, sizeof(*next));
	uint8_t *image = arena_take_raw(&rest, 1, image_bytes_of(sets, chunks));
	struct compiler *compiler = compiler_new(&rest, compiled_most(chunks));
	if (!pool || !set || !chunk || !next || !image || !compiler)
		return NULL;
	for (uint32_t i = 0; i < chunks; i++)
		next[i] = i + 1 < chunks ? i + 1 : NONE;
	for (uint32_t i = 0; i < sets; i++) {
		set[i].pool = pool;
		set[i].self = i;
		set[i].next_free = i + 1 < sets ? i + 1 : NONE;
	}
	*pool = (struct rule_pool){
		.chunk = chunk, .set = set, .next = next, .free_chunk = 0, .free_set = sets > 0 ? 0 : NONE,
		.free_chunks = chunks, .compiler = compiler, .image = image,
		.image_room = image_bytes_of(sets, chunks), .image_free = image_bytes_of(sets, chunks),
		.first_image = NONE, .last_image = NONE,
	};
	*arena = rest;
	return pool;
}

void rule_pool_set_hosts(struct rule_pool *pool, struct hosts *hosts)
{
	pool->hosts = hosts;
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
	set->account = 0;
	set->walked = false;
	set->named = 0;
	set->temporary = 0;
	set->image_bytes = 0;
	return set;
}

void ruleset_set_account(struct ruleset *set, uint16_t account)
{
	set->account = account;
}

uint16_t ruleset_account(const struct ruleset *set)
{
	return set->account;
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
	ensure(set->image_bytes == 0 && !set->walked);
	if (set->count % CHUNK_RULES == 0 && !append_chunk(set))
		return false;
	set->pool->chunk[set->last].rule[set->count % CHUNK_RULES] = *rule;
	set->count++;
	set->temporary += rule->expire > 0 && !(rule->flags & RULE_VOID);
	if (rule->flags & RULE_HAS_HOST) {
		set->named++;
		hosts_hold(set->pool->hosts, rule->host);
	}
	return true;
}

static void free_image(struct ruleset *set)
{
	struct rule_pool *pool = set->pool;
	if (set->before == NONE)
		pool->first_image = set->behind;
	else
		pool->set[set->before].behind = set->behind;
	if (set->behind == NONE)
		pool->last_image = set->before;
	else
		pool->set[set->behind].before = set->before;
	pool->image_free += set->image_bytes;
	set->image_bytes = 0;
}

static void release_names(const struct ruleset *set)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	while (set->named > 0 && (rule = ruleset_next(set, &walk)))
		if (rule->flags & RULE_HAS_HOST)
			hosts_release(set->pool->hosts, rule->host);
}

void ruleset_free(struct ruleset *set)
{
	release_names(set);
	struct rule_pool *pool = set->pool;
	if (set->image_bytes > 0)
		free_image(set);
	pool->walked -= set->walked;
	if (set->last != NONE) {
		pool->next[set->last] = pool->free_chunk;
		pool->free_chunk = set->first;
		pool->free_chunks += (set->count + CHUNK_RULES - 1) / CHUNK_RULES;
	}
	set->next_free = pool->free_set;
	pool->free_set = set->self;
}

/* --- images ---------------------------------------------------------------------- */

static const void *image_of(const struct ruleset *set)
{
	return set->pool->image + set->image_at;
}

/* Behind its image a set that is asked for rules, not for verdicts, has the numbers of its chunks. */
static size_t directory_bytes(const struct ruleset *set)
{
	size_t bytes = (set->count + CHUNK_RULES - 1) / CHUNK_RULES * sizeof(uint32_t);
	bool asked = set->first != NONE && set->pool->chunk[set->first].rule[0].kind != RULE_OUTWARD;
	return asked ? (bytes + COMPILED_ALIGN - 1) / COMPILED_ALIGN * COMPILED_ALIGN : 0;
}

static const uint32_t *directory_of(const struct ruleset *set)
{
	size_t bytes = directory_bytes(set);
	ensure(bytes > 0);
	return (const void *)((const uint8_t *)image_of(set) + set->image_bytes - bytes);
}

static void fill_directory(const struct ruleset *set, uint32_t *to)
{
	for (uint32_t i = set->first; i != NONE; i = set->pool->next[i])
		*to++ = i;
}

/* The first byte behind the last image. */
static size_t images_end(const struct rule_pool *pool)
{
	const struct ruleset *last = pool->last_image == NONE ? NULL : &pool->set[pool->last_image];
	return last ? last->image_at + last->image_bytes : 0;
}

static void close_holes(struct rule_pool *pool)
{
	size_t to = 0;
	for (uint32_t i = pool->first_image; i != NONE; i = pool->set[i].behind) {
		struct ruleset *set = &pool->set[i];
		if (to != set->image_at)
			memmove(pool->image + to, pool->image + set->image_at, set->image_bytes);
		set->image_at = to;
		to += set->image_bytes;
	}
}

static bool fill_compiler(const struct ruleset *set)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	compiler_begin(set->pool->compiler);
	while ((rule = ruleset_next(set, &walk)))
		if (!compiler_add(set->pool->compiler, rule, set->pool->hosts))
			return false;
	return true;
}

bool ruleset_compile(struct ruleset *set)
{
	struct rule_pool *pool = set->pool;
	ensure(set->image_bytes == 0 && !set->walked);
	size_t bytes = 0;
	if (fill_compiler(set)) {
		if (pool->image_room - images_end(pool) < compiler_need(pool->compiler) + directory_bytes(set))
			close_holes(pool);
		size_t at = images_end(pool);
		size_t room = pool->image_room - at, more = directory_bytes(set);
		bytes = room < more ? 0 : compiler_finish(pool->compiler, pool->image + at, room - more);
		if (bytes > 0 && more > 0)
			fill_directory(set, (void *)(pool->image + at + bytes));
		bytes += bytes > 0 ? more : 0;
		set->image_at = at;
	}
	set->image_bytes = bytes;
	set->walked = bytes == 0;
	pool->walked += set->walked;
	if (bytes == 0)
		return false;
	pool->image_free -= bytes;
	set->before = pool->last_image;
	set->behind = NONE;
	if (pool->last_image == NONE)
		pool->first_image = set->self;
	else
		pool->set[pool->last_image].behind = set->self;
	pool->last_image = set->self;
	return true;
}

bool ruleset_recompile(struct ruleset *set)
{
	if (set->image_bytes > 0)
		free_image(set);
	set->pool->walked -= set->walked;
	set->walked = false;
	return ruleset_compile(set);
}

bool ruleset_names(const struct ruleset *set, const uint64_t *bit)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	while (set->named > 0 && (rule = ruleset_next(set, &walk)))
		if ((rule->flags & RULE_HAS_HOST) && rule->host != NONE && bit[rule->host / 64] >> rule->host % 64 & 1)
			return true;
	return false;
}

uint32_t ruleset_expire(struct ruleset *set, uint32_t now_s, uint32_t *next)
{
	uint32_t at = NONE, over = 0;
	if (set->temporary == 0)
		return 0;
	for (uint32_t i = 0; i < set->count; i++) {
		if (i % CHUNK_RULES == 0)
			at = i == 0 ? set->first : set->pool->next[at];
		struct rule *rule = &set->pool->chunk[at].rule[i % CHUNK_RULES];
		if (rule->expire == 0 || (rule->flags & RULE_VOID))
			continue;
		if (rule->expire <= now_s) {
			rule->flags |= RULE_VOID;
			over++;
		} else if (rule->expire < *next) {
			*next = rule->expire;
		}
	}
	set->temporary -= over;
	return over;
}

bool ruleset_is_compiled(const struct ruleset *set)
{
	return set->image_bytes > 0;
}

uint32_t rule_pool_walked(const struct rule_pool *pool)
{
	return pool->walked;
}

size_t rule_pool_image_free(const struct rule_pool *pool)
{
	return pool->image_free;
}

/* --- judging ------------------------------------------------------------------------ */

static bool is_to_dns(const struct tuple *t, const struct rule_context *context)
{
	if (t->dport != DNS_PORT || (t->proto != PROTO_TCP && t->proto != PROTO_UDP))
		return false;
	for (uint32_t i = 0; i < context->dns_count; i++)
		if (ip_eq(t->dst, context->dns[i]))
			return true;
	return false;
}

static bool is_dns(const struct rule *r, const struct tuple *t, const struct rule_context *context)
{
	/* the Linux agent skips a dns rule whose ports are anything but exactly 53 */
	if ((r->flags & RULE_HAS_PORTS) && (r->port_lo != DNS_PORT || r->port_hi != DNS_PORT))
		return false;
	return is_to_dns(t, context);
}

enum rule_trial ruleset_try(const struct rule *r, const struct tuple *t,
			    const struct rule_context *context)
{
	if (r->flags & RULE_VOID)
		return (r->flags & (RULE_HAS_SET | RULE_HAS_DST)) == RULE_HAS_SET ? TRIAL_SET : TRIAL_EXPIRED;
	if ((r->flags & RULE_HAS_PROTO) && r->proto != t->proto)
		return TRIAL_PROTO;
	if ((r->flags & RULE_HAS_TYPE) && r->icmp_type != t->kind)
		return TRIAL_TYPE;
	if (r->flags & RULE_HAS_PORTS) {
		if (t->proto != PROTO_TCP && t->proto != PROTO_UDP)
			return TRIAL_PORTS;
		if (t->dport < r->port_lo || t->dport > r->port_hi)
			return TRIAL_PORTS;
	}
	if ((r->flags & RULE_HAS_DST) && !ip_in_prefix(t->dst, r->dst))
		return TRIAL_DST;
	if (r->flags & RULE_HAS_HOST) {
		const struct host *host = hosts_resolved(context->hosts, r->host);
		/* fail closed: a name that is not resolved forbids everything and permits nothing */
		if (host ? !host_has(host, t->dst) : r->action == VERDICT_ACCEPT)
			return TRIAL_HOST;
	}
	return !(r->flags & RULE_DNS) || is_dns(r, t, context) ? TRIAL_HIT : TRIAL_DNS;
}

const char *rule_trial_word(enum rule_trial trial)
{
	static const char *const word[] = {
		[TRIAL_HIT] = "hit",	 [TRIAL_PROTO] = "proto", [TRIAL_TYPE] = "icmptype",
		[TRIAL_PORTS] = "dstports", [TRIAL_DST] = "dst",	  [TRIAL_HOST] = "dsthost",
		[TRIAL_DNS] = "dns",	    [TRIAL_EXPIRED] = "expired", [TRIAL_SET] = "dstset", [TRIAL_SRC] = "src",
	};
	_Static_assert(array_len(word) == TRIAL_COUNT, "a word for each");
	return word[trial];
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
				const struct rule_context *context, uint32_t *decided)
{
	if (set->image_bytes == 0)
		return ruleset_judge_linear(set, tuple, context, decided);
	const struct compiled *image = image_of(set);
	uint32_t place = compiled_judge(image, tuple, is_to_dns(tuple, context));
	if (place == COMPILED_NO_RULE) {
		*decided = rule_ref(RULE_POLICY, set->account);
		return set->policy;
	}
	const struct compiled_verdict *verdict = &compiled_verdicts(image)[place];
	*decided = rule_ref(compiled_number(verdict), verdict->account);
	return compiled_action(verdict);
}

const struct rule *ruleset_find(const struct ruleset *set, const struct tuple *tuple, const struct rule_context *context)
{
	ensure(set->image_bytes > 0);
	uint32_t place = compiled_judge(image_of(set), tuple, is_to_dns(tuple, context));
	if (place == COMPILED_NO_RULE)
		return NULL;
	return &set->pool->chunk[directory_of(set)[place / CHUNK_RULES]].rule[place % CHUNK_RULES];
}

enum rule_verdict ruleset_judge_linear(const struct ruleset *set, const struct tuple *tuple,
				       const struct rule_context *context, uint32_t *decided)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	while ((rule = ruleset_next(set, &walk))) {
		if (ruleset_try(rule, tuple, context) == TRIAL_HIT) {
			*decided = rule_ref(rule->number, rule->account);
			return (enum rule_verdict)rule->action;
		}
	}
	*decided = rule_ref(RULE_POLICY, set->account);
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
