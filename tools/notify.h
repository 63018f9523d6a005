/* SPDX-License-Identifier: ISC */
/*
 * notify.h: words to a service manager (sd_notify(3)), if there is one.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Takes the manager's address out of the environment, which children shall not have. */
void notify_begin(void);
/* "READY=1" and the like; without a manager, nothing. */
void notify_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
