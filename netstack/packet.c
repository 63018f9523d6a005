/* SPDX-License-Identifier: ISC */
/* packet.c: a frame parsed, the packets that most are in one go. */
#include "parse.h"
#include "checksum.h"

enum { L3 = ETH_BYTES, L4 = ETH_BYTES + IPV4_MIN_BYTES, PLAIN = 0x45, ANY_FRAGMENT = IPV4_MF | IPV4_OFFSET_MASK };

static bool plain_udp(struct packet *p, const struct udp_hdr *udp)
{
	uint16_t len = be16_get(udp->len);

	if (len < UDP_BYTES || len > p->data_len)
		return false;
	p->class = PKT_UDP;
	p->payload = L4 + UDP_BYTES;
	p->has_l4_sum = p->frame->offload.flags & OFFLOAD_NEEDS_CSUM || be16_get(udp->checksum);
	return true;
}

static bool plain_tcp(struct packet *p, const struct tcp_hdr *tcp)
{
	enum { JUDGED = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG };

	if (p->data_len < TCP_MIN_BYTES || (tcp->flags & JUDGED) != TCP_ACK)
		return false;
	uint32_t header_bytes = (tcp->offset >> 4) * 4u;
	if (header_bytes < TCP_MIN_BYTES || header_bytes > p->data_len)
		return false;
	p->class = PKT_TCP;
	p->payload = (uint16_t)(L4 + header_bytes);
	p->has_l4_sum = true;
	parse_tcp_view(&p->tcp, tcp, p->data_len - header_bytes);
	return p->tcp.segment_len || pkt_l4_sum_ok(p);
}

/*
 * The packet that most are: whole IPv4 without options, UDP or a TCP segment in
 * mid-flow. True: *p is what parse_any() would make of it. False: none such, or
 * something is wrong with it; let that tell.
 */
static bool parse_plain(struct frame *f, struct packet *p)
{
	if (f->len < L4 + UDP_BYTES)
		return false;
	const struct eth_hdr *eth = (const struct eth_hdr *)f->data;
	const struct ipv4_hdr *ip = (const struct ipv4_hdr *)(f->data + L3);
	uint32_t total = be16_get(ip->total_len);
	uint16_t place = be16_get(ip->flags_offset);

	if (be16_get(eth->type) != ETHERTYPE_IPV4 || ip->version_ihl != PLAIN || mac_is_group(eth->src))
		return false;
	if (total > f->len - L3 || total < IPV4_MIN_BYTES + UDP_BYTES || place & ANY_FRAGMENT)
		return false;
	if (!ipv4_sum_ok(ip, IPV4_MIN_BYTES))
		return false;

	const struct udp_hdr *ports = (const struct udp_hdr *)(f->data + L4);
	p->frame = f;
	p->l3 = L3;
	p->l4 = L4;
	p->end = L3 + total;
	p->v6 = false;
	p->dont_fragment = place & IPV4_DF;
	p->broadcast = mac_is_group(eth->dst);
	p->has_fragments = p->more_fragments = false;
	p->ttl = ip->ttl;
	p->icmp_type = p->icmp_code = 0;
	p->id = be16_get(ip->id);
	p->fragment_offset = 0;
	p->data_len = total - IPV4_MIN_BYTES;
	p->tuple.src = ip_of_v4(ip->src);
	p->tuple.dst = ip_of_v4(ip->dst);
	p->tuple.sport = be16_get(ports->sport);
	p->tuple.dport = be16_get(ports->dport);
	p->tuple.proto = ip->proto;
	p->tuple.kind = 0;
	p->tuple.zero = 0;
	if (ip->proto == PROTO_UDP)
		return plain_udp(p, ports);
	return ip->proto == PROTO_TCP && plain_tcp(p, (const struct tcp_hdr *)ports);
}

enum drop pkt_parse(struct frame *f, struct packet *p)
{
	enum drop drop = parse_plain(f, p) ? DROP_NONE : parse_any(f, p);

	if (drop != DROP_NONE)
		return drop;
	if (!(f->offload.flags | f->offload.gso_type)) {
		f->offload = (struct offload){ 0 };
	} else {
		drop = parse_offload(p);
		if (drop != DROP_NONE)
			return drop;
	}
	f->len = p->end;
	return DROP_NONE;
}
