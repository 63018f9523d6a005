/* SPDX-License-Identifier: ISC */
/*
 * latency_wire.h: what probe and reflector say to each other, in UDP, TCP and ICMP echo alike.
 *
 * Big endian. A reflector answers a request with as many bytes: kind turned to reply and, where
 * there is room for them, its own stamps (CLOCK_REALTIME ns of arrival and of sending).
 * The rest of the bytes is padding.
 */
#ifndef LATENCY_WIRE_H
#define LATENCY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LATENCY_WIRE_BYTES = 16,	 /* magic[3], kind, session[4], sequence[8] */
	LATENCY_WIRE_STAMPED_BYTES = 32, /* and arrival[8], departure[8] */
	LATENCY_WIRE_MAX = 8972,
	LATENCY_PORT = 8719,
};

enum latency_kind { LATENCY_REQUEST = 1, LATENCY_REPLY = 2 };

struct latency_wire {
	enum latency_kind kind;
	uint32_t session;
	uint64_t sequence;
	uint64_t arrival, departure; /* 0: no room for them, or not stamped */
};

/* len is at least LATENCY_WIRE_BYTES. */
void latency_wire_put(uint8_t *to, size_t len, const struct latency_wire *);
/* False: not of ours. */
bool latency_wire_get(const uint8_t *from, size_t len, struct latency_wire *);

struct msghdr;
/* The kernel's receive (or, from the error queue, send) stamp in ns; 0: none. */
uint64_t latency_stamp(struct msghdr *);
/* Kernel stamps of what arrives, and (send) of what leaves, numbered. False: not to be had. */
bool latency_stamps_on(int fd, bool send);

#endif
