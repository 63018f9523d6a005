// SPDX-License-Identifier: ISC
/* Judges the appliance's open flows by rules that are not in force. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "cross_judge.h"
#include "dying.h"
#include "headers.h"
#include "ruletree.h"
#include "verbs.h"

struct judged {
	const struct plan *plan;
	const struct rule_context *context;
	enum rule_kind *kind; /* by client */
	struct ruleset **strict, **generous; /* by client: names match nothing, names match all; NULL: closed */
	struct sets *sets;
	struct dying *out;
};

static void *must(void *p)
{
	if (!p)
		panic("out of memory");
	return p;
}

static void append_one(struct judged *s, size_t client, const struct rule *rule)
{
	struct rule r = *rule;
	/* unresolved, an accept matches nothing and a drop everything; the other way round is this: */
	bool named = r.flags & RULE_HAS_HOST, accepts = r.action == VERDICT_ACCEPT;
	ensure(ruleset_append(s->strict[client], &r));
	r.flags = (uint8_t)(r.flags & ~RULE_HAS_HOST);
	if (!named || accepts)
		ensure(ruleset_append(s->generous[client], &r));
}

static void append_set(struct judged *s, size_t client, struct parsed_rule *p, bool v6)
{
	struct rule one;
	p->rule.host = sets_handle(s->sets, p->set, p->set_len);
	for (uint32_t at = 0; sets_expand(s->sets, &p->rule, v6, &at, &one);)
		append_one(s, client, &one);
}

static void append(struct judged *s, size_t client, const struct rulefile_line *line)
{
	struct parsed_rule p;
	struct rule_error error;
	size_t len = strlen(line->text);
	enum rule_kind kind = s->kind[client];
	bool v6 = strchr(s->plan->client[client].ip, ':');
	if (kind == RULE_OUTWARD ? !rule_parse(line->text, len, v6, &p, &error) :
				   !cross_rule_parse(kind, line->text, len, &p, &error))
		return;
	p.rule.number = (uint16_t)line->number;
	if (p.rule.flags & RULE_HAS_SET)
		append_set(s, client, &p, v6);
	else
		append_one(s, client, &p.rule);
}

/* One with a set may become as many as a set has members. */
static size_t rules_of(const struct plan_client *c)
{
	size_t rules = c->rules.count;
	for (size_t i = 0; i < c->rules.count; i++)
		rules += strstr(c->rules.line[i].text, " dstset=") ? SET_MEMBERS_MAX : 0;
	return rules;
}

/* The memory of them all. */
static void *make(struct judged *s)
{
	size_t rules = 0, clients = s->plan->count;
	for (size_t i = 0; i < clients; i++)
		rules += rules_of(&s->plan->client[i]);
	uint32_t sets = (uint32_t)clients * 2 + 2, room = (uint32_t)rules * 2 + sets * 16;
	size_t bytes = rule_pool_bytes(sets, room);
	struct arena arena = { must(calloc(1, bytes)), bytes };
	void *memory = arena.at;
	struct rule_pool *pool = must(rule_pool_new(&arena, sets, room));
	s->strict = must(calloc(clients + 1, sizeof(struct ruleset *)));
	s->generous = must(calloc(clients + 1, sizeof(struct ruleset *)));
	s->kind = must(calloc(clients + 1, sizeof(*s->kind)));
	for (size_t i = 0; i < clients; i++) {
		const struct plan_client *c = &s->plan->client[i];
		enum rule_verdict policy = strcmp(c->policy, "accept") ? VERDICT_DROP : VERDICT_ACCEPT;
		struct cursor name = cursor_of(c->ip, strlen(c->ip));
		struct ip_addr owner;
		s->kind[i] = cross_owner_parse(&name, &owner) ? cross_kind(owner) : RULE_OUTWARD;
		if (!*c->policy && s->kind[i] == RULE_OUTWARD)
			continue;
		s->strict[i] = must(ruleset_new(pool, policy));
		s->generous[i] = must(ruleset_new(pool, policy));
		for (size_t r = 0; r < c->rules.count; r++)
			append(s, i, &c->rules.line[r]);
		ruleset_compile(s->strict[i]);
		ruleset_compile(s->generous[i]);
	}
	return memory;
}

