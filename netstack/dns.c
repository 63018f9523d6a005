/* SPDX-License-Identifier: ISC */
/* dns.c: asks for the addresses of a name, and reads answers from people who may lie. */
#include "dns.h"

enum {
	HEADER_BYTES = 12,
	LABEL_MAX = 63,
	POINTER = 0xc0, /* the top bits of a length that is a pointer instead */
	POINTERS_MAX = 16, /* of one name: a chain of them would cost more the longer the message is */
	CLASS_IN = 1,
	TYPE_CNAME = 5,
	FLAG_ANSWER = 0x8000, FLAG_TRUNCATED = 0x0200, FLAG_RECURSE = 0x0100, FLAGS_OPCODE = 0x7800, FLAGS_RCODE = 15,
	RCODE_NO_NAME = 3,
};

/* One record of the answer section: views into the message. */
struct record {
	struct dns_name owner;
	uint16_t type, class;
	uint32_t ttl_s;
	struct cursor data;
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && !memcmp(a->b, b->b, a->len);
}

bool dns_name_of(struct dns_name *name, const char *host, size_t len)
{
	if (len > 0 && host[len - 1] == '.')
		len--;
	/* each dot becomes a length, and there are two more: the first label's and the root's */
	if (len == 0 || len > DNS_NAME_BYTES - 2)
		return false;
	uint32_t label = 0, used = 1;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && host[i] != '.') {
			name->b[used++] = lower((uint8_t)host[i]);
			continue;
		}
		uint32_t bytes = used - label - 1;
		if (bytes == 0 || bytes > LABEL_MAX)
			return false;
		name->b[label] = (uint8_t)bytes;
		label = used++;
	}
	name->b[label] = 0;
	name->len = (uint8_t)used;
	return true;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

size_t dns_query(uint8_t at[DNS_QUERY_BYTES], const struct dns_question *q, uint16_t id)
{
	memset(at, 0, HEADER_BYTES);
	put16(at, id);
	put16(at + 2, FLAG_RECURSE);
	put16(at + 4, 1);
	memcpy(at + HEADER_BYTES, q->name.b, q->name.len);
	put16(at + HEADER_BYTES + q->name.len, q->type);
	put16(at + HEADER_BYTES + q->name.len + 2, CLASS_IN);
	return HEADER_BYTES + q->name.len + 4u;
}

/* --- reading ----------------------------------------------------------------------- */

/* The labels at *c up to the root or a pointer. *jump: where to go on, or 0, which is no place for a name. */
static bool read_labels(struct cursor *c, struct dns_name *name, uint32_t *jump)
{
	uint8_t bytes, low;
	*jump = 0;
	while (get_u8(c, &bytes)) {
		if (bytes == 0)
			return true;
		if ((bytes & POINTER) == POINTER) {
			if (!get_u8(c, &low))
				return false;
			*jump = (bytes & ~(uint32_t)POINTER) << 8 | low;
			return *jump >= HEADER_BYTES;
		}
		const uint8_t *label = bytes <= LABEL_MAX ? take(c, bytes) : NULL;
		/* the root's byte must fit behind it */
		if (!label || name->len + 1u + bytes + 1u > DNS_NAME_BYTES)
			return false;
		name->b[name->len++] = bytes;
		for (uint32_t i = 0; i < bytes; i++)
			name->b[name->len++] = lower(label[i]);
	}
	return false;
}

/* The name at *c, which goes on behind it. Pointers lead to before the part they end, so this ends. */
static bool read_name(struct cursor message, struct cursor *c, struct dns_name *name)
{
	uint32_t from = (uint32_t)(c->at - message.at), jump, pointers = 0;
	name->len = 0;
	if (c->left == 0 || !read_labels(c, name, &jump))
		return false;
	while (jump) {
		struct cursor part = message;
		if (pointers++ == POINTERS_MAX || jump >= from || !take(&part, jump) || part.left == 0)
			return false;
		from = jump;
		if (!read_labels(&part, name, &jump))
			return false;
	}
	name->b[name->len++] = 0;
	return true;
}

static bool read_record(struct cursor message, struct cursor *c, struct record *r)
{
	uint16_t bytes;
	if (!read_name(message, c, &r->owner) || !get_be16(c, &r->type) || !get_be16(c, &r->class) ||
	    !get_be32(c, &r->ttl_s) || !get_be16(c, &bytes) || !carve(c, bytes, &r->data))
		return false;
	r->ttl_s = r->ttl_s > INT32_MAX ? 0 : r->ttl_s; /* RFC 2181 8 */
	return true;
}

