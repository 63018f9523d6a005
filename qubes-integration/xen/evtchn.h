/* SPDX-License-Identifier: ISC */
/*
 * evtchn.h: event channels (two-level ABI), polled. A port is unmasked when it
 * is made: a pending one ends xen's sleep, so whoever made a port must look at
 * evtchn_pending() every round, or mask it.
 */
#ifndef EVTCHN_H
#define EVTCHN_H

#include "base.h"

/* A port that domid may bind; false when Xen refuses. 0 is never a port. */
bool evtchn_alloc_unbound(uint16_t domid, uint32_t *port);
/* Binds to the unbound port `remote` of domid; a first event may be pending at once. */
bool evtchn_bind_interdomain(uint16_t domid, uint32_t remote, uint32_t *port);
/* 0 is ignored. */
void evtchn_close(uint32_t port);
/* One hypercall; a peer that is gone is no error. */
void evtchn_notify(uint32_t port);
/* Test and clear; no hypercall. */
bool evtchn_pending(uint32_t port);
void evtchn_mask(uint32_t port, bool masked);
/* Ports of ours that are not closed, those that the toolstack gave among them. */
uint32_t evtchn_open_count(void);

#endif
