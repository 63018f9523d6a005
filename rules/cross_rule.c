/* SPDX-License-Identifier: ISC */
/* cross_rule.c: lines of the inbound and the between tree to rules. */
#include "cross_rule.h"
#include "headers.h"

enum { WORDS_MAX = 8, PORT_MAX = 65535 };

/* The keys of rule.h that a kind has, src4 and to apart. */
static const struct {
	const char *word;
	enum rule_key key;
	bool inbound;
} shared[] = {
	{ "action", RULE_KEY_ACTION, true },  { "proto", RULE_KEY_PROTO, true },
	{ "dstports", RULE_KEY_PORTS, true }, { "expire", RULE_KEY_EXPIRE, true },
	{ "label", RULE_KEY_LABEL, true },    { "dst4", RULE_KEY_DST4, false },
	{ "icmptype", RULE_KEY_TYPE, false },
};
_Static_assert(array_len(shared) + 1 <= WORDS_MAX, "with src4, and to instead of two");

void cross_owner_text(struct text *t, struct ip_addr owner)
{
	enum rule_kind kind = cross_kind(owner);
	if (kind == RULE_OUTWARD)
		text_ip(t, owner);
	else
		text_put(t, kind == RULE_INBOUND ? "inbound" : "between");
}

bool cross_owner_parse(struct cursor *c, struct ip_addr *owner)
{
	if (parse_word(c, "inbound")) {
		*owner = cross_owner(RULE_INBOUND);
		return true;
	}
	if (parse_word(c, "between")) {
		*owner = cross_owner(RULE_BETWEEN);
		return true;
	}
	return parse_ip(c, owner);
}

static uint16_t column_of(struct rule_word w)
{
	return (uint16_t)(w.column < UINT16_MAX ? w.column : UINT16_MAX);
}

static bool refuse_key(enum rule_kind kind, struct rule_word key, struct rule_error *err)
{
	const char *words[WORDS_MAX];
	size_t n = 0;
	words[n++] = "src4";
	if (kind == RULE_INBOUND)
		words[n++] = "to";
	for (size_t i = 0; i < array_len(shared); i++)
		if (kind == RULE_BETWEEN || shared[i].inbound)
			words[n++] = shared[i].word;
	return rule_refuse_word(err, RULE_FAULT_KEY, key, words, n);
}

static bool get_network(struct rule_word w, struct ip_prefix *p)
{
	struct cursor c = cursor_of(w.at, w.len);
	return parse_prefix(&c, p) && c.left == 0 && ip_is_v4(p->addr);
}

bool cross_draft_src(struct cross_draft *d, struct rule_word w, struct rule_error *err)
{
	struct rule *r = &d->base.parsed.rule;
	struct ip_prefix network;
	if (d->src_column)
		return rule_refuse(err, RULE_FAULT_DUPLICATE, w);
	d->src_column = column_of(w);
	if (!get_network(w, &network))
		return rule_refuse(err, RULE_FAULT_SRC4, w);
	if (d->kind == RULE_INBOUND) {
		r->dst = network;
		r->flags |= RULE_HAS_DST;
	} else if (network.len > 0) {
		d->peer = ip_to_v4(network.addr);
		r->peer_len = (uint8_t)(network.len & 63u) & 63u;
	}
	return true;
}

bool cross_draft_to(struct cross_draft *d, struct rule_word w, struct rule_error *err)
{
	struct cursor c = cursor_of(w.at, w.len);
	struct ip_addr ip;
	uint32_t lo = 0, hi;
	if (d->to_column)
		return rule_refuse(err, RULE_FAULT_DUPLICATE, w);
	d->to_column = column_of(w);
	if (!parse_ip4(&c, &ip) || !ip_is_unicast(ip))
		return rule_refuse(err, RULE_FAULT_TO, w);
	if (c.left > 0 && !(parse_word(&c, ":") && parse_u32(&c, PORT_MAX, &lo) && lo > 0))
		return rule_refuse(err, RULE_FAULT_TO, w);
	hi = lo;
	if (c.left > 0 && !(parse_word(&c, "-") && parse_u32(&c, PORT_MAX, &hi) && c.left == 0 && hi >= lo))
		return rule_refuse(err, RULE_FAULT_TO, w);
	d->peer = ip_to_v4(ip);
	d->to_lo = (uint16_t)lo;
	d->to_hi = (uint16_t)hi;
	return true;
}

