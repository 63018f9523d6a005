/* SPDX-License-Identifier: ISC */
/*
 * fakeip.h: clients that are told another address than theirs (net.fake-ip,
 * qubes.md 2.1: /mapped-ip/REAL/visible-ip). On its port such a client has the
 * visible address, everywhere else, in rules, flows and the store, its real one
 * (fakeip_frame.h).
 *
 * One real address has one visible one; several clients may have the same
 * visible address, each on its own port.
 */
#ifndef FAKEIP_H
#define FAKEIP_H

#include "addr.h"

enum { FAKEIP_MAX = 256 }; /* entries stay when their client goes (qubes.md 2.2) */

struct fakeip {
	uint32_t count;
	struct { struct ip_addr real, visible; } entry[FAKEIP_MAX];
};

enum fakeip_outcome { FAKEIP_TAKEN, FAKEIP_SAME, FAKEIP_MALFORMED, FAKEIP_FULL };

/* key: what stands behind "/mapped-ip/". SAME: nothing changed; visible-gateway is nothing to us. */
enum fakeip_outcome fakeip_write(struct fakeip *, struct cursor key, struct cursor value);
/* key "": all; "REAL/" or "REAL/visible-ip": that one. True: something changed. */
bool fakeip_remove(struct fakeip *, struct cursor key);

/* What the client with this real address shows; the address itself when it is not mapped. */
struct ip_addr fakeip_visible(const struct fakeip *, struct ip_addr real);

#endif