/* Kept in order; beyond the last place the greatest are left out. */
static void add_address(struct dns_answer *a, struct ip_addr ip)
{
	uint32_t at = 0;
	while (at < a->count && memcmp(a->address[at].b, ip.b, sizeof(ip.b)) < 0)
		at++;
	if (at == DNS_ADDRESSES_MAX || (at < a->count && ip_eq(a->address[at], ip)))
		return;
	a->count += a->count < DNS_ADDRESSES_MAX;
	for (uint32_t i = a->count - 1; i > at; i--)
		a->address[i] = a->address[i - 1];
	a->address[at] = ip;
}

static bool address_of(const struct record *r, struct ip_addr *ip)
{
	if (r->data.left != (r->type == DNS_TYPE_A ? 4u : 16u))
		return false;
	if (r->type == DNS_TYPE_A)
		*ip = ip_v4(r->data.at[0], r->data.at[1], r->data.at[2], r->data.at[3]);
	else
		memcpy(ip->b, r->data.at, sizeof(ip->b));
	/* a mapped address would be taken for IPv4 */
	return r->type == DNS_TYPE_A || !ip_is_v4(*ip);
}

/* Addresses of this name, or its alias in *alias; false: the section cannot be read. */
static bool gather(struct cursor message, struct cursor section, uint32_t records, uint16_t type,
		   const struct dns_name *of, struct dns_name *alias, struct dns_answer *a)
{
	struct record r;
	alias->len = 0;
	for (; records > 0; records--) {
		struct ip_addr ip;
		if (!read_record(message, &section, &r))
			return a->truncated;
		if (r.class != CLASS_IN || !name_eq(&r.owner, of))
			continue;
		if (r.type == type) {
			if (!address_of(&r, &ip))
				return false;
			if (ip_is_unicast(ip))
				add_address(a, ip);
		} else if (r.type == TYPE_CNAME) {
			if (!read_name(message, &r.data, alias) || r.data.left > 0)
				return false;
		} else {
			continue;
		}
		a->ttl_s = r.ttl_s < a->ttl_s ? r.ttl_s : a->ttl_s;
	}
	return true;
}

/* From alias to alias, as far as this message goes. */
static enum dns_outcome follow(struct cursor message, struct cursor section, uint32_t records,
			       const struct dns_question *q, struct dns_answer *a)
{
	struct dns_name name = q->name, alias;
	for (uint32_t i = 0; i <= DNS_ALIASES_MAX; i++) {
		if (!gather(message, section, records, q->type, &name, &alias, a))
			return DNS_MALFORMED;
		if (a->count > 0)
			return DNS_FOUND;
		if (alias.len == 0)
			break;
		name = alias;
	}
	return DNS_NO_ADDRESS;
}

enum dns_outcome dns_read(const uint8_t *bytes, size_t len, const struct dns_question *q, uint16_t id,
			  struct dns_answer *a)
{
	const struct cursor message = cursor_of(bytes, len);
	struct cursor c = message;
	struct dns_name name;
	uint16_t got_id, flags, questions, records, others, type, class;
	if (!get_be16(&c, &got_id) || !get_be16(&c, &flags) || !get_be16(&c, &questions) ||
	    !get_be16(&c, &records) || !get_be16(&c, &others) || !get_be16(&c, &others))
		return DNS_FOREIGN;
	if (got_id != id || !(flags & FLAG_ANSWER) || flags & FLAGS_OPCODE || questions != 1)
		return DNS_FOREIGN;
	if (!read_name(message, &c, &name) || !get_be16(&c, &type) || !get_be16(&c, &class) ||
	    !name_eq(&name, &q->name) || type != q->type || class != CLASS_IN)
		return DNS_FOREIGN;
	*a = (struct dns_answer){
		.rcode = flags & FLAGS_RCODE, .truncated = flags & FLAG_TRUNCATED, .ttl_s = INT32_MAX,
	};
	if (a->rcode == RCODE_NO_NAME)
		return DNS_NO_NAME;
	return a->rcode ? DNS_FAILED : follow(message, c, records, q, a);
}

const char *dns_outcome_word(enum dns_outcome outcome)
{
	static const char *const word[] = {
		[DNS_FOUND] = "found",	 [DNS_NO_NAME] = "no-name",	[DNS_NO_ADDRESS] = "no-address",
		[DNS_FAILED] = "failed", [DNS_MALFORMED] = "malformed", [DNS_FOREIGN] = "foreign",
	};
	_Static_assert(array_len(word) == DNS_OUTCOMES, "a word for each");
	return word[outcome];
}
