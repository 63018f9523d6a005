/* SPDX-License-Identifier: ISC */
/*
 * netdev.h: the network devices of a Xen guest as the platform needs them: the
 * uplink (netfront.h) and the clients (netback.h) behind one set of calls.
 */
#ifndef NETDEV_H
#define NETDEV_H

#include "arena.h"
#include "platform.h"

/* Of its watch: on /local/domain, one for all devices (the number of watches is limited). */
enum { NETDEV_TOKEN = 0x6e65 };

/* After the frame pool and xenstore stand. False: no room in the arena. */
bool netdev_init(struct arena *, void (*log)(const char *line, size_t len));
/* A watch event with its token; NULL when some were lost. */
void netdev_changed(const char *path);
/* Once per round: at most one device's step in xenstore. True: do not sleep, there is more. */
bool netdev_step(uint64_t now_ns);
/* No later than this it wants its step. */
uint64_t netdev_deadline(void);
bool netdev_event(struct platform_event *);
size_t netdev_rx(struct frame *burst[], size_t max);
/* True: frames are waiting (as of the last rx and of events since). */
bool netdev_ready(void);
void netdev_tx(struct frame_queue *q);
void netdev_status(struct text *); /* JSON members, without a leading comma */

#endif
