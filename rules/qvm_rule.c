/* SPDX-License-Identifier: ISC */
/*
 * qvm_rule.c: an operator's line to a rule; words go to the first free place.
 */
#include "qvm_rule.h"
#include "headers.h"

struct line {
	struct rule_draft draft;
	struct qvm_rule out;
	bool any_dst, any_proto; /* '-' stands in that place */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct rule_word qvm_next_word(struct rule_word *rest)
{
	size_t from = 0;
	while (from < rest->len && is_blank(rest->at[from]))
		from++;
	size_t to = from;
	if (from < rest->len && rest->at[from] != '#')
		while (to < rest->len && !is_blank(rest->at[to]))
			to++;
	struct rule_word word = { rest->at + from, to - from, rest->column + from };
	*rest = (struct rule_word){ rest->at + to, rest->len - to, rest->column + to };
	return word;
}

static bool is_number(struct rule_word w)
{
	struct cursor c = cursor_of(w.at, w.len);
	uint32_t value;
	return parse_u32(&c, UINT32_MAX, &value) && c.left == 0;
}

static bool is_proto(struct rule_word w)
{
	return rule_word_is(w, "tcp") || rule_word_is(w, "udp") || rule_word_is(w, "icmp");
}

/* An address, with or without a mask, a set, or a name. The address decides the family of the rule. */
static bool set_dst(struct line *l, struct rule_word w, struct rule_error *err)
{
	if (w.len > 0 && w.at[0] == '@')
		return rule_draft_set(&l->draft, RULE_KEY_DSTSET,
				      (struct rule_word){ w.at + 1, w.len - 1, w.column + 1 }, err);
	struct cursor c = cursor_of(w.at, w.len);
	struct ip_prefix network;
	if (!parse_prefix(&c, &network) || c.left > 0)
		return rule_draft_set(&l->draft, RULE_KEY_DSTHOST, w, err);
	l->draft.v6 = !ip_is_v4(network.addr);
	return rule_draft_set(&l->draft, l->draft.v6 ? RULE_KEY_DST6 : RULE_KEY_DST4, w, err);
}

static bool set_expire(struct line *l, struct rule_word w, struct rule_error *err)
{
	struct cursor c = cursor_of(w.at, w.len);
	if (l->out.has_expire)
		return rule_refuse(err, RULE_FAULT_DUPLICATE, w);
	l->out.has_expire = true;
	l->out.expire_relative = parse_word(&c, "+");
	if (!parse_u32(&c, UINT32_MAX, &l->out.expire) || c.left > 0)
		return rule_refuse(err, RULE_FAULT_EXPIRE, w);
	if (!l->out.expire_relative)
		l->draft.parsed.rule.expire = l->out.expire;
	return true;
}

static bool set_by_key(struct line *l, struct rule_word key, struct rule_word value,
		       struct rule_error *err)
{
	enum rule_key known = rule_key_of(key);
	if (rule_word_is(key, "expire"))
		return set_expire(l, value, err);
	if (known == RULE_KEY_COUNT)
		return rule_refuse_key(err, key);
	if (l->draft.column[known])
		return rule_refuse(err, RULE_FAULT_DUPLICATE, key);
	if (known == RULE_KEY_DSTHOST)
		return set_dst(l, value, err);
	if (known == RULE_KEY_DST6 && !l->draft.column[RULE_KEY_DST4])
		l->draft.v6 = true;
	return rule_draft_set(&l->draft, known, value, err);
}

static bool has_dst(const struct line *l)
{
	const uint16_t *column = l->draft.column;
	return l->any_dst || column[RULE_KEY_DST4] || column[RULE_KEY_DST6] ||
	       column[RULE_KEY_DSTHOST] || column[RULE_KEY_DSTSET];
}

static bool set_by_place(struct line *l, struct rule_word w, struct rule_error *err)
{
	struct rule_draft *d = &l->draft;
	bool any = rule_word_is(w, "-"), dns = rule_word_is(w, "dns");
	if (!d->column[RULE_KEY_ACTION])
		return rule_draft_set(d, RULE_KEY_ACTION, w, err);
	if (!has_dst(l)) {
		if (is_proto(w))
			return rule_refuse(err, RULE_FAULT_PROTO_AS_DST, w);
		if (is_number(w))
			return rule_refuse(err, RULE_FAULT_NUMBER_AS_DST, w);
		l->any_dst = any || dns;
		if (dns)
			return rule_draft_set(d, RULE_KEY_TARGET, w, err);
		return any || set_dst(l, w, err);
	}
	if (!d->column[RULE_KEY_PROTO] && !l->any_proto) {
		l->any_proto = any || dns;
		if (dns)
			return rule_draft_set(d, RULE_KEY_TARGET, w, err);
		return any || rule_draft_set(d, RULE_KEY_PROTO, w, err);
	}
	if (d->column[RULE_KEY_PORTS] || d->column[RULE_KEY_TYPE])
		return rule_refuse(err, RULE_FAULT_MANY_WORDS, w);
	bool icmp = (d->parsed.rule.flags & RULE_HAS_PROTO) && d->parsed.rule.proto == PROTO_ICMP;
	return rule_draft_set(d, icmp ? RULE_KEY_TYPE : RULE_KEY_PORTS, w, err);
}

/* The word, or for a comment the rest of the line, too. */
static bool set_word(struct line *l, struct rule_word w, struct rule_word *rest,
		     struct rule_error *err)
{
	size_t equals = 0;
	while (equals < w.len && w.at[equals] != '=')
		equals++;
	if (equals == w.len)
		return set_by_place(l, w, err);
	struct rule_word key = { w.at, equals, w.column };
	struct rule_word value = { w.at + equals + 1, w.len - equals - 1, w.column + equals + 1 };
	if (!rule_word_is(key, "comment"))
		return set_by_key(l, key, value, err);
	l->out.comment = value.at;
	l->out.comment_len = value.len + rest->len;
	rest->at += rest->len;
	rest->len = 0;
	return true;
}

enum qvm_line qvm_rule_parse(const char *line, size_t len, struct qvm_rule *out,
			     struct rule_error *err)
{
	struct line l;
	memset(&l, 0, sizeof(l));
	struct rule_word rest = { line, len, 1 };
	struct rule_word w = qvm_next_word(&rest);
	if (w.len == 0)
		return QVM_BLANK;
	for (; w.len > 0; w = qvm_next_word(&rest))
		if (!set_word(&l, w, &rest, err))
			return QVM_BAD;
	if (!rule_draft_finish(&l.draft, err))
		return QVM_BAD;
	*out = l.out;
	out->parsed = l.draft.parsed;
	if (l.draft.column[RULE_KEY_DST4])
		out->family = QVM_V4_ONLY;
	else if (l.draft.column[RULE_KEY_DST6])
		out->family = QVM_V6_ONLY;
	return QVM_RULE;
}
