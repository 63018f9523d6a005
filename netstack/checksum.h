/* SPDX-License-Identifier: ISC */
/*
 * checksum.h: the Internet checksum (RFC 1071), whole and incremental (RFC 1624).
 *
 * The one's-complement sum does not mind in which byte order words are added,
 * nor how wide they are (RFC 1071 2): the `native` sums add what the machine
 * loads, 8 bytes at a time, and are folded to a checksum field as it stands
 * in the packet.
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include "bytes.h"
#include "addr.h"

/* A running one's-complement sum, not yet folded; big-endian words. */
typedef uint64_t sum64;

sum64 sum_bytes(sum64, const void *bytes, size_t len); /* an odd last byte is padded with zero */

/* To 16 bits, not complemented; 0 only for a sum of zeros. */
static inline uint16_t sum_fold(uint64_t sum)
{
	/* each half added to the other, the carry coming back in: the upper half is then the sum */
	uint64_t wide = sum + (sum << 32 | sum >> 32);
	uint32_t word = (uint32_t)(wide >> 32);
	word += word << 16 | word >> 16;
	return (uint16_t)(word >> 16);
}

static inline uint16_t sum_finish(sum64 s) { return (uint16_t)~sum_fold(s); }

/* Pseudo header of RFC 9293/768 (IPv4) or RFC 8200 8.1, by the addresses' family. */
sum64 sum_pseudo(struct ip_addr src, struct ip_addr dst, uint8_t proto, uint32_t len);

/* Native sums. Adding brings the carry around. */
static inline uint64_t native_add(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;
	return sum + (sum < a);
}

/* A number as its two bytes stand in a packet. */
static inline uint16_t native_word(uint16_t value)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(value) : value;
}

static inline uint64_t native_load4(const void *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint64_t native_load8(const void *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return word;
}

/* What 2, 4 or 8 bytes at an even offset add when they become others: ~m + m' of RFC 1624. */
static inline uint64_t native_change2(const void *from, uint16_t to)
{
	uint16_t word;
	memcpy(&word, from, sizeof(word));
	return (uint64_t)(uint16_t)~word + to;
}

static inline uint64_t native_change4(const void *from, const void *to)
{
	return (native_load4(from) ^ UINT32_MAX) + native_load4(to);
}

static inline uint64_t native_change8(const void *from, const void *to)
{
	return native_add(~native_load8(from), native_load8(to));
}

/* RFC 1624 eqn. 3: the checksum field as it becomes by a sum of changes. */
static inline be16 checksum_changed(be16 field, uint64_t change)
{
	uint16_t word;
	memcpy(&word, &field, sizeof(word));
	word = (uint16_t)~sum_fold(native_add((uint16_t)~word, change));
	memcpy(&field, &word, sizeof(word));
	return field;
}

/* The same for a partial sum (offload NEEDS_CSUM): the field holds the folded, uncomplemented pseudo-header sum. */
static inline be16 partial_changed(be16 field, uint64_t change)
{
	uint16_t word;
	memcpy(&word, &field, sizeof(word));
	word = sum_fold(native_add(word, change));
	memcpy(&field, &word, sizeof(word));
	return field;
}

/* Does an IPv4 header (at least 20 bytes, a multiple of 4) sum up right? */
static inline bool ipv4_sum_ok(const void *header, size_t len)
{
	const uint8_t *at = header;
	uint64_t sum = native_load4(at) + native_load4(at + 4) + native_load4(at + 8) +
	               native_load4(at + 12) + native_load4(at + 16);

	for (size_t i = 20; i < len; i += 4)
		sum += native_load4(at + i);
	return sum_fold(sum) == 0xffff;
}

/* The checksum field after a run of bytes changed (even length, even offset). */
uint16_t checksum_update(uint16_t checksum, const void *from, const void *to, size_t len);

#endif
