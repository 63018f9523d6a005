/* SPDX-License-Identifier: ISC */
/*
 * fakeip_frame.h: the translation of a mapped client's frames (fakeip.h), on
 * its port and nowhere else, as they come in and before they go out: one for
 * one, in ARP, in the IPv4 header and in what ICMP errors quote. What does not
 * parse, or is of other addresses, is left as it is: fw judges it.
 */
#ifndef FAKEIP_FRAME_H
#define FAKEIP_FRAME_H

#include "fakeip.h"
#include "frame.h"

struct fakeip_ports {
	uint32_t mapped; /* ports with `on` */
	struct { bool on; struct ip_addr real, visible; } port[PORT_COUNT];
};

/* The port's client is `real` now; zero: nobody's. Call for every port again when the table changed. */
void fakeip_attach(struct fakeip_ports *, const struct fakeip *, uint16_t port, struct ip_addr real);
/* Frames that came in; their port says whose they are. They may be trimmed of padding. */
void fakeip_in(const struct fakeip_ports *, struct frame *burst[], size_t n);
/* Frames that go out. */
void fakeip_out(const struct fakeip_ports *, const struct frame_queue *);

#endif
