/* SPDX-License-Identifier: ISC */
/*
 * flow_key.h: the keyed hash of a flow's tuple, small enough to be inlined.
 *
 * A sum of products of the tuple's 32-bit words with secret 64-bit ones,
 * mod 2^64 (multilinear hashing; Carter and Wegman 1979, and the idea of RFC
 * 4418's NH), then mixed by a bijection that is secret too. Two tuples meet in
 * the sum with a chance of at most 2^-32 over the keys, whatever the tuples
 * are, so nobody can choose tuples that meet without knowing the keys; the
 * mixing, which is not linear, lets one observed meeting say nothing about
 * others. The keys are drawn at boot. It is no pseudo-random function: what a
 * peer gets to see (ports, identifiers) comes from SipHash.
 */
#ifndef FLOW_KEY_H
#define FLOW_KEY_H

#include "hash.h"
#include "packet.h"

enum { FLOW_KEY_WORDS = sizeof(struct tuple) / 4 };

struct flow_key {
	uint64_t word[FLOW_KEY_WORDS];
	uint64_t mix;     /* odd */
	uint64_t mapped;  /* the sum of what two IPv4 addresses have in common */
};

static inline uint32_t flow_key_load(const void *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint64_t flow_key_mix(const struct flow_key *k, uint64_t sum)
{
	sum ^= sum >> 32;
	sum *= k->mix;
	return sum ^ sum >> 32;
}

static inline uint64_t flow_key_hash(const struct flow_key *k, const struct tuple *t)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < FLOW_KEY_WORDS; i++)
		sum += k->word[i] * flow_key_load((const uint8_t *)t + 4 * i);
	return flow_key_mix(k, sum);
}

/* The same for IPv4: the words behind the mapped prefixes, the ports, and protocol and kind as they lie in a tuple. */
static inline uint64_t flow_key_hash_v4(const struct flow_key *k, uint32_t src, uint32_t dst, uint32_t ports,
					uint32_t proto)
{
	return flow_key_mix(k, k->mapped + k->word[3] * src + k->word[7] * dst + k->word[8] * ports +
			    k->word[9] * proto);
}

static inline struct flow_key flow_key_new(struct secret *s)
{
	struct flow_key k;
	const struct ip_addr any = ip_v4(0, 0, 0, 0);
	for (size_t i = 0; i < FLOW_KEY_WORDS; i++)
		k.word[i] = random_next(s);
	k.mix = random_next(s) | 1;
	uint64_t common = flow_key_load(any.b + 8);
	k.mapped = k.word[2] * common + k.word[6] * common;
	return k;
}

#endif
