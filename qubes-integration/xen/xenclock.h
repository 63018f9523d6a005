/* SPDX-License-Identifier: ISC */
/*
 * xenclock.h: the PV clock.
 */
#ifndef XENCLOCK_H
#define XENCLOCK_H

#include "base.h"

uint64_t xenclock_now_ns(void);  /* monotonic since the host booted */
uint64_t xenclock_wall_ns(void); /* since 1970 */
uint64_t xenclock_ticks(void);   /* the TSC */

/* TSC ticks to nanoseconds, as Xen notes the rate: (ticks << shift) * mul / 2^32. */
uint64_t xenclock_scale(uint64_t ticks, uint32_t mul, int8_t shift);

#endif
