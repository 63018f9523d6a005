/* SPDX-License-Identifier: ISC */
/*
 * suspend.h: the guest's part of being suspended (SCHEDOP_shutdown with reason
 * 2; docs/misc/xenstore-paths, control/shutdown).
 *
 * Resumed in the same domain (xl resume, a host that slept), all that was is
 * still there: rings, grants, channels, flows. Restored in another one (xl
 * restore), nothing of it is: the image then starts from its first
 * instruction, with its data as it was at first, and reads everything anew;
 * flows are lost, rules come from the store.
 */
#ifndef SUSPEND_H
#define SUSPEND_H

#include "xen_abi.h"

/*
 * The first act of a boot: keeps what a second one needs. The copy that it
 * returns is to be used instead; false in *restored: it is the first start.
 */
const struct xen_start_info *suspend_keep(const struct xen_start_info *, bool *restored);
/* Suspends; returns when resumed in the same domain. False: Xen refused. */
bool suspend_now(void);

#endif
