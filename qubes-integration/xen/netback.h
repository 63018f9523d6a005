/* SPDX-License-Identifier: ISC */
/*
 * netback.h: the backend of every client's network device (xen/include/public
 * io/netif.h; the states as in io/xenbus.h).
 *
 * Each vif is a folder backend/vif/DOMID/HANDLE of ours, made by the toolstack.
 * Frames are copied out of and into the frontend's grants, all of a burst in
 * one hypercall; nothing of ours is lent to a client. A frontend that breaks
 * the protocol loses its vif for a second, nobody else notices.
 *
 * A client is a port: the IP and MAC addresses that the toolstack wrote. Two
 * vifs with the same of both (an HVM and its stub domain) are one port, which
 * sends to where its last frame came from.
 */
#ifndef NETBACK_H
#define NETBACK_H

#include "arena.h"
#include "platform.h"

enum { NETBACK_VIFS_MAX = 320 };

/* `home` is our folder in xenstore, "/local/domain/7". False: no room in the arena. */
bool netback_init(struct arena *, const char *home);
/* Something below this absolute path changed in xenstore. NULL: anything may have. */
void netback_changed(const char *path);
/* At most one vif's step in xenstore; true: there are more to do now. */
bool netback_step(uint64_t now_ns);
uint64_t netback_deadline(void); /* when netback_step() has something to do by itself */

/* The next thing that a port's owner should know (platform.h: attached, detached, link). */
bool netback_event(struct platform_event *);

/* This client was told another address than its own, and its frames have that (a fake-ip); zero: its own. */
void netback_told(uint16_t port, struct ip_addr);

/* Takes note of the events that came in; true: frames may be waiting. No hypercall. */
bool netback_poll(void);
size_t netback_rx(struct frame *burst[], size_t max);
/* Sends f->port's frames, now or when the frontend has room; q is empty after. */
void netback_tx(struct frame_queue *q);
void netback_status(struct text *); /* JSON members, without a leading comma */

/* What is held for clients: all 0 when the last one is gone. */
struct netback_held { uint32_t vifs, ports, rings, channels, frames; };
struct netback_held netback_held(void);

#endif
