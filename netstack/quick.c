/* SPDX-License-Identifier: ISC */
/* quick.c: the usual packet at its fixed offsets. */
#include "quick.h"
#include "checksum.h"
#include "parse.h"

enum {
	L3 = ETH_BYTES,
	L4 = ETH_BYTES + IPV4_MIN_BYTES,
	PLAIN = 0x45,
	ANY_FRAGMENT = IPV4_MF | IPV4_OFFSET_MASK,
	TTL_LESS = 0xfffe, /* what one less in the first byte of a native word adds: ~m + m - 1 */
};

/* Both, from the wire to host order or back. */
static inline uint32_t swap_ports(uint32_t ports)
{
	uint32_t swapped = __builtin_bswap32(ports);
	return swapped << 16 | swapped >> 16;
}

/* Without any flag that is not of a usual segment's: one that opens, carries, ends or resets. */
static inline bool flags_usual(uint8_t flags)
{
	switch (flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG)) {
	case TCP_ACK:
	case TCP_SYN:
	case TCP_SYN | TCP_ACK:
	case TCP_FIN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return true;
	}
	return false;
}

static inline uint32_t tcp_header_bytes(const uint8_t *l4)
{
	return (uint32_t)(((const struct tcp_hdr *)l4)->offset >> 4) * 4;
}

static bool tcp_usual(struct quick *q, const uint8_t *l4, uint32_t l4_bytes)
{
	const struct tcp_hdr *tcp = (const struct tcp_hdr *)l4;
	if (l4_bytes < TCP_MIN_BYTES || !flags_usual(tcp->flags))
		return false;
	uint32_t header_bytes = tcp_header_bytes(l4), controls = tcp->flags & (TCP_SYN | TCP_FIN) ? 1 : 0;
	if (header_bytes < TCP_MIN_BYTES || header_bytes > l4_bytes)
		return false;
	tcp_view_of(&q->tcp, tcp, l4_bytes - header_bytes + controls);
	if (tcp->flags & TCP_SYN) {
		struct cursor options = { l4 + TCP_MIN_BYTES, header_bytes - TCP_MIN_BYTES };
		if (!parse_tcp_options(&q->tcp, options))
			return false;
	}
	/* it moves a state, and must be right as far as can be told (packet.h); data alone moves none */
	bool moves = tcp->flags & (TCP_SYN | TCP_FIN | TCP_RST) || l4_bytes == header_bytes;
	if (!moves || q->frame->offload.flags)
		return true;
	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(q->frame->data + L3);
	sum64 sum = sum_pseudo(ip_of_v4(ip->src), ip_of_v4(ip->dst), PROTO_TCP, l4_bytes);
	return sum_fold(sum_bytes(sum, l4, l4_bytes)) == 0xffff;
}

/* Whoever sent it left the sum to be made: of the transport that is there, and of all of it. */
static bool partial_usual(const struct offload *o, uint8_t proto, const uint8_t *l4, uint32_t l4_bytes)
{
	if (o->csum_start != L4)
		return false;
	if (proto == PROTO_TCP)
		return o->csum_offset == offsetof(struct tcp_hdr, checksum);
	return o->csum_offset == offsetof(struct udp_hdr, checksum) &&
	       be16_get(((const struct udp_hdr *)l4)->len) == l4_bytes;
}

static bool offload_usual(const struct quick *q, const uint8_t *l4, uint32_t l4_bytes)
{
	struct offload *o = &q->frame->offload;
	if (o->gso_type != GSO_NONE || o->flags & ~(OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID))
		return false;
	if (!(o->flags & OFFLOAD_NEEDS_CSUM)) {
		o->hdr_len = o->gso_size = o->csum_start = o->csum_offset = 0;
		return true;
	}
	if (!partial_usual(o, q->proto, l4, l4_bytes))
		return false;
	o->hdr_len = (uint16_t)(L4 + (q->proto == PROTO_TCP ? tcp_header_bytes(l4) : UDP_BYTES));
	o->gso_size = 0;
	return true;
}

bool quick_parse(struct frame *f, struct quick *q)
{
	const uint8_t *data = f->data, *l4 = data + L4;
	const struct eth_hdr *eth = (const struct eth_hdr *)data;
	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(data + L3);
	if (f->len < L4 + UDP_BYTES || be16_get(eth->type) != ETHERTYPE_IPV4 || ip->version_ihl != PLAIN ||
	    mac_is_group(eth->src))
		return false;
	uint32_t bytes = be16_get(ip->total_len), l4_bytes = bytes - IPV4_MIN_BYTES;
	if (bytes < IPV4_MIN_BYTES + UDP_BYTES || bytes > f->len - L3 ||
	    be16_get(ip->flags_offset) & ANY_FRAGMENT || ip->ttl <= 1 || !ipv4_sum_ok(ip, IPV4_MIN_BYTES))
		return false;
	q->frame = f;
	q->tuple.addresses = native_load8(&ip->src);
	q->tuple.ports = swap_ports(quick_load4(l4));
	q->bytes = (uint16_t)bytes;
	q->proto = ip->proto;
	if (ip->proto == PROTO_UDP) {
		uint16_t len = be16_get(((const struct udp_hdr *)l4)->len);
		if (len < UDP_BYTES || len > l4_bytes)
			return false;
	} else if (ip->proto != PROTO_TCP || !tcp_usual(q, l4, l4_bytes)) {
		return false;
	}
	if (!offload_usual(q, l4, l4_bytes))
		return false;
	f->len = L3 + bytes;
	return true;
}

/* The transport's sum follows the addresses, and a whole one the ports too. */
static inline void follow(const struct quick *q, be16 *field, uint64_t addresses, uint64_t ports)
{
	if (q->frame->offload.flags & OFFLOAD_NEEDS_CSUM) {
		*field = partial_changed(*field, addresses);
		return;
	}
	be16 sum = checksum_changed(*field, native_add(addresses, ports));
	/* RFC 768: a computed zero is sent as all ones */
	*field = q->proto == PROTO_UDP && !be16_get(sum) ? be16_of(0xffff) : sum;
}

void quick_rewrite(const struct quick *q, struct quick_tuple to, const struct mac *link_dst, const struct mac *link_src)
{
	uint8_t *data = q->frame->data, *l4 = data + L4;
	struct eth_hdr *eth = (struct eth_hdr *)data;
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(data + L3);
	uint32_t ports = swap_ports(to.ports);
	uint64_t addresses = native_add(~q->tuple.addresses, to.addresses);
	uint64_t change = native_change4(l4, &ports);
	ip->checksum = checksum_changed(ip->checksum, native_add(addresses, TTL_LESS));
	ip->ttl--;
	memcpy(&ip->src, &to.addresses, sizeof(to.addresses));
	memcpy(l4, &ports, sizeof(ports));
	struct udp_hdr *udp = (struct udp_hdr *)l4;
	if (q->proto == PROTO_TCP)
		follow(q, &((struct tcp_hdr *)l4)->checksum, addresses, change);
	else if (be16_get(udp->checksum) || q->frame->offload.flags & OFFLOAD_NEEDS_CSUM)
		follow(q, &udp->checksum, addresses, change);
	eth->dst = *link_dst;
	eth->src = *link_src;
}
