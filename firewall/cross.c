// SPDX-License-Identifier: ISC
/* cross.c: what the inbound and the between rules say of a flow. */
#include "cross.h"

static uint32_t find(struct fw *fw, enum rule_kind kind)
{
	struct ip_addr owner = cross_owner(kind);
	uint32_t client;
	if (!policy_find(fw->policy, owner, &client))
		return NONE;
	/* its place stays its own from now on */
	if (!policy_is_attached(fw->policy, owner))
		policy_mark_attached(fw->policy, owner, true);
	return client;
}

static const struct ruleset *rules_of(const struct fw *fw, uint32_t client)
{
	return client == NONE ? NULL : policy_show(fw->policy, client).rules;
}

static void keep_ports(struct fw *fw)
{
	const struct ruleset *rules = rules_of(fw, fw->cross.inbound);
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *r, *first = NULL;
	bool many = false;
	ct_keep_none(fw->ct);
	while (rules && (r = ruleset_next(rules, &walk))) {
		if (r->action != VERDICT_ACCEPT || (r->flags & RULE_VOID))
			continue;
		first = first ? first : r;
		many |= be32_get(r->peer) != be32_get(first->peer);
		if (!(r->flags & RULE_HAS_PROTO) || r->proto == PROTO_TCP)
			ct_keep_ports(fw->ct, PROTO_TCP, r->port_lo, r->port_hi);
		if (!(r->flags & RULE_HAS_PROTO) || r->proto == PROTO_UDP)
			ct_keep_ports(fw->ct, PROTO_UDP, r->port_lo, r->port_hi);
	}
	ct_lead_to_many(fw->ct, many);
}

void cross_refresh(struct fw *fw)
{
	fw->cross.inbound = find(fw, RULE_INBOUND);
	fw->cross.between = find(fw, RULE_BETWEEN);
	uint64_t generation = policy_generation(fw->policy, fw->cross.inbound);
	if (generation == fw->cross.kept)
		return;
	fw->cross.kept = generation;
	keep_ports(fw);
}

/* --- from the world --------------------------------------------------------------------- */

/* The rule that lets it in; NULL: *reason. */
static const struct rule *admitting(const struct fw *fw, const struct tuple *t, uint32_t *rule, enum drop *reason)
{
	const struct ruleset *rules = rules_of(fw, fw->cross.inbound);
	*rule = RULE_POLICY;
	*reason = DROP_NEW_FROM_UPLINK;
	if (!rules || !ip_eq(t->dst, fw->uplink.ip) || (t->proto != PROTO_TCP && t->proto != PROTO_UDP))
		return NULL;
	const struct rule *r = cross_judge_inbound(rules, t, policy_context(fw->policy), rule);
	if (r && r->action == VERDICT_ACCEPT)
		return r;
	*reason = r ? DROP_RULE : DROP_NEW_FROM_UPLINK;
	return NULL;
}

enum drop cross_inbound(const struct fw *fw, const struct tuple *t, struct cross_lead *lead)
{
	enum drop reason;
	*lead = (struct cross_lead){ .port = PORT_NONE, .rule = RULE_POLICY };
	const struct rule *r = admitting(fw, t, &lead->rule, &reason);
	if (!r)
		return reason;
	lead->to = cross_rule_to(r, t->dport, &lead->to_port);
	lead->port = fw_port_of(fw, lead->to);
	if (lead->port == PORT_NONE)
		return DROP_PORT_GONE;
	struct tuple answer = { lead->to, t->src, lead->to_port, t->sport, t->proto, 0, 0 };
	reason = fw_admits(fw, &answer, lead->port);
	return reason == DROP_NONE ? policy_blocked(fw->policy, &answer) : reason;
}

/* --- between clients -------------------------------------------------------------------- */

enum drop cross_between(const struct fw *fw, const struct tuple *t, uint32_t *rule)
{
	const struct ruleset *rules = rules_of(fw, fw->cross.between);
	*rule = RULE_POLICY;
	const struct rule *r = rules ? cross_judge_between(rules, t, policy_context(fw->policy), rule) : NULL;
	return !r ? DROP_INTER_CLIENT : r->action == VERDICT_ACCEPT ? DROP_NONE : DROP_RULE;
}

/* --- flows ------------------------------------------------------------------------------- */

enum drop cross_again(const struct fw *fw, const struct flow *flow, uint32_t *rule)
{
	struct cross_lead lead;
	struct tuple came = flow_reply(flow);
	if (flow->kind == FLOW_BETWEEN)
		return cross_between(fw, &flow->orig, rule);
	enum drop reason = cross_inbound(fw, &came, &lead);
	*rule = lead.rule;
	if (reason == DROP_NONE && !(ip_eq(lead.to, flow->orig.src) && lead.to_port == flow->orig.sport))
		return DROP_NEW_FROM_UPLINK; /* it leads elsewhere now */
	return reason;
}

void cross_detached(struct fw *fw, uint16_t port)
{
	for (uint32_t i = 0; fw->cross.between != NONE && (i = ct_next(fw->ct, i)) != NONE; i++) {
		const struct flow *flow = ct_flow(fw->ct, i);
		if (flow->kind == FLOW_BETWEEN && fw_port_owns(&fw->port[port], flow->orig.dst))
			ct_cut(fw->ct, i);
	}
}
