/* SPDX-License-Identifier: ISC */
/*
 * xenwait.h: sleeping until an event channel is pending.
 */
#ifndef XENWAIT_H
#define XENWAIT_H

#include "base.h"

/* Once, when descriptor tables and shared info stand. */
void xenwait_boot(void);
/* Until any unmasked port is pending or the PV clock says deadline_ns. */
void xenwait_until(uint64_t deadline_ns);
/* Until this one port is pending (not cleared) or deadline_ns; also when it is masked. */
void xenwait_port(uint32_t port, uint64_t deadline_ns);
/* A port the toolstack made (console, xenstore): unmasks it. */
bool evtchn_given(uint32_t port);

#endif
