// SPDX-License-Identifier: ISC
/* Reads expressions over packets, and holds packets against them. */
#include "match.h"

/* --- reading ------------------------------------------------------------------------- */

struct word {
	const char *at;
	size_t len, column;
};

struct reader {
	const char *text;
	size_t len, at;
	struct text *fault;
};

static bool next_word(struct reader *r, struct word *w)
{
	while (r->at < r->len && r->text[r->at] == ' ')
		r->at++;
	size_t from = r->at;
	while (r->at < r->len && r->text[r->at] != ' ')
		r->at++;
	*w = (struct word){ r->text + from, r->at - from, from + 1 };
	return w->len > 0;
}

static bool is(const struct word *w, const char *word)
{
	struct cursor c = cursor_of(w->at, w->len);
	return parse_word(&c, word) && c.left == 0;
}

static bool fault(struct reader *r, const struct word *w, const char *what)
{
	text_put(r->fault, "column ");
	text_u64(r->fault, w->column);
	text_put(r->fault, ": ");
	text_put(r->fault, what);
	return false;
}

static bool take_net(struct cursor *c, struct match_term *t)
{
	return parse_prefix(c, &t->net);
}

static bool take_address(struct cursor *c, struct match_term *t)
{
	t->net.len = 0;
	if (!parse_ip(c, &t->net.addr))
		return false;
	t->net.len = ip_is_v4(t->net.addr) ? 32 : 128;
	return true;
}

static bool take_number(struct cursor *c, struct match_term *t)
{
	uint32_t n;
	if (!parse_u32(c, UINT8_MAX, &n))
		return false;
	t->proto = (uint8_t)n;
	return true;
}

static bool take_ports(struct cursor *c, struct match_term *t)
{
	uint32_t first, last;
	if (!parse_u32(c, UINT16_MAX, &first))
		return false;
	last = first;
	if (parse_word(c, "-") && !parse_u32(c, UINT16_MAX, &last))
		return false;
	t->first = (uint16_t)first;
	t->last = (uint16_t)last;
	return first <= last;
}

static bool take_reason(struct cursor *c, struct match_term *t)
{
	for (uint32_t i = DROP_NONE + 1; i < DROP_COUNT; i++) {
		struct cursor at = *c;
		if (parse_word(&at, drop_word((enum drop)i)) && at.left == 0) {
			t->reason = (enum drop)i;
			*c = at;
			return true;
		}
	}
	return false;
}

static bool take_id(struct cursor *c, struct match_term *t)
{
	size_t len = c->left;
	if (len >= sizeof(t->word))
		return false;
	memcpy(t->word, take(c, len), len);
	t->word[len] = '\0';
	return true;
}

static const struct keyword {
	const char *word;
	enum match_kind kind;
	uint8_t proto;
	bool (*take)(struct cursor *, struct match_term *); /* the word behind it; NULL: none */
	const char *wrong;
} keywords[] = {
	{ "tcp", MATCH_PROTO, PROTO_TCP, NULL, NULL },
	{ "udp", MATCH_PROTO, PROTO_UDP, NULL, NULL },
	{ "icmp", MATCH_PROTO, PROTO_ICMP, NULL, NULL },
	{ "arp", MATCH_ARP, 0, NULL, NULL },
	{ "proto", MATCH_PROTO, 0, take_number, "not a protocol's number, 0 to 255" },
	{ "host", MATCH_HOST, 0, take_net, "not an address or ADDRESS/BITS" },
	{ "net", MATCH_HOST, 0, take_net, "not an address or ADDRESS/BITS" },
	{ "src", MATCH_SRC, 0, take_net, "not an address or ADDRESS/BITS" },
	{ "dst", MATCH_DST, 0, take_net, "not an address or ADDRESS/BITS" },
	{ "port", MATCH_PORT, 0, take_ports, "not a port or FIRST-LAST" },
	{ "sport", MATCH_SPORT, 0, take_ports, "not a port or FIRST-LAST" },
	{ "dport", MATCH_DPORT, 0, take_ports, "not a port or FIRST-LAST" },
	{ "client", MATCH_CLIENT, 0, take_address, "not an address" },
	{ "rule", MATCH_RULE, 0, take_id, "too long for a rule" },
	{ "reason", MATCH_REASON, 0, take_reason, "no reason for a drop: `postern status` lists those that counted" },
	{ "passed", MATCH_PASSED, 0, NULL, NULL },
	{ "dropped", MATCH_DROPPED, 0, NULL, NULL },
	{ "held", MATCH_HELD, 0, NULL, NULL },
};

