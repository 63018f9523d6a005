/* SPDX-License-Identifier: ISC */
/*
 * xenlinks.h: the connections to dom0, as the platform sees them: the store's
 * vchan (qdb_link.h), the qrexec agent (qrexec.h) and control/shutdown
 * (lifecycle.h).
 *
 *   xenlinks_init() once xenstore answers; each round: xenlinks_look(token) for every watch event,
 *   xenlinks_poll(now), then xenlinks_event() until it says false.
 */
#ifndef XENLINKS_H
#define XENLINKS_H

#include "platform.h"
#include "text.h"

void xenlinks_init(void);
/* A watch event came; tokens that are not ours (QDB_LINK_, QREXEC_, LIFECYCLE_TOKEN) do nothing. */
void xenlinks_look(uint32_t token);
/* xenstore lost events: look at all. */
void xenlinks_look_all(void);
void xenlinks_poll(uint64_t now_ns);
uint64_t xenlinks_deadline(void);
bool xenlinks_event(struct platform_event *);
/* Each event that the platform hands out passes here, so that we know of the uplink. */
void xenlinks_saw(const struct platform_event *);
size_t xenlinks_read(enum platform_channel, void *bytes, size_t len);
size_t xenlinks_write(enum platform_channel, const void *bytes, size_t len);
/* A line for the console, or NULL. */
const char *xenlinks_note(void);
/* What dom0 said the time is, less what xenclock_wall_ns() says. */
int64_t xenlinks_wall_shift_ns(void);
bool xenlinks_suspend(void); /* lifecycle_suspend */
bool xenlinks_reboot(void);
/* JSON members, no comma before the first. */
void xenlinks_status(struct text *);

#endif
