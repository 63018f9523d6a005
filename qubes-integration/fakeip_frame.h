/* SPDX-License-Identifier: ISC */
/*
 * fakeip_frame.h: the translation of a mapped client's frames (fakeip.h), on
 * its port and nowhere else, as they come in and before they go out: one for
 * one, in ARP, in the IPv4 header and in what ICMP errors quote. What does not
 * parse, or is of other addresses, is left as it is: fw judges it.
 *
 * The client's visible gateway stands for our address on its link, in what it
 * sends there and in what we answer; also our errors, whichever address of ours
 * they have, come from it. A host beyond us that really has that address cannot
 * be reached by this client.
 */
#ifndef FAKEIP_FRAME_H
#define FAKEIP_FRAME_H

#include "fakeip.h"
#include "frame.h"

/* Two addresses of ours: which clients use as their gateway, and the uplink's. Zero: not known. */
struct fakeip_ours { struct ip_addr gateway, uplink; };

struct fakeip_ports {
	uint32_t mapped; /* ports with `on` */
	struct fakeip_port {
		bool on;
		struct ip_addr real, visible;
		struct ip_addr gateway;    /* as the client sees it; zero: as it is */
		struct fakeip_ours ours;
	} port[PORT_COUNT];
};

/* The port's client is `real` now; zero: nobody's. Call for every port again when the table or ours changed. */
void fakeip_attach(struct fakeip_ports *, const struct fakeip *, uint16_t port, struct ip_addr real,
		   const struct fakeip_ours *);
/* Frames that came in; their port says whose they are. They may be trimmed of padding. */
void fakeip_in(const struct fakeip_ports *, struct frame *burst[], size_t n);
/* Frames that go out. */
void fakeip_out(const struct fakeip_ports *, const struct frame_queue *);

#endif
