/* SPDX-License-Identifier: ISC */
/*
 * hash.h: SipHash (Aumasson, Bernstein 2012) as keyed hash for tables and as
 * pseudo-random function for ports and identifiers. The key is secret and
 * drawn at boot, so that a peer can neither aim at one bucket nor guess.
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

#endif
