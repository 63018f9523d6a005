// SPDX-License-Identifier: ISC
/* The bytes that probe and reflector exchange, and the kernel's stamps on them. */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include "latency_wire.h"

static const uint8_t magic[3] = { 'P', 'L', 'T' };

static void put(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint64_t get(const uint8_t *from, int bytes)
{
	uint64_t value = 0;
	for (int i = 0; i < bytes; i++)
		value = value << 8 | from[i];
	return value;
}

void latency_wire_put(uint8_t *to, size_t len, const struct latency_wire *w)
{
	memcpy(to, magic, sizeof(magic));
	to[3] = (uint8_t)w->kind;
	put(to + 4, w->session, 4);
	put(to + 8, w->sequence, 8);
	if (len < LATENCY_WIRE_STAMPED_BYTES)
		return;
	put(to + 16, w->arrival, 8);
	put(to + 24, w->departure, 8);
}

bool latency_wire_get(const uint8_t *from, size_t len, struct latency_wire *w)
{
	if (len < LATENCY_WIRE_BYTES || memcmp(from, magic, sizeof(magic)) ||
	    (from[3] != LATENCY_REQUEST && from[3] != LATENCY_REPLY))
		return false;
	*w = (struct latency_wire){ .kind = (enum latency_kind)from[3],
				    .session = (uint32_t)get(from + 4, 4),
				    .sequence = get(from + 8, 8) };
	if (len >= LATENCY_WIRE_STAMPED_BYTES) {
		w->arrival = get(from + 16, 8);
		w->departure = get(from + 24, 8);
	}
	return true;
}

uint64_t latency_stamp(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
			continue;
		struct scm_timestamping t;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		return (uint64_t)t.ts[0].tv_sec * 1000000000u + (uint64_t)t.ts[0].tv_nsec;
	}
	return 0;
}

bool latency_stamps_on(int fd, bool send)
{
	int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	if (send)
		flags |= SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	return !setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags));
}
