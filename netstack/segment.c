/* SPDX-License-Identifier: ISC */
/* segment.c: partial checksums completed, super-frames cut into packets. */
#include "segment.h"
#include "checksum.h"

enum { L3 = ETH_BYTES, TCP_CWR = 0x80, ANY_FRAGMENT = IPV4_MF | IPV4_OFFSET_MASK };
enum { TCP_SUM_AT = offsetof(struct tcp_hdr, checksum), UDP_SUM_AT = offsetof(struct udp_hdr, checksum) };

bool segment_finish_checksum(struct frame *f)
{
	struct offload *o = &f->offload;
	be16 *field;

	if (o->gso_type != GSO_NONE)
		return false;
	if (!(o->flags & OFFLOAD_NEEDS_CSUM))
		return true;
	if (o->csum_start > f->len || f->len - o->csum_start < sizeof(*field) ||
	    o->csum_offset > f->len - o->csum_start - sizeof(*field))
		return false;
	uint8_t *from = f->data + o->csum_start;
	field = (be16 *)(from + o->csum_offset);
	/* the field holds the pseudo header's sum and so adds it here */
	uint16_t sum = sum_finish(sum_bytes(0, from, f->len - o->csum_start));
	*field = be16_of(o->csum_offset == UDP_SUM_AT && !sum ? 0xffff : sum);
	o->flags &= (uint8_t)~OFFLOAD_NEEDS_CSUM;
	o->csum_start = 0;
	o->csum_offset = 0;
	return true;
}

/* Which transport over which IP the metadata speak of; false when it is none that can be cut. */
static bool kind_of(struct segments *s, const struct offload *o)
{
	bool v6 = be16_get(((const struct eth_hdr *)s->header)->type) == ETHERTYPE_IPV6;

	s->v6 = v6;
	s->proto = o->gso_type == GSO_UDP_L4 ? PROTO_UDP : PROTO_TCP;
	switch (o->gso_type) {
	case GSO_TCPV4:
	case GSO_TCPV4 | GSO_ECN:
		return !v6;
	case GSO_TCPV6:
	case GSO_TCPV6 | GSO_ECN:
		return v6;
	case GSO_UDP_L4:
		return true;
	}
	return false; /* GSO_UDP makes fragments, not packets: nothing sends it any more */
}

/* The network header reaches to the transport, and the packet is whole. */
static bool network_ok(const struct segments *s)
{
	if (s->v6) {
		const struct ipv6_hdr *ip = (const struct ipv6_hdr *)(s->header + L3);
		return s->l4 >= L3 + IPV6_BYTES && ip->version_class_label.b[0] >> 4 == 6;
	}
	const struct eth_hdr *eth = (const struct eth_hdr *)s->header;
	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(s->header + L3);
	uint32_t header_bytes = (ip->version_ihl & 15u) * 4;
	return be16_get(eth->type) == ETHERTYPE_IPV4 && ip->version_ihl >> 4 == 4 &&
	       header_bytes >= IPV4_MIN_BYTES && s->l4 == L3 + header_bytes && ip->proto == s->proto &&
	       !(be16_get(ip->flags_offset) & ANY_FRAGMENT);
}

/* Finds where the payload begins; `have` bytes of the headers were copied. */
static bool transport_ok(struct segments *s, const struct offload *o, size_t have)
{
	size_t bytes = UDP_BYTES;

	if (o->csum_offset != (s->proto == PROTO_TCP ? TCP_SUM_AT : UDP_SUM_AT))
		return false;
	if (s->proto == PROTO_TCP) {
		if (have - s->l4 < TCP_MIN_BYTES)
			return false;
		bytes = (size_t)(((const struct tcp_hdr *)(s->header + s->l4))->offset >> 4) * 4;
		if (bytes < TCP_MIN_BYTES)
			return false;
	}
	if (have - s->l4 < bytes)
		return false;
	s->header_bytes = (uint16_t)(s->l4 + bytes);
	return true;
}

static void sum_addresses(struct segments *s)
{
	if (s->v6) {
		const struct ipv6_hdr *ip = (const struct ipv6_hdr *)(s->header + L3);
		s->pseudo = sum_pseudo(ip->src, ip->dst, s->proto, 0);
	} else {
		const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(s->header + L3);
		s->pseudo = sum_pseudo(ip_of_v4(ip->src), ip_of_v4(ip->dst), s->proto, 0);
	}
}

