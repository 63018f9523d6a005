/* SPDX-License-Identifier: ISC */
/*
 * policy.c: clients by address, each with its published rule set.
 */
#include "policy.h"
#include "table.h"

struct client {
	struct ip_addr ip;
	struct ruleset *rules; /* NULL: closed */
	uint64_t committed;    /* stamp of the last commit, for eviction; 0: never */
	struct ruleset *pending, *before; /* what waits, and what is kept; NULL: closed */
	uint32_t attached;
	uint32_t next_free;    /* set, while this one is free */
	bool used, has_pending, has_before;
	char error[POLICY_ERROR_TEXT];
};

struct stage {
	struct ip_addr ip;
	struct ruleset *rules; /* NULL: nothing is staged */
	uint64_t serial;       /* of the set */
	uint32_t number;       /* of the rule before; NONE: none */
	uint16_t account;      /* of that one */
	bool active, full;
};

struct policy {
	struct word_key key; /* fixed at creation */
	struct rule_pool *pool;
	struct accounts *accounts;
	struct client *client;
	uint64_t *generation; /* by client, side by side for the data path; 0: free */
	uint32_t capacity;
	struct table index;
	uint32_t free;
	uint64_t stamp; /* the global generation */
	uint64_t sets;  /* staged since boot */
	struct blocks blocks;
	struct rule_context context;
	struct hosts *hosts; /* or NULL */
	struct stage stage;
	uint32_t now_s, next_expiry; /* wall clock; UINT32_MAX: no rule has a time */
	bool held;
	enum policy_keeping keeping;
	const char *fault;
};

/* All rules there is room for at work at once is rare, and so are as many policies as clients: flows need the room more. */
enum { RULES_PER_ACCOUNT = 4, ACCOUNTS_LEAST = 256 };

static const char never[] = "no rules yet";
static const char full[] = "too many rules: no room left";
static const char crowded[] = "too many clients";
static const char emptied[] = "no policy";
static const char as_before[] = "closed, as before the change that nobody confirmed";

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

static void set_error(struct client *c, const char *error)
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

static void free_rules(struct policy *p, struct ruleset *rules)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *rule;
	while ((rule = ruleset_next(rules, &walk)))
		accounts_release(p->accounts, rule->account);
	accounts_release(p->accounts, ruleset_account(rules));
	ruleset_free(rules);
}

static void drop(struct policy *p, struct ruleset **rules, bool *has)
{
	if (*has && *rules)
		free_rules(p, *rules);
	*rules = NULL;
	*has = false;
}

/* rules NULL: error says why it is closed. */
static void replace(struct policy *p, struct client *c, struct ruleset *rules, const char *error,
		    enum policy_keeping keeping)
{
	bool keep = keeping == POLICY_KEEP && !c->has_before;
	if (keeping != POLICY_KEEP)
		drop(p, &c->before, &c->has_before);
	if (keep)
		c->before = c->rules;
	else if (c->rules)
		free_rules(p, c->rules);
	c->has_before |= keep;
	c->rules = rules;
	set_error(c, error);
}

static void publish(struct policy *p, struct client *c, struct ruleset *rules, const char *error)
{
	replace(p, c, rules, error, p->keeping);
	p->generation[c - p->client] = ++p->stamp;
	c->committed = p->stamp;
}

static void pend(struct policy *p, struct client *c, struct ruleset *rules)
{
	drop(p, &c->pending, &c->has_pending);
	c->pending = rules;
	c->has_pending = true;
}

/* The address least recently committed that has no port goes. */
static bool evict(struct policy *p)
{
	uint32_t oldest = NONE;
	for (uint32_t i = 0; i < p->capacity; i++) {
		const struct client *c = &p->client[i];
		/* nobody may lose rules to a change that perhaps never happens */
		bool spare = c->used && c->attached == 0 && !c->has_pending && !c->has_before;
		if (spare && (!p->held || !c->rules) &&
		    (oldest == NONE || c->committed < p->client[oldest].committed))
			oldest = i;
	}
	if (oldest == NONE)
		return false;
	table_remove(&p->index, oldest);
	if (p->client[oldest].rules)
		free_rules(p, p->client[oldest].rules);
	p->client[oldest] = (struct client){ .next_free = p->free };
	p->generation[oldest] = 0;
	p->free = oldest;
	return true;
}

/* The client of this address, made when it is new; NULL when there is no room. */
static struct client *client_of(struct policy *p, struct ip_addr ip)
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
	set_error(c, never);
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
	struct client *c = client_of(p, ip);
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

/* --- a rule set's way in -------------------------------------------------------- */

static void unstage(struct policy *p)
{
	if (p->stage.rules)
		free_rules(p, p->stage.rules);
	p->stage = (struct stage){ .active = false };
}

