/* SPDX-License-Identifier: ISC */
/* checksum.c: one's-complement sums over bytes, and their increments. */
#include "checksum.h"

/* 32 bytes a turn in two sums that do not wait for each other; carries are counted and brought in at the end. */
static uint64_t native_blocks(struct cursor *c)
{
	uint64_t a = 0, b = 0, carries = 0;

	for (const uint8_t *at; (at = take(c, 32));) {
		carries += __builtin_add_overflow(a, native_load8(at), &a);
		carries += __builtin_add_overflow(b, native_load8(at + 8), &b);
		carries += __builtin_add_overflow(a, native_load8(at + 16), &a);
		carries += __builtin_add_overflow(b, native_load8(at + 24), &b);
	}
	return native_add(native_add(a, b), carries);
}

static uint64_t native_bytes(const void *bytes, size_t len)
{
	struct cursor c = cursor_of(bytes, len);
	uint64_t sum = len >= 32 ? native_blocks(&c) : 0;
	uint16_t word;

	for (const uint8_t *at; (at = take(&c, 8));)
		sum = native_add(sum, native_load8(at));
	if (c.left & 4)
		sum = native_add(sum, native_load4(take(&c, 4)));
	if (c.left & 2) {
		memcpy(&word, take(&c, 2), sizeof(word));
		sum = native_add(sum, word);
	}
	if (c.left & 1) {
		memcpy(&word, (uint8_t[2]){ *c.at }, sizeof(word));
		sum = native_add(sum, word);
	}
	return sum;
}

/* The folded sum of native words as a big-endian one. */
static uint16_t swap_native(uint16_t folded)
{
	be16 bytes;
	memcpy(&bytes, &folded, sizeof(bytes));
	return be16_get(bytes);
}

sum64 sum_bytes(sum64 sum, const void *bytes, size_t len)
{
	return sum + swap_native(sum_fold(native_bytes(bytes, len)));
}

sum64 sum_pseudo(struct ip_addr src, struct ip_addr dst, uint8_t proto, uint32_t len)
{
	uint64_t native = native_load4(src.b + 12) + native_load4(dst.b + 12);

	/* RFC 8200 8.1 and RFC 9293 3.1 add the same words but for the addresses' size */
	if (!ip_is_v4(src)) {
		native = native_add(native, native_add(native_load8(src.b), native_load4(src.b + 8)));
		native = native_add(native, native_add(native_load8(dst.b), native_load4(dst.b + 8)));
	}
	return (sum64)swap_native(sum_fold(native)) + proto + len;
}

uint16_t checksum_update(uint16_t checksum, const void *from, const void *to, size_t len)
{
	sum64 sum = (sum64)(uint16_t)~checksum + sum_finish(sum_bytes(0, from, len));
	return sum_finish(sum_bytes(sum, to, len));
}
