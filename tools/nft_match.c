// SPDX-License-Identifier: ISC
/* What is known of a client's packet (its source, ports, state) decides; the rest becomes kinds of packets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headers.h"
#include "nft_match.h"

enum side { SIDE_NONE, SIDE_NEVER, SIDE_KNOWN, SIDE_DADDR, SIDE_PROTO, SIDE_DPORT, SIDE_TYPE };

/* The left side of a match. */
struct left {
	enum side side;
	int proto;                 /* DPORT */
	const char *known;         /* KNOWN as text: interface or state */
	bool is_address;           /* KNOWN: the client's own */
};

static bool cannot(char why[NFT_WHY], const char *what, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
	snprintf(why, NFT_WHY, "%s%s%.100s", what, text ? " " : "", text ? text : "");
	free(text);
	return false;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* --- the left side -------------------------------------------------------------------- */

static bool left_of_meta(const struct nft_view *v, const json_t *meta, struct left *l, char why[NFT_WHY])
{
	const char *key = text_at(meta, "key");
	bool in = !strcmp(key, "iifname") || !strcmp(key, "iif"), out = !strcmp(key, "oifname") || !strcmp(key, "oif");
	if (in || out) {
		*l = (struct left){ .side = SIDE_KNOWN, .known = in ? v->port : v->uplink };
		return l->known || cannot(why, in ? "it depends on the client's interface (say --port IF=IP)" :
					  "it depends on the uplink's interface (say --uplink IF)", NULL);
	}
	if (!strcmp(key, "nfproto") || !strcmp(key, "protocol")) {
		*l = (struct left){ .side = SIDE_KNOWN, .known = *key == 'n' ? "ipv4" : "ip" };
		return true;
	}
	*l = (struct left){ .side = SIDE_PROTO };
	return !strcmp(key, "l4proto") || cannot(why, "meta", meta);
}

static bool left_of_payload(const struct nft_view *v, const json_t *payload, struct left *l, char why[NFT_WHY])
{
	const char *protocol = text_at(payload, "protocol"), *field = text_at(payload, "field");
	bool ip = !strcmp(protocol, "ip");
	*l = (struct left){ 0 };
	(void)v;
	if (!strcmp(protocol, "ip6") || !strcmp(protocol, "icmpv6") || !strcmp(protocol, "arp")) {
		l->side = SIDE_NEVER; /* the client's packets are IPv4 */
	} else if (ip && !strcmp(field, "saddr")) {
		l->side = SIDE_KNOWN;
		l->is_address = true;
	} else if (ip && !strcmp(field, "daddr")) {
		l->side = SIDE_DADDR;
	} else if (ip && !strcmp(field, "protocol")) {
		l->side = SIDE_PROTO;
	} else if (!strcmp(field, "dport") &&
		   (!strcmp(protocol, "tcp") || !strcmp(protocol, "udp") || !strcmp(protocol, "th"))) {
		l->side = SIDE_DPORT;
		l->proto = *protocol == 'u' ? PROTO_UDP : protocol[1] == 'c' ? PROTO_TCP : NFT_TCP_UDP;
	} else if (!strcmp(protocol, "icmp") && !strcmp(field, "type")) {
		l->side = SIDE_TYPE;
	}
	return l->side != SIDE_NONE || cannot(why, "our rules cannot look at", payload);
}

static bool left_of(const struct nft_view *v, const json_t *left, struct left *l, char why[NFT_WHY])
{
	const json_t *meta = json_object_get(left, "meta"), *payload = json_object_get(left, "payload");
	const json_t *ct = json_object_get(left, "ct");
	if (meta)
		return left_of_meta(v, meta, l, why);
	if (payload)
		return left_of_payload(v, payload, l, why);
	if (ct && !strcmp(text_at(ct, "key"), "state")) {
		*l = (struct left){ .side = SIDE_KNOWN, .known = "new" };
		return true;
	}
	return cannot(why, "our rules cannot look at", left);
}

/* --- values ------------------------------------------------------------------------------- */

static bool number_of(const json_t *value, const char *const *words, const uint8_t *numbers, size_t count, unsigned max,
		      unsigned *number)
{
	const char *word = json_string_value(value);
	for (size_t i = 0; word && i < count; i++) {
		if (!strcmp(word, words[i])) {
			*number = numbers[i];
			return true;
		}
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > (json_int_t)max)
		return false;
	*number = (unsigned)json_integer_value(value);
	return true;
}

static bool proto_of(const json_t *value, unsigned *number)
{
	static const char *const words[] = { "icmp", "igmp", "tcp", "udp", "gre", "esp", "ah", "sctp", "ipv6-icmp" };
	static const uint8_t numbers[] = { 1, 2, 6, 17, 47, 50, 51, 132, 58 };
	return number_of(value, words, numbers, array_len(words), 255, number);
}

static bool type_of(const json_t *value, unsigned *number)
{
	static const char *const words[] = {
		"echo-reply", "destination-unreachable", "source-quench", "redirect", "echo-request",
		"router-advertisement", "router-solicitation", "time-exceeded", "parameter-problem", "timestamp-request",
		"timestamp-reply", "info-request", "info-reply", "address-mask-request", "address-mask-reply",
	};
	static const uint8_t numbers[] = { 0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 };
	return number_of(value, words, numbers, array_len(words), 255, number);
}

static bool address_of(const json_t *value, uint32_t *ip)
{
	const char *text = json_string_value(value);
	struct cursor c = cursor_of(text ? text : "", text ? strlen(text) : 0);
	struct ip_addr addr;
	if (!text || !parse_ip4(&c, &addr) || c.left)
		return false;
	*ip = be32_get(ip_to_v4(addr));
	return true;
}

/* An address, a network or a range of addresses. */
static bool addresses_of(const json_t *value, uint32_t *first, uint32_t *last)
{
	const json_t *prefix = json_object_get(value, "prefix"), *range = json_object_get(value, "range");
	if (range)
		return address_of(json_array_get(range, 0), first) && address_of(json_array_get(range, 1), last);
	if (!prefix) {
		bool good = address_of(value, first);
		*last = *first;
		return good;
	}
	json_int_t len = json_integer_value(json_object_get(prefix, "len"));
	if (!address_of(json_object_get(prefix, "addr"), first) || len < 0 || len > 32)
		return false;
	uint32_t host = len ? (uint32_t)((UINT64_C(1) << (32 - len)) - 1) : UINT32_MAX;
	*last = *first | host;
	*first &= ~host;
	return true;
}

static bool ports_of(const json_t *value, uint16_t *lo, uint16_t *hi)
{
	const json_t *range = json_object_get(value, "range");
	unsigned first, last;
	if (!number_of(range ? json_array_get(range, 0) : value, NULL, NULL, 0, UINT16_MAX, &first) ||
	    !number_of(range ? json_array_get(range, 1) : value, NULL, NULL, 0, UINT16_MAX, &last))
		return false;
	*lo = (uint16_t)first;
	*hi = (uint16_t)last;
	return true;
}

/* --- one value ------------------------------------------------------------------------------ */

static void add_if(struct nft_kinds *k, bool holds)
{
	const struct nft_packets all = nft_all_packets();
	if (holds)
		nft_kinds_add(k, &all);
}

static bool match_known(const struct nft_view *v, const struct left *l, const json_t *value, bool not,
			struct nft_kinds *k, char why[NFT_WHY])
{
	const char *text = json_string_value(value);
	uint32_t first, last, client = be32_get(ip_to_v4(v->client));
	if (l->is_address) {
		if (!addresses_of(value, &first, &last))
			return cannot(why, "not an address:", value);
		add_if(k, (client >= first && client <= last) != not);
		return true;
	}
	if (!text)
		return cannot(why, "not a name:", value);
	size_t n = strlen(text);
	bool wild = n && text[n - 1] == '*'; /* interfaces that begin so */
	add_if(k, (wild ? !strncmp(l->known, text, n - 1) : !strcmp(l->known, text)) != not);
	return true;
}

static bool match_one(const struct nft_view *v, const struct left *l, const json_t *value, bool not,
		      struct nft_kinds *k, char why[NFT_WHY])
{
	uint32_t first, last;
	uint16_t lo, hi;
	unsigned number;
	switch (l->side) {
	case SIDE_NEVER:
		return true;
	case SIDE_KNOWN:
		return match_known(v, l, value, not, k, why);
	case SIDE_DADDR:
		if (!addresses_of(value, &first, &last))
			return cannot(why, "not IPv4 addresses:", value);
		(not ? nft_add_nets_outside : nft_add_nets_between)(k, first, last);
		return true;
	case SIDE_DPORT:
		if (!ports_of(value, &lo, &hi))
			return cannot(why, "not ports:", value);
		(not ? nft_add_ports_outside : nft_add_ports)(k, l->proto, lo, hi);
		return true;
	case SIDE_PROTO:
		if (not || !proto_of(value, &number))
			return cannot(why, not ? "our rules cannot say: any protocol but" : "not a protocol we know:", value);
		nft_add_proto(k, (int)number);
		return true;
	case SIDE_TYPE:
		if (not || !type_of(value, &number))
			return cannot(why, not ? "our rules cannot say: any ICMP type but" : "not an ICMP type:", value);
		nft_add_type(k, (uint8_t)number);
		return true;
	case SIDE_NONE:
		break;
	}
	return cannot(why, "not a match", value);
}

/* --- sets --------------------------------------------------------------------------------------- */

const json_t *nft_plain(const json_t *element)
{
	const json_t *inner = json_object_get(element, "elem");
	const json_t *value = json_object_get(inner, "val");
	return value ? value : element;
}

static const json_t *named(const struct nft_view *v, const char *name)
{
	static const char *const sorts[] = { "set", "map" };
	const json_t *object;
	size_t i;
	json_array_foreach(v->ruleset, i, object) {
		for (size_t s = 0; s < array_len(sorts); s++) {
			const json_t *set = json_object_get(object, sorts[s]);
			if (set && !strcmp(text_at(set, "name"), name) && !strcmp(text_at(set, "table"), v->table) &&
			    !strcmp(text_at(set, "family"), v->family))
				return set;
		}
	}
	return NULL;
}

const json_t *nft_elements(const struct nft_view *v, const json_t *right, char why[NFT_WHY])
{
	static json_t *none;
	const char *name = json_string_value(right);
	const json_t *set = json_object_get(right, "set");
	if (set)
		return set;
	if (!name || *name != '@')
		return json_is_array(right) ? right : NULL;
	set = named(v, name + 1);
	if (!set) {
		cannot(why, "no such set:", right);
		return NULL;
	}
	none = none ? none : json_array();
	const json_t *elements = json_object_get(set, "elem");
	return elements ? elements : none;
}

/* Both an interface and an address: as our own export asks for a client's source. */
static bool match_concat(const struct nft_view *v, const json_t *left, const json_t *value, struct nft_kinds *k,
			 char why[NFT_WHY])
{
	const json_t *parts = json_object_get(value, "concat"), *part;
	struct nft_kinds met = nft_kinds_all();
	bool good = json_array_size(parts) == json_array_size(left) || cannot(why, "not such a pair:", value);
	size_t i;
	json_array_foreach(left, i, part) {
		struct nft_kinds one = { 0 };
		struct left l;
		good = good && left_of(v, part, &l, why) &&
		       match_one(v, &l, json_array_get(parts, i), false, &one, why);
		struct nft_kinds both = nft_kinds_meet(&met, &one);
		nft_kinds_free(&met);
		nft_kinds_free(&one);
		met = both;
	}
	for (i = 0; i < met.count; i++)
		nft_kinds_add(k, &met.item[i]);
	nft_kinds_free(&met);
	return good;
}

bool nft_match_value(const struct nft_view *v, const json_t *left, const json_t *value, struct nft_kinds *k,
		     char why[NFT_WHY])
{
	const json_t *parts = json_object_get(left, "concat");
	struct left l;
	if (parts)
		return match_concat(v, parts, nft_plain(value), k, why);
	return left_of(v, left, &l, why) && match_one(v, &l, nft_plain(value), false, k, why);
}

bool nft_match(const struct nft_view *v, const json_t *match, struct nft_kinds *k, char why[NFT_WHY])
{
	const json_t *left = json_object_get(match, "left"), *right = json_object_get(match, "right"), *element;
	const char *op = text_at(match, "op");
	bool not = !strcmp(op, "!=");
	struct left l;
	size_t i;
	if (!not && strcmp(op, "==") && strcmp(op, "in"))
		return cannot(why, "our rules cannot compare by", json_object_get(match, "op"));
	*why = 0;
	const json_t *elements = nft_elements(v, right, why);
	if (*why)
		return false;
	if (!elements && !json_object_get(left, "concat"))
		return left_of(v, left, &l, why) && match_one(v, &l, right, not, k, why);
	if (!elements)
		return cannot(why, "our rules cannot look at", left);
	json_array_foreach(elements, i, element)
		if (!nft_match_value(v, left, element, k, why))
			return false;
	if (!not)
		return true;
	/* outside of all elements: only where that is known already */
	bool none = !k->count, all = nft_is_all(k);
	nft_kinds_free(k);
	add_if(k, none);
	return none || all || cannot(why, "our rules cannot say: in none of", right);
}
