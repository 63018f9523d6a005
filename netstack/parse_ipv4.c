/* SPDX-License-Identifier: ISC */
/* parse_ipv4.c: the IPv4 header, its options, and the place of a fragment. */
#include "parse.h"
#include "checksum.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_RECORD_ROUTE = 7, OPTION_TIMESTAMP = 68,
       OPTION_LSRR = 131, OPTION_SSRR = 137, OPTION_ROUTER_ALERT = 148 };

/* One option behind its kind and length bytes. */
static bool option_ok(uint8_t kind, struct cursor body)
{
	uint8_t pointer;

	switch (kind) {
	case OPTION_LSRR:
	case OPTION_SSRR:
		return false;
	case OPTION_RECORD_ROUTE: /* RFC 791: the pointer counts from the kind byte, the least is 4 */
		return get_u8(&body, &pointer) && pointer >= 4;
	case OPTION_TIMESTAMP:
		return body.left >= 2 && get_u8(&body, &pointer) && pointer >= 5;
	case OPTION_ROUTER_ALERT: /* RFC 2113 */
		return body.left == 2;
	}
	return true;
}

bool parse_ipv4_options(struct cursor c)
{
	uint8_t kind, len;

	while (get_u8(&c, &kind)) {
		struct cursor body;

		if (kind == OPTION_END)
			return true;
		if (kind == OPTION_NOP)
			continue;
		if (!get_u8(&c, &len) || len < 2 || !carve(&c, len - 2u, &body))
			return false;
		if (!option_ok(kind, body))
			return false;
	}
	return true;
}

enum drop parse_fragment_place(const struct packet *p, uint32_t header_bytes)
{
	if (!p->data_len || (p->more_fragments && p->data_len % 8))
		return DROP_FRAGMENT_SIZE;
	if (p->fragment_offset > IP_MAX_BYTES - header_bytes - p->data_len)
		return DROP_FRAGMENT_SIZE;
	/* RFC 3128: it would write over the flags that the first fragment showed */
	if (p->tuple.proto == PROTO_TCP && p->fragment_offset && p->fragment_offset < TCP_MIN_BYTES)
		return DROP_FRAGMENT_TINY;
	return DROP_NONE;
}

static enum drop ipv4_header(struct packet *p, const struct ipv4_hdr *ip, uint32_t header_bytes)
{
	uint16_t place = be16_get(ip->flags_offset);

	p->dont_fragment = place & IPV4_DF;
	p->more_fragments = place & IPV4_MF;
	p->fragment_offset = (place & IPV4_OFFSET_MASK) * 8u;
	p->has_fragments = p->more_fragments || p->fragment_offset;
	p->ttl = ip->ttl;
	p->id = be16_get(ip->id);
	p->tuple.src = ip_of_v4(ip->src);
	p->tuple.dst = ip_of_v4(ip->dst);
	p->tuple.proto = ip->proto;
	return p->has_fragments ? parse_fragment_place(p, header_bytes) : DROP_NONE;
}

enum drop parse_ipv4(struct packet *p, struct cursor c)
{
	if (c.left < IPV4_MIN_BYTES)
		return DROP_FRAME_SHORT;

	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)c.at;
	uint32_t header_bytes = (ip->version_ihl & 15u) * 4;
	uint32_t total = be16_get(ip->total_len);
	struct cursor whole, header;
	if (ip->version_ihl >> 4 != 4 || header_bytes < IPV4_MIN_BYTES || total < header_bytes)
		return DROP_IP_HEADER;
	if (!carve(&c, total, &whole) || !carve(&whole, header_bytes, &header))
		return DROP_IP_HEADER;
	if (!ipv4_sum_ok(header.at, header.left))
		return DROP_IP_CHECKSUM;
	if (header_bytes > IPV4_MIN_BYTES) {
		take(&header, IPV4_MIN_BYTES);
		if (!parse_ipv4_options(header))
			return DROP_IP_OPTIONS;
	}

	p->l4 = p->payload = parse_offset(p, whole.at);
	p->end = p->l3 + total;
	p->data_len = total - header_bytes;
	enum drop drop = ipv4_header(p, ip, header_bytes);
	if (drop != DROP_NONE)
		return drop;
	return parse_transport(p, whole);
}
