/* SPDX-License-Identifier: ISC */
/* packet.c: the link header, ARP and the offload metadata; and the accessors. */
#include "parse.h"

static enum drop parse_arp(struct packet *p, struct cursor c)
{
	const uint8_t *at = take(&c, ARP_BYTES);
	if (!at)
		return DROP_FRAME_SHORT;

	const struct arp_hdr *arp = (const struct arp_hdr *)at;
	if (be16_get(arp->hardware) != 1 || be16_get(arp->protocol) != ETHERTYPE_IPV4)
		return DROP_ARP_MALFORMED;
	if (arp->hardware_len != sizeof(struct mac) || arp->protocol_len != sizeof(be32))
		return DROP_ARP_MALFORMED;
	uint16_t operation = be16_get(arp->operation);
	if (operation != 1 && operation != 2)
		return DROP_ARP_MALFORMED;

	p->class = PKT_ARP;
	p->l4 = p->payload = ETH_BYTES + ARP_BYTES;
	p->end = ETH_BYTES + ARP_BYTES;
	return DROP_NONE;
}

/* Segmentation is only ever asked for of the transport it is named after. */
static bool gso_fits(const struct packet *p)
{
	const struct offload *o = &p->frame->offload;

	if (o->gso_type == GSO_NONE)
		return true;
	/* virtio 5.1.6.2: a segmented packet always needs its checksum */
	if (!(o->flags & OFFLOAD_NEEDS_CSUM) || !o->gso_size)
		return false;
	switch (o->gso_type) {
	case GSO_TCPV4:
	case GSO_TCPV4 | GSO_ECN:
		return p->class == PKT_TCP && !p->v6;
	case GSO_TCPV6:
	case GSO_TCPV6 | GSO_ECN:
		return p->class == PKT_TCP && p->v6;
	case GSO_UDP:
	case GSO_UDP_L4:
		return p->class == PKT_UDP;
	}
	return false;
}

static bool offload_fits(const struct packet *p)
{
	const struct offload *o = &p->frame->offload;

	if (!gso_fits(p))
		return false;
	if (!(o->flags & OFFLOAD_NEEDS_CSUM))
		return true;
	/* the sum of a datagram in pieces cannot be made from one piece */
	if (p->has_fragments || o->csum_start != p->l4)
		return false;
	if (p->class == PKT_TCP)
		return o->csum_offset == offsetof(struct tcp_hdr, checksum);
	if (p->class != PKT_UDP || o->csum_offset != offsetof(struct udp_hdr, checksum))
		return false;
	/* bytes behind the datagram would be summed by some and not by others */
	return be16_get(pkt_udp(p)->len) == p->data_len;
}

enum drop pkt_parse(struct frame *f, struct packet *p)
{
	struct cursor c = cursor_of(f->data, f->len);
	const struct eth_hdr *eth = (const struct eth_hdr *)take(&c, ETH_BYTES);
	enum drop drop = DROP_ETHERTYPE;

	if (!eth)
		return DROP_FRAME_SHORT;
	if (mac_is_group(eth->src))
		return DROP_LINK_SOURCE;
	*p = (struct packet){ .frame = f, .l3 = ETH_BYTES, .broadcast = mac_is_group(eth->dst) };

	switch (be16_get(eth->type)) {
	case ETHERTYPE_IPV4:
		drop = parse_ipv4(p, c);
		break;
	case ETHERTYPE_IPV6:
		drop = parse_ipv6(p, c);
		break;
	case ETHERTYPE_ARP:
		drop = parse_arp(p, c);
		break;
	}
	if (drop != DROP_NONE)
		return drop;
	if (!offload_fits(p))
		return DROP_OFFLOAD;
	f->len = p->end;
	return DROP_NONE;
}

struct eth_hdr *pkt_eth(const struct packet *p)
{
	return (struct eth_hdr *)p->frame->data;
}

struct arp_hdr *pkt_arp(const struct packet *p)
{
	ensure(p->class == PKT_ARP);
	return (struct arp_hdr *)(p->frame->data + p->l3);
}

struct ipv4_hdr *pkt_ipv4(const struct packet *p)
{
	ensure(p->class != PKT_ARP && !p->v6);
	return (struct ipv4_hdr *)(p->frame->data + p->l3);
}

struct ipv6_hdr *pkt_ipv6(const struct packet *p)
{
	ensure(p->class != PKT_ARP && p->v6);
	return (struct ipv6_hdr *)(p->frame->data + p->l3);
}

struct tcp_hdr *pkt_tcp(const struct packet *p)
{
	ensure(p->class == PKT_TCP);
	return (struct tcp_hdr *)(p->frame->data + p->l4);
}

struct udp_hdr *pkt_udp(const struct packet *p)
{
	ensure(p->class == PKT_UDP);
	return (struct udp_hdr *)(p->frame->data + p->l4);
}

struct icmp_hdr *pkt_icmp(const struct packet *p)
{
	ensure(p->class == PKT_ICMP_QUERY || p->class == PKT_ICMP_ERROR || p->class == PKT_ICMP_OTHER);
	return (struct icmp_hdr *)(p->frame->data + p->l4);
}
