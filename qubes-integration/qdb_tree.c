/* SPDX-License-Identifier: ISC */
/*
 * qdb_tree.c: the trees below /qubes-firewall, by client, and their commits.
 */
#include "generation.h"
#include "qdb_tree.h"
#include "staged.h"
#include "table.h"

enum { STRAY_BYTES = 40, LINE_BYTES = 192 };

enum tree_policy { TREE_NO_POLICY, TREE_BAD_POLICY, TREE_DROP, TREE_ACCEPT };

struct tree {
	struct ip_addr ip;
	struct staged_tree rules;
	enum tree_policy policy;
	bool full;           /* a rule found no room */
	bool committed;      /* in the dump: the commit key was there */
	bool stray_more;     /* more strays than the one below; only an emptied tree forgets them */
	char stray[STRAY_BYTES]; /* a child that is neither policy nor a rule; "": none */
	bool handled_waits;  /* the counter is to be written */
	uint32_t handled;
	uint64_t stamp;      /* of the last commit, for eviction */
	uint32_t next_free;
	bool used;
};

struct qdb_tree {
	const struct secret *secret; /* fixed at creation */
	struct qdb *qdb;
	struct policy *policy;
	struct config *config;
	struct log_sink log;
	struct staged_pool *pool;
	struct tree *tree;
	uint32_t capacity;
	struct table index;
	uint32_t free;
	uint64_t commits;
	uint32_t waiting; /* trees with handled_waits */
	struct generation generation;
	bool in_dump, synced;
	bool asked; /* for the feature, since the channel was opened */
};

static const char rules_dir[] = "/qubes-firewall/";
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

/* Exactly four digits. */
static bool get_number(struct cursor c, uint32_t *number)
{
	return c.left == 4 && parse_u32(&c, RULE_NUMBER_MAX, number) && c.left == 0;
}

static void say(const struct qdb_tree *t, const struct text *line)
{
	t->log.log(t->log.self, line->at, line->len);
}

static void say_client(const struct qdb_tree *t, struct ip_addr ip, const char *what,
		       const char *end)
{
	char buffer[LINE_BYTES];
	struct text line = text_on(buffer);
	text_put(&line, "client ");
	text_ip(&line, ip);
	text_put(&line, ": ");
	text_put(&line, what);
	text_put(&line, end);
	say(t, &line);
}

static void say_key(const struct qdb_tree *t, const char *path, const char *what)
{
	char buffer[LINE_BYTES];
	struct text line = text_on(buffer);
	text_put(&line, "store: ");
	text_put(&line, path);
	text_put(&line, what);
	say(t, &line);
}

/* --- trees by address --------------------------------------------------------------- */

static uint64_t hash_of(const struct qdb_tree *t, struct ip_addr ip)
{
	return siphash13(t->secret->key, ip.b, sizeof(ip.b));
}

static struct tree *find(const struct qdb_tree *t, struct ip_addr ip)
{
	uint32_t i = table_first(&t->index, hash_of(t, ip));
	while (i != NONE && !ip_eq(t->tree[i].ip, ip))
		i = table_next(&t->index, i);
	return i == NONE ? NULL : &t->tree[i];
}

static void empty(struct qdb_tree *t, struct tree *tree)
{
	staged_clear(t->pool, &tree->rules);
	tree->policy = TREE_NO_POLICY;
	tree->full = tree->stray_more = false;
	tree->stray[0] = 0;
}

/* The least recently committed of a client without a port; what holds in the policy stays. */
static bool evict(struct qdb_tree *t)
{
	uint32_t oldest = NONE;
	for (uint32_t i = 0; i < t->capacity; i++) {
		const struct tree *tree = &t->tree[i];
		if ((oldest == NONE || tree->stamp < t->tree[oldest].stamp) &&
		    !policy_is_attached(t->policy, tree->ip))
			oldest = i;
	}
	if (oldest == NONE)
		return false;
	struct tree *tree = &t->tree[oldest];
	empty(t, tree);
	table_remove(&t->index, oldest);
	t->waiting -= tree->handled_waits;
	*tree = (struct tree){ .next_free = t->free };
	t->free = oldest;
	return true;
}

