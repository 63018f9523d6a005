/* SPDX-License-Identifier: ISC */
/*
 * treecommit.c: stages the rules of a tree, those with a set once for each of its members.
 */
#include "cross_rule.h"
#include "treecommit.h"

static void stage(const struct treecommit *c, const struct rule *rule, bool v6)
{
	struct rule one;
	if (!(rule->flags & RULE_HAS_SET)) {
		policy_stage_rule(c->policy, rule);
		return;
	}
	for (uint32_t at = 0; sets_expand(c->trees->sets, rule, v6, &at, &one);)
		policy_stage_rule(c->policy, &one);
}

/* Stages the rules; false: *why says what is wrong. */
static bool stage_rules(const struct treecommit *c, const struct tree *tree, struct text *why,
			uint32_t *count)
{
	struct staged_walk walk = staged_start(&tree->rules);
	const struct staged *s;
	policy_stage(c->policy, tree->ip,
		     tree->policy == TREE_ACCEPT ? VERDICT_ACCEPT : VERDICT_DROP);
	for (*count = 0; (s = staged_next(c->trees->pool, &walk)); ++*count) {
		if (s->bad) {
			text_put(why, "rule ");
			text_padded(why, s->number, 4);
			text_char(why, ' ');
			rule_error_text(why, &s->error);
			return false;
		}
		stage(c, &s->rule, !ip_is_v4(tree->ip));
	}
	return true;
}

static void say_open(const struct treecommit *c, const struct tree *tree, uint32_t count)
{
	char buffer[STORELOG_BYTES];
	struct text what = text_on(buffer);
	text_u64(&what, count);
	text_put(&what, count == 1 ? " rule" : " rules");
	text_put(&what, tree->policy == TREE_ACCEPT ? ", then accept" : ", then drop");
	storelog_client(c->log, tree->ip, buffer, ": open");
}

/* Nothing at all in it: what that means inside a held change is "closed". */
static bool commit_held(const struct treecommit *c, const struct tree *tree)
{
	char buffer[POLICY_ERROR_TEXT];
	struct text why = text_on(buffer);
	const char *fault = buffer;
	uint32_t count;
	if (tree_is_empty(tree)) {
		policy_close(c->policy, tree->ip, "");
		return false;
	}
	if (tree_is_whole(tree, &why) && stage_rules(c, tree, &why, &count)) {
		if (policy_publish(c->policy))
			return true;
		fault = policy_fault(c->policy);
	}
	generation_fault(c->generation, tree->ip, fault);
	return false;
}

/* False: nothing but other rules can make it right. */
static bool commit_now(const struct treecommit *c, const struct tree *tree)
{
	char buffer[POLICY_ERROR_TEXT];
	struct text why = text_on(buffer);
	const char *fault = buffer;
	bool whole = false;
	uint32_t count;
	if (tree_is_empty(tree) && cross_kind(tree->ip) != RULE_OUTWARD) {
		policy_close(c->policy, tree->ip, "no rules");
		storelog_client(c->log, tree->ip, "none", ": off");
		return true;
	}
	if (!tree_is_whole(tree, &why) || !stage_rules(c, tree, &why, &count)) {
		policy_close(c->policy, tree->ip, buffer);
	} else if (policy_publish(c->policy)) {
		say_open(c, tree, count);
		return true;
	} else {
		fault = policy_fault(c->policy);
		whole = true; /* a set of its own that is smaller can */
	}
	storelog_client(c->log, tree->ip, fault, ": closed");
	return whole;
}

void treecommit(const struct treecommit *c, struct tree *tree)
{
	tree->stands = generation_is_held(c->generation) ? commit_held(c, tree) : commit_now(c, tree);
	tree->changed = tree->set_changed = false;
}
