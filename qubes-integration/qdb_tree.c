/* SPDX-License-Identifier: ISC */
/*
 * qdb_tree.c: the trees below /qubes-firewall, by client, and their commits.
 */
#include "cross_rule.h"
#include "blockkeys.h"
#include "generation.h"
#include "qdb_tree.h"
#include "treecommit.h"

struct qdb_tree {
	struct qdb *qdb; /* fixed at creation */
	struct policy *policy;
	struct config *config;
	struct log_sink log;
	struct trees trees;
	struct treecommit commit;
	struct blockkeys blocks;
	uint64_t commits;
	struct {
		uint64_t of; /* the common change that it was written in; 0: alone */
		bool taken_back; /* with that: what is here does not hold, and is not to be committed */
	} set[SETS_MAX];
	struct generation generation;
	uint64_t now_ns, wall_ns; /* of the last tick */
	bool in_dump, synced;
	bool asked; /* for the feature, since the channel was opened */
};

/* Wall clocks are set: a time to come is looked at again so soon. */
static const uint64_t NS_PER_S = 1000000000, EXPIRY_LOOK_S = 10;

static const char rules_dir[] = "/qubes-firewall/";
static const char postern_dir[] = "/postern/";
static const char handled_dir[] = "/qubes-firewall-handled/";

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

/* --- commit -------------------------------------------------------------------------- */

static void commit_as_part(struct qdb_tree *t, struct tree *tree, uint64_t of)
{
	treecommit(&t->commit, tree);
	tree->of = of;
	tree->committed = false;
	tree->stamp = ++t->commits;
	if (cross_kind(tree->ip) != RULE_OUTWARD)
		return; /* nobody counts those */
	tree->handled++;
	t->trees.waiting += !tree->handled_waits;
	tree->handled_waits = true;
}

static void commit(struct qdb_tree *t, struct tree *tree)
{
	commit_as_part(t, tree, t->generation.held);
}

/* This common change does not hold: until the store has taken it back as well, only the store commits what was in it. */
static void taken_back(struct qdb_tree *t, uint64_t number)
{
	for (uint32_t i = 0; number && i < SETS_MAX; i++)
		t->set[i].taken_back |= t->set[i].of == number;
	for (uint32_t i = 0; number && i < t->trees.capacity; i++)
		if (t->trees.tree[i].used && t->trees.tree[i].of == number)
			t->trees.tree[i].changed = true;
}

/* Qubes shall know that this qube filters; only a class that may ask does, so that no other host is troubled. */
static void request_feature(struct qdb_tree *t)
{
	if (!t->asked && t->config->may_request && qdb_state(t->qdb) == QDB_LIVE)
		t->asked = qdb_write(t->qdb, "/features-request/qubes-firewall", "1", 1);
}

bool qdb_tree_poll(struct qdb_tree *t)
{
	enum qdb_state state = qdb_state(t->qdb);
	bool told = !generation_tell(&t->generation, t->qdb);
	told &= !blockkeys_poll(&t->blocks, t->qdb, t->now_ns);
	request_feature(t);
	if (t->trees.waiting == 0 || (state != QDB_DUMP && state != QDB_LIVE))
		return !told;
	for (uint32_t i = 0; i < t->trees.capacity; i++) {
		struct tree *tree = &t->trees.tree[i];
		char path_buffer[QDB_PATH_MAX + 1], value_buffer[12];
		struct text path = text_on(path_buffer), value = text_on(value_buffer);
		if (!tree->handled_waits)
			continue;
		text_put(&path, handled_dir);
		text_ip(&path, tree->ip);
		text_u64(&value, tree->handled);
		if (!qdb_write(t->qdb, path_buffer, value_buffer, value.len))
			return true;
		tree->handled_waits = false;
		t->trees.waiting--;
	}
	return !told;
}

/* Whichever generation they are of, and whatever is held: the policy ends them in place. */
static void expire(struct qdb_tree *t)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	uint64_t now_s = t->wall_ns / NS_PER_S;
	uint32_t over = policy_expire(t->policy, now_s < UINT32_MAX ? (uint32_t)now_s : UINT32_MAX);
	if (over == 0)
		return;
	text_u64(&line, over);
	text_put(&line, over == 1 ? " rule has expired" : " rules have expired");
	storelog_say(&t->log, &line);
}

void qdb_tree_tick(struct qdb_tree *t, uint64_t now_ns, uint64_t wall_ns)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	t->now_ns = now_ns;
	t->wall_ns = wall_ns;
	accounts_clock(policy_accounts(t->policy), now_ns);
	expire(t);
	if (!generation_tick(&t->generation, now_ns))
		return;
	taken_back(t, t->generation.reverted);
	text_put(&line, "generation ");
	text_u64(&line, t->generation.reverted);
	text_put(&line, ": nobody confirmed it in time: the rules before it hold again");
	storelog_say(&t->log, &line);
}

