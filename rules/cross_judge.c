/* SPDX-License-Identifier: ISC */
/* cross_judge.c: finds the rule that decides. */
#include "cross_judge.h"

/* An image finds the network of the far end, which is where an inbound flow comes from. */
static struct tuple asked(const struct tuple *t)
{
	return (struct tuple){ .src = t->dst, .dst = t->src, .dport = t->dport, .proto = t->proto };
}

static const struct rule *walk_to(const struct ruleset *rules, const struct tuple *t, const struct rule_context *context)
{
	struct ruleset_walk walk = { 0, NONE };
	const struct rule *r;
	while ((r = ruleset_next(rules, &walk)) && cross_try(r, t, context) != TRIAL_HIT)
		;
	return r;
}

static uint32_t ref_of(const struct ruleset *rules, const struct rule *r)
{
	return r ? rule_ref(r->number, r->account) : rule_ref(RULE_POLICY, ruleset_account(rules));
}

const struct rule *cross_judge_inbound(const struct ruleset *rules, const struct tuple *t,
				       const struct rule_context *context, uint32_t *decided)
{
	const struct tuple far = asked(t);
	const struct rule *r = ruleset_is_compiled(rules) ? ruleset_find(rules, &far, context) : walk_to(rules, t, context);
	*decided = ref_of(rules, r);
	return r;
}

const struct rule *cross_judge_between(const struct ruleset *rules, const struct tuple *t,
				       const struct rule_context *context, uint32_t *decided)
{
	const struct rule *r = ruleset_is_compiled(rules) ? ruleset_find(rules, t, context) : walk_to(rules, t, context);
	*decided = ref_of(rules, r);
	return r;
}

const struct rule *cross_judge_linear(const struct ruleset *rules, const struct tuple *t,
				      const struct rule_context *context, uint32_t *decided)
{
	const struct rule *r = walk_to(rules, t, context);
	*decided = ref_of(rules, r);
	return r;
}

enum rule_trial cross_try(const struct rule *r, const struct tuple *t, const struct rule_context *context)
{
	struct ip_prefix from = { ip_of_v4(r->peer), r->peer_len };
	struct tuple far = asked(t);
	enum rule_trial trial = ruleset_try(r, r->kind == RULE_INBOUND ? &far : t, context);
	if (r->kind == RULE_INBOUND)
		return trial == TRIAL_DST ? TRIAL_SRC : trial;
	return trial == TRIAL_HIT && !ip_in_prefix(t->src, from) ? TRIAL_SRC : trial;
}