/* Found or made; NULL: no room. */
static struct tree *tree_of(struct qdb_tree *t, struct ip_addr ip)
{
	struct tree *tree = find(t, ip);
	if (tree)
		return tree;
	if (t->free == NONE && !evict(t)) {
		say_client(t, ip, "too many clients", ": ignored");
		return NULL;
	}
	uint32_t at = t->free;
	tree = &t->tree[at];
	t->free = tree->next_free;
	*tree = (struct tree){ .ip = ip, .used = true };
	staged_init(&tree->rules);
	table_insert(&t->index, hash_of(t, ip), at);
	return tree;
}

/* --- commit -------------------------------------------------------------------------- */

/* Stages the rules; false: *why says what is wrong. */
static bool stage_rules(struct qdb_tree *t, const struct tree *tree, struct text *why,
			uint32_t *count)
{
	struct staged_walk walk = staged_start(&tree->rules);
	const struct staged *s;
	policy_stage(t->policy, tree->ip,
		     tree->policy == TREE_ACCEPT ? VERDICT_ACCEPT : VERDICT_DROP);
	for (*count = 0; (s = staged_next(t->pool, &walk)); ++*count) {
		if (s->bad) {
			text_put(why, "rule ");
			text_padded(why, s->number, 4);
			text_char(why, ' ');
			rule_error_text(why, &s->error);
			return false;
		}
		policy_stage_rule(t->policy, &s->rule);
	}
	return true;
}

static bool is_whole(const struct tree *tree, struct text *why)
{
	if (tree->stray[0]) {
		text_put(why, "key '");
		text_put(why, tree->stray);
		text_put(why, "' is neither policy nor a rule of four digits");
	} else if (tree->stray_more) {
		text_put(why, "keys that are neither policy nor a rule of four digits");
	} else if (tree->policy == TREE_NO_POLICY) {
		text_put(why, "no policy");
	} else if (tree->policy == TREE_BAD_POLICY) {
		text_put(why, "policy is neither accept nor drop");
	} else if (tree->full) {
		text_put(why, "too many rules: no room left");
	}
	return why->len == 0;
}

static void say_open(const struct qdb_tree *t, const struct tree *tree, uint32_t count)
{
	char buffer[LINE_BYTES];
	struct text what = text_on(buffer);
	text_u64(&what, count);
	text_put(&what, count == 1 ? " rule" : " rules");
	text_put(&what, tree->policy == TREE_ACCEPT ? ", then accept" : ", then drop");
	say_client(t, tree->ip, buffer, ": open");
}

/* Nothing at all stands in it: what that means inside a held change is "closed". */
static bool is_empty(const struct tree *tree)
{
	return tree->policy == TREE_NO_POLICY && tree->rules.first == NONE && !tree->stray[0] &&
	       !tree->stray_more && !tree->full;
}

static void commit_held(struct qdb_tree *t, const struct tree *tree)
{
	char buffer[POLICY_ERROR_TEXT];
	struct text why = text_on(buffer);
	uint32_t count;
	if (is_empty(tree))
		policy_close(t->policy, tree->ip, "");
	else if (!is_whole(tree, &why) || !stage_rules(t, tree, &why, &count))
		generation_fault(&t->generation, tree->ip, buffer);
	else if (!policy_publish(t->policy))
		generation_fault(&t->generation, tree->ip, policy_fault(t->policy));
}

static void commit_now(struct qdb_tree *t, const struct tree *tree)
{
	char buffer[POLICY_ERROR_TEXT];
	struct text why = text_on(buffer);
	uint32_t count;
	if (!is_whole(tree, &why) || !stage_rules(t, tree, &why, &count)) {
		policy_close(t->policy, tree->ip, buffer);
		say_client(t, tree->ip, buffer, ": closed");
	} else if (policy_publish(t->policy)) {
		say_open(t, tree, count);
	} else {
		say_client(t, tree->ip, policy_fault(t->policy), ": closed");
	}
}

static void commit(struct qdb_tree *t, struct tree *tree)
{
	if (generation_is_held(&t->generation))
		commit_held(t, tree);
	else
		commit_now(t, tree);
	tree->committed = false;
	tree->stamp = ++t->commits;
	tree->handled++;
	t->waiting += !tree->handled_waits;
	tree->handled_waits = true;
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
	request_feature(t);
	if (t->waiting == 0 || (state != QDB_DUMP && state != QDB_LIVE))
		return !told;
	for (uint32_t i = 0; i < t->capacity; i++) {
		struct tree *tree = &t->tree[i];
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
		t->waiting--;
	}
	return !told;
}

