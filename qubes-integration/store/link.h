/* SPDX-License-Identifier: ISC */
/*
 * link.h: the QubesDB protocol towards the appliance, as dom0 speaks it over vchan.
 *
 * The appliance asks once for everything (MULTIREAD), is told every later change
 * (WRITE, RM) in order, and may write and remove itself. Unlike the genuine daemon
 * nothing it sends ends the store: a wrong request gets WIRE_ERROR, an answer that
 * nobody waits for is dropped.
 */
#ifndef LINK_H
#define LINK_H

#include "apply.h"

void link_handle(struct apply *a, struct peer *p, const struct wire_message *m);
/* After the commit: pushes a change that the appliance did not make itself. */
void link_tell(struct peer *p, const struct change_list *list, const struct change *c);

#endif
