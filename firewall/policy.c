/* SPDX-License-Identifier: ISC */
/*
 * policy.c: clients by address, each with its published rule set.
 */
#include "policy_clients.h"

/* All rules there is room for at work at once is rare, and so are as many policies as clients: flows need the room more. */
enum { RULES_PER_ACCOUNT = 4, ACCOUNTS_LEAST = 256 };

static const char never[] = "no rules yet";

/* While a set is staged, the one it replaces still holds. */
static uint32_t with_stage(uint32_t rules)
{
	return rules + (rules < RULE_NUMBER_MAX + 1 ? rules : RULE_NUMBER_MAX + 1);
}

static uint32_t accounts_for(uint32_t rules)
{
	uint32_t count = ACCOUNTS_LEAST + rules / RULES_PER_ACCOUNT;
	return count < ACCOUNTS_MAX ? count : ACCOUNTS_MAX;
}

/* One set more than clients for the staged one, and those that wait or are kept. */
static uint32_t sets_of(uint32_t clients)
{
	return clients + 1 + (clients < POLICY_HOLD_MAX ? clients : POLICY_HOLD_MAX);
}

size_t policy_bytes(uint32_t clients, uint32_t rules)
{
	return sizeof(struct policy) + clients * (sizeof(struct client) + sizeof(uint64_t)) +
	       table_bytes(clients) + rule_pool_bytes(sets_of(clients), with_stage(rules)) +
	       accounts_bytes(accounts_for(rules)) + (size_t)5 * 64;
}

struct policy *policy_new(struct arena *arena, const struct secret *secret, uint32_t clients,
			  uint32_t rules)
{
	ensure(clients >= 1 && clients <= POLICY_CLIENTS_MAX);
	struct arena rest = *arena;
	struct policy *p = arena_take(&rest, 1, sizeof(*p));
	struct client *client = arena_take(&rest, clients, sizeof(*client));
	uint64_t *generation = arena_take(&rest, clients, sizeof(*generation));
	struct rule_pool *pool = rule_pool_new(&rest, sets_of(clients), with_stage(rules));
	struct accounts *accounts = accounts_new(&rest, secret, accounts_for(rules));
	if (!p || !client || !generation || !pool || !accounts || !table_init(&p->index, &rest, clients))
		return NULL;
	for (uint32_t i = 0; i < clients; i++)
		client[i].next_free = i + 1 < clients ? i + 1 : NONE;
	p->key = word_key_of(secret, 1);
	p->pool = pool;
	p->accounts = accounts;
	p->client = client;
	p->generation = generation;
	p->capacity = clients;
	p->fault = "";
	p->next_expiry = UINT32_MAX;
	*arena = rest;
	return p;
}

static uint64_t hash_of(const struct policy *p, struct ip_addr ip)
{
	return word_hash(&p->key, ip.b, sizeof(ip.b) / 4);
}

void policy_set_error(struct client *c, const char *error)
{
	struct text t = text_on(c->error);
	text_put(&t, error);
}

/* --- data path --------------------------------------------------------------- */

bool policy_find(const struct policy *p, struct ip_addr ip, uint32_t *client)
{
	uint32_t i = table_first(&p->index, hash_of(p, ip));
	while (i != NONE && !ip_eq(p->client[i].ip, ip))
		i = table_next(&p->index, i);
	*client = i;
	return i != NONE;
}

enum rule_verdict policy_judge(const struct policy *p, uint32_t client, const struct tuple *tuple,
			       uint32_t *rule, enum drop *reason)
{
	*rule = RULE_POLICY;
	*reason = DROP_CLOSED;
	if (client == NONE || !p->client[client].rules)
		return VERDICT_DROP;
	if (p->blocks.any && (*reason = blocks_judge(&p->blocks, tuple)) != DROP_NONE)
		return VERDICT_DROP;
	const struct ruleset *rules = p->client[client].rules;
	enum rule_verdict verdict = ruleset_judge(rules, tuple, &p->context, rule);
	if (verdict == VERDICT_ACCEPT)
		*reason = DROP_NONE;
	else
		*reason = rule_ref_number(*rule) == RULE_POLICY ? DROP_POLICY : DROP_RULE;
	return verdict;
}

struct accounts *policy_accounts(const struct policy *p)
{
	return p->accounts;
}

enum drop policy_blocked(const struct policy *p, const struct tuple *t)
{
	return p->blocks.any ? blocks_judge(&p->blocks, t) : DROP_NONE;
}

const struct blocks *policy_blocks(const struct policy *p)
{
	return &p->blocks;
}

const struct rule_context *policy_context(const struct policy *p)
{
	return &p->context;
}

uint64_t policy_latest(const struct policy *p)
{
	return p->stamp;
}

uint64_t policy_generation(const struct policy *p, uint32_t client)
{
	return client == NONE ? 0 : p->generation[client];
}

const uint64_t *policy_generations(const struct policy *p)
{
	return p->generation;
}

/* --- clients coming and going --------------------------------------------------- */

void policy_free_rules(struct policy *p, struct ruleset *rules)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	while ((rule = ruleset_next(rules, &walk)))
		accounts_release(p->accounts, rule->account);
	accounts_release(p->accounts, ruleset_account(rules));
	ruleset_free(rules);
}

/* Nobody may lose rules to a change that perhaps never happens. */
static bool is_spare(const struct policy *p, const struct client *c)
{
	return c->used && c->attached == 0 && !c->has_pending && !c->has_before && (!p->held || !c->rules);
}

static void forget(struct policy *p, uint32_t at)
{
	table_remove(&p->index, at);
	if (p->client[at].rules)
		policy_free_rules(p, p->client[at].rules);
	p->client[at] = (struct client){ .next_free = p->free };
	p->generation[at] = 0;
	p->free = at;
}

