/* links: rules/cross_rule.c rules/cross_line.c rules/qvm_rule.c rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Any bytes as a line of the inbound and the between tree, in both notations; checked as fuzz_rule does. */
#include <string.h>
#include "cross_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_error(const struct rule_error *err, size_t len)
{
	char buffer[RULE_ERROR_TEXT];
	struct text t = text_on(buffer);
	rule_error_text(&t, err);
	ensure(!t.cut && err->column >= 1 && (err->column <= len + 1 || err->column == UINT16_MAX));
}

static void check_rule(enum rule_kind kind, const struct parsed_rule *p)
{
	char line[RULE_TEXT], again[RULE_TEXT];
	struct text t = text_on(line), u = text_on(again);
	struct parsed_rule q;
	struct rule_error err;
	uint16_t lo, hi;
	rule_text(&t, p);
	ensure(!t.cut && cross_rule_parse(kind, line, t.len, &q, &err));
	ensure(!memcmp(&p->rule, &q.rule, sizeof(q.rule)));
	rule_text(&u, &q);
	ensure(t.len == u.len && !memcmp(line, again, t.len));
	if (kind != RULE_INBOUND || p->rule.action != VERDICT_ACCEPT)
		return;
	cross_rule_to(&p->rule, p->rule.port_lo, &lo);
	cross_rule_to(&p->rule, p->rule.port_hi, &hi);
	ensure(p->rule.flags & RULE_HAS_PORTS && lo <= hi);
	ensure(hi - lo == p->rule.port_hi - p->rule.port_lo || hi == lo);
}

static void try_kind(enum rule_kind kind, const char *line, size_t len)
{
	struct parsed_rule p;
	struct rule_error err;
	if (cross_rule_parse(kind, line, len, &p, &err))
		check_rule(kind, &p);
	else
		check_error(&err, len);
	switch (cross_line_parse(kind, line, len, &p, &err)) {
	case CROSS_BLANK:
		break;
	case CROSS_RULE:
		check_rule(kind, &p);
		break;
	case CROSS_BAD:
		check_error(&err, len);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	try_kind(RULE_INBOUND, (const char *)bytes, len);
	try_kind(RULE_BETWEEN, (const char *)bytes, len);
	return 0;
}