static bool get_ip(const json_t *flow, const char *member, struct ip_addr *ip)
{
	const char *text = json_string_value(json_object_get(flow, member));
	struct cursor c = cursor_of(text ? text : "", text ? strlen(text) : 0);
	return parse_ip(&c, ip) && c.left == 0;
}

static bool get_tuple(const json_t *flow, struct tuple *t)
{
	const char *proto = json_string_value(json_object_get(flow, "proto"));
	*t = (struct tuple){ .sport = (uint16_t)json_integer_value(json_object_get(flow, "sport")),
			     .dport = (uint16_t)json_integer_value(json_object_get(flow, "dport")) };
	if (!proto || !get_ip(flow, "src", &t->src) || !get_ip(flow, "dst", &t->dst))
		return false;
	bool v4 = ip_is_v4(t->src), echo = !strncmp(proto, "icmp", 4);
	t->proto = !strcmp(proto, "tcp") ? PROTO_TCP : !strcmp(proto, "udp") ? PROTO_UDP :
		   echo ? (v4 ? PROTO_ICMP : PROTO_ICMPV6) : (uint8_t)atoi(proto);
	t->kind = echo ? (v4 ? 8 : 128) : 0;
	return true;
}

static bool accepts(const struct judged *s, struct ruleset *const *set, size_t client, const struct tuple *t)
{
	uint32_t number;
	return set[client] && ruleset_judge(set[client], t, s->context, &number) == VERDICT_ACCEPT;
}

/* No names in these rules, so no doubt. */
static bool stands(const struct judged *s, size_t owner, const json_t *flow, const struct tuple *t)
{
	uint32_t decided;
	struct ip_addr to;
	uint16_t port;
	bool inbound = s->kind[owner] == RULE_INBOUND;
	const struct rule *r = inbound ? cross_judge_inbound(s->strict[owner], t, s->context, &decided) :
					 cross_judge_between(s->strict[owner], t, s->context, &decided);
	if (!r || r->action != VERDICT_ACCEPT || !inbound)
		return r && r->action == VERDICT_ACCEPT;
	struct ip_addr leads = cross_rule_to(r, t->dport, &port);
	return get_ip(flow, "nat_ip", &to) && ip_eq(leads, to) &&
	       port == json_integer_value(json_object_get(flow, "nat_port"));
}

static void take_flow(void *context, json_t *flow)
{
	struct judged *s = context;
	const char *type = json_string_value(json_object_get(flow, "type"));
	const char *client = json_string_value(json_object_get(flow, "client"));
	const char *kind = json_string_value(json_object_get(flow, "kind"));
	struct tuple t;
	if (!type || strcmp(type, "flow") || !client || !get_tuple(flow, &t))
		return;
	if (kind && ruletree_is_own(kind))
		client = kind;
	for (size_t i = 0; i < s->plan->count; i++) {
		if (strcmp(s->plan->client[i].ip, client))
			continue;
		if (s->kind[i] != RULE_OUTWARD) {
			if (!stands(s, i, flow, &t))
				json_array_append(s->out->flows, flow);
			continue;
		}
		bool strict = accepts(s, s->strict, i, &t), generous = accepts(s, s->generous, i, &t);
		if (!strict && !generous)
			json_array_append(s->out->flows, flow);
		else if (strict != generous)
			s->out->doubtful++;
	}
}

int dying_ask(struct dying *d, const struct plan *plan, const struct rule_context *context, const char *control)
{
	struct judged s = { .plan = plan, .context = context, .out = d };
	*d = (struct dying){ .flows = json_array() };
	s.sets = setlist_sets(&plan->sets);
	void *memory = make(&s);
	int code = answer_ask(control, "flows", take_flow, &s);
	free(s.sets);
	free(s.strict);
	free(s.generous);
	free(s.kind);
	free(memory);
	return code;
}
