/* SPDX-License-Identifier: ISC */
/*
 * rule.c: store lines to rules and back.
 */
#include "rule.h"
#include "headers.h"

enum { PORT_MAX = 65535, NEAR_MAX = 2 /* edits that still count as a slip */ };

/* In the documented order, which is also that of enum rule_key. */
static const char *const key_words[RULE_KEY_COUNT] = {
	[RULE_KEY_ACTION] = "action",
	[RULE_KEY_DST4] = "dst4",
	[RULE_KEY_DST6] = "dst6",
	[RULE_KEY_DSTHOST] = "dsthost",
	[RULE_KEY_DSTSET] = "dstset",
	[RULE_KEY_PROTO] = "proto",
	[RULE_KEY_TARGET] = "specialtarget",
	[RULE_KEY_PORTS] = "dstports",
	[RULE_KEY_TYPE] = "icmptype",
	[RULE_KEY_EXPIRE] = "expire",
	[RULE_KEY_LABEL] = "label",
};
static const char *const action_words[] = { [VERDICT_DROP] = "drop", [VERDICT_ACCEPT] = "accept" };
static const char *const proto_words[] = { "tcp", "udp", "icmp" };
static const uint8_t proto_numbers[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };

static const char *const fault_texts[RULE_FAULT_COUNT] = {
	[RULE_FAULT_SPACING] = "elements stand apart by exactly one space",
	[RULE_FAULT_NO_VALUE] = "not a key=value element",
	[RULE_FAULT_KEY] = "unknown key",
	[RULE_FAULT_DUPLICATE] = "given twice",
	[RULE_FAULT_UNSUPPORTED] = "not supported",
	[RULE_FAULT_NO_ACTION] = "no action",
	[RULE_FAULT_ACTION] = "action is neither accept nor drop",
	[RULE_FAULT_DST4] = "not an IPv4 network",
	[RULE_FAULT_DST6] = "not an IPv6 network",
	[RULE_FAULT_DST4_IN_V6] = "dst4 for an IPv6 client",
	[RULE_FAULT_DST6_IN_V4] = "dst6 for an IPv4 client",
	[RULE_FAULT_TWO_DST] = "a second destination",
	[RULE_FAULT_HOST] = "not a host name (a-z 0-9 - . _)",
	[RULE_FAULT_PROTO] = "proto is none of tcp, udp, icmp",
	[RULE_FAULT_TARGET] = "specialtarget is not dns",
	[RULE_FAULT_PORTS] = "not ports (LO-HI, 0 to 65535)",
	[RULE_FAULT_PORTS_REVERSED] = "ports are reversed",
	[RULE_FAULT_PORTS_ICMP] = "ports with proto=icmp",
	[RULE_FAULT_TYPE] = "not an ICMP type (0 to 255)",
	[RULE_FAULT_TYPE_PROTO] = "icmptype without proto=icmp",
	[RULE_FAULT_SET] = "not the name of a set (A-Z a-z 0-9 _ . -)",
	[RULE_FAULT_LABEL] = "not a label (A-Z a-z 0-9 _ . -)",
	[RULE_FAULT_EXPIRE] = "expire is no number of seconds",
	[RULE_FAULT_TO] = "not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client",
	[RULE_FAULT_TO_RANGE] = "not as many ports there as here",
	[RULE_FAULT_TO_MISSING] = "where does it lead? to=ADDRESS[:PORT] is missing",
	[RULE_FAULT_TO_DROP] = "a rule that drops leads nowhere",
	[RULE_FAULT_PORTS_MISSING] = "which ports? dstports is missing",
	[RULE_FAULT_PROTO_INBOUND] = "proto is neither tcp nor udp",
	[RULE_FAULT_SRC4] = "not an IPv4 network",
	[RULE_FAULT_MANY_WORDS] = "one word too many",
	[RULE_FAULT_PROTO_AS_DST] = "the destination comes first ('-' for any)",
	[RULE_FAULT_NUMBER_AS_DST] = "a number is no destination ('-' for any)",
};

