/* SPDX-License-Identifier: ISC */
/*
 * rule_id.h: what a rule is called, as long as it is the same rule: the label its owner gave it, or else "r-" and
 * eight hex digits, a hash of its client's address and its canonical line without expire. A reload, a restart and
 * another number change nothing of it. Further lines of one client that come to the same hash are told apart by "#2"
 * and so on behind it, in their order; lines with the same label share one id. "policy" is the policy behind the last
 * rule.
 */
#ifndef RULE_ID_H
#define RULE_ID_H

#include "rule.h"

enum { RULE_ID_TEXT = 32 }; /* buffer that holds any rule_id_text, with the NUL */

/* Of a rule without its label; on every machine the same. */
uint32_t rule_id_hash(struct ip_addr client, const struct parsed_rule *);
/* "r-1f3a9c02"; nth from 1 on, 2: "r-1f3a9c02#2" */
void rule_id_text(struct text *, uint32_t hash, uint32_t nth);

#endif
