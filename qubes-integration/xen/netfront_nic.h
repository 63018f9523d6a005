/* SPDX-License-Identifier: ISC */
/*
 * netfront_nic.h: what the files of netfront share. netfront.c and
 * netfront_tx.c move frames, netfront_bus.c finds the device and connects it, netfront_pages.c lends.
 */
#ifndef NETFRONT_NIC_H
#define NETFRONT_NIC_H

#include "netbus.h"
#include "netfront.h"
#include "netoffload.h"
#include "xen_abi.h"

enum { NIC_PAGES = NETRING_SLOTS, NIC_PAGES_MIN = 32, NIC_SLOTS_MAX = 20 };

/* Pages of one direction. */
struct nic_pages {
	uint8_t *base;                /* NIC_PAGES of them */
	uint32_t ref[NIC_PAGES];      /* 0: not lent */
	bool busy[NIC_PAGES];         /* tx: with the backend; rx: posted */
	uint16_t idle[NIC_PAGES];     /* lent for this connection and not busy */
	uint32_t idle_count;
};

enum nic_stage {
	NIC_ABSENT,    /* no device */
	NIC_WAITING,   /* for the backend to want our keys */
	NIC_OFFERED,   /* they are written; it has not said Connected */
	NIC_CONNECTED,
};

struct nic {
	enum nic_stage stage;
	bool dirty, broken;
	uint64_t since_ns, timer_ns;
	uint64_t hold_ns;             /* no new connection before */
	char dir[NETBUS_DIR_BYTES], backend[NETBUS_DIR_BYTES];
	uint16_t domid;
	enum xenbus_state state;      /* that we wrote last, or found */
	/* while there are rings */
	struct netring_front tx, rx;
	uint32_t tx_ref, rx_ref, evtchn;
	uint16_t posted[NETRING_SLOTS]; /* the page in each rx slot */
	struct nic_pages tx_pages, rx_pages;
	struct netcaps caps;
	struct frame_queue backlog;
	uint32_t large_kept;          /* free large frames that the backlog may not take */
	bool rx_ready, told_bad;
	/* what its owner knows of it */
	struct mac mac, told_mac;
	struct mac theirs;            /* zero: to be asked for by ARP */
	uint16_t mtu, told_mtu;
	bool attached, told_up;
	uint64_t told_connects;
	/* counters */
	uint64_t rx_packets, tx_packets, rx_super, tx_super, rx_bad, tx_dropped, tx_unfit, tx_errors;
	uint64_t notifies, connects, broke, frames_short;
};

extern struct nic nic;

/* netfront_pages.c: lends all that is free to domid, fills the rx ring; false: too little is, try later. */
bool nic_lend(uint16_t domid);
void nic_take_back(void);
/* Rings of former connections that their backends still held. True: none is left. */
bool nic_sweep(void);
void nic_post(void); /* idle rx pages to the ring; the caller notifies */

/* netfront.c */
void nic_break(const char *why);
bool nic_usable(void); /* connected, and not broken */
void nic_notify(void);

/* netfront_tx.c */
void nic_drop_backlog(void);

/* netfront_bus.c: true: do it again at once. */
bool nic_step(uint64_t now_ns);

#endif
