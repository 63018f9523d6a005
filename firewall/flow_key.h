/* SPDX-License-Identifier: ISC */
/* flow_key.h: the keyed hash (hash.h) of a flow's tuple, and its shortcut for IPv4. */
#ifndef FLOW_KEY_H
#define FLOW_KEY_H

#include "hash.h"
#include "packet.h"

_Static_assert(sizeof(struct tuple) == 4 * WORD_KEY_WORDS, "every word of a tuple has its secret one");

struct flow_key {
	struct word_key key;
	uint64_t mapped; /* the sum of what two IPv4 addresses have in common */
};

static inline uint64_t flow_key_hash(const struct flow_key *k, const struct tuple *t)
{
	return word_hash(&k->key, t, WORD_KEY_WORDS);
}

/* The same for IPv4: the words behind the mapped prefixes, the ports, and protocol and kind as they lie in a tuple. */
static inline uint64_t flow_key_hash_v4(const struct flow_key *k, uint32_t src, uint32_t dst, uint32_t ports,
					uint32_t proto)
{
	const uint64_t *word = k->key.word;
	return word_mix(&k->key, k->mapped + word[3] * src + word[7] * dst + word[8] * ports + word[9] * proto);
}

static inline struct flow_key flow_key_of(const struct secret *s, uint64_t purpose)
{
	struct flow_key k = { word_key_of(s, purpose), 0 };
	const struct ip_addr any = ip_v4(0, 0, 0, 0);
	k.mapped = (k.key.word[2] + k.key.word[6]) * word_load(any.b + 8);
	return k;
}

#endif
