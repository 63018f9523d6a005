/* SPDX-License-Identifier: ISC */
/*
 * policy_change.c: rule sets staged, published, held, kept and taken back.
 */
#include "policy_clients.h"

static const char full[] = "too many rules: no room left";
static const char crowded[] = "too many clients";
static const char emptied[] = "no policy";
static const char as_before[] = "closed, as before the change that nobody confirmed";

static void drop(struct policy *p, struct ruleset **rules, bool *has)
{
	if (*has && *rules)
		policy_free_rules(p, *rules);
	*rules = NULL;
	*has = false;
}

/* rules NULL: error says why it is closed. */
static void replace(struct policy *p, struct client *c, struct ruleset *rules, const char *error,
		    enum policy_keeping keeping)
{
	bool keep = keeping == POLICY_KEEP && !c->has_before;
	if (keeping != POLICY_KEEP && keeping != POLICY_AMEND)
		drop(p, &c->before, &c->has_before);
	if (keep)
		c->before = c->rules;
	else if (c->rules)
		policy_free_rules(p, c->rules);
	c->has_before |= keep;
	c->rules = rules;
	policy_set_error(c, error);
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

/* --- a rule set's way in -------------------------------------------------------- */

static void unstage(struct policy *p)
{
	if (p->stage.rules)
		policy_free_rules(p, p->stage.rules);
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
	struct client *c = p->stage.full ? NULL : policy_client_of(p, p->stage.ip);
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
	struct client *c = policy_client_of(p, ip);
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
