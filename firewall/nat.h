/* SPDX-License-Identifier: ISC */
/*
 * nat.h: the choice of the translated source port or ICMP identifier.
 *
 * The source port is preserved when the way back is free with it. Two flows
 * may share an outer port as long as their peers differ (RFC 7857 3: the
 * 5-tuple stays unique). Else a random one (RFC 6056 3.3.1): ports from
 * 1024..65535, identifiers from 0..65535.
 */
#ifndef NAT_H
#define NAT_H

#include "hash.h"
#include "packet.h"

enum {
	NAT_PORT_FIRST = 1024, NAT_PORT_LAST = 65535,
	NAT_RANDOM_PROBES = 128, /* before the linear scan of */
	NAT_LINEAR_PROBES = 1024,
};

typedef bool nat_taken(const void *owner, const struct tuple *reply);

/*
 * The way back of `orig` with its source translated to nat_src (zero: as it
 * is), in *reply. False when every probe was taken. *collision tells whether
 * the port could not be kept. Other protocols have only their address.
 */
bool nat_bind(const struct tuple *orig, struct ip_addr nat_src, nat_taken *, const void *owner, struct secret *,
              struct tuple *reply, bool *collision);

#endif
