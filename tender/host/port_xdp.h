/* SPDX-License-Identifier: ISC */
/*
 * port_xdp.h: one AF_XDP port, as its set-up leaves it. The guest's small
 * buffers are the memory that the kernel receives into and sends from: an
 * address of the rings is an offset into them.
 *
 * An XDP port holds `share` buffers for as long as the tender runs, between
 * the fill and the rx ring: none is taken out of the latter before another is
 * at hand for the former, so it never runs dry.
 */
#ifndef PORT_XDP_H
#define PORT_XDP_H

#include <xdp/xsk.h>

#include "tender.h"

enum {
	XDP_ENTRIES = 512,      /* entries of fill and rx ring: the largest share */
	XDP_TX_ENTRIES = 256,
	XDP_UMEM_SHARES = 8, /* a share is this part of all small buffers, if not less */
	XDP_MAPPINGS = 4,
};

struct xdp_port {
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons rx, comp;
	uint32_t share;    /* buffers in fill and rx */
	uint32_t in_tx;    /* buffers in tx and comp */
	bool zero_copy, generic;
	int link;          /* keeps the program on the interface */
	int promiscuous;   /* nic.h; -1: not wanted */
	struct { uintptr_t at; size_t bytes; } mapping[XDP_MAPPINGS];
};

/*
 * Opens it; only_zero_copy: refuses otherwise. NULL, or why not, with errno 0 or
 * its reason; nothing stays behind then.
 */
const char *xdp_setup(struct driver_port *, struct xdp_port *, const struct option_port *,
	bool only_zero_copy);

#endif