bool segment_begin(struct segments *s, const struct frame *f)
{
	struct offload o = f->offload;
	size_t have = f->len < sizeof(s->header) ? f->len : sizeof(s->header);

	if (!(o.flags & OFFLOAD_NEEDS_CSUM) || !o.gso_size)
		return false;
	/* at least an IPv4 header can be looked at */
	if (o.csum_start < L3 + IPV4_MIN_BYTES || o.csum_start > have)
		return false;
	memcpy(s->header, f->data, have);
	s->l4 = o.csum_start;
	if (!kind_of(s, &o) || !network_ok(s) || !transport_ok(s, &o, have))
		return false;

	size_t payload = f->len - s->header_bytes;
	size_t piece = payload < o.gso_size ? payload : o.gso_size;
	size_t pieces = payload ? (payload - 1) / piece + 1 : 1;
	if (pieces > SEGMENT_PIECES_MAX || piece > IP_MAX_BYTES - (s->header_bytes - (size_t)L3))
		return false;
	s->left = (uint32_t)pieces;
	s->piece_bytes = (uint32_t)piece;
	s->payload = cursor_of(f->data + s->header_bytes, payload);
	s->done_bytes = 0;
	s->done_pieces = 0;
	sum_addresses(s);
	return true;
}

static void put_network(const struct segments *s, uint8_t *header, uint32_t payload_bytes)
{
	uint32_t bytes = s->header_bytes - (uint32_t)L3 + payload_bytes;

	if (s->v6) {
		struct ipv6_hdr *ip = (struct ipv6_hdr *)(header + L3);
		ip->payload_len = be16_of((uint16_t)(bytes - IPV6_BYTES));
		return;
	}
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(header + L3);
	ip->total_len = be16_of((uint16_t)bytes);
	ip->id = be16_of((uint16_t)(be16_get(ip->id) + s->done_pieces));
	ip->checksum = be16_of(0);
	ip->checksum = be16_of(sum_finish(sum_bytes(0, ip, s->l4 - (size_t)L3)));
}

static void put_tcp(const struct segments *s, struct tcp_hdr *tcp)
{
	tcp->seq = be32_of(be32_get(tcp->seq) + s->done_bytes);
	if (s->left > 1)
		tcp->flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (s->done_pieces)
		tcp->flags &= (uint8_t)~TCP_CWR;
	if (!(tcp->flags & TCP_URG))
		return;
	/* it counts from the sequence number on, to where the urgent data end (RFC 6093) */
	uint32_t urgent = be16_get(tcp->urgent);
	if (s->done_bytes && urgent <= s->done_bytes) {
		tcp->flags &= (uint8_t)~TCP_URG;
		urgent = s->done_bytes;
	}
	tcp->urgent = be16_of((uint16_t)(urgent - s->done_bytes));
}

/* The transport header for payload_bytes, its checksum still 0; returns where that goes. */
static be16 *put_transport(const struct segments *s, uint8_t *l4, uint32_t payload_bytes)
{
	be16 *checksum;

	if (s->proto == PROTO_TCP) {
		put_tcp(s, (struct tcp_hdr *)l4);
		checksum = &((struct tcp_hdr *)l4)->checksum;
	} else {
		struct udp_hdr *udp = (struct udp_hdr *)l4;
		udp->len = be16_of((uint16_t)(UDP_BYTES + payload_bytes));
		checksum = &udp->checksum;
	}
	*checksum = be16_of(0);
	return checksum;
}

bool segment_next(struct segments *s, struct segment *g)
{
	if (!s->left)
		return false;
	uint32_t bytes = s->left == 1 ? (uint32_t)s->payload.left : s->piece_bytes;
	uint32_t l4_header_bytes = s->header_bytes - (uint32_t)s->l4;

	g->header_bytes = s->header_bytes;
	g->payload_bytes = bytes;
	g->payload = take(&s->payload, bytes);
	memcpy(g->header, s->header, s->header_bytes);
	put_network(s, g->header, bytes);
	be16 *field = put_transport(s, g->header + s->l4, bytes);

	/* the header's length is even: the payload's words begin where its bytes do */
	sum64 sum = sum_bytes(s->pseudo + l4_header_bytes + bytes, g->header + s->l4, l4_header_bytes);
	uint16_t checksum = sum_finish(sum_bytes(sum, g->payload, bytes));
	*field = be16_of(s->proto == PROTO_UDP && !checksum ? 0xffff : checksum);
	s->done_bytes += bytes;
	s->done_pieces++;
	s->left--;
	return true;
}
