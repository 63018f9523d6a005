/* SPDX-License-Identifier: ISC */
/*
 * fakeip.h: clients that are told another address than theirs (net.fake-ip,
 * qubes.md 2.1: /mapped-ip/REAL/visible-ip), or another gateway than ours
 * (net.fake-gateway: visible-gateway). On its port such a client has the visible
 * address, and we have the visible gateway's; everywhere else, in rules, flows
 * and the store, both have their real ones (fakeip_frame.h).
 *
 * One real address has one visible one; several clients may have the same
 * visible address, each on its own port.
 */
#ifndef FAKEIP_H
#define FAKEIP_H

#include "addr.h"

enum { FAKEIP_MAX = 256 }; /* entries stay when their client goes (qubes.md 2.2) */

struct fakeip_entry { struct ip_addr real, visible, gateway; /* zero: not said */ };

struct fakeip {
	uint32_t count;
	struct fakeip_entry entry[FAKEIP_MAX];
};

enum fakeip_outcome { FAKEIP_TAKEN, FAKEIP_SAME, FAKEIP_MALFORMED, FAKEIP_FULL };

/*
 * key: what stands behind "/mapped-ip/"; other keys than the two are SAME: nothing changed. ours: the address that
 * clients use as their gateway, zero if it is not known. A client that sees what is so takes no room.
 */
enum fakeip_outcome fakeip_write(struct fakeip *, struct cursor key, struct cursor value, struct ip_addr ours);
/* key "": all; "REAL/": what is said of that one; "REAL/visible-ip": one of both. True: something changed. */
bool fakeip_remove(struct fakeip *, struct cursor key, struct ip_addr ours);

/* What the client with this real address shows; the address itself when it is not mapped. */
struct ip_addr fakeip_visible(const struct fakeip *, struct ip_addr real);
/* What it takes for its gateway; zero: the store does not say, or it is ours. */
struct ip_addr fakeip_gateway(const struct fakeip *, struct ip_addr real);

#endif
