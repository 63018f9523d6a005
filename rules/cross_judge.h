/* SPDX-License-Identifier: ISC */
/* cross_judge.h: what a set of inbound or of between rules (cross_rule.h) says of a flow. */
#ifndef CROSS_JUDGE_H
#define CROSS_JUDGE_H

#include "cross_rule.h"
#include "ruleset.h"

/*
 * The rule that decides about a flow from the world, whose tuple is as it comes; NULL: none is about it. Costs what
 * ruleset_judge does. *decided: as of ruleset_judge.
 */
const struct rule *cross_judge_inbound(const struct ruleset *, const struct tuple *, const struct rule_context *,
				       uint32_t *decided);
/* The same for one between clients. */
const struct rule *cross_judge_between(const struct ruleset *, const struct tuple *, const struct rule_context *,
				       uint32_t *decided);
/* Either by walking the rules: what the images are tested against. */
const struct rule *cross_judge_linear(const struct ruleset *, const struct tuple *, const struct rule_context *,
				      uint32_t *decided);
/* As ruleset_try, for a rule of either kind. */
enum rule_trial cross_try(const struct rule *, const struct tuple *, const struct rule_context *);

#endif
