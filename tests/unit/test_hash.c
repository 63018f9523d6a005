/* links: netstack/hash.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_hash.c: SipHash against its published vectors, and the numbers drawn from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hash.h"

/* Key 00..0f, little-endian; input 00 01 02 ... of the given length. */
static const uint64_t KEY[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static const struct { size_t len; uint64_t hash; } VECTORS_24[] = {
	{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 2, 0x0d6c8009d9a94f5a },
	{ 3, 0x85676696d7fb7e2d }, { 7, 0xab0200f58b01d137 }, { 8, 0x93f5f5799a932462 },
	{ 15, 0xa129ca6149be45e5 },
};

static const struct { size_t len; uint64_t hash; } VECTORS_13[] = {
	{ 0, 0xabac0158050fc4dc }, { 1, 0xc9f49bf37d57ca93 }, { 2, 0x82cb9b024dc7d44d },
};

static void vectors(void **state)
{
	(void)state;
	uint8_t in[64];
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < array_len(VECTORS_24); i++)
		assert_true(siphash24(KEY, in, VECTORS_24[i].len) == VECTORS_24[i].hash);
	for (size_t i = 0; i < array_len(VECTORS_13); i++)
		assert_true(siphash13(KEY, in, VECTORS_13[i].len) == VECTORS_13[i].hash);
}

static void every_bit_and_length_counts(void **state)
{
	(void)state;
	uint8_t in[40] = { 0 };
	for (size_t len = 0; len < sizeof(in); len++) {
		uint64_t hash = siphash13(KEY, in, len);
		assert_true(hash != siphash13(KEY, in, len + 1));
		for (size_t bit = 0; bit < 8 * len; bit++) {
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_true(hash != siphash13(KEY, in, len));
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		uint64_t other[2] = { KEY[0], KEY[1] ^ 1 };
		assert_true(hash != siphash13(other, in, len));
	}
}

static void below(void **state)
{
	(void)state;
	static const uint32_t BOUNDS[] = { 1, 2, 3, 7, 10 };
	struct secret s = { { 1, 2 }, 0 };
	for (size_t b = 0; b < array_len(BOUNDS); b++) {
		uint32_t hits[10] = { 0 };
		for (int i = 0; i < 10000; i++) {
			uint32_t n = random_below(&s, BOUNDS[b]);
			assert_true(n < BOUNDS[b]);
			hits[n]++;
		}
		/* the key is fixed, so these counts are too: within a fifth of even */
		uint32_t even = 10000 / BOUNDS[b];
		for (uint32_t n = 0; n < BOUNDS[b]; n++)
			assert_in_range(hits[n], even - even / 5, even + even / 5);
	}
	for (int i = 0; i < 1000; i++)
		assert_true(random_below(&s, 0xc0000000) < 0xc0000000);
}

static void no_number_twice(void **state)
{
	(void)state;
	struct secret s = { { 3, 4 }, 0 }, other = { { 3, 5 }, 0 };
	uint64_t before = random_next(&s);
	for (int i = 0; i < 1000; i++) {
		uint64_t n = random_next(&s);
		assert_true(n != before && n != random_next(&other));
		before = n;
	}
}

/* Stirring leads elsewhere, by what was stirred in, and never back; the key is the tables' too and stays. */
static void stir(void **state)
{
	(void)state;
	struct secret s = { { 1, 2 }, 0 }, t = s, plain = s;
	random_stir(&s, "seed", 4);
	random_stir(&t, "sead", 4);
	uint64_t a = random_next(&s), b = random_next(&t), c = random_next(&plain);
	assert_true(a != b && a != c && b != c);
	for (unsigned i = 0; i < 1000; i++) {
		random_stir(&s, "seed", 4);
		assert_true(random_next(&s) != a);
	}
	assert_true(s.key[0] == 1 && s.key[1] == 2);
}

/* Every bit of every word counts, purposes do not share keys, and a row of keys spreads. */
static void words(void **state)
{
	(void)state;
	enum { BUCKETS = 1024, MOST = 24 };
	const struct secret s = { { 3, 4 }, 0 };
	struct word_key a = word_key_of(&s, 1), b = word_key_of(&s, 2), again = word_key_of(&s, 1);
	uint32_t in[WORD_KEY_WORDS] = { 0 };
	static uint8_t filled[BUCKETS];
	assert_memory_equal(&a, &again, sizeof(a));
	for (uint32_t bit = 0; bit < 32 * WORD_KEY_WORDS; bit++) {
		uint64_t before = word_hash(&a, in, WORD_KEY_WORDS);
		in[bit / 32] ^= UINT32_C(1) << bit % 32;
		assert_true(word_hash(&a, in, WORD_KEY_WORDS) != before);
		assert_true(word_hash(&a, in, WORD_KEY_WORDS) != word_hash(&b, in, WORD_KEY_WORDS));
	}
	for (uint32_t i = 0; i < 4 * BUCKETS; i++) {
		in[3] = i << 24;
		in[4] = i >> 8;
		assert_true(++filled[word_hash(&a, in, 5) % BUCKETS] <= MOST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(every_bit_and_length_counts),
		cmocka_unit_test(below),
		cmocka_unit_test(no_number_twice),
		cmocka_unit_test(stir),
		cmocka_unit_test(words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
