// SPDX-License-Identifier: ISC
/* Reads the rules of many clients and compares them. */
#include <stdlib.h>
#include <string.h>

#include "cross_rule.h"
#include "must.h"
#include "plan.h"
#include "ruletree.h"

static struct plan_client *add(struct plan *plan, const char *ip)
{
	if (plan->count == plan->room) {
		plan->room = plan->room ? plan->room * 2 : 16;
		plan->client = must(reallocarray(plan->client, plan->room, sizeof(*plan->client)));
	}
	struct plan_client *c = &plan->client[plan->count++];
	*c = (struct plan_client){ .committed = true };
	snprintf(c->ip, sizeof(c->ip), "%s", ip);
	return c;
}

const struct plan_client *plan_find(const struct plan *plan, const char *ip)
{
	for (size_t i = 0; i < plan->count; i++)
		if (!strcmp(plan->client[i].ip, ip))
			return &plan->client[i];
	return NULL;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		rulefile_free(&plan->client[i].rules);
	setlist_free(&plan->sets);
	free(plan->client);
	*plan = (struct plan){ 0 };
}

/* --- out of a file -------------------------------------------------------------------- */

struct reader {
	struct plan *plan;
	struct rulefile_source source; /* v6: of the client that is being read */
	struct rulefile_place place;
	bool heads;
	bool open;       /* some client's rules are being read */
	bool has_policy; /* of that client */
	uint32_t number;
	FILE *errors; /* NULL: enough was said */
};

static bool fault(const struct reader *r, size_t at, const char *reason)
{
	if (r->errors)
		rulefile_point(&r->place, (unsigned)at + 1, reason, r->errors);
	return false;
}

static size_t blanks(const struct rulefile_place *p, size_t at)
{
	while (at < p->len && (p->line[at] == ' ' || p->line[at] == '\t'))
		at++;
	return at;
}

static bool is_end(const struct rulefile_place *p, size_t at)
{
	at = blanks(p, at);
	return at == p->len || p->line[at] == '#';
}

/* Whose section it is; false: nobody's. */
static bool take_owner(struct reader *r, struct cursor *in, char name[IP_TEXT])
{
	struct ip_addr owner;
	if (!cross_owner_parse(in, &owner))
		return false;
	struct text out = text_of(name, IP_TEXT);
	cross_owner_text(&out, owner);
	r->source.kind = cross_kind(owner);
	r->source.v6 = !ip_is_v4(owner);
	return true;
}

/* at: behind the bracket. */
static bool take_head(struct reader *r, size_t at)
{
	const struct rulefile_place *p = &r->place;
	at = blanks(p, at);
	struct cursor in = cursor_of(p->line + at, p->len - at);
	char name[IP_TEXT];
	/* its rules are read all the same, so that their faults are told too */
	r->open = true;
	r->number = 0;
	r->has_policy = false;
	r->source.kind = RULE_OUTWARD;
	if (!take_owner(r, &in, name)) {
		add(r->plan, "");
		return fault(r, at, "not the address of a client, inbound or between");
	}
	bool twice = plan_find(r->plan, name) != NULL, many = r->plan->count >= PLAN_CLIENTS_MAX;
	struct plan_client *c = add(r->plan, name);
	if (r->source.kind == RULE_OUTWARD)
		snprintf(c->policy, PLAN_POLICY_MAX, "drop");
	size_t end = blanks(p, p->len - in.left);
	if (twice)
		return fault(r, at, "this client was here before");
	if (many)
		return fault(r, at, "more than 256 clients in one file");
	if (end == p->len || p->line[end] != ']')
		return fault(r, end, "']' is missing");
	return is_end(p, end + 1) || fault(r, blanks(p, end + 1), "nothing may follow the head of a section");
}

static bool word_at(const struct rulefile_place *p, size_t at, const char *word, size_t *behind)
{
	size_t n = strlen(word);
	if (p->len - at < n || memcmp(p->line + at, word, n))
		return false;
	*behind = at + n;
	return *behind == p->len || strchr(" \t#", p->line[*behind]);
}

static bool take_policy(struct reader *r, size_t at)
{
	const struct rulefile_place *p = &r->place;
	struct plan_client *c = &r->plan->client[r->plan->count - 1];
	size_t end;
	at = blanks(p, at);
	if (r->source.kind != RULE_OUTWARD)
		return fault(r, 0, "no policy here: what no rule accepts is refused");
	bool accept = word_at(p, at, "accept", &end);
	if (!accept && !word_at(p, at, "drop", &end)) {
		char first = at < p->len ? p->line[at] : 0;
		return fault(r, at, first == 'a' ? "a policy is accept or drop (did you mean 'accept'?)" :
			     first == 'd' ? "a policy is accept or drop (did you mean 'drop'?)" :
			     "a policy is accept or drop");
	}
	if (!is_end(p, end))
		return fault(r, blanks(p, end), "nothing may follow a policy");
	if (r->has_policy)
		return fault(r, 0, "this client has a policy already");
	r->has_policy = true;
	snprintf(c->policy, sizeof(c->policy), "%s", accept ? "accept" : "drop");
	return true;
}