void qdb_tree_tick(struct qdb_tree *t, uint64_t now_ns)
{
	char buffer[LINE_BYTES];
	struct text line = text_on(buffer);
	if (!generation_tick(&t->generation, now_ns))
		return;
	text_put(&line, "generation ");
	text_u64(&line, t->generation.reverted);
	text_put(&line, ": nobody confirmed it in time: the rules before it hold again");
	say(t, &line);
}

uint64_t qdb_tree_deadline(const struct qdb_tree *t)
{
	return generation_deadline(&t->generation);
}

bool qdb_tree_confirm(struct qdb_tree *t)
{
	return generation_confirm(&t->generation, 0);
}

/* --- keys ------------------------------------------------------------------------------ */

static void write_rule(struct qdb_tree *t, struct tree *tree, uint32_t number, const uint8_t *value,
		       size_t len)
{
	struct parsed_rule parsed;
	struct staged *s = staged_put(t->pool, &tree->rules, number);
	if (!s) {
		tree->full = true;
		return;
	}
	if (!rule_parse((const char *)value, len, !ip_is_v4(tree->ip), &parsed, &s->error))
		return;
	/* not enforced yet */
	if (parsed.rule.expire || (parsed.rule.flags & RULE_HAS_SET)) {
		rule_refuse(&s->error, parsed.rule.expire ? RULE_FAULT_EXPIRE : RULE_FAULT_SET, (struct rule_word){ "", 0, 1 });
		return;
	}
	parsed.rule.number = (uint16_t)number;
	if (parsed.rule.flags & RULE_HAS_HOST)
		parsed.rule.host = hosts_handle(policy_hosts(t->policy), parsed.host, parsed.host_len);
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

static void write_child(struct qdb_tree *t, struct tree *tree, struct cursor child,
			const uint8_t *value, size_t len)
{
	uint32_t number;
	if (is_word(child, "policy")) {
		struct cursor v = cursor_of(value, len);
		tree->policy = is_word(v, "drop") ? TREE_DROP :
			       is_word(v, "accept") ? TREE_ACCEPT : TREE_BAD_POLICY;
	} else if (get_number(child, &number)) {
		write_rule(t, tree, number, value, len);
	} else {
		write_stray(tree, child);
	}
}

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
	struct tree *tree = find(t, ip);
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

static void commit_marked(struct qdb_tree *t)
{
	for (uint32_t i = 0; i < t->capacity; i++)
		if (t->tree[i].used && t->tree[i].committed)
			commit(t, &t->tree[i]);
}

/* What the store says of generations; false: another key. */
static bool write_generation(struct qdb_tree *t, struct cursor key, struct cursor value)
{
	char buffer[LINE_BYTES];
	struct text line = text_on(buffer);
	if (!parse_word(&key, "/postern/"))
		return false;
	if (is_word(key, "generation") && t->in_dump) {
		generation_dumped(&t->generation, value);
	} else if (is_word(key, "generation")) {
		/* those of a dump that was not to hold: now something else does */
		commit_marked(t);
		if (generation_publish(&t->generation, value, &line))
			say(t, &line);
	} else if (is_word(key, "hold") && !t->in_dump) {
		generation_hold(&t->generation, value);
	} else if (is_word(key, "confirm") && !t->in_dump) {
		generation_confirm_key(&t->generation, value);
	}
	return true;
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
	if (write_generation(t, key, cursor_of(value, len)))
		return;
	if (!parse_word(&key, rules_dir)) {
		if (config_write(t->config, path, value, len) == CONFIG_MALFORMED)
			say_key(t, path, ": malformed value: ignored");
		if (!t->in_dump)
			apply_dns(t);
		return;
	}
	bool known = parse_ip(&key, &ip), is_commit = key.left == 0;
	if (!known || (!is_commit && !parse_word(&key, "/"))) {
		say_key(t, path, ": not a client's address: ignored");
		return;
	}
	struct tree *tree = tree_of(t, ip);
	if (!tree)
		return;
	if (!is_commit)
		write_child(t, tree, key, value, len);
	else if (t->in_dump)
		tree->committed = true;
	else
		commit(t, tree);
}

static void empty_all(struct qdb_tree *t)
{
	for (uint32_t i = 0; i < t->capacity; i++)
		if (t->tree[i].used)
			empty(t, &t->tree[i]);
}

static void remove_child(struct qdb_tree *t, struct tree *tree, struct cursor child)
{
	uint32_t number;
	struct cursor stray = cursor_of_string(tree->stray);
	if (is_word(child, "policy")) {
		tree->policy = TREE_NO_POLICY;
	} else if (get_number(child, &number)) {
		staged_remove(t->pool, &tree->rules, number);
	} else if (child.left <= stray.left && !memcmp(child.at, stray.at, child.left) &&
		   (child.left == stray.left || child.at[child.left - 1] == '/')) {
		tree->stray[0] = 0;
	}
}

static void sink_remove(void *self, const char *path)
{
	struct qdb_tree *t = self;
	struct cursor key = cursor_of_string(path);
	struct ip_addr ip;
	if (is_word(key, "/") || is_word(key, rules_dir))
		empty_all(t);
	if (!parse_word(&key, rules_dir)) {
		config_remove(t->config, path);
		apply_dns(t);
		return;
	}
	/* the commit key itself may go: what holds, holds */
	if (!parse_ip(&key, &ip) || !parse_word(&key, "/"))
		return;
	struct tree *tree = find(t, ip);
	if (tree && key.left == 0)
		empty(t, tree);
	else if (tree)
		remove_child(t, tree, key);
}

/* --- dumps ------------------------------------------------------------------------------- */

static void sink_opened(void *self)
{
	struct qdb_tree *t = self;
	empty_all(t);
	for (uint32_t i = 0; i < t->capacity; i++)
		t->tree[i].committed = false;
	generation_opened(&t->generation);
	t->in_dump = true;
	t->asked = false;
}

static void sink_synced(void *self)
{
	struct qdb_tree *t = self;
	bool seen = t->synced;
	t->in_dump = false;
	t->synced = true;
	apply_dns(t);
	for (uint32_t i = 0; i < t->capacity; i++)
		t->tree[i].committed |= t->tree[i].used && t->tree[i].policy != TREE_NO_POLICY;
	if (generation_dump_commits(&t->generation, seen))
		commit_marked(t);
	generation_dump_ends(&t->generation);
}

static void sink_broken(void *self, const char *reason)
{
	say_key(self, reason, ": not listening until it is opened anew; the last good rules hold");
}

bool qdb_tree_synced(const struct qdb_tree *t)
{
	return t->synced;
}

/* --- creation ------------------------------------------------------------------------------ */

size_t qdb_tree_bytes(uint32_t clients, uint32_t rules)
{
	return sizeof(struct qdb_tree) + clients * sizeof(struct tree) + table_bytes(clients) +
	       staged_pool_bytes(clients, rules) + (size_t)4 * 64;
}

struct qdb_tree *qdb_tree_new(struct arena *arena, const struct secret *secret, uint32_t clients,
			      uint32_t rules, struct qdb *q, struct policy *policy,
			      struct config *config, struct log_sink log)
{
	struct arena rest = *arena;
	struct qdb_tree *t = arena_take(&rest, 1, sizeof(*t));
	struct tree *tree = arena_take(&rest, clients, sizeof(*tree));
	struct staged_pool *pool = staged_pool_new(&rest, clients, rules);
	if (!t || !tree || !pool || !table_init(&t->index, &rest, clients))
		return NULL;
	for (uint32_t i = 0; i < clients; i++)
		tree[i].next_free = i + 1 < clients ? i + 1 : NONE;
	t->secret = secret;
	t->qdb = q;
	t->policy = policy;
	generation_init(&t->generation, policy);
	t->config = config;
	t->log = log;
	t->pool = pool;
	staged_set_hosts(pool, policy_hosts(policy));
	t->tree = tree;
	t->capacity = clients;
	*arena = rest;
	qdb_set_sink(q, &(struct qdb_sink){ t, sink_opened, sink_write, sink_remove, sink_synced,
					    sink_broken });
	apply_dns(t);
	return t;
}
