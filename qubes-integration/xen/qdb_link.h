/* SPDX-License-Identifier: ISC */
/*
 * qdb_link.h: CHANNEL_STORE of platform.h as the vchan to dom0's QubesDB
 * daemon (qubes.md 1.3): the daemon serves port 111, we connect, and connect
 * again whenever it comes back. One link, made at boot.
 */
#ifndef QDB_LINK_H
#define QDB_LINK_H

#include "platform.h"
#include "text.h"

enum { QDB_LINK_DOMAIN = 0, QDB_LINK_PORT = 111, QDB_LINK_TOKEN = 0x03000000 };

/* token QDB_LINK_TOKEN of xenstore.h is ours: qdb_link_look at each of its events. */
void qdb_link_init(void);
void qdb_link_look(void);
/* Once a round. */
void qdb_link_poll(uint64_t now_ns);
uint64_t qdb_link_deadline(void);
/* EVENT_CHANNEL_OPEN and _CLOSED, in turns. */
bool qdb_link_event(struct platform_event *);
size_t qdb_link_read(void *bytes, size_t len);
size_t qdb_link_write(const void *bytes, size_t len);
/* Leaves the daemon, which listens anew then. */
void qdb_link_reset(void);
/* JSON members, no comma before the first. */
void qdb_link_status(struct text *);

#endif
