/* SPDX-License-Identifier: ISC */
/* parse_ipv6.c: the IPv6 header and its extension headers. */
#include "parse.h"

enum { EXTENSIONS_MAX = 8, OPTION_PAD1 = 0, OPTION_JUMBO = 0xc2, ROUTING_TYPE_SOURCE = 0 };

/* Hop-by-hop or destination options (RFC 8200 4.2), behind the two bytes of the header. */
static bool options_ok(struct cursor c)
{
	uint8_t kind, len;

	while (get_u8(&c, &kind)) {
		if (kind == OPTION_PAD1)
			continue;
		if (kind == OPTION_JUMBO || !get_u8(&c, &len) || !take(&c, len))
			return false;
	}
	return true;
}

static enum drop fragment_header(struct cursor *c, struct ipv6_walk *walk)
{
	const uint8_t *at = take(c, 8);
	if (!at)
		return DROP_IP_HEADER;

	uint16_t place = be16_get((be16){ { at[2], at[3] } });
	walk->next = at[0];
	walk->more = place & 1;
	walk->offset = place & 0xfff8u;
	walk->fragment = walk->more || walk->offset;
	return DROP_NONE;
}

/* One header of options or routing: 8 bytes and as many times 8 as its second byte says. */
static enum drop sized_header(struct cursor *c, struct ipv6_walk *walk)
{
	struct cursor body;

	if (c->left < 8 || !carve(c, 8u + c->at[1] * 8u, &body))
		return walk->fragment ? DROP_FRAGMENT_TINY : DROP_IP_HEADER;
	uint8_t kind = walk->next;
	walk->next = body.at[0];
	take(&body, 2);
	if (kind == PROTO_ROUTING) /* RFC 5095 */
		return body.at[0] == ROUTING_TYPE_SOURCE ? DROP_IP_OPTIONS : DROP_NONE;
	return options_ok(body) ? DROP_NONE : DROP_IP_OPTIONS;
}

enum drop parse_ipv6_extensions(struct cursor *c, struct ipv6_walk *walk)
{
	bool fragmented = false;

	for (unsigned n = 0; n < EXTENSIONS_MAX; n++) {
		enum drop drop;

		switch (walk->next) {
		case PROTO_HOPOPTS:
			if (n) /* RFC 8200 4.1: only the first */
				return DROP_IP_HEADER;
			drop = sized_header(c, walk);
			break;
		case PROTO_ROUTING:
		case PROTO_DSTOPTS:
			drop = sized_header(c, walk);
			break;
		case PROTO_FRAGMENT:
			if (fragmented)
				return DROP_IP_HEADER;
			fragmented = true;
			drop = fragment_header(c, walk);
			break;
		default: /* a number off the wire, not an enum */
			return DROP_NONE;
		}
		/* behind a later fragment's header there is data, whatever the number says */
		if (drop != DROP_NONE || walk->offset)
			return drop;
	}
	return DROP_IP_HEADER;
}

enum drop parse_ipv6(struct packet *p, struct cursor c)
{
	const struct ipv6_hdr *ip = (const struct ipv6_hdr *)take(&c, IPV6_BYTES);
	struct cursor data;

	if (!ip)
		return DROP_FRAME_SHORT;
	if (ip->version_class_label.b[0] >> 4 != 6 || !carve(&c, be16_get(ip->payload_len), &data))
		return DROP_IP_HEADER;
	/* a mapped address on the wire would pass for IPv4 in tuples (RFC 4942 2.2) */
	if (ip_is_v4(ip->src) || ip_is_v4(ip->dst))
		return DROP_MARTIAN;

	size_t payload_bytes = data.left;
	struct ipv6_walk walk = { .next = ip->next };
	enum drop drop = parse_ipv6_extensions(&data, &walk);
	if (drop != DROP_NONE)
		return drop;

	p->v6 = true;
	p->dont_fragment = true; /* routers never fragment IPv6 */
	p->ttl = ip->hop_limit;
	p->l4 = p->payload = parse_offset(p, data.at);
	p->data_len = (uint32_t)data.left;
	p->end = p->l4 + p->data_len;
	p->has_fragments = walk.fragment;
	p->more_fragments = walk.more;
	p->fragment_offset = walk.offset;
	p->tuple = (struct tuple){ .src = ip->src, .dst = ip->dst, .proto = walk.next };
	if (p->has_fragments) {
		drop = parse_fragment_place(p, (uint32_t)(payload_bytes - data.left));
		if (drop != DROP_NONE)
			return drop;
	}
	return parse_transport(p, data);
}
