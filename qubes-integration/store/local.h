/* SPDX-License-Identifier: ISC */
/*
 * local.h: the QubesDB protocol for programs on this host.
 *
 * READ, WRITE, MULTIREAD, LIST, RM, WATCH, UNWATCH; a read-only peer's WRITE and RM
 * get an error. What belongs to a common change of many rules goes to apply.h. What a peer may not say gets WIRE_ERROR and disturbs nobody.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include "apply.h"

void local_handle(struct apply *a, struct peer *p, const struct wire_message *m);
/* After the commit: one WIRE_WATCH_IS per matching watch. */
void local_tell(struct peer *p, const struct change *c);

#endif
