/* SPDX-License-Identifier: ISC */
/*
 * lifecycle.h: what the toolstack asks of a guest through `control/shutdown`
 * in its home. poweroff, halt and reboot are acknowledged and become
 * EVENT_SHUTDOWN; suspend is acknowledged and left to lifecycle_suspend()'s
 * caller. `memory/meminfo` is never written: memory is fixed.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "platform.h"

enum { LIFECYCLE_TOKEN = 0x04000000 };

/* Offers what we do and watches; token LIFECYCLE_TOKEN is ours. False: xenstore does not answer. */
bool lifecycle_init(void);
/* At each watch event of ours. */
void lifecycle_look(void);
/* Once a round; xenstore is asked only after lifecycle_look. */
void lifecycle_poll(void);
bool lifecycle_event(struct platform_event *);
/* True once after each request to suspend: to be done at once (suspend.h), dom0 waits for it. */
bool lifecycle_suspend(void);
/* Asked for "reboot": the reason for SCHEDOP_shutdown is 1 then, else 0. */
bool lifecycle_reboot(void);
/* A line for the console since the last call, or NULL. */
const char *lifecycle_note(void);

#endif
