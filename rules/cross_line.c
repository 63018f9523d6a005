/* SPDX-License-Identifier: ISC */
/* cross_line.c: an operator's line to a rule of cross_rule.h; words go to the first free place. */
#include "cross_line.h"
#include "headers.h"
#include "qvm_rule.h"

struct line {
	struct cross_draft draft;
	bool any_src, any_dst, any_proto, any_ports; /* '-' stands in that place */
};

static bool is_any(struct rule_word w)
{
	return rule_word_is(w, "-");
}

/* Protocol, then ports or type. */
static bool set_transport(struct line *l, struct rule_word w, struct rule_error *err)
{
	struct rule_draft *d = &l->draft.base;
	if (!d->column[RULE_KEY_PROTO] && !l->any_proto) {
		l->any_proto = is_any(w);
		return l->any_proto || rule_draft_set(d, RULE_KEY_PROTO, w, err);
	}
	if (d->column[RULE_KEY_PORTS] || d->column[RULE_KEY_TYPE] || l->any_ports)
		return rule_refuse(err, RULE_FAULT_MANY_WORDS, w);
	l->any_ports = is_any(w);
	bool icmp = (d->parsed.rule.flags & RULE_HAS_PROTO) && d->parsed.rule.proto == PROTO_ICMP;
	bool type = icmp && l->draft.kind == RULE_BETWEEN;
	return l->any_ports || rule_draft_set(d, type ? RULE_KEY_TYPE : RULE_KEY_PORTS, w, err);
}

static bool set_by_place(struct line *l, struct rule_word w, struct rule_error *err)
{
	struct rule_draft *d = &l->draft.base;
	if (!d->column[RULE_KEY_ACTION])
		return rule_draft_set(d, RULE_KEY_ACTION, w, err);
	if (l->draft.kind == RULE_INBOUND)
		return set_transport(l, w, err);
	if (!l->draft.src_column && !l->any_src) {
		l->any_src = is_any(w);
		return l->any_src || cross_draft_src(&l->draft, w, err);
	}
	if (!d->column[RULE_KEY_DST4] && !l->any_dst) {
		l->any_dst = is_any(w);
		return l->any_dst || rule_draft_set(d, RULE_KEY_DST4, w, err);
	}
	return set_transport(l, w, err);
}

/* key=value; a comment takes the rest of the line, too. */
static bool set_by_key(struct line *l, struct rule_word w, size_t equals, struct rule_word *rest,
		       struct rule_error *err)
{
	struct rule_word key = { w.at, equals, w.column };
	struct rule_word value = { w.at + equals + 1, w.len - equals - 1, w.column + equals + 1 };
	if (!rule_word_is(key, "comment"))
		return cross_draft_set(&l->draft, key, value, err);
	rest->at += rest->len;
	rest->len = 0;
	return true;
}

static bool set_word(struct line *l, struct rule_word w, struct rule_word *rest, struct rule_error *err)
{
	bool to = rule_word_is(w, "to"), from = rule_word_is(w, "from");
	size_t equals = 0;
	while (equals < w.len && w.at[equals] != '=')
		equals++;
	if (equals < w.len)
		return set_by_key(l, w, equals, rest, err);
	if (l->draft.kind != RULE_INBOUND || (!to && !from))
		return set_by_place(l, w, err);
	w = qvm_next_word(rest);
	return to ? cross_draft_to(&l->draft, w, err) : cross_draft_src(&l->draft, w, err);
}

enum cross_line cross_line_parse(enum rule_kind kind, const char *line, size_t len, struct parsed_rule *out,
				 struct rule_error *err)
{
	struct line l;
	memset(&l, 0, sizeof(l));
	l.draft.kind = kind;
	struct rule_word rest = { line, len, 1 };
	struct rule_word w = qvm_next_word(&rest);
	if (w.len == 0)
		return CROSS_BLANK;
	for (; w.len > 0; w = qvm_next_word(&rest))
		if (!set_word(&l, w, &rest, err))
			return CROSS_BAD;
	if (!cross_draft_finish(&l.draft, err))
		return CROSS_BAD;
	*out = l.draft.base.parsed;
	return CROSS_RULE;
}
