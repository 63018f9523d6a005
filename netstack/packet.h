/* SPDX-License-Identifier: ISC */
/*
 * packet.h: the parsed view of a frame. Every length is proved once, here;
 * after pkt_parse() succeeded no accessor can fail until rewrite or reply
 * changes the frame.
 */
#ifndef PACKET_H
#define PACKET_H

#include "drop.h"
#include "frame.h"
#include "headers.h"

/*
 * What identifies a flow in one direction. Ports in host byte order.
 * ICMP query: sport = identifier and dport = 0 in the request, swapped in the
 * reply, kind = the request's type. Other protocols: ports 0, kind 0.
 * Padding is always zero, so tuples compare and hash as bytes.
 */
struct tuple {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto;
	uint8_t kind;
	uint16_t zero;
};
_Static_assert(sizeof(struct tuple) == 40, "no padding to leak into hashes");

static inline bool tuple_eq(const struct tuple *a, const struct tuple *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static inline struct tuple tuple_reverse(const struct tuple *t)
{
	return (struct tuple){ t->dst, t->src, t->dport, t->sport, t->proto, t->kind, 0 };
}

enum pkt_class {
	PKT_ARP,
	PKT_TCP,
	PKT_UDP,
	PKT_ICMP_QUERY, /* v4: echo, timestamp, (address mask, information); v6: echo */
	PKT_ICMP_ERROR, /* v4: 3, 4, 5, 11, 12; v6: 1-4. inner holds the quoted packet's tuple */
	PKT_ICMP_OTHER, /* ND, router discovery and unknown types */
	PKT_OTHER,      /* any other transport protocol */
	PKT_FRAGMENT,   /* a fragment beyond the first: addresses and proto only */
};

struct tcp_view {
	uint32_t seq, ack;
	uint32_t segment_len; /* sequence space: payload + SYN + FIN */
	uint16_t window;      /* as on the wire, unscaled */
	uint8_t flags;
	uint8_t scale;        /* window scale option's shift (capped at 14, RFC 7323 2.3), only when has_scale */
	bool has_scale, sack_permitted;
};

/* A segment without options; field by field, since a struct of this size would be cleared by a slow loop first. */
static inline void tcp_view_of(struct tcp_view *view, const struct tcp_hdr *tcp, uint32_t segment_len)
{
	view->seq = be32_get(tcp->seq);
	view->ack = be32_get(tcp->ack);
	view->segment_len = segment_len;
	view->window = be16_get(tcp->window);
	view->flags = tcp->flags;
	view->scale = 0;
	view->has_scale = view->sack_permitted = false;
}

struct packet {
	struct frame *frame;
	enum pkt_class class;
	uint16_t l3;        /* offsets from frame->data */
	uint16_t l4;        /* transport header (for PKT_FRAGMENT: the fragment's data) */
	uint16_t payload;   /* behind the transport header */
	uint32_t end;       /* of the IP packet; frame->len is trimmed to it (Ethernet padding goes) */
	bool v6;
	bool has_fragments; /* first fragment or later one */
	bool more_fragments;
	uint8_t icmp_type, icmp_code;
	bool dont_fragment;
	bool broadcast;     /* the Ethernet destination is a group address */
	bool has_l4_sum;    /* a transport checksum is there to be kept right (UDP 0 over IPv4: false) */
	uint8_t ttl;
	uint16_t id;              /* IPv4 identification */
	uint32_t fragment_offset; /* bytes */
	uint32_t data_len;        /* bytes of IP payload */
	struct tuple tuple;
	struct tcp_view tcp;      /* class PKT_TCP */
	/* class PKT_ICMP_ERROR: the packet quoted inside, as its sender sent it */
	struct tuple inner;
	uint16_t inner_l3, inner_l4; /* offsets from frame->data */
	bool inner_has_l4;    /* enough bytes quoted to hold the ports or identifier (else inner ports are 0) */
	bool inner_has_l4_sum; /* the quoted bytes reach past a TCP/UDP checksum that is in use */
};

/*
 * Parses and validates; trims padding. DROP_NONE, or why not: in that case
 * *p is unspecified, as is all that belongs to another class.
 *
 * Checksums: the IPv4 header's always. The transport's is not ours to judge in
 * what is only forwarded, since rewrite leaves a wrong one wrong; it is verified
 * where the packet alone changes a state: every ICMP message, every TCP segment
 * with SYN, FIN or RST or without data; and by reply.h before anything is
 * answered. Not when offload says NEEDS_CSUM or DATA_VALID, nor for fragments.
 * ICMP errors: also the quoted IPv4 header checksum (RFC 5508 REQ-3), never the
 * quoted transport checksum.
 *
 * Offload metadata are believed as far as the headers bear them out, else
 * DROP_OFFLOAD: NEEDS_CSUM names the checksum field of a whole TCP segment or UDP
 * datagram; GSO comes with it and names transport and family, its headers fit
 * segment.h's limit and its pieces are at most SEGMENT_PIECES_MAX, none of them
 * SYN or RST; UFO (GSO_UDP), unknown types and flags are refused. A NEEDS_CSUM for
 * a field inside the payload of UDP or another protocol (a tunnel's inner packet) is
 * done at once: the only store into f's bytes. What is left in f->offload is
 * canonical: hdr_len is the payload's offset, unused fields are 0.
 *
 * IPv6 is parsed whole (extension headers walked, RFC 8200, RH0 refused);
 * the caller decides not to forward it. A mapped IPv4 address in an IPv6
 * header is DROP_MARTIAN: in a tuple it would pass for IPv4. TCP options are
 * read in a SYN only. At most 8 IPv6 extension headers.
 */
enum drop pkt_parse(struct frame *f, struct packet *p);

/* The transport checksum of an IPv4 or IPv6 packet is right, or not to be told here (none, offload, fragment). */
bool pkt_l4_sum_ok(const struct packet *);

/* Total accessors; only for a packet of the right class. */
static inline struct eth_hdr *pkt_eth(const struct packet *p)
{
	return (struct eth_hdr *)p->frame->data;
}

static inline struct arp_hdr *pkt_arp(const struct packet *p)
{
	ensure(p->class == PKT_ARP);
	return (struct arp_hdr *)(p->frame->data + p->l3);
}

static inline struct ipv4_hdr *pkt_ipv4(const struct packet *p)
{
	ensure(p->class != PKT_ARP && !p->v6);
	return (struct ipv4_hdr *)(p->frame->data + p->l3);
}

static inline struct ipv6_hdr *pkt_ipv6(const struct packet *p)
{
	ensure(p->class != PKT_ARP && p->v6);
	return (struct ipv6_hdr *)(p->frame->data + p->l3);
}

static inline struct tcp_hdr *pkt_tcp(const struct packet *p)
{
	ensure(p->class == PKT_TCP);
	return (struct tcp_hdr *)(p->frame->data + p->l4);
}

static inline struct udp_hdr *pkt_udp(const struct packet *p)
{
	ensure(p->class == PKT_UDP);
	return (struct udp_hdr *)(p->frame->data + p->l4);
}

static inline struct icmp_hdr *pkt_icmp(const struct packet *p)
{
	ensure(p->class == PKT_ICMP_QUERY || p->class == PKT_ICMP_ERROR || p->class == PKT_ICMP_OTHER);
	return (struct icmp_hdr *)(p->frame->data + p->l4);
}

/* One line for a reader: "tcp 10.137.0.5:40000 > 1.2.3.4:80 S". Walks every accessor. */
void text_packet(struct text *, const struct packet *);
/* "tcp 10.137.0.5:40000 > 1.2.3.4:80" */
void text_tuple(struct text *, const struct tuple *);
/* "tcp", "udp", "icmp", "icmpv6" or the number. */
void text_proto(struct text *, uint8_t proto);

#endif