static uint64_t expiry_ns(const struct qdb_tree *t)
{
	uint32_t next = policy_next_expiry(t->policy);
	uint64_t left = next * NS_PER_S > t->wall_ns ? next * NS_PER_S - t->wall_ns : 0;
	if (next == UINT32_MAX)
		return UINT64_MAX;
	return t->now_ns + (left < EXPIRY_LOOK_S * NS_PER_S ? left : EXPIRY_LOOK_S * NS_PER_S);
}

uint64_t qdb_tree_deadline(const struct qdb_tree *t)
{
	uint64_t confirm_by = generation_deadline(&t->generation), expiry = expiry_ns(t);
	uint64_t first = confirm_by < expiry ? confirm_by : expiry;
	uint64_t again = qdb_state(t->qdb) == QDB_LIVE ? blockkeys_deadline(&t->blocks) : UINT64_MAX;
	return first < again ? first : again;
}

bool qdb_tree_confirm(struct qdb_tree *t)
{
	return generation_confirm(&t->generation, 0);
}

uint64_t qdb_tree_generation(const struct qdb_tree *t, uint64_t *confirm_by_ns)
{
	*confirm_by_ns = t->generation.unconfirmed ? t->generation.deadline_ns : 0;
	return t->generation.current;
}

bool qdb_tree_ask(struct qdb_tree *t, const char *words, size_t len, const char **error)
{
	return blockkeys_ask(&t->blocks, cursor_of(words, len), error);
}

/* --- keys ------------------------------------------------------------------------------ */

/* In the dump only: the counter goes on where an earlier run left it. */
static void write_handled(struct qdb_tree *t, struct cursor key, const uint8_t *value, size_t len)
{
	struct cursor v = cursor_of(value, len);
	struct ip_addr ip;
	uint32_t count;
	if (!t->in_dump || !parse_ip(&key, &ip) || key.left > 0)
		return;
	if (!parse_u32(&v, UINT32_MAX, &count) || v.left > 0)
		return;
	/* the dump comes in reverse order, so a tree is there before its counter */
	struct tree *tree = trees_find(&t->trees, ip);
	if (tree && tree->handled < count)
		tree->handled = count;
}

static void apply_dns(struct qdb_tree *t)
{
	struct ip_addr servers[CONFIG_DNS];
	uint32_t count = 0;
	for (uint32_t i = 0; i < CONFIG_DNS; i++)
		if (!ip_is_zero(t->config->dns[i]))
			servers[count++] = t->config->dns[i];
	policy_set_dns(t->policy, servers, count);
}

/* of a dump: with what is in it and not confirmed, if something is. */
static void commit_marked(struct qdb_tree *t, uint64_t of)
{
	for (uint32_t i = 0; i < t->trees.capacity; i++)
		if (t->trees.tree[i].used && t->trees.tree[i].committed)
			commit_as_part(t, &t->trees.tree[i], of);
}

/* --- sets ------------------------------------------------------------------------------ */

static bool sets_stand(const struct qdb_tree *t, const struct tree *tree)
{
	for (uint32_t i = 0; i < SETS_MAX; i++)
		if (t->set[i].taken_back && staged_uses_set(t->trees.pool, &tree->rules, i))
			return false;
	return true;
}

/* The clients that have a changed set follow it, unless somebody is writing their rules: then it holds with those. */
static void commit_set_changed(struct qdb_tree *t)
{
	/* that is no confirmation of rules that wait for theirs */
	policy_keeping(t->policy, POLICY_AMEND);
	for (uint32_t i = 0; i < t->trees.capacity; i++) {
		struct tree *tree = &t->trees.tree[i];
		if (tree->used && tree->set_changed && tree->stands && !tree->changed && sets_stand(t, tree))
			commit_as_part(t, tree, tree->of);
	}
	policy_keeping(t->policy, POLICY_FORGET);
}

static void set_changed(struct qdb_tree *t, uint32_t set)
{
	t->set[set].of = t->generation.held;
	t->set[set].taken_back = false;
	for (uint32_t i = 0; i < t->trees.capacity; i++) {
		struct tree *tree = &t->trees.tree[i];
		if (tree->used && staged_uses_set(t->trees.pool, &tree->rules, set))
			tree->set_changed = true;
	}
}

static void write_set(struct qdb_tree *t, const char *path, struct cursor name, struct cursor value)
{
	uint32_t set = sets_handle(t->trees.sets, (const char *)name.at, name.left);
	if (!sets_put(t->trees.sets, set, (const char *)value.at, value.left))
		storelog_key(&t->log, path, ": not a set of networks, or no room: taken as empty");
	if (set != NONE)
		set_changed(t, set);
}

