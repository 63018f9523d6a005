/* SPDX-License-Identifier: ISC */
/*
 * table.h: the one keyed-hash index. It maps a hash to item numbers
 * 0..capacity-1; the items themselves, and their keys, stay with the owner,
 * who compares keys and hands items in and out. Chained: removal leaves
 * nothing behind, and a full table works as well as an empty one.
 *
 *   for (uint32_t i = table_first(t, h); i != NONE; i = table_next(t, i))
 *           if (key of item i is mine) ...
 */
#ifndef TABLE_H
#define TABLE_H

#include "arena.h"

struct table {
	uint32_t *bucket; /* first item of each chain */
	uint32_t *next;   /* per item */
	uint32_t *tag;    /* per item: its hash, low 32 bits */
	uint32_t mask;    /* buckets - 1 */
	uint32_t capacity;
	uint32_t count;
};

/* Bytes of arena that table_init takes. */
size_t table_bytes(uint32_t capacity);
bool table_init(struct table *, struct arena *, uint32_t capacity); /* 1 <= capacity <= 2^30 */
/* Items whose hash agrees in 32 bits, newest first; NONE at the end. */
uint32_t table_first(const struct table *, uint64_t hash);
uint32_t table_next(const struct table *, uint32_t item);
/* The item must be out (insert) or in (remove). */
void table_insert(struct table *, uint64_t hash, uint32_t item);
void table_remove(struct table *, uint32_t item);
/* Brings the bucket's cache line closer. */
static inline void table_prefetch(const struct table *t, uint64_t hash)
{
	__builtin_prefetch(&t->bucket[(uint32_t)hash & t->mask]);
}
/* Every chain ends, every item stands in the bucket of its tag, count is right. For tests and fuzzers. */
bool table_valid(const struct table *);

#endif
