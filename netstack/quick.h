/* SPDX-License-Identifier: ISC */
/*
 * quick.h: the usual packet, in few instructions: a whole TCP segment or
 * a whole UDP datagram, over IPv4 without options, not a
 * super-frame. All others are pkt_parse's and rewrite's, and so is whatever
 * is wrong with a packet: what is said no to here is only not usual.
 *
 * It is a second parser because of what the first one costs: there is no
 * parsed view to be filled in, and each of the fields is looked at once. That
 * both agree, and that both ways of rewriting do, byte for byte, is tested.
 */
#ifndef QUICK_H
#define QUICK_H

#include "packet.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "addresses and ports are taken as words");

/* Source in the low half, destination in the high one. */
struct quick_tuple {
	uint64_t addresses; /* as in the packet */
	uint32_t ports;     /* in host order, as in struct tuple */
};

struct quick {
	struct frame *frame;
	struct quick_tuple tuple;
	uint16_t bytes;      /* of the IP packet */
	uint8_t proto;       /* PROTO_TCP: tcp is set; or PROTO_UDP */
	struct tcp_view tcp;
};

/*
 * True: pkt_parse would take the frame, into a packet that has the same tuple
 * and tcp view, and whose TTL lets it pass on; the frame is trimmed and its
 * offload metadata canonical as by pkt_parse. False: nothing was changed.
 */
bool quick_parse(struct frame *, struct quick *);

/* What rewrite_tuple, rewrite_ttl and rewrite_link store. */
void quick_rewrite(const struct quick *, struct quick_tuple to, const struct mac *link_dst, const struct mac *link_src);

static inline uint32_t quick_load4(const void *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint64_t quick_load8(const void *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

/* Of IPv4 addresses, as they lie in a packet. */
static inline uint64_t quick_addresses(const struct ip_addr *src, const struct ip_addr *dst)
{
	return quick_load4(src->b + 12) | (uint64_t)quick_load4(dst->b + 12) << 32;
}

/* 0 when it is that IPv4 address. */
static inline uint64_t quick_ip_differs(const struct ip_addr *ip, uint32_t v4)
{
	return quick_load8(ip->b) | (quick_load8(ip->b + 8) ^ ((uint64_t)v4 << 32 | 0xffff0000u));
}

#endif
