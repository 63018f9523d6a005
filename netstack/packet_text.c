/* SPDX-License-Identifier: ISC */
/* packet_text.c: packets and tuples as a line for a reader. */
#include "packet.h"

void text_proto(struct text *t, uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		text_put(t, "tcp");
		return;
	case PROTO_UDP:
		text_put(t, "udp");
		return;
	case PROTO_ICMP:
		text_put(t, "icmp");
		return;
	case PROTO_ICMPV6:
		text_put(t, "icmpv6");
		return;
	}
	text_u64(t, proto);
}

static bool has_ports(const struct tuple *tuple)
{
	return tuple->proto == PROTO_TCP || tuple->proto == PROTO_UDP;
}

static void end_point(struct text *t, struct ip_addr ip, bool with_port, uint16_t port)
{
	bool brackets = with_port && !ip_is_v4(ip);

	if (brackets)
		text_char(t, '[');
	text_ip(t, ip);
	if (brackets)
		text_char(t, ']');
	if (!with_port)
		return;
	text_char(t, ':');
	text_u64(t, port);
}

static void labelled(struct text *t, const char *label, uint64_t value)
{
	text_put(t, label);
	text_u64(t, value);
}

static void put_tuple(struct text *t, const struct tuple *tuple, bool with_ports)
{
	text_proto(t, tuple->proto);
	text_char(t, ' ');
	end_point(t, tuple->src, with_ports, tuple->sport);
	text_put(t, " > ");
	end_point(t, tuple->dst, with_ports, tuple->dport);
}

void text_tuple(struct text *t, const struct tuple *tuple)
{
	put_tuple(t, tuple, has_ports(tuple));
	if (tuple->kind) {
		labelled(t, " query ", tuple->kind);
		/* one of the two is zero: which one is the direction */
		labelled(t, " id ", tuple->sport | tuple->dport);
	}
}

static void put_arp(struct text *t, const struct packet *p)
{
	const struct arp_hdr *arp = pkt_arp(p);

	if (be16_get(arp->operation) == 1) {
		text_put(t, "arp who-has ");
		text_ip(t, ip_of_v4(arp->target_ip));
		text_put(t, " tell ");
		text_ip(t, ip_of_v4(arp->sender_ip));
		return;
	}
	text_put(t, "arp ");
	text_ip(t, ip_of_v4(arp->sender_ip));
	text_put(t, " is-at ");
	text_mac(t, arp->sender_mac);
}

static void put_tcp(struct text *t, const struct packet *p)
{
	static const char letters[8] = "FSRPAUEC";
	const struct tcp_hdr *tcp = pkt_tcp(p);

	text_char(t, ' ');
	for (unsigned i = 0; i < 8; i++)
		if (tcp->flags >> i & 1)
			text_char(t, letters[i]);
	labelled(t, " seq ", be32_get(tcp->seq));
	if (tcp->flags & TCP_ACK)
		labelled(t, " ack ", be32_get(tcp->ack));
	labelled(t, " win ", be16_get(tcp->window));
	if (p->tcp.has_scale)
		labelled(t, " scale ", p->tcp.scale);
	if (p->tcp.sack_permitted)
		text_put(t, " sack");
}

static void put_icmp(struct text *t, const struct packet *p)
{
	const struct icmp_hdr *icmp = pkt_icmp(p);

	labelled(t, " type ", icmp->type);
	labelled(t, " code ", icmp->code);
	if (p->class == PKT_ICMP_QUERY)
		labelled(t, " seq ", be16_get(icmp->b));
	if (p->class != PKT_ICMP_ERROR)
		return;
	text_put(t, " about (");
	if (p->inner_has_l4)
		text_tuple(t, &p->inner);
	else
		put_tuple(t, &p->inner, false);
	text_char(t, ')');
}

static void put_class(struct text *t, const struct packet *p)
{
	switch (p->class) {
	case PKT_TCP:
		put_tcp(t, p);
		break;
	case PKT_UDP:
		labelled(t, " length ", be16_get(pkt_udp(p)->len));
		break;
	case PKT_ICMP_QUERY:
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER:
		put_icmp(t, p);
		break;
	case PKT_ARP:
	case PKT_OTHER:
	case PKT_FRAGMENT:
		break;
	}
}

void text_packet(struct text *t, const struct packet *p)
{
	if (p->class == PKT_ARP) {
		put_arp(t, p);
		return;
	}
	if (p->class == PKT_FRAGMENT)
		put_tuple(t, &p->tuple, false);
	else
		text_tuple(t, &p->tuple);
	put_class(t, p);
	labelled(t, " ttl ", p->v6 ? pkt_ipv6(p)->hop_limit : pkt_ipv4(p)->ttl);
	if (!p->has_fragments)
		return;
	labelled(t, " fragment ", p->fragment_offset);
	labelled(t, "+", p->data_len);
	if (p->more_fragments)
		text_put(t, " more");
}
