/* SPDX-License-Identifier: ISC */
/*
 * trees.c: the trees below /qubes-firewall by client address, and their keys.
 */
#include "cross_rule.h"
#include "trees.h"

/* --- words ------------------------------------------------------------------------ */

static struct cursor cursor_of_string(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return cursor_of(s, n);
}

static bool is_word(struct cursor c, const char *word)
{
	return parse_word(&c, word) && c.left == 0;
}

/* Exactly four digits. */
static bool get_number(struct cursor c, uint32_t *number)
{
	return c.left == 4 && parse_u32(&c, RULE_NUMBER_MAX, number) && c.left == 0;
}

/* --- trees by address --------------------------------------------------------------- */

static uint64_t hash_of(const struct trees *t, struct ip_addr ip)
{
	return siphash13(t->secret->key, ip.b, sizeof(ip.b));
}

struct tree *trees_find(const struct trees *t, struct ip_addr ip)
{
	uint32_t i = table_first(&t->index, hash_of(t, ip));
	while (i != NONE && !ip_eq(t->tree[i].ip, ip))
		i = table_next(&t->index, i);
	return i == NONE ? NULL : &t->tree[i];
}

void trees_empty(struct trees *t, struct tree *tree)
{
	staged_clear(t->pool, &tree->rules);
	tree->policy = TREE_NO_POLICY;
	tree->full = tree->stray_more = false;
	tree->changed = true;
	tree->stray[0] = 0;
}

void trees_empty_all(struct trees *t)
{
	for (uint32_t i = 0; i < t->capacity; i++)
		if (t->tree[i].used)
			trees_empty(t, &t->tree[i]);
}

static void forget(struct trees *t, uint32_t at)
{
	struct tree *tree = &t->tree[at];
	trees_empty(t, tree);
	table_remove(&t->index, at);
	t->waiting -= tree->handled_waits;
	*tree = (struct tree){ .next_free = t->free };
	t->free = at;
}

/* The least recently committed of a client without a port; what holds in the policy stays. */
static bool evict(struct trees *t)
{
	uint32_t oldest = NONE;
	for (uint32_t i = 0; i < t->capacity; i++) {
		const struct tree *tree = &t->tree[i];
		if ((oldest == NONE || tree->stamp < t->tree[oldest].stamp) &&
		    !policy_is_attached(t->policy, tree->ip))
			oldest = i;
	}
	if (oldest != NONE)
		forget(t, oldest);
	return oldest != NONE;
}

/* Nobody writes it, and the policy can do without; a dump that is not whole marks all as written. */
static bool may_make_room(const struct trees *t, const struct tree *tree, bool names)
{
	return tree->used && !tree->changed && tree->rules.first != NONE && cross_kind(tree->ip) == RULE_OUTWARD &&
	       !policy_is_attached(t->policy, tree->ip) && (!names || staged_has_names(t->pool, &tree->rules));
}

/* Room for one more rule, or perhaps a name, at the cost of a client that is not here. */
static bool make_room(struct trees *t, bool names)
{
	uint32_t oldest = NONE;
	for (uint32_t i = 0; i < t->capacity; i++)
		if (may_make_room(t, &t->tree[i], names) && (oldest == NONE || t->tree[i].stamp < t->tree[oldest].stamp))
			oldest = i;
	if (oldest == NONE || t->forgotten_count == TREES_FORGOTTEN_MAX || !policy_forget(t->policy, t->tree[oldest].ip))
		return false;
	t->forgotten[t->forgotten_count++] = t->tree[oldest].ip;
	forget(t, oldest);
	return true;
}

struct tree *trees_make(struct trees *t, struct ip_addr ip)
{
	struct tree *tree = trees_find(t, ip);
	if (tree)
		return tree;
	if (t->free == NONE && !evict(t))
		return NULL;
	uint32_t at = t->free;
	tree = &t->tree[at];
	t->free = tree->next_free;
	*tree = (struct tree){ .ip = ip, .used = true };
	staged_init(&tree->rules);
	table_insert(&t->index, hash_of(t, ip), at);
	return tree;
}

/* --- keys ------------------------------------------------------------------------------ */

static uint32_t name_of(struct trees *t, const struct parsed_rule *rule)
{
	struct hosts *hosts = policy_hosts(t->policy);
	uint32_t handle;
	do
		handle = hosts_handle(hosts, rule->host, rule->host_len);
	while (handle == NONE && hosts && make_room(t, true));
	t->nameless |= handle == NONE && hosts;
	return handle;
}

