/* SPDX-License-Identifier: ISC */
/*
 * accounts.c: a pool of accounts, found by a keyed hash of client and id.
 */
#include "accounts.h"

enum account_kind { OF_RULE = 1, OF_LABEL, OF_POLICY, OF_NTH };
enum { KEY_BYTES = 16 + RULE_LABEL_MAX + 8, NTH_MAX = UINT16_MAX };

/* Who it is: nothing of it is needed by packets, but for first_ns at a rule's first one. */
struct account_about {
	uint64_t key;       /* 64 bits of a secret function: no two that differ meet */
	uint64_t since_ns, first_ns;
	uint64_t set;       /* that accounts_next_line was last asked for */
	uint32_t hash;      /* of the rule */
	uint16_t nth, lines; /* of its kind; lines: seen in that set */
	uint8_t kind;       /* 0: never used */
	char label[RULE_LABEL_MAX + 1]; /* OF_LABEL; NUL-terminated */
};

/* Live flows that the reckoning with this number has come by. */
struct account_sum {
	struct flow_sent sent[2];
	uint32_t reckoning;
};

size_t accounts_bytes(uint32_t count)
{
	return sizeof(struct accounts) + (count + 1) * (sizeof(struct account) + sizeof(struct account_about) +
	       sizeof(struct account_sum)) + table_bytes(count + 1) + (size_t)5 * 64;
}

struct accounts *accounts_new(struct arena *arena, const struct secret *secret, uint32_t count)
{
	ensure(count >= 1 && count <= ACCOUNTS_MAX);
	struct arena rest = *arena;
	struct accounts *a = arena_take(&rest, 1, sizeof(*a));
	if (!a)
		return NULL;
	a->account = arena_take(&rest, count + 1, sizeof(*a->account));
	a->about = arena_take(&rest, count + 1, sizeof(*a->about));
	a->sum = arena_take(&rest, count + 1, sizeof(*a->sum));
	if (!a->account || !a->about || !a->sum || !table_init(&a->index, &rest, count + 1))
		return NULL;
	a->secret = *secret;
	a->capacity = count;
	a->fresh = 1;
	*arena = rest;
	return a;
}

void accounts_clock(struct accounts *a, uint64_t now_ns)
{
	if (now_ns > a->now_ns)
		a->now_ns = now_ns;
}

/* --- whose ------------------------------------------------------------------------ */

static uint64_t key_of(const struct accounts *a, enum account_kind kind, const void *at, size_t len, uint64_t more)
{
	uint8_t bytes[1 + KEY_BYTES + sizeof(more)];
	ensure(len <= KEY_BYTES);
	bytes[0] = (uint8_t)kind;
	memcpy(bytes + 1, &more, sizeof(more));
	memcpy(bytes + 1 + sizeof(more), at, len);
	return siphash24(a->secret.key, bytes, 1 + sizeof(more) + len);
}

static bool is_idle(const struct account *one)
{
	return one->held == 0 && one->live == 0;
}

/* A handle that is free, or that of an idle account, which is forgotten; 0: none. */
static uint16_t take_handle(struct accounts *a)
{
	if (a->fresh <= a->capacity)
		return (uint16_t)a->fresh++;
	if (a->idle == 0)
		return 0;
	do
		a->hand = a->hand < a->capacity ? a->hand + 1 : 1;
	while (!is_idle(&a->account[a->hand]));
	table_remove(&a->index, a->hand);
	a->idle--;
	return (uint16_t)a->hand;
}

/* The account with this key, or one made like `about`. */
static uint16_t find_or_make(struct accounts *a, uint64_t key, const struct account_about *about)
{
	for (uint32_t i = table_first(&a->index, key); i != NONE; i = table_next(&a->index, i))
		if (a->about[i].key == key)
			return (uint16_t)i;
	uint16_t at = take_handle(a);
	if (at == 0) {
		a->missed++;
		return 0;
	}
	a->account[at] = (struct account){ .held = 0 };
	a->about[at] = *about;
	a->about[at].key = key;
	a->about[at].since_ns = a->now_ns;
	a->sum[at].reckoning = 0;
	a->idle++;
	table_insert(&a->index, key, at);
	return at;
}

uint16_t accounts_of_rule(struct accounts *a, struct ip_addr client, const struct parsed_rule *p)
{
	struct account_about about = { .nth = 1, .kind = OF_RULE };
	uint8_t bytes[sizeof(client.b) + RULE_LABEL_MAX];
	memcpy(bytes, client.b, sizeof(client.b));
	if (p->label_len > 0) {
		ensure(p->label_len <= RULE_LABEL_MAX);
		about.kind = OF_LABEL;
		memcpy(about.label, p->label, p->label_len);
		memcpy(bytes + sizeof(client.b), p->label, p->label_len);
	} else {
		about.hash = rule_id_hash(client, p);
	}
	uint64_t key = key_of(a, (enum account_kind)about.kind, bytes, sizeof(client.b) + p->label_len, about.hash);
	return find_or_make(a, key, &about);
}

uint16_t accounts_of_policy(struct accounts *a, struct ip_addr client)
{
	struct account_about about = { .kind = OF_POLICY };
	return find_or_make(a, key_of(a, OF_POLICY, client.b, sizeof(client.b), 0), &about);
}