static size_t length(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

bool rule_word_is(struct rule_word w, const char *word)
{
	return w.len == length(word) && !memcmp(w.at, word, w.len);
}

enum rule_key rule_key_of(struct rule_word w)
{
	unsigned key = 0;
	while (key < RULE_KEY_COUNT && !rule_word_is(w, key_words[key]))
		key++;
	return (enum rule_key)key;
}

/* --- refusing --------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (Levenshtein) between the words, both at most RULE_WORD_BYTES long. */
static size_t distance(struct rule_word a, const char *b)
{
	size_t n = length(b);
	size_t row[RULE_WORD_BYTES + 1];
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t corner = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t swapped = corner + (a.at[i] != b[j]);
			corner = row[j + 1];
			row[j + 1] = least(swapped, least(corner, row[j]) + 1);
		}
	}
	return row[n];
}

static const char *nearest(struct rule_word w, const char *const *words, size_t count)
{
	const char *best = NULL;
	size_t near = NEAR_MAX + 1;
	if (w.len > RULE_WORD_BYTES || w.len <= NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t d = distance(w, words[i]);
		if (d < near) {
			near = d;
			best = words[i];
		}
	}
	return best;
}

bool rule_refuse(struct rule_error *err, enum rule_fault fault, struct rule_word w)
{
	*err = (struct rule_error){ .fault = (uint8_t)fault };
	err->column = (uint16_t)least(w.column, UINT16_MAX);
	err->word_len = (uint8_t)least(w.len, RULE_WORD_BYTES);
	for (size_t i = 0; i < err->word_len; i++)
		err->word[i] = w.at[i] > ' ' && w.at[i] <= '~' ? w.at[i] : '?';
	if (fault == RULE_FAULT_ACTION)
		err->meant = nearest(w, action_words, array_len(action_words));
	else if (fault == RULE_FAULT_PROTO)
		err->meant = nearest(w, proto_words, array_len(proto_words));
	return false;
}

bool rule_refuse_word(struct rule_error *err, enum rule_fault fault, struct rule_word w, const char *const *words,
		      size_t count)
{
	rule_refuse(err, fault, w);
	err->meant = nearest(w, words, count);
	return false;
}

bool rule_refuse_key(struct rule_error *err, struct rule_word key)
{
	rule_refuse(err, rule_word_is(key, "dpi") ? RULE_FAULT_UNSUPPORTED : RULE_FAULT_KEY, key);
	if (err->fault == RULE_FAULT_KEY)
		err->meant = nearest(key, key_words, array_len(key_words));
	return false;
}

void rule_error_text(struct text *t, const struct rule_error *err)
{
	text_put(t, "column ");
	text_u64(t, err->column);
	text_put(t, ": ");
	text_put(t, fault_texts[err->fault]);
	if (err->word_len > 0) {
		text_put(t, " '");
		text_bytes(t, err->word, err->word_len);
		text_char(t, '\'');
	}
	if (err->meant) {
		text_put(t, " (did you mean '");
		text_put(t, err->meant);
		text_put(t, "'?)");
	}
}

/* --- values ------------------------------------------------------------------ */

/* The words' index, or count. */
static unsigned index_of(struct rule_word w, const char *const *words, unsigned count)
{
	unsigned i = 0;
	while (i < count && !rule_word_is(w, words[i]))
		i++;
	return i;
}

static bool get_network(struct rule_word w, struct ip_prefix *p)
{
	struct cursor c = cursor_of(w.at, w.len);
	struct ip_prefix network;
	if (!parse_prefix(&c, &network) || c.left > 0)
		return false;
	*p = network;
	return true;
}

