/* SPDX-License-Identifier: ISC */
/*
 * cross_line.h: a rule of cross_rule.h as an operator writes it, in the family of qvm_rule.h.
 *
 *   accept tcp 2222 to 10.137.0.5:22 from 198.51.100.0/24   [inbound]: action, protocol or '-', ports or '-';
 *   drop tcp 22 from 192.0.2.0/24                           then `to` and `from`, in any order
 *   accept 10.137.0.5 10.137.0.6 tcp 22                     [between]: action, from or '-', to or '-', then as
 *   drop - 10.137.0.6 icmp 8                                in qvm_rule.h
 *   accept dstports=2222 to=10.137.0.5                      keys of cross_rule.h, and comment=, anywhere
 */
#ifndef CROSS_LINE_H
#define CROSS_LINE_H

#include "cross_rule.h"

enum cross_line { CROSS_BLANK, CROSS_RULE, CROSS_BAD };

/* line: without its newline. *out is set for CROSS_RULE, *err for CROSS_BAD. */
enum cross_line cross_line_parse(enum rule_kind, const char *line, size_t len, struct parsed_rule *out,
				 struct rule_error *err);

#endif