static void write_rule(struct trees *t, struct tree *tree, uint32_t number, const uint8_t *value,
		       size_t len)
{
	struct parsed_rule parsed;
	struct staged *s = staged_put(t->pool, &tree->rules, number);
	if (!s && make_room(t, false))
		s = staged_put(t->pool, &tree->rules, number);
	if (!s) {
		tree->full = true;
		return;
	}
	const char *line = (const char *)value;
	enum rule_kind kind = cross_kind(tree->ip);
	if (kind == RULE_OUTWARD ? !rule_parse(line, len, !ip_is_v4(tree->ip), &parsed, &s->error) :
				   !cross_rule_parse(kind, line, len, &parsed, &s->error))
		return;
	parsed.rule.number = (uint16_t)number;
	parsed.rule.account = accounts_of_rule(policy_accounts(t->policy), tree->ip, &parsed);
	if (parsed.rule.flags & RULE_HAS_HOST)
		parsed.rule.host = name_of(t, &parsed);
	if (parsed.rule.flags & RULE_HAS_SET)
		parsed.rule.host = sets_handle(t->sets, parsed.set, parsed.set_len);
	staged_set(t->pool, s, &parsed.rule);
}

static void write_stray(struct tree *tree, struct cursor child)
{
	if (is_word(child, tree->stray))
		return;
	if (tree->stray[0] || child.left == 0) {
		tree->stray_more = true;
		return;
	}
	struct text name = text_on(tree->stray);
	text_bytes(&name, child.at, child.left);
}

void trees_write(struct trees *t, struct tree *tree, struct cursor child,
			const uint8_t *value, size_t len)
{
	uint32_t number;
	tree->changed = true;
	if (is_word(child, "policy") && cross_kind(tree->ip) == RULE_OUTWARD) {
		struct cursor v = cursor_of(value, len);
		tree->policy = is_word(v, "drop") ? TREE_DROP :
			       is_word(v, "accept") ? TREE_ACCEPT : TREE_BAD_POLICY;
	} else if (get_number(child, &number)) {
		write_rule(t, tree, number, value, len);
	} else {
		write_stray(tree, child);
	}
}

void trees_remove(struct trees *t, struct tree *tree, struct cursor child)
{
	uint32_t number;
	struct cursor stray = cursor_of_string(tree->stray);
	tree->changed = true;
	if (is_word(child, "policy")) {
		tree->policy = TREE_NO_POLICY;
	} else if (get_number(child, &number)) {
		staged_remove(t->pool, &tree->rules, number);
	} else if (child.left <= stray.left && !memcmp(child.at, stray.at, child.left) &&
		   (child.left == stray.left || child.at[child.left - 1] == '/')) {
		tree->stray[0] = 0;
	}
}

bool tree_is_whole(const struct tree *tree, struct text *why)
{
	if (tree->stray[0]) {
		text_put(why, "key '");
		text_put(why, tree->stray);
		text_put(why, "' is neither policy nor a rule of four digits");
	} else if (tree->stray_more) {
		text_put(why, "keys that are neither policy nor a rule of four digits");
	} else if (tree->policy == TREE_NO_POLICY && cross_kind(tree->ip) == RULE_OUTWARD) {
		text_put(why, "no policy");
	} else if (tree->policy == TREE_BAD_POLICY) {
		text_put(why, "policy is neither accept nor drop");
	} else if (tree->full) {
		text_put(why, "too many rules: no room left");
	}
	return why->len == 0;
}

bool tree_is_empty(const struct tree *tree)
{
	return tree->policy == TREE_NO_POLICY && tree->rules.first == NONE && !tree->stray[0] &&
	       !tree->stray_more && !tree->full;
}

/* --- creation ------------------------------------------------------------------------------ */

size_t trees_bytes(uint32_t clients, uint32_t rules)
{
	return clients * sizeof(struct tree) + table_bytes(clients) + staged_pool_bytes(clients, rules) +
	       sizeof(struct sets) + (size_t)3 * 64;
}

bool trees_init(struct trees *t, struct arena *arena, const struct secret *secret, uint32_t clients, uint32_t rules,
		struct policy *policy)
{
	struct tree *tree = arena_take(arena, clients, sizeof(*tree));
	struct staged_pool *pool = staged_pool_new(arena, clients, rules);
	struct sets *sets = arena_take(arena, 1, sizeof(*sets));
	*t = (struct trees){ .secret = secret, .policy = policy, .pool = pool, .sets = sets, .tree = tree,
			     .capacity = clients };
	if (!tree || !pool || !sets || !table_init(&t->index, arena, clients))
		return false;
	for (uint32_t i = 0; i < clients; i++)
		tree[i].next_free = i + 1 < clients ? i + 1 : NONE;
	staged_set_hosts(pool, policy_hosts(policy));
	staged_set_sets(pool, sets);
	staged_set_accounts(pool, policy_accounts(policy));
	return true;
}
