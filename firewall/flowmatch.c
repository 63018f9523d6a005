// SPDX-License-Identifier: ISC
/* Holds a flow against an expression over packets. */
#include "flowmatch.h"

bool flow_matches(const struct fw *fw, const struct flow *flow, const struct match *m)
{
	char number[12], name[RULE_ID_TEXT];
	struct text rule = text_on(number), id = text_on(name);
	if (rule_ref_number(flow->rule) == RULE_POLICY)
		text_put(&rule, "policy");
	else
		text_u64(&rule, rule_ref_number(flow->rule));
	accounts_id(policy_accounts(fw->policy), rule_ref_account(flow->rule), &id);
	const struct match_facts facts = {
		.has_tuple = true, .came = flow->orig, .inside = ct_translated(flow, CT_ORIG), .client = flow->orig.src,
		.fate = MATCH_FATE_PASSED, .rule = number, .rule_id = *name ? name : NULL,
	};
	return match_hits(m, &facts);
}
