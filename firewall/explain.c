// SPDX-License-Identifier: ISC
/* Walks one question through the source check, the rules, the translation and the route. */
#include "cross.h"
#include "explain.h"
#include "jsonline.h"
#include "rulereport.h"

static bool take_port(struct cursor *c, uint16_t *value)
{
	uint32_t n;
	if (!parse_word(c, " ") || !parse_u32(c, 65535, &n))
		return false;
	*value = (uint16_t)n;
	return true;
}

static bool take_proto(struct cursor *c, uint8_t *proto)
{
	static const struct { const char *word; uint8_t proto; } known[] = {
		{ " tcp ", PROTO_TCP }, { " udp ", PROTO_UDP }, { " icmp ", PROTO_ICMP },
	};
	uint32_t n;
	for (size_t i = 0; i < array_len(known); i++) {
		if (parse_word(c, known[i].word)) {
			*proto = known[i].proto;
			return true;
		}
	}
	if (!parse_word(c, " ") || !parse_u32(c, 255, &n) || !parse_word(c, " "))
		return false;
	*proto = (uint8_t)n;
	return true;
}

/* sport and dport as the words say them become what the protocol has instead. */
static bool settle(struct tuple *t)
{
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP)
		return true;
	if (t->proto == PROTO_ICMP) {
		t->kind = (uint8_t)t->dport;
		bool type = t->dport <= UINT8_MAX;
		t->dport = 0;
		return type;
	}
	return t->sport == 0 && t->dport == 0;
}

static uint16_t port_of(const struct fw *fw, struct ip_addr client)
{
	for (uint16_t i = PORT_CLIENT_FIRST; i < PORT_COUNT; i++)
		if (fw->port[i].attached && fw_port_owns(&fw->port[i], client))
			return i;
	return PORT_NONE;
}

static void start(struct explain *e, const struct fw *fw)
{
	e->port = e->uplink ? PORT_UPLINK : port_of(fw, e->client_ip);
	bool across = !e->uplink && !fw_is_ours(fw, e->tuple.dst) && fw_is_protected(fw, e->tuple.dst);
	e->kind = e->uplink ? RULE_INBOUND : across ? RULE_BETWEEN : RULE_OUTWARD;
	policy_find(fw->policy, e->kind == RULE_OUTWARD ? e->client_ip : cross_owner(e->kind), &e->client);
	e->generation = policy_generation(fw->policy, e->client);
	e->walk = (struct ruleset_walk){ 0, NONE };
	e->stage = EXPLAIN_QUESTION;
}

const char *explain_begin(struct explain *e, const struct fw *fw, const char *question, size_t len)
{
	struct cursor c = cursor_of(question, len);
	struct tuple *t = &e->tuple;
	*e = (struct explain){ .stage = EXPLAIN_END };
	e->uplink = parse_word(&c, "uplink");
	e->client_ip = fw->uplink.ip;
	if (!e->uplink && !parse_ip(&c, &e->client_ip))
		return "the client must be an address, or uplink";
	if (!take_proto(&c, &t->proto))
		return "the protocol must be tcp, udp, icmp or a number";
	if (!parse_ip(&c, &t->src))
		return "the source must be an address";
	if (!take_port(&c, &t->sport))
		return "the source port must be 0..65535";
	if (!parse_word(&c, " ") || !parse_ip(&c, &t->dst))
		return "the destination must be an address";
	if (!take_port(&c, &t->dport) || c.left)
		return "the destination port must be 0..65535";
	if (!settle(t))
		return "an ICMP type is 0..255, and other protocols than tcp, udp and icmp have no ports";
	if ((!e->uplink && !ip_is_v4(e->client_ip)) || !ip_is_v4(t->src) || !ip_is_v4(t->dst))
		return "only IPv4 is forwarded";
	start(e, fw);
	return NULL;
}