void policy_stage(struct policy *p, struct ip_addr ip, enum rule_verdict policy)
{
	unstage(p);
	p->fault = "";
	/* NULL: only when more clients change at once than POLICY_HOLD_MAX */
	struct ruleset *rules = ruleset_new(p->pool, policy);
	p->stage = (struct stage){ .ip = ip, .rules = rules, .serial = ++p->sets, .number = NONE, .active = true,
				   .full = !rules };
	if (!rules) {
		p->fault = "more than 256 clients change at once";
		return;
	}
	ruleset_set_account(rules, accounts_of_policy(p->accounts, ip));
	accounts_hold(p->accounts, ruleset_account(rules));
}

void policy_stage_rule(struct policy *p, const struct rule *rule)
{
	ensure(p->stage.active);
	struct rule staged = *rule;
	if (rule->expire > 0 && rule->expire <= p->now_s)
		staged.flags |= RULE_VOID;
	else if (rule->expire > 0 && rule->expire < p->next_expiry)
		p->next_expiry = rule->expire;
	/* a line that became several rules is one */
	if (rule->number != p->stage.number)
		p->stage.account = accounts_next_line(p->accounts, rule->account, p->stage.serial);
	p->stage.number = rule->number;
	staged.account = p->stage.account;
	if (p->stage.full)
		return;
	if (!ruleset_append(p->stage.rules, &staged)) {
		p->stage.full = true;
		p->fault = full;
		return;
	}
	accounts_hold(p->accounts, staged.account);
}

static bool is_same(const struct ruleset *a, const struct ruleset *b)
{
	struct ruleset_walk wa = { 0, 0 }, wb = { 0, 0 };
	const struct rule *ra, *rb;
	if (!a || ruleset_policy(a) != ruleset_policy(b) || ruleset_count(a) != ruleset_count(b))
		return false;
	while ((ra = ruleset_next(a, &wa)) && (rb = ruleset_next(b, &wb)))
		if (memcmp(ra, rb, sizeof(*ra)))
			return false;
	return true;
}

bool policy_publish(struct policy *p)
{
	ensure(p->stage.active);
	struct client *c = p->stage.full ? NULL : client_of(p, p->stage.ip);
	if (!p->stage.full && !c)
		p->fault = crowded;
	if (!c) {
		if (p->stage.full && !p->held)
			policy_close(p, p->stage.ip, p->fault);
		unstage(p);
		return false;
	}
	if ((p->held || p->keeping != POLICY_FORGET) && is_same(c->rules, p->stage.rules)) {
		drop(p, &c->pending, &c->has_pending);
		unstage(p);
		return true;
	}
	/* no room for an image is no fault: the set is then walked, and policy_rules_walked says so */
	ruleset_compile(p->stage.rules);
	if (p->held)
		pend(p, c, p->stage.rules);
	else
		publish(p, c, p->stage.rules, "");
	p->stage = (struct stage){ .active = false };
	return true;
}

void policy_close(struct policy *p, struct ip_addr ip, const char *error)
{
	struct client *c = client_of(p, ip);
	if (p->stage.active && ip_eq(p->stage.ip, ip))
		unstage(p);
	if (!c)
		return;
	if (p->held)
		pend(p, c, NULL);
	else
		publish(p, c, NULL, error);
}

const char *policy_fault(const struct policy *p)
{
	return p->fault;
}

/* --- many clients at once ---------------------------------------------------------- */

void policy_hold(struct policy *p)
{
	policy_abandon(p);
	p->held = true;
}

bool policy_is_held(const struct policy *p)
{
	return p->held;
}

void policy_abandon(struct policy *p)
{
	for (uint32_t i = 0; i < p->capacity; i++)
		drop(p, &p->client[i].pending, &p->client[i].has_pending);
	p->held = false;
}

void policy_release(struct policy *p, bool keep)
{
	p->held = false;
	p->stamp++;
	for (uint32_t i = 0; i < p->capacity; i++) {
		struct client *c = &p->client[i];
		if (!c->has_pending)
			continue;
		replace(p, c, c->pending, c->pending ? "" : emptied, keep ? POLICY_KEEP : POLICY_FORGET);
		c->pending = NULL;
		c->has_pending = false;
		c->committed = p->generation[i] = p->stamp;
	}
}

void policy_keeping(struct policy *p, enum policy_keeping keeping)
{
	p->keeping = keeping;
}

void policy_settle(struct policy *p)
{
	for (uint32_t i = 0; i < p->capacity; i++)
		drop(p, &p->client[i].before, &p->client[i].has_before);
}

void policy_revert(struct policy *p)
{
	p->stamp++;
	for (uint32_t i = 0; i < p->capacity; i++) {
		struct client *c = &p->client[i];
		if (!c->has_before)
			continue;
		struct ruleset *before = c->before;
		c->before = NULL;
		c->has_before = false;
		replace(p, c, before, before ? "" : as_before, POLICY_FORGET);
		p->generation[i] = p->stamp;
	}
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
