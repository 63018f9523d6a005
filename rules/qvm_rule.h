/* SPDX-License-Identifier: ISC */
/*
 * qvm_rule.h: a rule as an operator writes it for qvm-firewall.
 *
 *   accept example.com tcp 80-90      words by place: action, destination or
 *   drop - icmp 8                     '-', protocol or '-', ports or ICMP type
 *   accept dns                        dns may stand as destination or protocol
 *   accept @office tcp 443            a set of networks, as dstset=office
 *   action=accept dst4=10.0.0.0/8     the keys of rule.h, comment=, and expire=+SECONDS from now
 *   accept dsthost=10.0.0.1 tcp 443   both mixed: a word takes the first free place
 *
 * Blanks separate words, '#' starts a comment, comment= takes the rest of the
 * line. An address in dsthost= is taken as dst4 or dst6; an address without a
 * mask is one address; a single port P is P-P.
 */
#ifndef QVM_RULE_H
#define QVM_RULE_H

#include "rule.h"

enum qvm_line { QVM_BLANK, QVM_RULE, QVM_BAD };

/* The clients' trees such a rule goes into. */
enum qvm_family { QVM_BOTH, QVM_V4_ONLY, QVM_V6_ONLY };

struct qvm_rule {
	struct parsed_rule parsed; /* rule_text(): the store line; typed for IPv6 if QVM_V6_ONLY */
	enum qvm_family family;
	bool has_expire, expire_relative;
	uint32_t expire;           /* seconds since 1970, then parsed has it too; or from now when relative ("+300") */
	const char *comment;       /* inside the line; NULL: none */
	size_t comment_len;
};

/* line: without its newline. *out is set for QVM_RULE, *err for QVM_BAD. */
enum qvm_line qvm_rule_parse(const char *line, size_t len, struct qvm_rule *out,
			     struct rule_error *err);
/* Splits the next word off a line; len 0 at its end or where a comment begins. */
struct rule_word qvm_next_word(struct rule_word *rest);

#endif
