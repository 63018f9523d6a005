/* SPDX-License-Identifier: ISC */
/*
 * latency_key.h: by what a packet is known again behind a NAT.
 *
 * IPv4. `content` covers what translation leaves alone: protocol, length, TCP sequence numbers
 * and flags, ICMP type and sequence, the fragment's place, and the first bytes of the payload. Addresses,
 * ports, ICMP identifier, TTL and checksums are not in it.
 */
#ifndef LATENCY_KEY_H
#define LATENCY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LATENCY_PAYLOAD_BYTES = 64 }; /* of the payload, these tell packets apart */

struct latency_ends {
	uint32_t src, dst;
	uint16_t sport, dport; /* ICMP query: the identifier is sport of the request, dport of the reply; others 0 */
	uint8_t proto;
	uint8_t zero[3];
};

struct latency_key {
	uint64_t content;
	struct latency_ends ends;
	uint16_t ip_id;
	bool opens; /* a TCP SYN without ACK */
};

/* The packet begins at `at`; payload_max is at most LATENCY_PAYLOAD_BYTES. False: not IPv4, or cut short. */
bool latency_key_of(const uint8_t *at, size_t len, uint32_t payload_max, struct latency_key *);
/* Where IPv4 begins in a frame of this libpcap link type; len: nowhere. */
size_t latency_find_ipv4(int link, const uint8_t *at, size_t len);
bool latency_link_known(int link);

/* The same for both directions of a flow. */
uint64_t latency_flow_hash(const struct latency_ends *);

#endif
