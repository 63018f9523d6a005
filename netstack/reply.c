/* SPDX-License-Identifier: ISC */
/* reply.c: answers built over the frame that asked, and ARP requests. */
#include "reply.h"
#include "checksum.h"
#include "rewrite.h"

enum { ARP_REQUEST = 1, ARP_REPLY = 2, REPLY_TTL = 64, TOS_CONTROL = 0xc0, ICMP_ECHO = 8 };
enum { L3 = ETH_BYTES, L4 = ETH_BYTES + IPV4_MIN_BYTES }; /* offsets in all that is built here */

static void answer_link(struct frame *f)
{
	struct eth_hdr *eth = (struct eth_hdr *)f->data;
	struct mac asker = eth->src;

	eth->src = eth->dst;
	eth->dst = asker;
}

/* The IP header of an answer with data_len bytes, already at L4; sets the frame's length. */
static void put_ipv4(struct frame *f, const struct tuple *to, uint8_t tos, size_t data_len)
{
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(f->data + L3);

	/* identification 0 is fine for what is never fragmented (RFC 6864 4.1) */
	*ip = (struct ipv4_hdr){
		.version_ihl = 0x45,
		.tos = tos,
		.total_len = be16_of((uint16_t)(IPV4_MIN_BYTES + data_len)),
		.flags_offset = be16_of(IPV4_DF),
		.ttl = REPLY_TTL,
		.proto = to->proto,
		.src = ip_to_v4(to->src),
		.dst = ip_to_v4(to->dst),
	};
	ip->checksum = be16_of(sum_finish(sum_bytes(0, ip, sizeof(*ip))));
	f->len = (uint32_t)(L4 + data_len);
	f->offload = (struct offload){ 0 };
}

/* p becomes the view of what was built. */
static bool built(struct frame *f, struct packet *p)
{
	return pkt_parse(f, p) == DROP_NONE;
}

bool reply_arp(struct packet *p, struct mac ours)
{
	struct frame *f = p->frame;

	if (p->class != PKT_ARP)
		return false;
	struct arp_hdr *arp = pkt_arp(p);
	if (be16_get(arp->operation) != ARP_REQUEST || mac_is_group(arp->sender_mac))
		return false;

	be32 asked = arp->target_ip;
	struct eth_hdr *eth = pkt_eth(p);
	eth->dst = eth->src;
	eth->src = ours;
	arp->operation = be16_of(ARP_REPLY);
	arp->target_mac = arp->sender_mac;
	arp->target_ip = arp->sender_ip;
	arp->sender_mac = ours;
	arp->sender_ip = asked;
	f->offload = (struct offload){ 0 };
	return built(f, p);
}

/* From one host to one host, over links that say so too. */
static bool between_hosts(const struct packet *p)
{
	if (p->broadcast || !ip_is_unicast(p->tuple.src))
		return false;
	struct ip_addr dst = p->tuple.dst;
	return !ip_is_multicast(dst) && !ip_is_broadcast(dst) && !ip_is_zero(dst);
}

bool reply_echo(struct packet *p)
{
	struct frame *f = p->frame;

	if (p->class != PKT_ICMP_QUERY || p->v6 || p->icmp_type != ICMP_ECHO || p->has_fragments)
		return false;
	if (!between_hosts(p))
		return false;

	/* the asker's IP options are no part of the answer */
	struct tuple to = tuple_reverse(&p->tuple);
	uint8_t tos = pkt_ipv4(p)->tos;
	memmove(f->data + L4, f->data + p->l4, p->data_len);
	struct icmp_hdr *icmp = (struct icmp_hdr *)(f->data + L4);
	icmp->type = 0;
	icmp->code = 0;
	icmp->checksum = be16_of(0);
	icmp->checksum = be16_of(sum_finish(sum_bytes(0, icmp, p->data_len)));
	answer_link(f);
	put_ipv4(f, &to, tos, p->data_len);
	return built(f, p);
}

bool reply_udp(struct packet *p, size_t at, uint8_t byte)
{
	struct frame *f = p->frame;

	if (p->class != PKT_UDP || p->v6 || p->has_fragments || f->offload.gso_type != GSO_NONE)
		return false;
	size_t len = p->end - p->l4;
	if (!between_hosts(p) || at >= len - UDP_BYTES || !pkt_l4_sum_ok(p))
		return false;

	struct tuple to = tuple_reverse(&p->tuple);
	uint8_t tos = pkt_ipv4(p)->tos;
	memmove(f->data + L4, f->data + p->l4, len);
	f->data[L4 + UDP_BYTES + at] = byte;
	struct udp_hdr *udp = (struct udp_hdr *)(f->data + L4);
	*udp = (struct udp_hdr){ be16_of(to.sport), be16_of(to.dport), be16_of((uint16_t)len), be16_of(0) };
	uint16_t sum = sum_finish(sum_bytes(sum_pseudo(to.src, to.dst, PROTO_UDP, (uint32_t)len), udp, len));
	udp->checksum = be16_of(sum ? sum : 0xffff); /* 0 would say there is none */
	answer_link(f);
	put_ipv4(f, &to, tos, len);
	return built(f, p);
}

