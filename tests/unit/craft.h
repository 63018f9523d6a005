/* SPDX-License-Identifier: ISC */
/*
 * craft.h: sample packets for tests, and the naive oracle of their checksums:
 * byte pair after byte pair, over the whole packet, as RFC 1071 says it.
 */
#ifndef CRAFT_H
#define CRAFT_H

#include <stdlib.h>

#include "packet.h"

enum sample {
	S_TCP, S_UDP, S_ECHO, S_ERROR, S_ERROR_ECHO, S_ARP, S_OPTIONS, S_OTHER, S_ROUTER,
	S_TCP6, S_UDP6, S_ECHO6, S_ERROR6, S_CHAIN6, SAMPLE_COUNT
};
enum { V4_L4 = 34, V6_L4 = 54, CRAFT_ROOM = 512 };

static inline uint32_t naive_add(uint32_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static inline void store16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t load16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t naive_pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
	uint8_t words[4] = { 0, proto, (uint8_t)(len >> 8), (uint8_t)len };
	bool v6 = ip[0] >> 4 == 6;

	return naive_add(naive_add(0, words, 4), ip + (v6 ? 8 : 12), v6 ? 32 : 8);
}

/* Makes the checksums of the packet at ip, transport at ip + l4, len bytes of transport, what they must be. */
static inline void naive_fix(uint8_t *ip, size_t l4, size_t len, uint8_t proto)
{
	bool v6 = ip[0] >> 4 == 6;
	uint8_t *at = ip + l4;
	size_t field = proto == PROTO_TCP ? 16 : proto == PROTO_UDP ? 6 : 2;
	bool icmp = proto == (v6 ? PROTO_ICMPV6 : PROTO_ICMP);

	if (!v6) {
		size_t header = (size_t)(ip[0] & 15) * 4;
		store16(ip + 10, 0);
		store16(ip + 10, ~naive_add(0, ip, header));
	}
	if ((proto != PROTO_TCP && proto != PROTO_UDP && !icmp) || len < field + 2)
		return;
	if (proto == PROTO_UDP && !load16(at + field))
		return;
	uint32_t sum = icmp && !v6 ? 0 : naive_pseudo(ip, proto, len);
	store16(at + field, 0);
	sum = ~naive_add(sum, at, len) & 0xffff;
	store16(at + field, proto == PROTO_UDP && !sum ? 0xffff : sum);
}

static inline void link_header(uint8_t *b, uint16_t type)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	memcpy(b, macs, sizeof(macs));
	store16(b + 12, type);
}

/* An IPv4 packet from 10.137.0.5 to 192.0.2.9, option_bytes of `data` before the transport; returns its end. */
static inline size_t craft_ipv4(uint8_t *b, uint8_t proto, const uint8_t *data, size_t option_bytes, size_t len)
{
	static const uint8_t head[20] = { 0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 0, 0, 0, 10, 137, 0, 5, 192, 0, 2, 9 };

	memcpy(b, head, sizeof(head));
	b[0] = (uint8_t)(0x45 + option_bytes / 4);
	b[9] = proto;
	store16(b + 2, (uint32_t)(20 + len));
	memcpy(b + 20, data, len);
	naive_fix(b, 20 + option_bytes, len - option_bytes, proto);
	return 20 + len;
}

/* An IPv6 packet from 2001:db8::5 to 2001:db8:1::9; `next` is the first header in data, proto the transport. */
static inline size_t craft_ipv6(uint8_t *b, uint8_t next, const uint8_t *data, size_t chain_bytes, size_t len,
                                uint8_t proto)
{
	static const uint8_t head[40] = { 0x60, 0, 0, 0, 0, 0, 0, 64, 0x20, 1, 0x0d, 0xb8, [23] = 5,
	                                  [24] = 0x20, [25] = 1, [26] = 0x0d, [27] = 0xb8, [29] = 1, [39] = 9 };

	memcpy(b, head, sizeof(head));
	b[6] = next;
	store16(b + 4, (uint32_t)len);
	memcpy(b + 40, data, len);
	naive_fix(b, 40 + chain_bytes, len - chain_bytes, proto);
	return 40 + len;
}

static const uint8_t sample_tcp[] = { /* SYN, MSS, SACK permitted, timestamps, NOP, scale 7; 3 bytes of data */
	0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0xa0, TCP_SYN, 0xfa, 0xf0, 0, 0, 0, 0,
	2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 1, 1, 1, 0, 0, 0, 0, 1, 3, 3, 7, 'a', 'b', 'c' };
static const uint8_t sample_udp[] = { 0x30, 0x39, 0, 53, 0, 13, 1, 1, 'h', 'e', 'l', 'l', 'o' };
static const uint8_t sample_echo[] = { 8, 0, 0, 0, 0x77, 0x01, 0, 3, 1, 2, 3, 4, 5 };
static const uint8_t sample_echo6[] = { 128, 0, 0, 0, 0x77, 0x01, 0, 3, 1, 2, 3, 4, 5 };
static const uint8_t sample_router[] = { 10, 0, 0, 0, 0, 0, 0, 0 };
static const uint8_t sample_options[] = { /* NOP, record route, router alert; then UDP */
	1, 7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0x30, 0x39, 0, 53, 0, 13, 1, 1, 'h', 'e', 'l', 'l', 'o' };
