/* SPDX-License-Identifier: ISC */
/*
 * xen_guest.h: a client's frontend and its toolstack, for tests of netback: on
 * the memory and the xenstore of xen_fake.h.
 */
#ifndef XEN_GUEST_H
#define XEN_GUEST_H

#include "netback.h"
#include "netring.h"
#include "xen_fake.h"

enum { GUEST_PAGES = 64 };

struct guest {
	uint16_t domid, handle;
	bool sg, gso4, gso6, no_csum, csum6; /* its keys */
	struct netring_front tx, rx;
	uint32_t tx_ref, rx_ref, channel;
	uint8_t *tx_page[GUEST_PAGES], *rx_page[NETRING_SLOTS]; /* rx: by slot */
	uint32_t tx_page_ref[GUEST_PAGES];
	uint32_t tx_pages; /* used of tx_page, round and round */
	uint32_t rx_pages; /* made so far */
	uint32_t answered_ok, answered_error;
};

extern uint64_t guest_now_ns;
/* The memory behind netback: frames of the pool and tables. Starts the fake anew. */
void guest_world(void);
/* Watch events and steps until nothing is left to do; then the clock moves on by ns, and again. */
void guest_settle(uint64_t ns);

/* The toolstack: folders of both ends, in state 1. ip NULL: no such key yet. */
void guest_create(struct guest *, uint16_t domid, const char *ip, const char *mac);
void guest_detach(struct guest *);  /* network-detach: online 0, state 5 */
void guest_vanish(struct guest *);  /* its folders are removed */
const char *guest_state(const struct guest *, bool backend);

/* The frontend's part of xenbus. */
void guest_front_state(struct guest *, int state);
void guest_offer(struct guest *);   /* rings, keys, state 4 */
void guest_connect(struct guest *); /* all of it, until netback is connected: asserted */
uint32_t guest_port(const struct guest *); /* our event channel of it */

/* Frames. Sends bytes in parts of at most part_bytes, with netmarks in flags and gso; returns slots used. */
uint32_t guest_send(struct guest *, const void *bytes, size_t len, size_t part_bytes, uint16_t flags, struct netextra *gso);
void guest_push(struct guest *);    /* shows requests, notifies if asked */
void guest_reap(struct guest *);    /* counts answers */
void guest_post(struct guest *, uint32_t n); /* n more rx buffers */
struct guest_frame { uint8_t bytes[70000]; uint32_t len, slots; uint16_t flags; struct netextra gso; bool failed; };
/* The next frame that netback sent to it; false: none. */
bool guest_receive(struct guest *, struct guest_frame *);

/* A plain UDP frame of len bytes from ip, with a right IPv4 header checksum and a `mark` all over its payload. */
size_t guest_frame_udp(uint8_t *frame, size_t len, const char *ip, uint8_t mark);

#endif
