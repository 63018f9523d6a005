/* SPDX-License-Identifier: ISC */
/*
 * xen_fake.h: Xen and xenstored for unit tests of device code: the functions
 * of evtchn.h, grant.h, xenstore.h and xenpage.h on the test's own memory, and
 * what the test does on the other side. Everything held is counted.
 */
#ifndef XEN_FAKE_H
#define XEN_FAKE_H

#include "evtchn.h"
#include "grant.h"
#include "xenpage.h"
#include "xenstore.h"

enum { FAKE_SELF = 7, FAKE_PAGE = 4096 };
#define FAKE_HOME "/local/domain/7"

void fake_reset(void);

/* --- the peers' memory ---------------------------------------------------------------- */
/* A zeroed page of domid, lent to us as *ref. */
void *fake_page(uint16_t domid, uint32_t *ref);
/* The same page under a new reference, or (readonly) one we may not write. */
uint32_t fake_lend(uint16_t domid, void *page, bool readonly);
/* All that domid lent ends: later uses of its references fail. Pages stay until fake_reset(). */
void fake_domain_dies(uint16_t domid);
/* A page of ours that was lent to domid, or NULL; use it: grant_end() fails until it is let go. */
void *fake_given(uint16_t domid, uint32_t ref, bool *readonly);
void fake_use(uint32_t ref, bool used);

/* --- event channels -------------------------------------------------------------------- */
uint32_t fake_channel(uint16_t domid);      /* an unbound one of domid's, for us to bind */
void fake_notify(uint32_t port);            /* the peer notifies our port */
uint32_t fake_bound(uint32_t remote);       /* our port that is bound to the peer's; 0: none */
uint32_t fake_notified(uint32_t port);      /* how often we notified it, since the last question */

/* --- xenstore --------------------------------------------------------------------------- */
void fake_write(const char *path, const char *value); /* absolute paths, parents come by themselves */
void fake_writef(const char *value, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fake_rm(const char *path);
const char *fake_read(const char *path);    /* "" when not there */
bool fake_exists(const char *path);
void fake_hide(const char *path, bool hidden); /* one at a time: we may read nothing of it */
extern uint32_t fake_deny;                  /* the next n requests get no answer in time */
extern uint32_t fake_requests;              /* made so far */
extern uint32_t fake_nodes;                 /* that we may still make: the rest of our quota */
extern uint32_t fake_again;                 /* the next n transactions meet another */
extern void (*fake_between)(void);          /* called before each request, for what others do meanwhile; or NULL */
/* Like xenstored's: no event is queued that stands, unread, in the queue already. */
extern bool fake_merge;

/* What is held of Xen by us. */
struct fake_held { uint32_t given, mapped, channels, watches, pages; };
struct fake_held fake_held(void);

#endif
