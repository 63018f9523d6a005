/* SPDX-License-Identifier: ISC */
/*
 * rulereport.c: tells rules with what they did, a line at a time.
 */
#include "cross_rule.h"
#include "rulereport.h"
#include "cross.h"
#include "jsonline.h"

enum { SLICE_SLOTS = 64 }; /* of the flow table, looked at for one line */

static const uint64_t NS_PER_S = 1000000000;
static const char inbound[] = "inbound", between[] = "between";

const char *rule_report_begin(struct rule_report *r, const struct fw *fw, const char *words, size_t len)
{
	struct cursor c = cursor_of(words, len);
	*r = (struct rule_report){ .stage = RULE_REPORT_FLOWS, .client = NONE };
	if (c.left > 0 && !(parse_word(&c, " ") && cross_owner_parse(&c, &r->only) && c.left == 0))
		return "rules takes the address of a client, inbound, between, or nothing";
	if (!ip_is_zero(r->only) && !policy_find(fw->policy, r->only, &r->client))
		return "no such client";
	accounts_reckon(policy_accounts(fw->policy));
	return NULL;
}

/* --- words for a rule ----------------------------------------------------------------- */

void json_rule_id(struct text *t, const char *name, const struct fw *fw, uint32_t rule)
{
	char buffer[RULE_ID_TEXT];
	struct text id = text_on(buffer);
	accounts_id(policy_accounts(fw->policy), rule_ref_account(rule), &id);
	json_text(t, name, buffer);
}

void json_rule_number(struct text *t, const char *name, uint32_t rule)
{
	if (rule_ref_number(rule) == RULE_POLICY)
		json_text(t, name, "policy");
	else
		json_u64(t, name, rule_ref_number(rule));
}

