/* SPDX-License-Identifier: ISC */
/*
 * xen_lab.h: a Xen made of arrays, for what is built on evtchn.h, grant.h,
 * xenpage.h and xenstore.h: a store of strings with watches, pages that a test
 * offers as a foreign domain, ports that count their notifications.
 * We are domain 5.
 */
#ifndef XEN_LAB_H
#define XEN_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XEN_LAB_SELF = 5, XEN_LAB_PORTS = 64 };

void xen_lab_reset(void);
/* Pages, ports and watches in use: 0 when all was given back. */
unsigned xen_lab_live(void);

/* The store as anybody sees it; NULL value: removed. Fires watches. Paths are absolute. */
void xen_lab_put(const char *path, const char *value);
const char *xen_lab_get(const char *path);
const char *xen_lab_perms(const char *path);

/* A page of a foreign domain becomes mappable: its reference. */
uint32_t xen_lab_offer(void *page);
/* What we lent under this reference; NULL: nothing. */
void *xen_lab_lent(uint32_t ref);
/* Whether grant_end finds the page still mapped by the peer. */
extern bool xen_lab_peer_maps;
/* How often each of our ports was notified; xen_lab_fail makes calls of that kind fail. */
extern unsigned xen_lab_notified[XEN_LAB_PORTS];
extern bool xen_lab_fail_evtchn, xen_lab_fail_store, xen_lab_fail_grant, xen_lab_deny_writes;

#endif
