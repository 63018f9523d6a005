/* SPDX-License-Identifier: ISC */
/* parse_quote.c: the packet quoted inside an ICMP error (RFC 792, RFC 4443, RFC 5508). */
#include "parse.h"
#include "checksum.h"

/* The quoted transport: its ports when enough of it is there. */
static void quoted_transport(struct packet *p, struct cursor c)
{
	p->inner_l4 = parse_offset(p, c.at);
	/* RFC 792: at least 8 bytes are quoted */
	if (c.left < 8)
		return;
	p->inner_has_l4 = true;
	parse_ports(&p->inner, c.at);
	if (p->inner.proto == PROTO_UDP)
		p->inner_has_l4_sum = be16_get(((const struct udp_hdr *)c.at)->checksum) != 0;
	else if (p->inner.proto == PROTO_TCP)
		p->inner_has_l4_sum = c.left >= offsetof(struct tcp_hdr, checksum) + sizeof(be16);
}

static enum drop quoted_ipv4(struct packet *p, struct cursor c)
{
	if (c.left < IPV4_MIN_BYTES)
		return parse_short(p);

	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)c.at;
	size_t header_bytes = (ip->version_ihl & 15u) * 4;
	struct cursor header;
	/* its total length may go beyond what is quoted, and some hosts mangle it */
	if (ip->version_ihl >> 4 != 4 || header_bytes < IPV4_MIN_BYTES)
		return DROP_IP_HEADER;
	if (!carve(&c, header_bytes, &header))
		return parse_short(p);
	if (!ipv4_sum_ok(header.at, header.left))
		return DROP_IP_CHECKSUM;

	p->inner.src = ip_of_v4(ip->src);
	p->inner.dst = ip_of_v4(ip->dst);
	p->inner.proto = ip->proto;
	if (be16_get(ip->flags_offset) & IPV4_OFFSET_MASK)
		p->inner_l4 = parse_offset(p, c.at);
	else
		quoted_transport(p, c);
	return DROP_NONE;
}

static enum drop quoted_ipv6(struct packet *p, struct cursor c)
{
	const struct ipv6_hdr *ip = (const struct ipv6_hdr *)take(&c, IPV6_BYTES);

	if (!ip)
		return parse_short(p);
	if (ip->version_class_label.b[0] >> 4 != 6)
		return DROP_IP_HEADER;
	if (ip_is_v4(ip->src) || ip_is_v4(ip->dst))
		return DROP_MARTIAN;

	struct ipv6_walk walk = { .next = ip->next };
	enum drop drop = parse_ipv6_extensions(&c, &walk);
	if (drop != DROP_NONE)
		return drop;
	p->inner = (struct tuple){ .src = ip->src, .dst = ip->dst, .proto = walk.next };
	if (walk.offset)
		p->inner_l4 = parse_offset(p, c.at);
	else
		quoted_transport(p, c);
	return DROP_NONE;
}

enum drop parse_quote(struct packet *p, struct cursor c)
{
	p->inner = (struct tuple){ 0 };
	p->inner_l3 = parse_offset(p, c.at);
	p->inner_l4 = 0;
	p->inner_has_l4 = p->inner_has_l4_sum = false;
	return p->v6 ? quoted_ipv6(p, c) : quoted_ipv4(p, c);
}
