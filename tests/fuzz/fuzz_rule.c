/* links: rules/qvm_rule.c rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/*
 * Any bytes as a rule line, in both notations. What is taken prints as a
 * canonical line that reads back as the same rule; what is refused says where.
 */
#include <string.h>
#include "qvm_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_error(const struct rule_error *err, size_t len)
{
	char buffer[RULE_ERROR_TEXT];
	struct text t = text_on(buffer);
	rule_error_text(&t, err);
	ensure(!t.cut && err->column >= 1 && (err->column <= len + 1 || err->column == UINT16_MAX));
}

static void check_rule(const struct parsed_rule *p, bool v6)
{
	char line[RULE_TEXT], again[RULE_TEXT];
	struct text t = text_on(line), u = text_on(again);
	struct parsed_rule q;
	struct rule_error err;
	rule_text(&t, p);
	ensure(!t.cut);
	ensure(rule_parse(line, t.len, v6, &q, &err));
	ensure(!memcmp(&p->rule, &q.rule, sizeof(q.rule)));
	rule_text(&u, &q);
	ensure(t.len == u.len && !memcmp(line, again, t.len));
	ensure(q.rule.port_lo <= q.rule.port_hi);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *line = (const char *)bytes;
	struct rule_error err;
	for (int v6 = 0; v6 < 2; v6++) {
		struct parsed_rule p;
		if (rule_parse(line, len, v6, &p, &err))
			check_rule(&p, v6);
		else
			check_error(&err, len);
	}
	struct qvm_rule r;
	switch (qvm_rule_parse(line, len, &r, &err)) {
	case QVM_BLANK:
		break;
	case QVM_RULE:
		check_rule(&r.parsed, r.family == QVM_V6_ONLY);
		break;
	case QVM_BAD:
		check_error(&err, len);
		break;
	}
	return 0;
}