bool cross_draft_set(struct cross_draft *d, struct rule_word key, struct rule_word value, struct rule_error *err)
{
	if (rule_word_is(key, "src4"))
		return d->src_column ? rule_refuse(err, RULE_FAULT_DUPLICATE, key) : cross_draft_src(d, value, err);
	if (rule_word_is(key, "to") && d->kind == RULE_INBOUND)
		return d->to_column ? rule_refuse(err, RULE_FAULT_DUPLICATE, key) : cross_draft_to(d, value, err);
	for (size_t i = 0; i < array_len(shared); i++) {
		if (!rule_word_is(key, shared[i].word) || (d->kind == RULE_INBOUND && !shared[i].inbound))
			continue;
		if (d->base.column[shared[i].key])
			return rule_refuse(err, RULE_FAULT_DUPLICATE, key);
		return rule_draft_set(&d->base, shared[i].key, value, err);
	}
	return refuse_key(d->kind, key, err);
}

/* A place in the line, where no single word is at fault. */
static struct rule_word nothing_at(size_t column)
{
	return (struct rule_word){ "", 0, column };
}

static bool finish_inbound(struct cross_draft *d, struct rule_error *err)
{
	struct rule *r = &d->base.parsed.rule;
	bool accepts = r->action == VERDICT_ACCEPT;
	if ((r->flags & RULE_HAS_PROTO) && r->proto == PROTO_ICMP)
		return rule_refuse(err, RULE_FAULT_PROTO_INBOUND, nothing_at(d->base.column[RULE_KEY_PROTO]));
	if (!accepts && d->to_column)
		return rule_refuse(err, RULE_FAULT_TO_DROP, nothing_at(d->to_column));
	if (!accepts)
		return true;
	if (!(r->flags & RULE_HAS_PORTS))
		return rule_refuse(err, RULE_FAULT_PORTS_MISSING, nothing_at(1));
	if (!d->to_column)
		return rule_refuse(err, RULE_FAULT_TO_MISSING, nothing_at(1));
	if (d->to_hi > d->to_lo && d->to_hi - d->to_lo != r->port_hi - r->port_lo)
		return rule_refuse(err, RULE_FAULT_TO_RANGE, nothing_at(d->to_column));
	r->peer_port = d->to_lo;
	r->peer_len = d->to_hi > d->to_lo ? 1 : 0;
	return true;
}

bool cross_draft_finish(struct cross_draft *d, struct rule_error *err)
{
	/* the columns of what rule.c does not know of are 0 there, so no fault is found at them */
	if (!rule_draft_finish(&d->base, err))
		return false;
	d->base.parsed.rule.kind = d->kind & 3;
	d->base.parsed.rule.peer = d->peer; /* where other rules have their name */
	return d->kind == RULE_BETWEEN || finish_inbound(d, err);
}

bool cross_rule_parse(enum rule_kind kind, const char *line, size_t len, struct parsed_rule *out,
		      struct rule_error *err)
{
	struct cross_draft d;
	memset(&d, 0, sizeof(d));
	d.kind = kind;
	struct rule_word rest = { line, len, 1 }, key, value;
	if (len == 0)
		return rule_refuse(err, RULE_FAULT_NO_ACTION, rest);
	do {
		if (!rule_split(&rest, &key, &value, err) || !cross_draft_set(&d, key, value, err))
			return false;
	} while (rest.len > 0);
	if (!cross_draft_finish(&d, err))
		return false;
	*out = d.base.parsed;
	return true;
}

struct ip_addr cross_rule_to(const struct rule *r, uint16_t port, uint16_t *to_port)
{
	uint16_t further = r->peer_len ? (uint16_t)(port - r->port_lo) : 0;
	*to_port = r->peer_port ? (uint16_t)(r->peer_port + further) : port;
	return ip_of_v4(r->peer);
}
