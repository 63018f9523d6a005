/* SPDX-License-Identifier: ISC */
/*
 * hash.c: SipHash with its two round counts, and numbers and keys drawn from it.
 */
#include "hash.h"
#include "bytes.h"

static inline uint64_t rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

/* Little-endian, n <= 8: gcc makes one load of it when n is the constant 8. */
static inline uint64_t load(const uint8_t *at, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

static inline void rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static inline void compress(uint64_t v[4], uint64_t word, unsigned c)
{
	v[3] ^= word;
	rounds(v, c);
	v[0] ^= word;
}

static inline uint64_t siphash(const uint64_t key[2], struct cursor in, unsigned c, unsigned d)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)in.left << 56;
	const uint8_t *word;
	while ((word = take(&in, 8)))
		compress(v, load(word, 8), c);
	compress(v, last | load(in.at, in.left), c);
	v[2] ^= 0xff;
	rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash24(const uint64_t key[2], const void *bytes, size_t len)
{
	return siphash(key, cursor_of(bytes, len), 2, 4);
}

uint64_t siphash13(const uint64_t key[2], const void *bytes, size_t len)
{
	return siphash(key, cursor_of(bytes, len), 1, 3);
}

uint64_t random_next(struct secret *s)
{
	s->counter++;
	return siphash24(s->key, &s->counter, sizeof(s->counter));
}

void random_stir(struct secret *s, const void *bytes, size_t len)
{
	/* a sum: the same bytes twice do not lead back to numbers that were drawn before */
	s->counter += siphash24(s->key, bytes, len);
}

uint32_t random_below(struct secret *s, uint32_t bound)
{
	ensure(bound > 0);
	/* 2^32 mod bound values would come once too often; they are drawn again. */
	uint32_t surplus = (uint32_t)-bound % bound;
	for (;;) {
		uint64_t scaled = (random_next(s) >> 32) * bound;
		if ((uint32_t)scaled >= surplus)
			return (uint32_t)(scaled >> 32);
	}
}

struct word_key word_key_of(const struct secret *s, uint64_t purpose)
{
	struct word_key k;
	uint64_t at[2] = { purpose, 0 };
	/* random_next hashes 8 bytes: none of these is ever one of its numbers */
	for (; at[1] < WORD_KEY_WORDS; at[1]++)
		k.word[at[1]] = siphash24(s->key, at, sizeof(at));
	k.mix = siphash24(s->key, at, sizeof(at)) | 1;
	return k;
}
