/* SPDX-License-Identifier: ISC */
/*
 * table.c: chains of item numbers, one per bucket, at least as many buckets as
 * items. An item that is out says so in `next`, so that a double insert or
 * remove is noticed at once and not a million packets later.
 */
#include "table.h"

enum { CAPACITY_MAX = 1 << 30, LINE_BYTES = 64 };

/* In `next`: stands in no chain. Beyond any item, and equal bytes, so that one memset writes it. */
#define OUT 0xfefefefeu

static uint32_t buckets(uint32_t capacity)
{
	uint32_t n = 1;
	while (n < capacity)
		n *= 2;
	return n;
}

size_t table_bytes(uint32_t capacity)
{
	/* a line of padding may precede each array */
	return ((size_t)buckets(capacity) + 2 * (size_t)capacity) * sizeof(uint32_t) + 3 * LINE_BYTES;
}

bool table_init(struct table *t, struct arena *a, uint32_t capacity)
{
	ensure(capacity >= 1 && capacity <= CAPACITY_MAX);
	struct arena rest = *a;
	uint32_t n = buckets(capacity);
	uint32_t *bucket = arena_take(&rest, n, sizeof(*bucket));
	uint32_t *next = arena_take(&rest, capacity, sizeof(*next));
	uint32_t *tag = arena_take(&rest, capacity, sizeof(*tag));
	if (!bucket || !next || !tag)
		return false;
	_Static_assert(NONE == UINT32_MAX, "its bytes are all ones");
	memset(bucket, 0xff, n * sizeof(*bucket));
	memset(next, OUT & 0xff, capacity * sizeof(*next));
	*t = (struct table){ bucket, next, tag, n - 1, capacity, 0 };
	*a = rest;
	return true;
}

/* From item on, the first whose tag agrees. */
static uint32_t agreeing(const struct table *t, uint32_t item, uint32_t tag)
{
	while (item != NONE && t->tag[item] != tag)
		item = t->next[item];
	return item;
}

uint32_t table_first(const struct table *t, uint64_t hash)
{
	uint32_t tag = (uint32_t)hash;
	return agreeing(t, t->bucket[tag & t->mask], tag);
}

uint32_t table_next(const struct table *t, uint32_t item)
{
	return agreeing(t, t->next[item], t->tag[item]);
}

void table_insert(struct table *t, uint64_t hash, uint32_t item)
{
	ensure(item < t->capacity && t->next[item] == OUT);
	uint32_t tag = (uint32_t)hash;
	uint32_t *first = &t->bucket[tag & t->mask];
	t->tag[item] = tag;
	t->next[item] = *first;
	*first = item;
	t->count++;
}

void table_remove(struct table *t, uint32_t item)
{
	ensure(item < t->capacity && t->next[item] != OUT);
	uint32_t *at = &t->bucket[t->tag[item] & t->mask];
	while (*at != item) {
		ensure(*at != NONE);
		at = &t->next[*at];
	}
	*at = t->next[item];
	t->next[item] = OUT;
	t->count--;
}

bool table_valid(const struct table *t)
{
	uint32_t in = 0, met = 0;
	for (uint32_t i = 0; i < t->capacity; i++)
		in += t->next[i] != OUT;
	if (in != t->count)
		return false;
	for (uint32_t b = 0; b <= t->mask; b++) {
		for (uint32_t i = t->bucket[b]; i != NONE; i = t->next[i]) {
			/* more steps than items: a chain that runs in a circle */
			if (i >= t->capacity || (t->tag[i] & t->mask) != b || met++ == in)
				return false;
		}
	}
	return met == in;
}
