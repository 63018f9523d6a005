/* SPDX-License-Identifier: ISC */
/*
 * netoffload.h: between the flags of Xen's network rings and struct offload,
 * and what a peer cannot take done in software.
 *
 * A ring says that a checksum is blank, not where it is: it is that of the
 * TCP or UDP header behind a plain IPv4 or IPv6 header.
 */
#ifndef NETOFFLOAD_H
#define NETOFFLOAD_H

#include "frame.h"
#include "netring.h"

/* What a peer takes, by its keys in xenstore. */
struct netcaps { bool sg, gso4, gso6, csum4, csum6; };

/* What a ring said of a frame, or shall say. gso_type: NETGSO_ values, 0 none. */
struct netmarks {
	bool csum_blank, data_validated;
	uint8_t gso_type;
	uint16_t gso_size;
};

/*
 * Describes f->data[0..len) as its marks say. False: they cannot be true of these bytes. A super-frame whose
 * checksum is not blank gets the partial one that its pieces are made from.
 */
bool netoffload_in(struct frame *f, struct netmarks);
/* The marks of a frame that netoffload_fit() passed. */
struct netmarks netoffload_out(const struct frame *f);

/*
 * Makes f fit for a peer: puts f, or the packets it is cut into (new frames of the pool), at the end of out and
 * keeps f->port. False: f's metadata lie, or nothing fits, or no frames were free; f was given back.
 */
bool netoffload_fit(struct frame *f, const struct netcaps *, struct frame_queue *out);

#endif
