/* SPDX-License-Identifier: ISC */
/*
 * trap.h: descriptor tables; exceptions say where and end the guest.
 */
#ifndef TRAP_H
#define TRAP_H

enum { TRAP_UPCALL_VECTOR = 0x20 }; /* event channels: only wakes, see evtchn.h */

void trap_boot(void);
/* Sleeps with interrupts on until one came, be it before the halt itself; they are off before and after. */
void trap_halt(void);

#endif
