/* links: netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/* test_checksum.c: sums and increments against the naive whole sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "checksum.h"
#include "craft.h"

static void fill(uint8_t *at, size_t len, uint64_t *seed, unsigned kind)
{
	for (size_t i = 0; i < len; i++)
		at[i] = kind == 0 ? (uint8_t)craft_random(seed) : kind == 1 ? 0xff : (uint8_t)(i == 0);
}

/* Both zeros of one's complement are the same sum. */
static uint32_t canonical(uint32_t sum)
{
	return sum == 0xffff ? 0 : sum;
}

static void sums_every_length_and_alignment(void **state)
{
	uint64_t seed = 1;
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++)
		for (size_t len = 0; len < 70; len++)
			for (size_t skew = 0; skew < 8; skew++) {
				uint8_t *bytes = malloc(skew + len + 1);
				fill(bytes, skew + len, &seed, kind);
				uint32_t want = naive_add(0, bytes + skew, len);
				uint16_t got = sum_fold(sum_bytes(0, bytes + skew, len));
				assert_int_equal(canonical(got), canonical(want));
				/* in two pieces, the first of even length */
				size_t cut = len / 4 * 2;
				sum64 two = sum_bytes(sum_bytes(0, bytes + skew, cut), bytes + skew + cut, len - cut);
				assert_int_equal(canonical(sum_fold(two)), canonical(want));
				free(bytes);
			}
}

static void sums_the_largest_packet(void **state)
{
	static uint8_t bytes[65535];
	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(canonical(sum_fold(sum_bytes(UINT32_MAX, bytes, sizeof(bytes)))),
	                 canonical(naive_add(0, bytes, sizeof(bytes))));
	bytes[77] = 0x12;
	assert_int_equal(sum_finish(sum_bytes(0, bytes, sizeof(bytes))),
	                 (uint16_t)~naive_add(0, bytes, sizeof(bytes)));
}

static void sums_pseudo_headers(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint8_t b[CRAFT_ROOM];
		struct ip_addr src, dst;
		craft_sample(v6 ? S_TCP6 : S_TCP, b);
		uint8_t *ip = b + ETH_BYTES;
		if (v6) {
			memcpy(&src, ip + 8, 16);
			memcpy(&dst, ip + 24, 16);
		} else {
			src = ip_v4(ip[12], ip[13], ip[14], ip[15]);
			dst = ip_v4(ip[16], ip[17], ip[18], ip[19]);
		}
		for (uint32_t len = 0; len < 65536; len += 257)
			assert_int_equal(sum_fold(sum_pseudo(src, dst, PROTO_TCP, len)),
			                 naive_pseudo(ip, PROTO_TCP, len));
	}
}

/* A random change of a random packet: the increment is the whole sum again. */
static void updates_are_whole_sums(void **state)
{
	uint64_t seed = 2;
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[64], old[64];
		fill(bytes, sizeof(bytes), &seed, 0);
		/* the corner: words of all zeros and all ones */
		for (unsigned i = 0; i < 8; i++)
			store16(bytes + craft_random(&seed) % 32 * 2, craft_random(&seed) % 2 ? 0xffff : 0);
		bytes[63] = 1; /* RFC 1624's case of a sum of nothing is not a packet */
		memcpy(old, bytes, sizeof(old));
		uint16_t partial = (uint16_t)naive_add(0, bytes, sizeof(bytes));
		uint16_t before = (uint16_t)~partial;

		size_t at = craft_random(&seed) % 15 * 2, len = craft_random(&seed) % 17 * 2;
		fill(bytes + at, len, &seed, craft_random(&seed) % 3);
		uint16_t want = (uint16_t)naive_add(0, bytes, sizeof(bytes));
		assert_int_equal(checksum_update(before, old + at, bytes + at, len), (uint16_t)~want);

		memcpy(bytes, old, sizeof(old));
		size_t wide = round % 2 ? 8 : 4;
		fill(bytes + at, wide, &seed, craft_random(&seed) % 3);
		want = (uint16_t)naive_add(0, bytes, sizeof(bytes));
		uint64_t change = wide == 8 ? native_change8(old + at, bytes + at) : native_change4(old + at, bytes + at);
		assert_int_equal(be16_get(checksum_changed(be16_of(before), change)), (uint16_t)~want);
		assert_int_equal(be16_get(partial_changed(be16_of(partial), change)), want);
	}
}

/* 20 to 60 bytes: right, and every single bit of them wrong. */
static void ipv4_sums_are_told(void **state)
{
	uint64_t seed = 6;
	(void)state;
	for (size_t len = 20; len <= 60; len += 4) {
		uint8_t *bytes = malloc(len);
		fill(bytes, len, &seed, 0);
		store16(bytes + 10, 0);
		store16(bytes + 10, ~naive_add(0, bytes, len));
		assert_true(ipv4_sum_ok(bytes, len));
		for (size_t bit = 0; bit < len * 8; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(ipv4_sum_ok(bytes, len));
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		free(bytes);
	}
}

/* Every sum of two halves that the folding must carry around. */
static void sums_are_folded(void **state)
{
	static const uint64_t corners[] = { 0, 1, 0xfffe, 0xffff, 0x10000, 0xffff0000, UINT32_MAX, 0x100000000,
	                                    0xffffffff00000000, 0xffffffff00000001, UINT64_MAX - 1, UINT64_MAX };
	(void)state;
	for (size_t i = 0; i < array_len(corners) * array_len(corners); i++) {
		uint64_t a = corners[i % array_len(corners)], b = corners[i / array_len(corners)];
		uint64_t sum = native_add(a, b), slow = a % 0xffff + b % 0xffff;
		slow %= 0xffff;
		assert_int_equal(canonical(sum_fold(sum)), slow);
		assert_int_equal(!sum_fold(sum), !a && !b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_every_length_and_alignment),
		cmocka_unit_test(sums_the_largest_packet),
		cmocka_unit_test(sums_pseudo_headers),
		cmocka_unit_test(updates_are_whole_sums),
		cmocka_unit_test(ipv4_sums_are_told),
		cmocka_unit_test(sums_are_folded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
