/* SPDX-License-Identifier: ISC */
/*
 * craft_super.h: super-frames for tests, as a kernel hands them over.
 */
#ifndef CRAFT_SUPER_H
#define CRAFT_SUPER_H

#include "craft.h"
#include "segment.h"

enum { SUPER_ROOM = 66000, SUPER_SEQ = -16, SUPER_ID = 0xfffe, SUPER_CWR = 0x80 };

struct shape {
	bool v6, udp;
	size_t ip_options, tcp_options; /* bytes; of IPv6: destination options before the transport */
	size_t payload;
	uint16_t gso_size;
	uint8_t flags;
	uint16_t urgent;
};

static inline size_t l3_bytes(const struct shape *s)
{
	return (s->v6 ? 40 : 20) + s->ip_options;
}

static inline size_t l4_bytes(const struct shape *s)
{
	return s->udp ? 8 : 20 + s->tcp_options;
}

static inline uint8_t transport(const struct shape *s)
{
	return s->udp ? PROTO_UDP : PROTO_TCP;
}

/* The super-frame as a kernel hands it over: headers of the whole, a partial checksum, metadata. */
static inline size_t craft_super(const struct shape *s, uint8_t *b, struct offload *o)
{
	uint8_t data[SUPER_ROOM] = { 0 }, *l4 = data + s->ip_options;
	size_t len = s->ip_options + l4_bytes(s) + s->payload, field = s->udp ? 6 : 16;
	uint64_t seed = 5;

	memset(data, 1, s->ip_options); /* IPv4: NOP */
	if (s->v6 && s->ip_options)
		memcpy(data, (uint8_t[4]){ transport(s), (uint8_t)(s->ip_options / 8 - 1), 0x1e, 0 }, 4);
	if (s->v6 && s->ip_options) /* one option over the rest, that who does not know it skips */
		data[3] = (uint8_t)(s->ip_options - 4);
	for (size_t i = 0; i < s->payload; i++)
		l4[l4_bytes(s) + i] = (uint8_t)craft_random(&seed);
	store16(l4, 40000);
	store16(l4 + 2, 443);
	if (s->udp) {
		store16(l4 + 4, (uint32_t)(8 + s->payload));
	} else {
		store16(l4 + 4, (uint32_t)SUPER_SEQ >> 16);
		store16(l4 + 6, (uint32_t)SUPER_SEQ & 0xffff);
		l4[12] = (uint8_t)(l4_bytes(s) / 4 << 4);
		l4[13] = s->flags;
		store16(l4 + 14, 1000);
		store16(l4 + 18, s->urgent);
		memset(l4 + 20, 1, s->tcp_options);
	}
	memset(b, 0, ETH_BYTES);
	link_header(b, s->v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
	uint8_t *ip = b + ETH_BYTES;
	if (s->v6)
		craft_ipv6(ip, s->ip_options ? PROTO_DSTOPTS : transport(s), data, s->ip_options, len, transport(s));
	else
		craft_ipv4(ip, transport(s), data, s->ip_options, len);
	if (!s->v6) {
		store16(ip + 4, SUPER_ID);
		store16(ip + 10, 0);
		store16(ip + 10, ~naive_add(0, ip, l3_bytes(s)));
	}
	store16(ip + l3_bytes(s) + field, naive_pseudo(ip, transport(s), len - s->ip_options));
	*o = (struct offload){
		.flags = OFFLOAD_NEEDS_CSUM, .gso_size = s->gso_size,
		.gso_type = s->udp ? GSO_UDP_L4 : s->v6 ? GSO_TCPV6 : GSO_TCPV4,
		.hdr_len = 7, /* a hint, and here a wrong one */
		.csum_start = (uint16_t)(ETH_BYTES + l3_bytes(s)), .csum_offset = (uint16_t)field,
	};
	return ETH_BYTES + l3_bytes(s) + l4_bytes(s) + s->payload;
}

/* What kernels send, and what they might. */
static const struct shape shapes[] = {
	{ .payload = 4344, .gso_size = 1448, .flags = TCP_ACK | TCP_PSH, .tcp_options = 12 },
	{ .payload = 4345, .gso_size = 1448, .flags = TCP_ACK | TCP_FIN | TCP_PSH | SUPER_CWR, .tcp_options = 12 },
	{ .payload = 1449, .gso_size = 1448, .flags = TCP_ACK | SUPER_CWR },
	{ .payload = 1447, .gso_size = 1448, .flags = TCP_ACK | TCP_FIN },
	{ .payload = 1448, .gso_size = 1448, .flags = TCP_ACK },
	{ .payload = 0, .gso_size = 1448, .flags = TCP_ACK | TCP_FIN },
	{ .payload = 777, .gso_size = 77, .flags = TCP_ACK, .tcp_options = 40, .ip_options = 40 },
	{ .payload = 65495, .gso_size = 1460, .flags = TCP_ACK | TCP_PSH },
	{ .payload = 65495, .gso_size = 65535, .flags = TCP_ACK | TCP_PSH },
	{ .payload = 65495, .gso_size = 64, .flags = TCP_ACK },
	{ .payload = 1024, .gso_size = 1, .flags = TCP_ACK },
	{ .payload = 3000, .gso_size = 1000, .flags = TCP_ACK | TCP_URG, .urgent = 1 },
	{ .payload = 3000, .gso_size = 1000, .flags = TCP_ACK | TCP_URG, .urgent = 1000 },
	{ .payload = 3000, .gso_size = 1000, .flags = TCP_ACK | TCP_URG, .urgent = 2500 },
	{ .payload = 3000, .gso_size = 1000, .flags = TCP_ACK | TCP_URG, .urgent = 0 },
	{ .v6 = true, .payload = 14281, .gso_size = 1428, .flags = TCP_ACK | TCP_PSH | SUPER_CWR, .tcp_options = 12 },
	{ .v6 = true, .payload = 65515, .gso_size = 1431, .flags = TCP_ACK },
	{ .v6 = true, .payload = 3001, .gso_size = 333, .flags = TCP_ACK, .ip_options = 64 },
	{ .udp = true, .payload = 12001, .gso_size = 1200 },
	{ .udp = true, .payload = 65507, .gso_size = 1471, .ip_options = 0 },
	{ .udp = true, .payload = 129, .gso_size = 1, .ip_options = 8 },
	{ .udp = true, .v6 = true, .payload = 5000, .gso_size = 1231 },
	{ .udp = true, .v6 = true, .payload = 5000, .gso_size = 1231, .ip_options = 16 },
};

#endif