uint16_t accounts_next_line(struct accounts *a, uint16_t of_rule, uint64_t set)
{
	struct account_about *base = &a->about[of_rule];
	if (of_rule == 0 || base->kind != OF_RULE)
		return of_rule;
	if (base->set != set) {
		base->set = set;
		base->lines = 0;
	}
	if (base->lines < NTH_MAX)
		base->lines++;
	if (base->lines == 1)
		return of_rule;
	struct account_about about = { .hash = base->hash, .nth = base->lines, .kind = OF_NTH };
	return find_or_make(a, key_of(a, OF_NTH, &base->key, sizeof(base->key), base->lines), &about);
}

void accounts_hold(struct accounts *a, uint16_t at)
{
	struct account *one = &a->account[at];
	a->idle -= at && is_idle(one);
	one->held++;
}

void accounts_release(struct accounts *a, uint16_t at)
{
	struct account *one = &a->account[at];
	one->held--;
	a->idle += at && is_idle(one);
}

/* --- data path ------------------------------------------------------------------------ */

void accounts_hit_first(struct accounts *a, uint16_t at, uint64_t now_ns)
{
	a->about[at].first_ns = now_ns;
}

/* The sum of this reckoning. */
static struct account_sum *sum_of(struct accounts *a, uint16_t at)
{
	struct account_sum *sum = &a->sum[at];
	if (sum->reckoning != a->reckoning)
		*sum = (struct account_sum){ .reckoning = a->reckoning };
	return sum;
}

static void add(struct flow_sent to[2], const struct flow_sent sent[2])
{
	for (int dir = 0; dir < 2; dir++) {
		to[dir].packets += sent[dir].packets;
		to[dir].bytes += sent[dir].bytes;
	}
}

static void subtract(struct flow_sent from[2], const struct flow_sent sent[2])
{
	for (int dir = 0; dir < 2; dir++) {
		from[dir].packets -= sent[dir].packets;
		from[dir].bytes -= sent[dir].bytes;
	}
}

void accounts_unreckon(struct accounts *a, uint16_t at, const struct flow_sent sent[2])
{
	subtract(sum_of(a, at)->sent, sent);
}

static void give(struct accounts *a, uint32_t flow, uint16_t at, const struct flow_sent sent[2])
{
	add(a->account[at].sent, sent);
	if (flow < a->walked)
		accounts_unreckon(a, at, sent);
}

static void leave(struct accounts *a, uint16_t at)
{
	struct account *one = &a->account[at];
	one->live--;
	a->idle += at && is_idle(one);
}

void accounts_move(struct accounts *a, uint32_t flow, uint16_t from, uint16_t to, const struct flow_sent sent[2],
		   uint64_t now_ns)
{
	if (from == to)
		return;
	give(a, flow, from, sent);
	leave(a, from);
	accounts_open(a, to, now_ns);
	subtract(a->account[to].sent, sent);
	if (flow < a->walked)
		add(sum_of(a, to)->sent, sent);
}

void accounts_restart(struct accounts *a, uint32_t flow, uint16_t at, const struct flow_sent sent[2], uint64_t now_ns)
{
	give(a, flow, at, sent);
	a->account[at].flows++;
	accounts_hit(a, at, now_ns);
}

void accounts_refuse(struct accounts *a, uint16_t at, uint64_t now_ns)
{
	a->account[at].refused++;
	accounts_hit(a, at, now_ns);
}

/* --- looking ------------------------------------------------------------------------- */

void accounts_reckon(struct accounts *a)
{
	a->walked = 0;
	a->reckoning = a->reckoning == UINT32_MAX ? 1 : a->reckoning + 1;
}

void accounts_reckoned(struct accounts *a, uint32_t below)
{
	a->walked = below;
}

void accounts_reckon_flow(struct accounts *a, uint32_t flow, uint16_t at, const struct flow_sent sent[2],
			  uint64_t touched_ns)
{
	ensure(flow >= a->walked);
	add(sum_of(a, at)->sent, sent);
	a->walked = flow + 1;
	if (touched_ns > a->account[at].last_ns)
		a->account[at].last_ns = touched_ns;
}

struct account_view accounts_show(const struct accounts *a, uint16_t at)
{
	const struct account *one = &a->account[at];
	struct account_view view = { .refused = one->refused, .flows = one->flows, .live = one->live,
	                             .last_ns = one->last_ns };
	if (at == 0)
		return (struct account_view){ .live = 0 };
	view.since_ns = a->about[at].since_ns;
	view.first_ns = a->about[at].first_ns;
	add(view.sent, one->sent);
	if (a->sum[at].reckoning == a->reckoning)
		add(view.sent, a->sum[at].sent);
	return view;
}

void accounts_id(const struct accounts *a, uint16_t at, struct text *t)
{
	const struct account_about *about = &a->about[at];
	if (at == 0)
		return;
	switch ((enum account_kind)about->kind) {
	case OF_RULE:
	case OF_NTH:
		rule_id_text(t, about->hash, about->nth);
		return;
	case OF_LABEL:
		text_put(t, about->label);
		return;
	case OF_POLICY:
		text_put(t, "policy");
		return;
	}
}

bool accounts_labelled(const struct accounts *a, uint16_t at)
{
	return a->about[at].kind == OF_LABEL;
}

uint32_t accounts_free(const struct accounts *a)
{
	return a->capacity + 1 - a->fresh + a->idle;
}

bool accounts_valid(const struct accounts *a, uint64_t live)
{
	uint32_t idle = 0;
	uint64_t flows = 0;
	for (uint32_t i = 1; i < a->fresh; i++) {
		idle += is_idle(&a->account[i]);
		flows += a->account[i].live;
	}
	return table_valid(&a->index) && a->index.count == a->fresh - 1 && idle == a->idle &&
	       flows == live;
}
