/* SPDX-License-Identifier: ISC */
/*
 * reflect.h: the other end of `postern latency probe` inside the appliance, so that the link can be told from the
 * filter. Off until the operator names a UDP port.
 *
 * Answered are a client's requests to the firewall's own address in the probe's format
 * (tools/latency_wire.h: "PLT", 1, then at least 12 bytes) and nothing else: not the uplink's, no fragment, no
 * super-frame, nothing with a wrong checksum. The answer is the datagram turned around, of the same size, with 2 in
 * place of the 1, so it asks no reflector; a client gets REFLECT_PER_S a second at most.
 */
#ifndef REFLECT_H
#define REFLECT_H

#include "limit.h"
#include "packet.h"

enum { REFLECT_PER_S = 5000, REFLECT_BURST = 100 };

struct reflect {
	uint16_t port; /* 0: off */
	uint64_t answered, limited;
	struct limit limit[PORT_COUNT]; /* by the client's port */
};

/* On at that port, or off (0). */
void reflect_switch(struct reflect *, uint16_t port, uint64_t now_ns);

enum reflected { REFLECT_NOT_OURS, REFLECT_ANSWERED, REFLECT_LIMITED };
/* REFLECT_ANSWERED: p is the answer now. Otherwise it was not touched. */
enum reflected reflect_take(struct reflect *, struct packet *p, uint16_t from, uint64_t now_ns);

#endif
