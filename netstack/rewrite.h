/* SPDX-License-Identifier: ISC */
/*
 * rewrite.h: the only stores into a live forwarded frame; each keeps every
 * checksum right in the same function, whole or partial (offload). A wrong
 * checksum is never repaired: updates are incremental (RFC 1624). UDP over
 * IPv4 with checksum 0 stays 0, a computed 0 becomes 0xffff (RFC 768).
 */
#ifndef REWRITE_H
#define REWRITE_H

#include "packet.h"

/* p->tuple becomes `to` (same family, proto and kind). For PKT_FRAGMENT only the addresses are changed. */
void rewrite_tuple(struct packet *, const struct tuple *to);
/* The quoted packet of an ICMP error becomes `to`; the outer ICMP checksum follows (RFC 5508 REQ-4, REQ-5). */
void rewrite_inner(struct packet *, const struct tuple *to);
/* Only the outer addresses of an ICMP error. */
void rewrite_addresses(struct packet *, struct ip_addr src, struct ip_addr dst);
/* TTL or hop limit minus one; the caller saw that it is > 1. */
void rewrite_ttl(struct packet *);
/* IPv4 identification, so that fragments of different hosts never clash (RFC 6864). */
void rewrite_id(struct packet *, uint16_t id);
void rewrite_link(struct packet *, struct mac dst, struct mac src);
/* Fills in a partial checksum, for a way out that cannot. */
void rewrite_finish_checksum(struct packet *);

#endif
