/* SPDX-License-Identifier: ISC */
/* packet.c: the link header, ARP and the offload metadata. */
#include "parse.h"
#include "segment.h"

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
static bool gso_names(const struct packet *p, uint8_t gso_type)
{
	switch (gso_type) {
	case GSO_TCPV4:
	case GSO_TCPV4 | GSO_ECN:
		return p->class == PKT_TCP && !p->v6;
	case GSO_TCPV6:
	case GSO_TCPV6 | GSO_ECN:
		return p->class == PKT_TCP && p->v6;
	case GSO_UDP_L4:
		return p->class == PKT_UDP;
	}
	return false; /* GSO_UDP would make fragments that nobody has looked at */
}

static bool gso_fits(const struct packet *p)
{
	const struct offload *o = &p->frame->offload;
	uint32_t payload_bytes = p->end - p->payload;

	/* virtio 5.1.6.2: a segmented packet always needs its checksum */
	if (!(o->flags & OFFLOAD_NEEDS_CSUM) || !o->gso_size || !gso_names(p, o->gso_type))
		return false;
	if (p->payload > SEGMENT_HEADER_MAX_BYTES)
		return false;
	if (payload_bytes <= o->gso_size)
		return true;
	/* one was judged: it must not become many */
	if (p->class == PKT_TCP && p->tcp.flags & (TCP_SYN | TCP_RST))
		return false;
	return payload_bytes <= (uint32_t)o->gso_size * SEGMENT_PIECES_MAX;
}

static bool partial_fits(const struct packet *p)
{
	const struct offload *o = &p->frame->offload;

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

static bool offload_fits(const struct packet *p)
{
	struct offload *o = &p->frame->offload;
	bool partial = o->flags & OFFLOAD_NEEDS_CSUM, cut = o->gso_type != GSO_NONE;

	if (o->flags & ~(OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID))
		return false;
	if (!partial && !cut) {
		*o = (struct offload){ .flags = o->flags };
		return true;
	}
	if (!partial_fits(p) || (cut && !gso_fits(p)))
		return false;
	o->hdr_len = p->payload;
	if (!cut)
		o->gso_size = 0;
	return true;
}

/* Field by field what no step below sets in every packet: to clear all would cost more than to parse. */
static void begin(struct packet *p, struct frame *f, struct mac to)
{
	p->frame = f;
	p->l3 = ETH_BYTES;
	p->data_len = 0;
	p->v6 = p->dont_fragment = p->has_fragments = p->more_fragments = p->has_l4_sum = false;
	p->broadcast = mac_is_group(to);
	p->ttl = p->icmp_type = p->icmp_code = 0;
	p->id = 0;
	p->fragment_offset = 0;
	p->tuple = (struct tuple){ 0 };
	p->inner = (struct tuple){ 0 };
	p->inner_l3 = p->inner_l4 = 0;
	p->inner_has_l4 = p->inner_has_l4_sum = false;
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
	begin(p, f, eth->dst);

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
