/* SPDX-License-Identifier: ISC */
/*
 * parse.h: the steps of pkt_parse(), one per header. Private to packet.c and
 * parse_*.c, and of quick.c. A step gets the bytes from its header on, cut to the packet,
 * fills in its part of *p and calls the next step.
 */
#ifndef PARSE_H
#define PARSE_H

#include "packet.h"

/*
 * Judges the frame's offload metadata against what was parsed, and makes them
 * canonical. A tunnel's inner checksum is completed, and the packet parsed anew.
 */
enum drop parse_offload(struct packet *);

/* All of pkt_parse() but the offload metadata. */
enum drop parse_any(struct frame *, struct packet *);

enum drop parse_ipv4(struct packet *, struct cursor);
enum drop parse_ipv6(struct packet *, struct cursor);

/* By p->tuple.proto; p's addresses, l4, data_len and fragment fields are set, the cursor holds data_len bytes. */
enum drop parse_transport(struct packet *, struct cursor);

/* The packet quoted by an ICMP error, at the cursor. */
enum drop parse_quote(struct packet *, struct cursor);

/* The tuple's ports, identifier and kind out of at least 8 transport bytes; left 0 where proto has none. */
void parse_ports(struct tuple *, const uint8_t *transport);

/* What a SYN's options offer; only there do they mean anything (RFC 7323 2.2, RFC 2018 2). False: malformed. */
bool parse_tcp_options(struct tcp_view *, struct cursor);

/* Walks the IPv4 options; true when well formed and without a source route. */
bool parse_ipv4_options(struct cursor);

/* Walks IPv6 extension headers up to the transport, or to the data of a fragment. */
struct ipv6_walk {
	uint8_t next;          /* the transport's protocol, once walked */
	bool fragment;         /* there is a fragment header with more than an atomic fragment (RFC 6946) */
	bool more;
	uint32_t offset;       /* bytes, of the fragment */
};
enum drop parse_ipv6_extensions(struct cursor *, struct ipv6_walk *);

/* Where a pointer that a cursor gave lies in the frame. */
static inline uint16_t parse_offset(const struct packet *p, const uint8_t *at)
{
	return (uint16_t)(at - p->frame->data);
}

/* Lengths and place of a fragment (RFC 791, 1858, 3128); header_bytes counts towards the datagram's size. */
enum drop parse_fragment_place(const struct packet *, uint32_t header_bytes);

/* What a header cut short means: an attack when the rest was put into another fragment. */
static inline enum drop parse_short(const struct packet *p)
{
	return p->has_fragments ? DROP_FRAGMENT_TINY : DROP_L4_SHORT;
}

#endif