bool policy_forget(struct policy *p, struct ip_addr ip)
{
	uint32_t at;
	if (!policy_find(p, ip, &at))
		return true;
	if (!is_spare(p, &p->client[at]))
		return false;
	forget(p, at);
	return true;
}

/* The address least recently committed that has no port goes. */
static bool evict(struct policy *p)
{
	uint32_t oldest = NONE;
	for (uint32_t i = 0; i < p->capacity; i++) {
		const struct client *c = &p->client[i];
		if (is_spare(p, c) && (oldest == NONE || c->committed < p->client[oldest].committed))
			oldest = i;
	}
	if (oldest != NONE)
		forget(p, oldest);
	return oldest != NONE;
}

struct client *policy_client_of(struct policy *p, struct ip_addr ip)
{
	uint32_t at;
	if (policy_find(p, ip, &at))
		return &p->client[at];
	if (p->free == NONE && !evict(p))
		return NULL;
	at = p->free;
	struct client *c = &p->client[at];
	p->free = c->next_free;
	*c = (struct client){ .ip = ip, .used = true };
	p->generation[at] = ++p->stamp;
	policy_set_error(c, never);
	table_insert(&p->index, hash_of(p, ip), at);
	return c;
}

bool policy_mark_attached(struct policy *p, struct ip_addr ip, bool attached)
{
	uint32_t at;
	if (!attached) {
		if (policy_find(p, ip, &at) && p->client[at].attached > 0)
			p->client[at].attached--;
		return true;
	}
	struct client *c = policy_client_of(p, ip);
	if (!c)
		return false;
	c->attached++;
	return true;
}

bool policy_is_attached(const struct policy *p, struct ip_addr ip)
{
	uint32_t at;
	return policy_find(p, ip, &at) && p->client[at].attached > 0;
}

static void stamp_all(struct policy *p)
{
	p->stamp++;
	for (uint32_t i = 0; i < p->capacity; i++)
		if (p->client[i].used)
			p->generation[i] = p->stamp;
}

void policy_set_dns(struct policy *p, const struct ip_addr *servers, uint32_t count)
{
	ensure(count <= RULE_DNS_MAX);
	struct rule_context context = { .dns_count = count, .hosts = p->hosts, .sets = p->context.sets };
	for (uint32_t i = 0; i < count; i++)
		context.dns[i] = servers[i];
	if (!memcmp(&context, &p->context, sizeof(context)))
		return;
	p->context = context;
	stamp_all(p);
}

void policy_set_blocks(struct policy *p, const struct blocks *blocks)
{
	if (blocks_same(blocks, &p->blocks))
		return;
	p->blocks = *blocks;
	stamp_all(p);
}

void policy_set_hosts(struct policy *p, struct hosts *hosts)
{
	p->hosts = hosts;
	p->context.hosts = hosts;
	rule_pool_set_hosts(p->pool, hosts);
}

void policy_set_sets(struct policy *p, const struct sets *sets)
{
	p->context.sets = sets;
}

struct hosts *policy_hosts(const struct policy *p)
{
	return p->hosts;
}

/* False: it has none of those names. */
static bool renew(struct ruleset *rules, const uint64_t *bit)
{
	if (!rules || !ruleset_names(rules, bit))
		return false;
	ruleset_recompile(rules);
	return true;
}

void policy_hosts_changed(struct policy *p, const uint64_t *bit)
{
	for (uint32_t i = 0; i < p->capacity; i++) {
		const struct client *c = &p->client[i];
		if (!c->used)
			continue;
		/* those that wait, or may come back, are judged by later */
		renew(c->pending, bit);
		renew(c->before, bit);
		if (renew(c->rules, bit))
			p->generation[i] = ++p->stamp;
	}
}

/* How many rules of a set end. */
static uint32_t expire(struct policy *p, struct ruleset *rules)
{
	uint32_t over = rules ? ruleset_expire(rules, p->now_s, &p->next_expiry) : 0;
	if (over)
		ruleset_recompile(rules);
	return over;
}

uint32_t policy_expire(struct policy *p, uint32_t now_s)
{
	uint32_t over = 0;
	p->now_s = now_s;
	if (now_s < p->next_expiry)
		return 0;
	p->next_expiry = UINT32_MAX;
	for (uint32_t i = 0; i < p->capacity; i++) {
		const struct client *c = &p->client[i];
		uint32_t of_client = expire(p, c->rules);
		/* those that wait, or may come back */
		expire(p, c->pending);
		expire(p, c->before);
		if (of_client)
			p->generation[i] = ++p->stamp;
		over += of_client;
	}
	return over;
}

uint32_t policy_next_expiry(const struct policy *p)
{
	return p->next_expiry;
}

/* --- status ----------------------------------------------------------------------- */

uint32_t policy_next(const struct policy *p, uint32_t client)
{
	for (uint32_t i = client == NONE ? 0 : client + 1; i < p->capacity; i++)
		if (p->client[i].used)
			return i;
	return NONE;
}

struct policy_view policy_show(const struct policy *p, uint32_t client)
{
	const struct client *c = &p->client[client];
	return (struct policy_view){
		.ip = c->ip,
		.state = c->rules ? POLICY_OPEN : POLICY_CLOSED,
		.error = c->error,
		.generation = p->generation[client],
		.attached = c->attached,
		.isolated = blocks_isolates(&p->blocks, c->ip),
		.rules = c->rules,
		.walked = c->rules && !ruleset_is_compiled(c->rules),
	};
}

uint32_t policy_rules_walked(const struct policy *p)
{
	return rule_pool_walked(p->pool);
}

uint32_t policy_rules_free(const struct policy *p)
{
	return rule_pool_free(p->pool);
}