static size_t length(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

void rule_report_text(const struct fw *fw, const struct rule *rule, struct text *t)
{
	char buffer[RULE_ID_TEXT];
	struct text label = text_on(buffer);
	uint32_t handle = rule->kind == RULE_OUTWARD ? rule->host : NONE;
	struct parsed_rule parsed = { .rule = *rule, .host = hosts_text(policy_hosts(fw->policy), handle) };
	const struct sets *sets = policy_context(fw->policy)->sets;
	parsed.host_len = length(parsed.host);
	parsed.set = sets ? sets_name(sets, handle) : "?";
	parsed.set_len = length(parsed.set);
	if (accounts_labelled(policy_accounts(fw->policy), rule->account)) {
		accounts_id(policy_accounts(fw->policy), rule->account, &label);
		parsed.label = buffer;
		parsed.label_len = label.len;
	}
	rule_text(t, &parsed);
}

static void put_client(struct ip_addr ip, struct text *t)
{
	switch (cross_kind(ip)) {
	case RULE_INBOUND:
		json_text(t, "client", inbound);
		return;
	case RULE_BETWEEN:
		json_text(t, "client", between);
		return;
	case RULE_OUTWARD:
		json_owner(t, "client", ip);
		return;
	}
}

/* --- lines ------------------------------------------------------------------------------ */

static void pool_line(const struct accounts *a, struct text *t)
{
	json_begin(t, "accounts");
	json_u64(t, "capacity", a->capacity);
	json_u64(t, "free", accounts_free(a));
	json_u64(t, "missed", a->missed);
	json_end(t);
}

static void put_age(struct text *t, const char *name, uint64_t at_ns, uint64_t now_ns)
{
	json_u64(t, name, now_ns > at_ns ? (now_ns - at_ns) / NS_PER_S : 0);
}

static void put_counters(const struct accounts *a, uint16_t account, uint64_t now_ns, struct text *t)
{
	struct account_view v = accounts_show(a, account);
	if (account == 0)
		return;
	json_bool(t, "labelled", accounts_labelled(a, account));
	json_u64(t, "packets", v.sent[0].packets + v.sent[1].packets);
	json_u64(t, "bytes", v.sent[0].bytes + v.sent[1].bytes);
	json_u64(t, "up_packets", v.sent[CT_ORIG].packets);
	json_u64(t, "up_bytes", v.sent[CT_ORIG].bytes);
	json_u64(t, "down_packets", v.sent[CT_REPLY].packets);
	json_u64(t, "down_bytes", v.sent[CT_REPLY].bytes);
	json_u64(t, "flows", v.flows);
	json_u64(t, "live", v.live);
	json_u64(t, "refused", v.refused);
	put_age(t, "since_s", v.since_ns, now_ns);
	if (v.last_ns > 0) {
		put_age(t, "first_s", v.first_ns, now_ns);
		put_age(t, "last_s", v.last_ns, now_ns);
	}
}

static void line(const struct fw *fw, const struct policy_view *view, uint32_t rule, const char *words,
		 uint64_t now_ns, struct text *t)
{
	json_begin(t, "rule");
	put_client(view->ip, t);
	json_rule_number(t, "rule", rule);
	json_rule_id(t, "id", fw, rule);
	json_text(t, "text", words);
	put_counters(policy_accounts(fw->policy), rule_ref_account(rule), now_ns, t);
	json_end(t);
}

/* False: the client has no more. A line that became several rules is told once. */
static bool rule_line(struct rule_report *r, const struct fw *fw, uint64_t now_ns, struct text *t)
{
	char buffer[RULE_TEXT];
	struct text words = text_on(buffer);
	struct policy_view view = policy_show(fw->policy, r->client);
	if (!view.rules || r->policy_told)
		return false;
	const struct rule *rule = ruleset_next(view.rules, &r->walk);
	if (!rule) {
		text_put(&words, ruleset_policy(view.rules) == VERDICT_ACCEPT ? "policy=accept" : "policy=drop");
		line(fw, &view, rule_ref(RULE_POLICY, ruleset_account(view.rules)), buffer, now_ns, t);
		r->policy_told = true;
	} else if (rule->number != r->number) {
		r->number = rule->number;
		rule_report_text(fw, rule, &words);
		line(fw, &view, rule_ref(rule->number, rule->account), buffer, now_ns, t);
	}
	return true;
}

static void begin_client(struct rule_report *r, const struct fw *fw)
{
	r->stage = r->client == NONE ? RULE_REPORT_END : RULE_REPORT_RULES;
	r->generation = policy_generation(fw->policy, r->client);
	r->walk = (struct ruleset_walk){ 0, NONE };
	r->number = NONE;
	r->policy_told = false;
}

/* What was told of this client is void. */
static void again_line(struct rule_report *r, const struct fw *fw, struct text *t)
{
	struct policy_view view = policy_show(fw->policy, r->client);
	json_begin(t, "again");
	put_client(view.ip, t);
	json_end(t);
	begin_client(r, fw);
}

/* --- one after the other ---------------------------------------------------------------- */

static void reckon(struct rule_report *r, struct fw *fw)
{
	struct accounts *a = policy_accounts(fw->policy);
	uint32_t end = r->flow + SLICE_SLOTS, used = ct_used(fw->ct);
	end = end < used ? end : used;
	for (; r->flow < end; r->flow++) {
		const struct flow *f = ct_flow(fw->ct, r->flow);
		if (f)
			accounts_reckon_flow(a, r->flow, rule_ref_account(f->rule), f->sent, f->touched_ns);
	}
	if (end == used) {
		end = ct_capacity(fw->ct);
		r->stage = RULE_REPORT_POOL;
	}
	accounts_reckoned(a, end);
}

bool rule_report_next(struct rule_report *r, struct fw *fw, uint64_t now_ns, struct text *t)
{
	switch (r->stage) {
	case RULE_REPORT_FLOWS:
		reckon(r, fw);
		return true;
	case RULE_REPORT_POOL:
		pool_line(policy_accounts(fw->policy), t);
		r->stage = RULE_REPORT_CLIENT;
		return true;
	case RULE_REPORT_CLIENT:
		if (ip_is_zero(r->only) || r->client == NONE)
			r->client = policy_next(fw->policy, r->client);
		begin_client(r, fw);
		return true;
	case RULE_REPORT_RULES:
		if (policy_generation(fw->policy, r->client) != r->generation)
			again_line(r, fw, t);
		else if (!rule_line(r, fw, now_ns, t))
			r->stage = ip_is_zero(r->only) ? RULE_REPORT_CLIENT : RULE_REPORT_END;
		return true;
	case RULE_REPORT_END:
		break;
	}
	return false;
}
