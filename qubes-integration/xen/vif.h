/* SPDX-License-Identifier: ISC */
/*
 * vif.h: what the files of netback share. netback.c owns the table of
 * vifs, netport.c the ports, netback_bus.c a vif's state, netback_rx.c and
 * netback_tx.c its rings.
 */
#ifndef VIF_H
#define VIF_H

#include "grant.h"
#include "limit.h"
#include "netback.h"
#include "netbus.h"
#include "netoffload.h"
#include "xen_abi.h"

enum {
	VIF_BACKLOG_BURST = 64,   /* frames held for a vif before they are sent at least */
	VIF_SLOTS_MAX = 20,       /* requests of one packet, extra ones among them */
	VIF_OPS_PER_PACKET = 40,  /* a slot's bytes lie on two of our pages at most */
	VIF_OPS = 8 * GRANT_COPY_MAX,
};

struct vif {
	/* fixed while used */
	bool used;
	uint16_t number;           /* in the table */
	uint16_t folder, handle;         /* DOMID and HANDLE below */
	char dir[NETBUS_DIR_BYTES];      /* backend/vif/DOMID/HANDLE */
	char frontend[NETBUS_DIR_BYTES]; /* empty until its key was there, */
	uint16_t domid;                  /* and whose it is */
	/* xenbus */
	enum xenbus_state state;   /* that we wrote last */
	struct limit steps;        /* a frontend can ask for them as fast as it writes */
	bool whole;                /* dirty: look at all of it, not at our own state alone */
	bool online;               /* the toolstack's key */
	uint64_t offline_ns;       /* since when it says 0 while no state does; 0: it does not */
	bool told_full;            /* that xenstored refuses a node */
	bool told_no_ip;           /* that its client has no address */
	bool leaving;              /* the toolstack wants it closed for good */
	bool broken;               /* closed for what it did, until timer_ns */
	uint64_t since_ns;         /* of that state */
	uint64_t timer_ns;         /* look again then; UINT64_MAX: no need */
	/* while connected */
	bool connected;
	uint16_t live;             /* place in the list of those */
	uint16_t port;
	uint32_t evtchn;
	struct netring_back tx, rx; /* the frontend's names: tx is what it sends */
	struct netcaps caps;
	struct frame_queue backlog; /* to the frontend, fit for it */
	bool tx_pushed, rx_pushed;  /* responses that were not shown yet */
};

/* A client, by what the toolstack says of it; and what of that its owner was told. */
struct netport {
	uint16_t vifs;   /* connected ones: 0 is link down */
	uint16_t via;    /* the vif it sends to */
	uint32_t incarnation, told_incarnation; /* 0: none */
	bool told_up;
	uint16_t domid, handle; /* of the vif that began this incarnation */
	uint16_t mtu;
	struct mac mac;
	uint8_t addr_count;
	struct ip_addr addr[PORT_ADDRS_MAX];
	struct ip_addr told; /* instead of the first of them; zero: it is told that one */
	uint16_t users;  /* vifs that name it, connected or not */
};

struct netback {
	struct vif *vif;                    /* NETBACK_VIFS_MAX */
	struct netport *port;               /* PORT_COUNT; the uplink's is not used */
	struct grant_copy_op *op;           /* VIF_OPS: one burst's */
	uint16_t live[NETBACK_VIFS_MAX];    /* connected vifs */
	uint16_t live_count;
	uint64_t rx_ready[NETBACK_VIFS_MAX / 64]; /* requests may be waiting */
	uint64_t tx_ready[NETBACK_VIFS_MAX / 64]; /* backlog, and room may have come */
	uint64_t dirty[NETBACK_VIFS_MAX / 64];    /* xenstore may have news */
	uint64_t port_news[(PORT_COUNT + 63) / 64];
	uint32_t rx_next;                   /* where the next burst starts looking */
	uint32_t small_kept, large_kept;    /* free frames that no backlog may take */
	uint32_t incarnations;
	/* counters */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_super, tx_super;
	uint64_t rx_bursts, tx_bursts, notifies;
	uint64_t rx_bad, rx_copy_failed, tx_copy_failed, tx_dropped, tx_unfit, broken, connects, frames_short;
};

extern struct netback netback;

static inline void vif_bit_set(uint64_t *bits, uint32_t i) { bits[i / 64] |= UINT64_C(1) << i % 64; }
static inline void vif_bit_clear(uint64_t *bits, uint32_t i) { bits[i / 64] &= ~(UINT64_C(1) << i % 64); }
/* The first set bit at or after `from`, or NETBACK_VIFS_MAX. */
uint32_t vif_bit_next(const uint64_t *bits, uint32_t from);

/* Its turn comes: anything of it may have changed. */
static inline void vif_wake(struct vif *v)
{
	v->whole = true;
	vif_bit_set(netback.dirty, v->number);
}

/* netback.c */
void vif_free(struct vif *); /* disconnected already */

/* netport.c */
void vif_went_live(struct vif *);  /* its port has one more way */
void vif_went_down(struct vif *);
/*
 * The port of the client so described (mac, addresses, mtu, domid, handle), a new one if need be;
 * PORT_NONE: all taken.
 */
uint16_t netport_for(const struct netport *description);
void netport_leave(uint16_t port);

/* netback_bus.c */
void vif_step(struct vif *, uint64_t now_ns);
/* The frontend broke the protocol: no more of it; netback_step() closes it. `why` ends a log line. */
void vif_break(struct vif *, const char *why);

/* netback_rx.c, netback_tx.c: responses up to now are shown and the frontend is told if it asked. */
void vif_notify(struct vif *);
void vif_flush(void); /* sends of every backlog what goes */
void vif_drop_backlog(struct vif *);

#endif