/* name: of one set, or empty for all. */
static void remove_sets(struct qdb_tree *t, struct cursor name)
{
	for (uint32_t i = 0; i < SETS_MAX; i++) {
		const char *its = sets_name(t->trees.sets, i);
		if (t->trees.sets->set[i].count == 0 || (name.left > 0 && !is_word(name, its)))
			continue;
		sets_empty(t->trees.sets, i);
		set_changed(t, i);
	}
}

/* --- the other keys ---------------------------------------------------------------------- */

/* What the store says of generations. */
static void write_generation(struct qdb_tree *t, struct cursor key, struct cursor value)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	const struct { uint64_t held, unconfirmed; } before = { t->generation.held, t->generation.unconfirmed };
	if (is_word(key, "generation") && t->in_dump) {
		generation_dumped(&t->generation, value);
	} else if (is_word(key, "generation")) {
		/* those of a dump that was not to hold: now something else does */
		commit_marked(t, 0);
		if (generation_publish(&t->generation, value, &line))
			storelog_say(&t->log, &line);
		if (t->generation.current != before.held)
			taken_back(t, before.held);
	} else if (is_word(key, "hold") && !t->in_dump) {
		generation_hold(&t->generation, value);
		taken_back(t, before.held);
		if (!t->generation.unconfirmed)
			taken_back(t, before.unconfirmed);
	} else if (is_word(key, "confirm") && !t->in_dump) {
		generation_confirm_key(&t->generation, value);
	}
}

/* false: another key. */
static bool write_postern(struct qdb_tree *t, const char *path, struct cursor value)
{
	struct cursor key = cursor_of_string(path);
	if (!parse_word(&key, postern_dir))
		return false;
	if (parse_word(&key, "set/"))
		write_set(t, path, key, value);
	else if (is_word(key, "set") && !t->in_dump)
		commit_set_changed(t);
	else if (!blockkeys_write(&t->blocks, key, value))
		write_generation(t, key, value);
	return true;
}

static bool remove_postern(struct qdb_tree *t, const char *path)
{
	struct cursor key = cursor_of_string(path);
	if (!parse_word(&key, postern_dir))
		return false;
	blockkeys_remove(&t->blocks, key);
	if (parse_word(&key, "set/") || key.left == 0)
		remove_sets(t, key);
	return true;
}

/* The tree that a path is in, and what follows its commit key; false: in none. *is_tree: so it should be. */
static bool take_owner(struct cursor *key, struct ip_addr *ip, bool *is_tree)
{
	*is_tree = true;
	if (parse_word(key, rules_dir))
		return parse_ip(key, ip) && cross_kind(*ip) == RULE_OUTWARD;
	struct cursor own = *key;
	*is_tree = parse_word(&own, postern_dir) && cross_owner_parse(&own, ip) && cross_kind(*ip) != RULE_OUTWARD;
	if (*is_tree)
		*key = own;
	return *is_tree;
}

static void write_tree(struct qdb_tree *t, struct tree *tree, struct cursor child, const uint8_t *value, size_t len)
{
	trees_write(&t->trees, tree, child, value, len);
	while (t->trees.forgotten_count > 0)
		storelog_client(&t->log, t->trees.forgotten[--t->trees.forgotten_count],
				"not here, and its rules made room for others", ": forgotten");
	if (t->trees.nameless)
		storelog_client(&t->log, tree->ip, "too many names: a rule has one", " that is never resolved");
	t->trees.nameless = false;
}

static void write_config(struct qdb_tree *t, const char *path, const uint8_t *value, size_t len)
{
	switch (config_write(t->config, path, value, len)) {
	case CONFIG_NOT_MINE:
	case CONFIG_TAKEN:
		return;
	case CONFIG_MALFORMED:
		storelog_key(&t->log, path, ": malformed value: ignored");
		return;
	case CONFIG_CUT:
		storelog_key(&t->log, path, ": more addresses than are kept");
		return;
	case CONFIG_UNKEPT:
		storelog_key(&t->log, path, ": more mapped addresses than are kept: this one is not");
		return;
	}
}

static void sink_write(void *self, const char *path, const uint8_t *value, size_t len)
{
	struct qdb_tree *t = self;
	struct cursor key = cursor_of_string(path);
	struct ip_addr ip;
	if (parse_word(&key, handled_dir)) {
		write_handled(t, key, value, len);
		return;
	}
	bool is_tree, known = take_owner(&key, &ip, &is_tree), is_commit = key.left == 0;
	if (!is_tree && write_postern(t, path, cursor_of(value, len)))
		return;
	if (!is_tree) {
		write_config(t, path, value, len);
		if (!t->in_dump)
			apply_dns(t);
		return;
	}
	if (!known || (!is_commit && !parse_word(&key, "/"))) {
		storelog_key(&t->log, path, ": not a client's address: ignored");
		return;
	}
	struct tree *tree = trees_make(&t->trees, ip);
	if (!tree) {
		storelog_client(&t->log, ip, "too many clients", ": ignored");
		return;
	}
	if (!is_commit)
		write_tree(t, tree, key, value, len);
	else if (t->in_dump)
		tree->committed = true;
	else
		commit(t, tree);
}