static void question(const struct explain *e, const struct fw *fw, struct text *t)
{
	char word[16];
	struct text proto = text_on(word);
	text_proto(&proto, e->tuple.proto);
	json_begin(t, "explain");
	if (e->uplink)
		json_text(t, "client", "uplink");
	else
		json_ip(t, "client", e->client_ip);
	if (e->kind != RULE_OUTWARD)
		json_owner(t, "rules_of", cross_owner(e->kind));
	json_text(t, "state", e->client != NONE && policy_show(fw->policy, e->client).rules ? "open" : "closed");
	json_u64(t, "generation", e->generation);
	json_bool(t, "attached", e->port != PORT_NONE);
	json_text(t, "proto", word);
	json_ip(t, "src", e->tuple.src);
	json_u64(t, "sport", e->tuple.sport);
	json_ip(t, "dst", e->tuple.dst);
	if (e->tuple.proto == PROTO_ICMP)
		json_u64(t, "icmptype", e->tuple.kind);
	else
		json_u64(t, "dport", e->tuple.dport);
	json_end(t);
}

/* What the pipeline says before it asks the rules. */
static enum drop before_rules(const struct explain *e, const struct fw *fw)
{
	if (e->port == PORT_NONE || !fw->port[e->port].up)
		return DROP_PORT_GONE;
	enum drop reason = fw_admits(fw, &e->tuple, e->port);
	if (reason == DROP_NONE && e->uplink)
		return ip_eq(e->tuple.dst, fw->uplink.ip) && e->client != NONE ? DROP_NONE : DROP_NEW_FROM_UPLINK;
	if (reason == DROP_NONE)
		reason = policy_blocked(fw->policy, &e->tuple);
	if (reason != DROP_NONE)
		return reason;
	if (fw_is_ours(fw, e->tuple.dst))
		return e->tuple.proto == PROTO_ICMP ? DROP_LOCAL_CONSUMED : DROP_LOCAL_REFUSED;
	if (e->kind == RULE_OUTWARD && !fw_uplink_ready(fw))
		return DROP_NO_ROUTE;
	bool nobody = e->kind == RULE_BETWEEN && (e->client == NONE || fw_port_of(fw, e->tuple.dst) == PORT_NONE);
	return nobody ? DROP_INTER_CLIENT : DROP_NONE;
}

/* The next rule, and how it agrees; a line with a set, which became several rules, is one. NULL: none is left. */
static const struct rule *try_next(struct explain *e, const struct fw *fw, const struct ruleset *rules,
				   enum rule_trial *trial)
{
	const struct rule_context *context = policy_context(fw->policy);
	const struct rule *r = ruleset_next(rules, &e->walk), *next;
	for (struct ruleset_walk ahead = e->walk; r; r = next) {
		*trial = e->kind == RULE_OUTWARD ? ruleset_try(r, &e->tuple, context) :
						   cross_try(r, &e->tuple, context);
		next = ruleset_next(rules, &ahead);
		if (*trial == TRIAL_HIT || !next || next->number != r->number)
			break;
		e->walk = ahead;
	}
	return r;
}

/* The next rule tried; false: none is left, or one has hit. */
static bool rule(struct explain *e, const struct fw *fw, struct text *t)
{
	char buffer[RULE_TEXT];
	struct text words = text_on(buffer);
	struct policy_view view = { 0 };
	if (e->client != NONE)
		view = policy_show(fw->policy, e->client);
	if (!view.rules || before_rules(e, fw) != DROP_NONE)
		return false;
	enum rule_trial trial = TRIAL_HIT;
	const struct rule *r = try_next(e, fw, view.rules, &trial);
	if (!r)
		return false;
	rule_report_text(fw, r, &words);
	json_begin(t, "rule");
	json_u64(t, "number", r->number);
	json_text(t, "text", buffer);
	json_text(t, "trial", rule_trial_word(trial));
	json_rule_id(t, "id", fw, rule_ref(r->number, r->account));
	json_end(t);
	if (trial == TRIAL_HIT)
		e->stage = EXPLAIN_VERDICT;
	return true;
}

static void translation(const struct explain *e, const struct fw *fw, struct text *t)
{
	const struct fw_port *uplink = &fw->port[PORT_UPLINK];
	json_text(t, "route", "uplink");
	json_ip(t, "next_hop", fw_next_hop(fw, PORT_UPLINK, e->tuple.dst));
	json_u64(t, "mtu", uplink->config.mtu);
	json_ip(t, "nat_ip", fw->uplink.ip);
	struct tuple back = tuple_reverse(&e->tuple);
	uint32_t flow;
	enum ct_dir dir;
	back.dst = fw->uplink.ip;
	if (ct_find(fw->ct, &e->tuple, &flow, &dir) && dir == CT_ORIG) {
		json_text(t, "flow", "open");
		json_u64(t, "nat_port", ct_flow(fw->ct, flow)->nat_port);
	} else if (ct_find(fw->ct, &back, &flow, &dir)) {
		json_text(t, "flow", "new");
		json_text(t, "nat_port", "random: its own is taken");
	} else {
		json_text(t, "flow", "new");
		json_u64(t, "nat_port", e->tuple.sport);
	}
}

