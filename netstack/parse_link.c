/* SPDX-License-Identifier: ISC */
/* parse_link.c: the link header and ARP; any frame, header by header. */
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
}

enum drop parse_any(struct frame *f, struct packet *p)
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
	return drop;
}