/* The clients', or those of our own. */
static void empty_trees(struct qdb_tree *t, bool clients)
{
	for (uint32_t i = 0; i < t->trees.capacity; i++) {
		struct tree *tree = &t->trees.tree[i];
		if (tree->used && (cross_kind(tree->ip) == RULE_OUTWARD) == clients)
			trees_empty(&t->trees, tree);
	}
}

static void sink_remove(void *self, const char *path)
{
	struct qdb_tree *t = self;
	struct cursor key = cursor_of_string(path);
	struct ip_addr ip;
	bool all = is_word(key, "/");
	if (all || is_word(key, rules_dir))
		empty_trees(t, true);
	if (all || is_word(key, postern_dir))
		empty_trees(t, false);
	if (all)
		remove_postern(t, postern_dir);
	bool is_tree, known = take_owner(&key, &ip, &is_tree);
	if (!is_tree && remove_postern(t, path))
		return;
	if (!is_tree) {
		config_remove(t->config, path);
		apply_dns(t);
		return;
	}
	/* the commit key itself may go: what holds, holds */
	if (!known || !parse_word(&key, "/"))
		return;
	struct tree *tree = trees_find(&t->trees, ip);
	if (tree && key.left == 0)
		trees_empty(&t->trees, tree);
	else if (tree)
		trees_remove(&t->trees, tree, key);
}

/* --- dumps ------------------------------------------------------------------------------- */

static void sink_opened(void *self)
{
	struct qdb_tree *t = self;
	trees_empty_all(&t->trees);
	for (uint32_t i = 0; i < SETS_MAX; i++) {
		sets_empty(t->trees.sets, i);
		t->set[i].of = 0;
		t->set[i].taken_back = false;
	}
	for (uint32_t i = 0; i < t->trees.capacity; i++)
		t->trees.tree[i].committed = false;
	generation_opened(&t->generation);
	blockkeys_opened(&t->blocks);
	t->in_dump = true;
	t->asked = false;
}

static void sink_synced(void *self)
{
	struct qdb_tree *t = self;
	bool seen = t->synced;
	t->in_dump = false;
	t->synced = true;
	blockkeys_synced(&t->blocks);
	apply_dns(t);
	for (uint32_t i = 0; i < t->trees.capacity; i++)
		t->trees.tree[i].committed |= t->trees.tree[i].used && t->trees.tree[i].policy != TREE_NO_POLICY;
	if (generation_dump_commits(&t->generation, seen))
		commit_marked(t, t->generation.unconfirmed);
	generation_dump_ends(&t->generation);
}

static void sink_broken(void *self, const char *reason)
{
	storelog_key(&((struct qdb_tree *)self)->log, reason, ": not listening until it is opened anew; the last good rules hold");
}

static void sink_refused(void *self, uint64_t number)
{
	blockkeys_refused(&((struct qdb_tree *)self)->blocks, number);
}

bool qdb_tree_synced(const struct qdb_tree *t)
{
	return t->synced;
}

/* --- creation ------------------------------------------------------------------------------ */

size_t qdb_tree_bytes(uint32_t clients, uint32_t rules)
{
	return sizeof(struct qdb_tree) + trees_bytes(clients, rules) + (size_t)2 * 64;
}

struct qdb_tree *qdb_tree_new(struct arena *arena, const struct secret *secret, uint32_t clients,
			      uint32_t rules, struct qdb *q, struct policy *policy,
			      struct config *config, struct log_sink log)
{
	struct arena rest = *arena;
	struct qdb_tree *t = arena_take(&rest, 1, sizeof(*t));
	if (!t || !trees_init(&t->trees, &rest, secret, clients, rules, policy))
		return NULL;
	t->qdb = q;
	t->policy = policy;
	generation_init(&t->generation, policy);
	t->config = config;
	t->log = log;
	policy_set_sets(policy, t->trees.sets);
	blockkeys_init(&t->blocks, policy, &t->log);
	t->commit = (struct treecommit){ &t->trees, policy, &t->generation, &t->log };
	*arena = rest;
	qdb_set_sink(q, &(struct qdb_sink){ t, sink_opened, sink_write, sink_remove, sink_synced,
					    sink_broken, sink_refused });
	apply_dns(t);
	return t;
}