bool reply_error_allowed(const struct packet *p)
{
	switch (p->class) {
	case PKT_ARP:
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER: /* an unknown type may be an error */
	case PKT_FRAGMENT:
		return false;
	case PKT_TCP:
	case PKT_UDP:
	case PKT_ICMP_QUERY:
	case PKT_OTHER:
		return between_hosts(p);
	}
	return false;
}

bool reply_icmp_error(struct packet *p, struct ip_addr from, uint8_t type, uint8_t code,
                      uint32_t info)
{
	struct frame *f = p->frame;

	if (p->v6 || !reply_error_allowed(p) || !ip_is_v4(from) || !pkt_l4_sum_ok(p))
		return false;
	size_t quote = p->end - p->l3;
	if (quote > ICMP_QUOTE_MAX_BYTES)
		quote = ICMP_QUOTE_MAX_BYTES;
	if (frame_room(f) < L4 + ICMP_BYTES + quote)
		return false;

	struct tuple to = { .src = from, .dst = p->tuple.src, .proto = PROTO_ICMP };
	/* the quoted bytes are those that a receiver would have seen */
	rewrite_finish_checksum(p);
	memmove(f->data + L4 + ICMP_BYTES, f->data + p->l3, quote);
	struct icmp_hdr *icmp = (struct icmp_hdr *)(f->data + L4);
	*icmp = (struct icmp_hdr){
		.type = type,
		.code = code,
		.a = be16_of((uint16_t)(info >> 16)),
		.b = be16_of((uint16_t)info),
	};
	icmp->checksum = be16_of(sum_finish(sum_bytes(0, icmp, ICMP_BYTES + quote)));
	answer_link(f);
	put_ipv4(f, &to, TOS_CONTROL, ICMP_BYTES + quote);
	return built(f, p);
}

bool reply_rst(struct packet *p)
{
	struct frame *f = p->frame;

	/* how long a segment in pieces is, its first piece does not tell */
	if (p->class != PKT_TCP || p->v6 || p->has_fragments || p->tcp.flags & TCP_RST)
		return false;
	if (!between_hosts(p) || frame_room(f) < L4 + TCP_MIN_BYTES || !pkt_l4_sum_ok(p))
		return false;

	struct tuple to = tuple_reverse(&p->tuple);
	bool acked = p->tcp.flags & TCP_ACK;
	struct tcp_hdr *tcp = (struct tcp_hdr *)(f->data + L4);
	*tcp = (struct tcp_hdr){
		.sport = be16_of(to.sport),
		.dport = be16_of(to.dport),
		.seq = be32_of(acked ? p->tcp.ack : 0),
		.ack = be32_of(acked ? 0 : p->tcp.seq + p->tcp.segment_len),
		.offset = TCP_MIN_BYTES / 4 << 4,
		.flags = acked ? TCP_RST : TCP_RST | TCP_ACK,
	};
	sum64 sum = sum_pseudo(to.src, to.dst, PROTO_TCP, TCP_MIN_BYTES);
	tcp->checksum = be16_of(sum_finish(sum_bytes(sum, tcp, sizeof(*tcp))));
	answer_link(f);
	put_ipv4(f, &to, 0, TCP_MIN_BYTES);
	return built(f, p);
}

bool build_arp_request(struct frame *f, struct mac sender, struct ip_addr sender_ip,
                       struct ip_addr target)
{
	if (!frame_reset(f, ETH_BYTES + ARP_BYTES))
		return false;
	*(struct eth_hdr *)f->data = (struct eth_hdr){
		.dst = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		.src = sender,
		.type = be16_of(ETHERTYPE_ARP),
	};
	*(struct arp_hdr *)(f->data + L3) = (struct arp_hdr){
		.hardware = be16_of(1),
		.protocol = be16_of(ETHERTYPE_IPV4),
		.hardware_len = sizeof(struct mac),
		.protocol_len = sizeof(be32),
		.operation = be16_of(ARP_REQUEST),
		.sender_mac = sender,
		.sender_ip = ip_to_v4(sender_ip),
		.target_ip = ip_to_v4(target),
	};
	return true;
}