/* By the rules; *lead: where it goes on to. */
static enum drop judge(const struct explain *e, const struct fw *fw, struct cross_lead *lead)
{
	enum drop reason = DROP_NONE;
	*lead = (struct cross_lead){ e->tuple.dst, e->tuple.dport, fw_port_of(fw, e->tuple.dst), RULE_POLICY };
	switch (e->kind) {
	case RULE_OUTWARD:
		policy_judge(fw->policy, e->client, &e->tuple, &lead->rule, &reason);
		return reason;
	case RULE_INBOUND:
		return cross_inbound(fw, &e->tuple, lead);
	case RULE_BETWEEN:
		return cross_between(fw, &e->tuple, &lead->rule);
	}
	return reason;
}

static void leads_to(const struct explain *e, const struct fw *fw, const struct cross_lead *lead, struct text *t)
{
	uint32_t flow;
	enum ct_dir dir;
	json_text(t, "route", "client");
	json_ip(t, "to_ip", lead->to);
	json_u64(t, "to_port", lead->to_port);
	json_text(t, "port", fw->port[lead->port].config.name);
	json_u64(t, "mtu", fw->port[lead->port].config.mtu);
	json_text(t, "flow", ct_find(fw->ct, &e->tuple, &flow, &dir) ? "open" : "new");
}

static bool is_told(const struct explain *e, enum drop reason)
{
	switch (e->kind) {
	case RULE_OUTWARD:
		return reason != DROP_NONE;
	case RULE_INBOUND:
		return false;
	case RULE_BETWEEN:
		return reason == DROP_RULE;
	}
	return false;
}

static void verdict(const struct explain *e, const struct fw *fw, struct text *t)
{
	struct cross_lead lead = { .rule = RULE_POLICY };
	enum drop reason = before_rules(e, fw);
	bool judged = reason == DROP_NONE, to_us = reason == DROP_LOCAL_REFUSED, no_route = reason == DROP_NO_ROUTE;
	if (judged)
		reason = judge(e, fw, &lead);
	json_begin(t, "verdict");
	json_text(t, "verdict", reason == DROP_NONE ? "accept" : "drop");
	if (reason != DROP_NONE) {
		json_text(t, "reason", drop_word(reason));
		json_text(t, "text", drop_text(reason));
	}
	bool ruled = judged && reason != DROP_CLOSED;
	if (ruled)
		json_rule_number(t, "rule", lead.rule);
	if (judged && is_told(e, reason))
		json_text(t, "told", "icmp 3/13");
	else if (to_us)
		json_text(t, "told", "icmp 3/10");
	else if (no_route)
		json_text(t, "told", "icmp 3/0");
	if (reason == DROP_NONE && e->kind == RULE_OUTWARD)
		translation(e, fw, t);
	else if (reason == DROP_NONE)
		leads_to(e, fw, &lead, t);
	if (ruled)
		json_rule_id(t, "rule_id", fw, lead.rule);
	json_end(t);
}

bool explain_next(struct explain *e, struct fw *fw, struct text *line)
{
	if (e->stage != EXPLAIN_END && policy_generation(fw->policy, e->client) != e->generation)
		start(e, fw); /* the rules changed under the answer: it is given again */
	switch (e->stage) {
	case EXPLAIN_QUESTION:
		question(e, fw, line);
		e->stage = EXPLAIN_RULES;
		return true;
	case EXPLAIN_RULES:
		if (!rule(e, fw, line))
			e->stage = EXPLAIN_VERDICT;
		return true;
	case EXPLAIN_VERDICT:
		verdict(e, fw, line);
		e->stage = EXPLAIN_END;
		return true;
	case EXPLAIN_END:
		break;
	}
	return false;
}
