/* SPDX-License-Identifier: ISC */
/*
 * nat.c: every candidate differs in one field, the port the answer comes back
 * to, which in an ICMP reply's tuple is the identifier.
 */
#include "nat.h"

/* ICMP of the other family has no identifier that rewrite would store: `kind` says when there is one. */
static bool has_port(const struct tuple *t)
{
	return t->proto == PROTO_TCP || t->proto == PROTO_UDP || t->kind != 0;
}

bool nat_bind(const struct tuple *orig, struct ip_addr nat_src, nat_taken *taken, const void *owner,
              struct secret *secret, struct tuple *reply, bool *collision)
{
	struct tuple r = tuple_reverse(orig);
	*collision = false;
	if (ip_is_zero(nat_src)) {
		*reply = r;
		return !taken(owner, &r);
	}
	r.dst = nat_src;
	*reply = r;
	if (!taken(owner, &r))
		return true;
	*collision = true;
	if (!has_port(orig))
		return false;
	bool tcp_udp = orig->proto == PROTO_TCP || orig->proto == PROTO_UDP;
	uint32_t first = tcp_udp ? NAT_PORT_FIRST : 0;
	uint32_t range = tcp_udp ? NAT_PORT_LAST - NAT_PORT_FIRST + 1 : 65536;
	uint32_t at = 0;
	for (uint32_t i = 0; i < NAT_RANDOM_PROBES + NAT_LINEAR_PROBES; i++) {
		at = i < NAT_RANDOM_PROBES ? random_below(secret, range) : (at + 1) % range;
		r.dport = (uint16_t)(first + at);
		if (!taken(owner, &r)) {
			*reply = r;
			return true;
		}
	}
	return false;
}