static const struct keyword *keyword(const struct word *w)
{
	for (size_t i = 0; i < array_len(keywords); i++)
		if (is(w, keywords[i].word))
			return &keywords[i];
	return NULL;
}

static bool take_term(struct reader *r, struct word *w, struct match_term *t)
{
	*t = (struct match_term){ .not = is(w, "not") };
	if (t->not && !next_word(r, w))
		return fault(r, w, "nothing behind \"not\"");
	const struct keyword *k = keyword(w);
	if (!k)
		return fault(r, w, "not a word of match expressions");
	t->kind = k->kind;
	t->proto = k->proto;
	if (!k->take)
		return true;
	if (!next_word(r, w))
		return fault(r, w, "a value is missing");
	struct cursor c = cursor_of(w->at, w->len);
	return (k->take(&c, t) && c.left == 0) || fault(r, w, k->wrong);
}

bool match_parse(struct match *m, const char *expression, size_t len, struct text *why)
{
	struct reader r = { expression, len, 0, why };
	struct word w;
	m->count = 0;
	while (next_word(&r, &w)) {
		if (m->count && is(&w, "and") && !next_word(&r, &w))
			return fault(&r, &w, "nothing behind \"and\"");
		if (m->count == MATCH_TERMS_MAX)
			return fault(&r, &w, "more than 16 terms");
		if (!take_term(&r, &w, &m->term[m->count]))
			return false;
		m->count++;
	}
	return true;
}

/* --- matching ------------------------------------------------------------------------ */

static bool ports_hold(const struct match_term *t, const struct tuple *p)
{
	bool has = p->proto == PROTO_TCP || p->proto == PROTO_UDP;
	bool src = p->sport >= t->first && p->sport <= t->last, dst = p->dport >= t->first && p->dport <= t->last;
	/* a fragment behind the first has zeros */
	if (!has || (p->sport == 0 && p->dport == 0))
		return false;
	return t->kind == MATCH_SPORT ? src : t->kind == MATCH_DPORT ? dst : src || dst;
}

static bool tuple_holds(const struct match_term *t, const struct tuple *p)
{
	bool src = ip_in_prefix(p->src, t->net), dst = ip_in_prefix(p->dst, t->net);
	switch (t->kind) {
	case MATCH_PROTO:
		return p->proto == t->proto;
	case MATCH_HOST:
		return src || dst;
	case MATCH_SRC:
		return src;
	case MATCH_DST:
		return dst;
	case MATCH_PORT:
	case MATCH_SPORT:
	case MATCH_DPORT:
		return ports_hold(t, p);
	case MATCH_ARP:
	case MATCH_CLIENT:
	case MATCH_RULE:
	case MATCH_REASON:
	case MATCH_PASSED:
	case MATCH_DROPPED:
	case MATCH_HELD:
	case MATCH_KINDS:
		break;
	}
	return false;
}

static bool same_word(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool holds(const struct match_term *t, const struct match_facts *f)
{
	switch (t->kind) {
	case MATCH_ARP:
		return f->arp;
	case MATCH_CLIENT:
		return ip_eq(f->client, t->net.addr);
	case MATCH_RULE:
		return (f->rule && same_word(f->rule, t->word)) || (f->rule_id && same_word(f->rule_id, t->word));
	case MATCH_REASON:
		return f->fate == MATCH_FATE_DROPPED && f->reason == t->reason;
	case MATCH_PASSED:
		return f->fate == MATCH_FATE_PASSED;
	case MATCH_DROPPED:
		return f->fate == MATCH_FATE_DROPPED;
	case MATCH_HELD:
		return f->fate == MATCH_FATE_HELD;
	case MATCH_PROTO:
	case MATCH_HOST:
	case MATCH_SRC:
	case MATCH_DST:
	case MATCH_PORT:
	case MATCH_SPORT:
	case MATCH_DPORT:
	case MATCH_KINDS:
		break;
	}
	return f->has_tuple && (tuple_holds(t, &f->came) || tuple_holds(t, &f->inside));
}

bool match_hits(const struct match *m, const struct match_facts *f)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (holds(&m->term[i], f) == m->term[i].not)
			return false;
	return true;
}

bool match_may_hit(const struct match *m, const struct match_facts *f)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->term[i].kind < MATCH_RULE && holds(&m->term[i], f) == m->term[i].not)
			return false;
	return true;
}
