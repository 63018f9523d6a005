/* SPDX-License-Identifier: ISC */
/*
 * udp.h: our own datagrams (RFC 768 in RFC 791), as the resolver sends them.
 */
#ifndef UDP_H
#define UDP_H

#include "packet.h"

/*
 * An IPv4 datagram from to->src, to->sport, unfragmented (DF, RFC 6864 4.1), TTL
 * 64, checksums complete; its link addresses are zero. f is emptied first. On
 * true *p is its parsed view. False: it does not fit.
 */
bool udp_build(struct frame *f, const struct tuple *to, const void *payload, size_t len, struct packet *p);

/* What p carries; p is PKT_UDP and no fragment. */
static inline struct cursor udp_payload(const struct packet *p)
{
	return cursor_of(p->frame->data + p->payload, p->end - p->payload);
}

#endif
