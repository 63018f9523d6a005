/* SPDX-License-Identifier: ISC */
/*
 * checksum.c: one's-complement sums over bytes, and their increments.
 *
 * Words are added as the machine loads them and the folded sum is put into
 * network order once: the one's-complement sum does not mind the byte order
 * (RFC 1071 2B).
 */
#include "checksum.h"

/* The folded sum of native words as a big-endian one. */
static uint16_t swap_native(uint16_t folded)
{
	be16 bytes;
	memcpy(&bytes, &folded, sizeof(bytes));
	return be16_get(bytes);
}

sum64 sum_bytes(sum64 sum, const void *bytes, size_t len)
{
	struct cursor c = cursor_of(bytes, len);
	uint64_t even = 0, odd = 0; /* halves of 32 bits: no carry is lost below 32 GiB */

	for (const uint8_t *at; (at = take(&c, 8));) {
		uint64_t word;
		memcpy(&word, at, sizeof(word));
		even += word & UINT32_MAX;
		odd += word >> 32;
	}
	uint64_t last = 0;
	if (c.left)
		memcpy(&last, c.at, c.left);
	even += last & UINT32_MAX;
	odd += last >> 32;
	return sum + swap_native(sum_fold(even + odd));
}

uint16_t sum_fold(sum64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

sum64 sum_pseudo(struct ip_addr src, struct ip_addr dst, uint8_t proto, uint32_t len)
{
	/* RFC 8200 8.1 and RFC 9293 3.1 add the same words but for the addresses' size */
	sum64 sum = (sum64)proto + (len >> 16) + (len & 0xffff);
	size_t skip = ip_is_v4(src) ? 12 : 0;

	sum = sum_bytes(sum, src.b + skip, sizeof(src.b) - skip);
	return sum_bytes(sum, dst.b + skip, sizeof(dst.b) - skip);
}

uint16_t checksum_update16(uint16_t checksum, uint16_t from, uint16_t to)
{
	return sum_finish((sum64)(uint16_t)~checksum + (uint16_t)~from + to);
}

uint16_t checksum_update(uint16_t checksum, const void *from, const void *to, size_t len)
{
	return (uint16_t)~partial_update((uint16_t)~checksum, from, to, len);
}

uint16_t partial_update(uint16_t field, const void *from, const void *to, size_t len)
{
	sum64 sum = (sum64)field + sum_finish(sum_bytes(0, from, len));
	return sum_fold(sum_bytes(sum, to, len));
}