static bool set_dst(struct rule_draft *d, bool v6, struct rule_word w, struct rule_error *err)
{
	struct ip_prefix network;
	if (v6 != d->v6)
		return rule_refuse(err, v6 ? RULE_FAULT_DST6_IN_V4 : RULE_FAULT_DST4_IN_V6, w);
	if (!get_network(w, &network) || ip_is_v4(network.addr) == v6)
		return rule_refuse(err, v6 ? RULE_FAULT_DST6 : RULE_FAULT_DST4, w);
	d->parsed.rule.dst = network;
	d->parsed.rule.flags |= RULE_HAS_DST;
	return true;
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool set_host(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	/* A resolver turns the text of an address of the right family into that address. */
	struct cursor c = cursor_of(w.at, w.len);
	struct ip_addr ip;
	if (parse_ip(&c, &ip) && c.left == 0 && ip_is_v4(ip) != d->v6)
		return set_dst(d, d->v6, w, err);
	if (w.len == 0 || w.len > RULE_HOST_MAX)
		return rule_refuse(err, RULE_FAULT_HOST, w);
	for (size_t i = 0; i < w.len; i++)
		if (!is_host_char(w.at[i]))
			return rule_refuse(err, RULE_FAULT_HOST, w);
	d->parsed.host = w.at;
	d->parsed.host_len = w.len;
	d->parsed.rule.flags |= RULE_HAS_HOST;
	return true;
}

static bool set_ports(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	struct cursor c = cursor_of(w.at, w.len);
	uint32_t lo, hi;
	if (!parse_u32(&c, PORT_MAX, &lo))
		return rule_refuse(err, RULE_FAULT_PORTS, w);
	hi = lo;
	if (c.left > 0 && !(parse_word(&c, "-") && parse_u32(&c, PORT_MAX, &hi) && c.left == 0))
		return rule_refuse(err, RULE_FAULT_PORTS, w);
	if (lo > hi)
		return rule_refuse(err, RULE_FAULT_PORTS_REVERSED, w);
	d->parsed.rule.port_lo = (uint16_t)lo;
	d->parsed.rule.port_hi = (uint16_t)hi;
	d->parsed.rule.flags |= RULE_HAS_PORTS;
	return true;
}

static bool set_type(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	struct cursor c = cursor_of(w.at, w.len);
	uint32_t type;
	if (!parse_u32(&c, UINT8_MAX, &type) || c.left > 0)
		return rule_refuse(err, RULE_FAULT_TYPE, w);
	d->parsed.rule.icmp_type = (uint8_t)type;
	d->parsed.rule.flags |= RULE_HAS_TYPE;
	return true;
}

static bool set_action(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	unsigned action = index_of(w, action_words, array_len(action_words));
	if (action == array_len(action_words))
		return rule_refuse(err, RULE_FAULT_ACTION, w);
	d->parsed.rule.action = (uint8_t)action;
	return true;
}

static bool set_proto(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	unsigned proto = index_of(w, proto_words, array_len(proto_words));
	if (proto == array_len(proto_words))
		return rule_refuse(err, RULE_FAULT_PROTO, w);
	d->parsed.rule.proto = proto_numbers[proto];
	d->parsed.rule.flags |= RULE_HAS_PROTO;
	return true;
}

static bool set_target(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	if (!rule_word_is(w, "dns"))
		return rule_refuse(err, RULE_FAULT_TARGET, w);
	d->parsed.rule.flags |= RULE_DNS;
	return true;
}

static bool is_label(struct rule_word w)
{
	for (size_t i = 0; i < w.len; i++)
		if (!is_host_char(w.at[i]) && !(w.at[i] >= 'A' && w.at[i] <= 'Z'))
			return false;
	return w.len > 0 && w.len <= RULE_LABEL_MAX;
}

static bool set_dstset(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	if (!is_label(w))
		return rule_refuse(err, RULE_FAULT_SET, w);
	d->parsed.set = w.at;
	d->parsed.set_len = w.len;
	d->parsed.rule.flags |= RULE_HAS_SET;
	return true;
}

static bool set_expire(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	struct cursor c = cursor_of(w.at, w.len);
	uint32_t at;
	if (!parse_u32(&c, UINT32_MAX, &at) || c.left > 0 || at == 0)
		return rule_refuse(err, RULE_FAULT_EXPIRE, w);
	d->parsed.rule.expire = at;
	return true;
}

static bool set_label(struct rule_draft *d, struct rule_word w, struct rule_error *err)
{
	if (!is_label(w))
		return rule_refuse(err, RULE_FAULT_LABEL, w);
	d->parsed.label = w.at;
	d->parsed.label_len = w.len;
	return true;
}

/* --- a rule ------------------------------------------------------------------ */

static bool is_dst(enum rule_key key)
{
	return key == RULE_KEY_DST4 || key == RULE_KEY_DST6 || key == RULE_KEY_DSTHOST || key == RULE_KEY_DSTSET;
}

bool rule_draft_set(struct rule_draft *d, enum rule_key key, struct rule_word w,
		    struct rule_error *err)
{
	if (d->column[key])
		return rule_refuse(err, RULE_FAULT_DUPLICATE, w);
	if (is_dst(key) && (d->column[RULE_KEY_DST4] || d->column[RULE_KEY_DST6] ||
			    d->column[RULE_KEY_DSTHOST] || d->column[RULE_KEY_DSTSET]))
		return rule_refuse(err, RULE_FAULT_TWO_DST, w);
	d->column[key] = (uint16_t)least(w.column, UINT16_MAX);
	switch (key) {
	case RULE_KEY_ACTION:
		return set_action(d, w, err);
	case RULE_KEY_DST4:
		return set_dst(d, false, w, err);
	case RULE_KEY_DST6:
		return set_dst(d, true, w, err);
	case RULE_KEY_DSTHOST:
		return set_host(d, w, err);
	case RULE_KEY_DSTSET:
		return set_dstset(d, w, err);
	case RULE_KEY_PROTO:
		return set_proto(d, w, err);
	case RULE_KEY_TARGET:
		return set_target(d, w, err);
	case RULE_KEY_PORTS:
		return set_ports(d, w, err);
	case RULE_KEY_TYPE:
		return set_type(d, w, err);
	case RULE_KEY_EXPIRE:
		return set_expire(d, w, err);
	case RULE_KEY_LABEL:
		return set_label(d, w, err);
	case RULE_KEY_COUNT:
		break;
	}
	return rule_refuse_key(err, w);
}

/* A place in the line, where no single word is at fault. */
static struct rule_word nothing_at(size_t column)
{
	return (struct rule_word){ "", 0, column };
}

bool rule_draft_finish(struct rule_draft *d, struct rule_error *err)
{
	struct rule *r = &d->parsed.rule;
	const uint16_t *column = d->column;
	bool icmp = (r->flags & RULE_HAS_PROTO) && r->proto == PROTO_ICMP;
	if (!column[RULE_KEY_ACTION])
		return rule_refuse(err, RULE_FAULT_NO_ACTION, nothing_at(1));
	if (icmp && (r->flags & RULE_HAS_PORTS))
		return rule_refuse(err, RULE_FAULT_PORTS_ICMP, nothing_at(column[RULE_KEY_PORTS]));
	if (!icmp && (r->flags & RULE_HAS_TYPE))
		return rule_refuse(err, RULE_FAULT_TYPE_PROTO, nothing_at(column[RULE_KEY_TYPE]));
	if (icmp && d->v6)
		r->proto = PROTO_ICMPV6;
	r->host = NONE;
	return true;
}

/* Where the byte stands, or w.len. */
static size_t find(struct rule_word w, char byte)
{
	size_t i = 0;
	while (i < w.len && w.at[i] != byte)
		i++;
	return i;
}

static struct rule_word behind(struct rule_word w, size_t n)
{
	return (struct rule_word){ w.at + n, w.len - n, w.column + n };
}

bool rule_split(struct rule_word *rest, struct rule_word *key, struct rule_word *value, struct rule_error *err)
{
	size_t space = find(*rest, ' ');
	struct rule_word element = { rest->at, space, rest->column };
	size_t equals = find(element, '=');
	/* a space at the end has an empty element behind it */
	if (element.len == 0 || space + 1 == rest->len)
		return rule_refuse(err, RULE_FAULT_SPACING, element.len ? behind(*rest, rest->len) : element);
	if (equals == element.len)
		return rule_refuse(err, RULE_FAULT_NO_VALUE, element);
	*key = (struct rule_word){ element.at, equals, element.column };
	*value = behind(element, equals + 1);
	*rest = behind(*rest, space < rest->len ? space + 1 : space);
	return true;
}

static bool set_element(struct rule_draft *d, struct rule_word *rest, struct rule_error *err)
{
	struct rule_word key, value;
	if (!rule_split(rest, &key, &value, err))
		return false;
	enum rule_key known = rule_key_of(key);
	if (known == RULE_KEY_COUNT)
		return rule_refuse_key(err, key);
	if (d->column[known])
		return rule_refuse(err, RULE_FAULT_DUPLICATE, key);
	return rule_draft_set(d, known, value, err);
}

bool rule_parse(const char *line, size_t len, bool v6, struct parsed_rule *out,
		struct rule_error *err)
{
	struct rule_draft d;
	memset(&d, 0, sizeof(d));
	d.v6 = v6;
	struct rule_word rest = { line, len, 1 };
	if (len == 0)
		return rule_refuse(err, RULE_FAULT_NO_ACTION, rest);
	do {
		if (!set_element(&d, &rest, err))
			return false;
	} while (rest.len > 0);
	if (!rule_draft_finish(&d, err))
		return false;
	*out = d.parsed;
	return true;
}

static void text_to(struct text *t, const struct rule *r)
{
	text_put(t, " to=");
	text_ip(t, ip_of_v4(r->peer));
	if (!r->peer_port)
		return;
	text_char(t, ':');
	text_u64(t, r->peer_port);
	if (!r->peer_len)
		return;
	text_char(t, '-');
	text_u64(t, (uint64_t)r->peer_port + r->port_hi - r->port_lo);
}

void rule_text(struct text *t, const struct parsed_rule *p)
{
	const struct rule *r = &p->rule;
	text_put(t, "action=");
	text_put(t, action_words[r->action]);
	if (r->kind == RULE_BETWEEN && r->peer_len) {
		text_put(t, " src4=");
		text_prefix(t, (struct ip_prefix){ ip_of_v4(r->peer), r->peer_len });
	}
	if (r->flags & RULE_HAS_SET) {
		text_put(t, " dstset=");
		text_bytes(t, p->set, p->set_len);
	} else if (r->flags & RULE_HAS_DST) {
		text_put(t, r->kind == RULE_INBOUND ? " src4=" : ip_is_v4(r->dst.addr) ? " dst4=" : " dst6=");
		text_prefix(t, r->dst);
	}
	if (r->flags & RULE_HAS_HOST) {
		text_put(t, " dsthost=");
		text_bytes(t, p->host, p->host_len);
	}
	if (r->flags & RULE_HAS_PROTO) {
		text_put(t, " proto=");
		text_put(t, r->proto == PROTO_TCP ? "tcp" : r->proto == PROTO_UDP ? "udp" : "icmp");
	}
	if (r->flags & RULE_DNS)
		text_put(t, " specialtarget=dns");
	if (r->flags & RULE_HAS_PORTS) {
		text_put(t, " dstports=");
		text_u64(t, r->port_lo);
		text_char(t, '-');
		text_u64(t, r->port_hi);
	}
	if (r->flags & RULE_HAS_TYPE) {
		text_put(t, " icmptype=");
		text_u64(t, r->icmp_type);
	}
	if (r->kind == RULE_INBOUND && r->action == VERDICT_ACCEPT)
		text_to(t, r);
	if (r->expire) {
		text_put(t, " expire=");
		text_u64(t, r->expire);
	}
	if (p->label) {
		text_put(t, " label=");
		text_bytes(t, p->label, p->label_len);
	}
}
