/* SPDX-License-Identifier: ISC */
/*
 * netfront.h: the frontend of the uplink's network device (xen/include/public
 * io/netif.h), device/vif/N of ours, whose backend is another domain's.
 *
 * Frames pass through pages that are lent to the backend for as long as the
 * connection stands and hold nothing else: what is parsed is a copy that it
 * cannot change, and no page changes hands while packets flow. No device, a
 * backend that dies, comes back or is another domain are everyday states.
 */
#ifndef NETFRONT_H
#define NETFRONT_H

#include "arena.h"
#include "platform.h"

/* `home` is our folder in xenstore. False: no room in the arena. */
bool netfront_init(struct arena *, const char *home);
/* Something below this absolute path changed in xenstore; NULL: anything may have. */
void netfront_changed(const char *path);
/* One step in xenstore, if there is one to make; true: another is due now. */
bool netfront_step(uint64_t now_ns);
uint64_t netfront_deadline(void);

/* Attached when it is first connected, again after its address or MTU changed; link events otherwise. */
bool netfront_event(struct platform_event *);

/* Takes note of events; true: frames may be waiting. */
bool netfront_poll(void);
size_t netfront_rx(struct frame *burst[], size_t max);
/* Sends, now or when the ring has room; q is empty after. */
void netfront_tx(struct frame_queue *q);
void netfront_status(struct text *); /* JSON members, without a leading comma */

/* Lent pages and channels: all 0 when there is no connection and the last backend let go. */
struct netfront_held { uint32_t pages, channels, frames; };
struct netfront_held netfront_held(void);

#endif