static const uint8_t sample_chain6[] = { /* hop-by-hop, destination options, routing type 2, atomic fragment; UDP */
	60, 0, 5, 2, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 2, 0, 0, 0, 0, 0, 17, 0, 0, 0, 9, 9, 9, 9,
	0x30, 0x39, 0, 53, 0, 13, 1, 1, 'h', 'e', 'l', 'l', 'o' };

static inline size_t craft_error(uint8_t *ip, bool v6, bool echo)
{
	uint8_t message[CRAFT_ROOM] = { v6 ? 1 : 3, v6 ? 4 : 3 };
	size_t len;

	if (v6)
		len = craft_ipv6(message + 8, PROTO_TCP, sample_tcp, 0, sizeof(sample_tcp), PROTO_TCP);
	else if (echo)
		len = craft_ipv4(message + 8, PROTO_ICMP, sample_echo, 0, sizeof(sample_echo));
	else
		len = craft_ipv4(message + 8, PROTO_UDP, sample_udp, 0, sizeof(sample_udp));
	if (v6)
		return craft_ipv6(ip, PROTO_ICMPV6, message, 0, 8 + len, PROTO_ICMPV6);
	return craft_ipv4(ip, PROTO_ICMP, message, 0, 8 + len);
}

/* Writes a whole frame into b[CRAFT_ROOM]; returns its length. */
static inline size_t craft_sample(enum sample sample, uint8_t *b)
{
	static const uint8_t arp[28] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 137, 0, 5,
	                                 0, 0, 0, 0, 0, 0, 10, 137, 0, 1 };
	uint8_t *ip = b + ETH_BYTES;

	memset(b, 0, CRAFT_ROOM);
	link_header(b, sample >= S_TCP6 ? ETHERTYPE_IPV6 : sample == S_ARP ? ETHERTYPE_ARP : ETHERTYPE_IPV4);
	switch (sample) {
	case S_TCP:
		return ETH_BYTES + craft_ipv4(ip, PROTO_TCP, sample_tcp, 0, sizeof(sample_tcp));
	case S_UDP:
		return ETH_BYTES + craft_ipv4(ip, PROTO_UDP, sample_udp, 0, sizeof(sample_udp));
	case S_ECHO:
		return ETH_BYTES + craft_ipv4(ip, PROTO_ICMP, sample_echo, 0, sizeof(sample_echo));
	case S_ROUTER:
		return ETH_BYTES + craft_ipv4(ip, PROTO_ICMP, sample_router, 0, sizeof(sample_router));
	case S_OPTIONS:
		return ETH_BYTES + craft_ipv4(ip, PROTO_UDP, sample_options, 12, sizeof(sample_options));
	case S_OTHER:
		return ETH_BYTES + craft_ipv4(ip, 47, sample_udp, 0, sizeof(sample_udp));
	case S_ERROR:
	case S_ERROR_ECHO:
	case S_ERROR6:
		return ETH_BYTES + craft_error(ip, sample == S_ERROR6, sample == S_ERROR_ECHO);
	case S_ARP:
		memcpy(ip, arp, sizeof(arp));
		return ETH_BYTES + sizeof(arp);
	case S_TCP6:
		return ETH_BYTES + craft_ipv6(ip, PROTO_TCP, sample_tcp, 0, sizeof(sample_tcp), PROTO_TCP);
	case S_UDP6:
		return ETH_BYTES + craft_ipv6(ip, PROTO_UDP, sample_udp, 0, sizeof(sample_udp), PROTO_UDP);
	case S_ECHO6:
		return ETH_BYTES + craft_ipv6(ip, PROTO_ICMPV6, sample_echo6, 0, sizeof(sample_echo6), PROTO_ICMPV6);
	case S_CHAIN6:
		return ETH_BYTES + craft_ipv6(ip, PROTO_HOPOPTS, sample_chain6, 32, sizeof(sample_chain6), PROTO_UDP);
	case SAMPLE_COUNT:
		break;
	}
	abort();
}

/* A frame in a buffer of exactly its size, so that a sanitizer sees one byte too many. Free ->buffer. */
static inline struct frame exact_frame(const uint8_t *bytes, size_t len)
{
	uint8_t *buffer = malloc(len ? len : 1);

	if (!buffer)
		abort();
	memcpy(buffer, bytes, len);
	return (struct frame){ .buffer = buffer, .data = buffer, .room = (uint32_t)len, .len = (uint32_t)len };
}

/* xorshift: the same numbers in every run. */
static inline uint32_t craft_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

#endif
