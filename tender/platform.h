/* SPDX-License-Identifier: ISC */
/*
 * platform.h: all that the firewall asks of what it runs on. Implemented by
 * tender/guest (under our tender, hvt and spt) and qubes-integration/xen.
 * Every call works on a burst or is rare; none blocks but wait().
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include "addr.h"
#include "frame.h"

enum { PLATFORM_BURST_MAX = 64 };

/* The host's config store and the operator's control connection. */
enum platform_channel { CHANNEL_STORE, CHANNEL_CONTROL, CHANNEL_COUNT };

enum platform_event_kind {
	EVENT_NONE,
	EVENT_PORT_ATTACHED, /* port and all of the description below */
	EVENT_PORT_DETACHED, /* its frames still under way come back through rx or are freed by the platform */
	EVENT_LINK_UP,
	EVENT_LINK_DOWN,
	EVENT_CHANNEL_OPEN,  /* channel: a fresh byte stream begins */
	EVENT_CHANNEL_CLOSED,
	EVENT_SHUTDOWN,      /* asked to end: exit(0) soon */
};

enum { PORT_NAME_BYTES = 16, PORT_ADDRS_MAX = 2 };

struct platform_event {
	enum platform_event_kind kind;
	uint16_t port;
	uint16_t mtu;             /* of IP packets */
	enum platform_channel channel;
	char name[PORT_NAME_BYTES];
	struct mac ours;          /* our MAC on this port */
	struct mac theirs;        /* a client's MAC when known, else zero */
	uint8_t addr_count;       /* clients: the addresses that belong to it; uplink: ours */
	struct ip_addr addr[PORT_ADDRS_MAX];
	uint8_t prefix_len;       /* uplink: of addr[0], in its family */
	struct ip_addr gateway;   /* uplink: zero when the store will say */
};

struct platform {
	const char *name; /* "hvt", "spt", "xen" */

	uint64_t (*now_ns)(void);  /* monotonic; may stand still within one burst */
	uint64_t (*wall_ns)(void); /* since 1970, for log stamps */
	/* A counter of constant rate, for differences; cheap; NULL: none. */
	uint64_t (*ticks)(void);
	void (*entropy)(void *bytes, size_t len); /* secret seed; asked once at boot */
	struct arena *(*memory)(void); /* what is left of the guest's memory, for the tables */

	/* Frames that arrived, from all ports, up to max <= PLATFORM_BURST_MAX; they are now the caller's. */
	size_t (*rx)(struct frame *burst[], size_t max);
	/* Sends every frame of q to its f->port, or counts its loss; q is empty after. */
	void (*tx)(struct frame_queue *q);
	/* The host's own part, in ticks; NULL: it does not tell. When it began to read the frames of the last rx(), 0: not known; */
	uint64_t (*rx_ticks)(void);
	/* and of so many frames that it has sent, how long that took from tx() on; 0: there is no more to tell. */
	uint32_t (*tx_ticks)(uint64_t *ticks);
	/* Gives frames back unsent. */
	void (*give)(struct frame_queue *q);
	/* A free frame, len 0, data at the headroom; NULL when there is none. */
	struct frame *(*frame)(void);

	bool (*event)(struct platform_event *); /* the next one, if any */

	/* This client uses another address than the event's first (zero: not any more); NULL: it makes no difference. */
	void (*told)(uint16_t port, struct ip_addr);

	/* Byte channels: as much as goes now, 0..len. */
	size_t (*read)(enum platform_channel, void *bytes, size_t len);
	size_t (*write)(enum platform_channel, const void *bytes, size_t len);

	/* Ends the store's stream, if there is one: EVENT_CHANNEL_CLOSED comes, and _OPEN when there is a fresh one. */
	void (*reset_store)(void);

	/* One log line without newline; rate limited, never blocks. */
	void (*log)(const char *line, size_t len);
	/* Flushes what was queued (one doorbell); sleeps until something arrives or deadline_ns passes (0: do not sleep). */
	void (*wait)(uint64_t deadline_ns);
	/* Counters kept by the platform, for status: writes them as JSON members ("\"rx_drops\":0"). */
	void (*status)(struct text *);
	void (*exit)(int status) __attribute__((noreturn));
};

/* firewall/main.c: the entry points call this once memory, stack and canary stand. */
_Noreturn void postern_main(const struct platform *);

#endif
