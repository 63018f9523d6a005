/* SPDX-License-Identifier: ISC */
/*
 * hash.h: SipHash (Aumasson, Bernstein 2012) as keyed hash for tables and as
 * pseudo-random function for ports and identifiers. The key is secret and
 * drawn at boot, so that a peer can neither aim at one bucket nor guess.
 *
 * Where each packet needs one, a hash of few words that is small enough to be
 * inlined: a sum of products of the 32-bit words with secret 64-bit ones, mod
 * 2^64 (multilinear hashing; Carter and Wegman 1979, and the idea of RFC 4418's
 * NH), then mixed by a bijection that is secret too. Two keys meet in the sum
 * with a chance of at most 2^-32 over the secrets, whatever the keys are, so
 * nobody can choose keys that meet without knowing the secrets; the mixing,
 * which is not linear, lets one observed meeting say nothing about others. It
 * is no pseudo-random function: what a peer gets to see comes from SipHash.
 */
#ifndef HASH_H
#define HASH_H

#include "base.h"

struct secret {
	uint64_t key[2];
	uint64_t counter; /* of random_next */
};

/* SipHash-2-4 of len bytes. */
uint64_t siphash24(const uint64_t key[2], const void *bytes, size_t len);
/* SipHash-1-3: for the tables of the data path. */
uint64_t siphash13(const uint64_t key[2], const void *bytes, size_t len);
/* Numbers nobody without the key can predict: SipHash-2-4 of a counter. */
uint64_t random_next(struct secret *);
/* Goes on from a place that also depends on these bytes: harmless if known, better if not. The key stays. */
void random_stir(struct secret *, const void *bytes, size_t len);
/* Uniform in 0..bound-1; bound > 0. */
uint32_t random_below(struct secret *, uint32_t bound);

enum { WORD_KEY_WORDS = 10 };

struct word_key {
	uint64_t word[WORD_KEY_WORDS];
	uint64_t mix; /* odd */
};

/* A key for each purpose (any number), all out of the one secret. */
struct word_key word_key_of(const struct secret *, uint64_t purpose);

static inline uint32_t word_load(const void *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint64_t word_mix(const struct word_key *k, uint64_t sum)
{
	sum ^= sum >> 32;
	sum *= k->mix;
	return sum ^ sum >> 32;
}

/* Of count <= WORD_KEY_WORDS words of 4 bytes. */
static inline uint64_t word_hash(const struct word_key *k, const void *at, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += k->word[i] * word_load((const uint8_t *)at + 4 * i);
	return word_mix(k, sum);
}

#endif