/* at: behind the word. */
static bool take_set(struct reader *r, size_t at)
{
	const struct rulefile_place *p = &r->place;
	char name[RULE_LABEL_MAX + 1];
	const char *why, *hash = memchr(p->line, '#', p->len);
	size_t len = hash ? (size_t)(hash - p->line) : p->len, end;
	uint32_t column;
	if (r->open)
		return fault(r, 0, "sets stand before the first section");
	at = blanks(p, at);
	for (end = at; end < len && p->line[end] != ' ' && p->line[end] != '\t';)
		end++;
	if (!set_is_name(p->line + at, end - at))
		return fault(r, at, "not the name of a set (1 to 24 of A-Z a-z 0-9 _ . -)");
	memcpy(name, p->line + at, end - at);
	name[end - at] = 0;
	if (setlist_find(&r->plan->sets, name))
		return fault(r, at, "this set was here before");
	char *members = setlist_canonical(p->line + end, len - end, &why, &column);
	if (!members)
		return fault(r, end + column - 1, why);
	setlist_put(&r->plan->sets, name, members);
	free(members);
	return true;
}

static bool take_line(struct reader *r)
{
	const struct rulefile_place *p = &r->place;
	size_t at = blanks(p, 0), end;
	if (is_end(p, 0))
		return true;
	if (p->line[at] == '[')
		return take_head(r, at + 1);
	if (word_at(p, at, "set", &end))
		return take_set(r, end);
	if (!r->open) {
		r->open = true;
		snprintf(add(r->plan, "")->policy, PLAN_POLICY_MAX, "drop");
		if (r->heads)
			return fault(r, at, "whose rule? a head such as [10.137.0.5] comes first");
	}
	if (word_at(p, at, "policy", &end))
		return take_policy(r, end);
	return rulefile_take(&r->plan->client[r->plan->count - 1].rules, &r->source, p, &r->number, r->errors);
}

bool plan_parse(struct plan *plan, const struct rulefile_source *s, bool heads, FILE *errors)
{
	struct reader r = { .plan = plan, .source = *s, .heads = heads };
	unsigned faults = 0;
	*plan = (struct plan){ 0 };
	for (size_t at = 0; rulefile_step(&r.place, s, &at);) {
		r.errors = faults < RULEFILE_FAULTS_SHOWN ? errors : NULL;
		faults += !take_line(&r);
	}
	if (faults > RULEFILE_FAULTS_SHOWN)
		fprintf(errors, "%s: %u more\n", s->name, faults - RULEFILE_FAULTS_SHOWN);
	return !faults;
}

/* --- out of the store -------------------------------------------------------------------- */

static bool take_key(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct plan *plan = context;
	char ip[IP_TEXT], text[WIRE_VALUE_MAX + 1];
	const char *leaf = setlist_take_key(&plan->sets, key, value, len) ? NULL : ruletree_split(key, ip);
	if (!leaf)
		return true;
	struct plan_client *c = plan->count ? &plan->client[plan->count - 1] : NULL;
	/* keys come in order, so a client's stand together */
	if (!c || strcmp(c->ip, ip)) {
		c = add(plan, ip);
		c->committed = false;
	}
	memcpy(text, value, len);
	text[len] = 0;
	if (!*leaf)
		c->committed = true;
	else if (!strcmp(leaf, "policy"))
		snprintf(c->policy, sizeof(c->policy), "%.*s", PLAN_POLICY_MAX - 1, text);
	else if (strlen(leaf) == 4 && strspn(leaf, "0123456789") == 4)
		rulefile_keep(&c->rules, (uint32_t)atoi(leaf), text);
	return true;
}

enum store_result plan_load(struct plan *plan, struct storeclient *c, const char *prefix)
{
	*plan = (struct plan){ 0 };
	enum store_result r = prefix ? storeclient_multiread(c, prefix, take_key, plan) :
				       ruletree_committed(c, "/", take_key, plan);
	size_t kept = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->client[i].committed)
			plan->client[kept++] = plan->client[i];
		else
			rulefile_free(&plan->client[i].rules);
	}
	plan->count = kept;
	return r;
}

/* --- comparing ------------------------------------------------------------------------------ */

static bool is_empty(const struct plan_client *c)
{
	return !c || (!*c->policy && c->rules.count == 0);
}

bool plan_same(const struct plan_client *a, const struct plan_client *b)
{
	if (is_empty(a) || is_empty(b))
		return is_empty(a) && is_empty(b);
	if (strcmp(a->policy, b->policy) || a->rules.count != b->rules.count)
		return false;
	for (size_t i = 0; i < a->rules.count; i++)
		if (a->rules.line[i].number != b->rules.line[i].number ||
		    strcmp(a->rules.line[i].text, b->rules.line[i].text))
			return false;
	return true;
}

bool plan_uses(const struct plan_client *c, const struct setlist *sets)
{
	static const char key[] = " dstset=";
	for (size_t i = 0; i < c->rules.count; i++) {
		const char *at = strstr(c->rules.line[i].text, key);
		char name[RULE_LABEL_MAX + 1];
		if (at && sscanf(at + strlen(key), "%24[^ ]", name) == 1 && setlist_find(sets, name))
			return true;
	}
	return false;
}

void plan_add_copy(struct plan *out, const struct plan_client *from)
{
	struct plan_client *c = add(out, from->ip);
	memcpy(c->policy, from->policy, sizeof(c->policy));
	for (size_t i = 0; i < from->rules.count; i++)
		rulefile_keep(&c->rules, from->rules.line[i].number, from->rules.line[i].text);
}

void plan_difference(struct plan *out, const struct plan *now, const struct plan *wanted)
{
	*out = (struct plan){ 0 };
	for (size_t i = 0; i < wanted->count; i++)
		if (!plan_same(plan_find(now, wanted->client[i].ip), &wanted->client[i]))
			plan_add_copy(out, &wanted->client[i]);
	for (size_t i = 0; i < now->count; i++)
		if (!plan_find(wanted, now->client[i].ip) && !is_empty(&now->client[i]))
			add(out, now->client[i].ip);
	setlist_difference(&out->sets, &now->sets, &wanted->sets, true);
}
