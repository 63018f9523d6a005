/* SPDX-License-Identifier: ISC */
/*
 * table.h: the one keyed-hash index. It maps a hash to item numbers
 * 0..capacity-1; the items themselves, and their keys, stay with the owner,
 * who compares keys and hands items in and out. A full table works as well as
 * an empty one.
 *
 *   for (uint32_t i = table_first(t, h); i != NONE; i = table_next(t, i))
 *           if (key of item i is mine) ...
 *
 * A bucket is one cache line: eight items and sixteen bits of each one's hash,
 * compared four at a time. What does not fit hangs in a chain behind it.
 */
#ifndef TABLE_H
#define TABLE_H

#include "arena.h"

enum { TABLE_SLOTS = 8 };

struct table_bucket {
	uint16_t tag[TABLE_SLOTS];  /* 0: empty */
	uint32_t item[TABLE_SLOTS];
	uint32_t more;              /* first item of the chain, plus one; 0: none */
	uint32_t unused[3];
};
_Static_assert(sizeof(struct table_bucket) == 64, "one cache line");

struct table_item {
	uint32_t hash; /* its low 32 bits */
	uint32_t next; /* in the chain; or where else it is (table.c) */
};

struct table {
	struct table_bucket *bucket;
	struct table_item *item;
	uint32_t mask; /* buckets - 1 */
	uint32_t capacity;
	uint32_t count;
};

/* Bytes of arena that table_init takes. */
size_t table_bytes(uint32_t capacity);
bool table_init(struct table *, struct arena *, uint32_t capacity); /* 1 <= capacity <= 2^30 */

/* The tag of a hash, never 0. */
static inline uint16_t table_tag(uint64_t hash)
{
	return (uint16_t)((uint32_t)hash >> 16 | 1);
}

static inline const struct table_bucket *table_bucket_of(const struct table *t, uint64_t hash)
{
	return &t->bucket[(uint32_t)hash & t->mask];
}

/* Brings the bucket's cache line closer. */
static inline void table_prefetch(const struct table *t, uint64_t hash)
{
	__builtin_prefetch(table_bucket_of(t, hash));
}

/* A bit for each slot with this tag, to be read by table_slot. */
static inline uint64_t table_match(const struct table_bucket *b, uint16_t tag)
{
	const uint64_t low = UINT64_C(0x7fff7fff7fff7fff);
	uint64_t lanes = tag * UINT64_C(0x0001000100010001), half[2];
	memcpy(half, b->tag, sizeof(half));
	half[0] ^= lanes;
	half[1] ^= lanes;
	/* the top bit of each lane is left only where the lane is 0 */
	half[0] = ~(((half[0] & low) + low) | half[0] | low);
	half[1] = ~(((half[1] & low) + low) | half[1] | low);
	return half[0] >> 15 | half[1] >> 14;
}

/* The same in fewer steps, good for the first slot only: a borrow may set bits above it. */
static inline uint64_t table_match_first(const struct table_bucket *b, uint16_t tag)
{
	const uint64_t ones = UINT64_C(0x0001000100010001), tops = ones << 15;
	uint64_t lanes = tag * ones, half[2];
	memcpy(half, b->tag, sizeof(half));
	half[0] ^= lanes;
	half[1] ^= lanes;
	return ((half[0] - ones) & ~half[0] & tops) >> 15 | ((half[1] - ones) & ~half[1] & tops) >> 14;
}

static inline uint32_t table_slot(uint64_t match)
{
	uint32_t bit = (uint32_t)__builtin_ctzll(match);
	return (bit >> 4) + (bit & 1) * (TABLE_SLOTS / 2);
}

/* From item + 1 on, along the chain: the first with this hash, or NONE. */
uint32_t table_chained(const struct table *, uint32_t more, uint64_t hash);

/* Items that may have this hash, and each one that has; NONE at the end. */
static inline uint32_t table_first(const struct table *t, uint64_t hash)
{
	const struct table_bucket *b = table_bucket_of(t, hash);
	uint64_t match = table_match_first(b, table_tag(hash));
	if (match)
		return b->item[table_slot(match)];
	return b->more ? table_chained(t, b->more, hash) : NONE;
}

uint32_t table_next(const struct table *, uint32_t item);
/* The item must be out (insert) or in (remove). */
void table_insert(struct table *, uint64_t hash, uint32_t item);
void table_remove(struct table *, uint32_t item);
/* Every chain ends, every item stands in the bucket of its hash, count is right. For tests and fuzzers. */
bool table_valid(const struct table *);

#endif
