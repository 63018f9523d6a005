/* SPDX-License-Identifier: ISC */
/*
 * table.c: buckets of a cache line and chains behind the full ones. Each item
 * knows where it is, so that a double insert or remove is noticed at once and
 * not a million packets later.
 *
 * A chain is not empty only while its bucket is full: a slot that becomes free
 * is filled from it.
 */
#include "table.h"

enum { CAPACITY_MAX = 1 << 30, LINE_BYTES = 64, ITEMS_PER_BUCKET = 5 };

/* In `next`: out (as fresh memory is: nobody writes it at boot), in a slot, or a bucket's `more` above CHAINED. */
enum { OUT, IN_SLOT, CHAINED };

static uint32_t buckets(uint32_t capacity)
{
	uint32_t n = 1;
	while (n < capacity / ITEMS_PER_BUCKET)
		n *= 2;
	return n;
}

size_t table_bytes(uint32_t capacity)
{
	/* a line of padding may precede each array */
	return (size_t)buckets(capacity) * sizeof(struct table_bucket) + capacity * sizeof(struct table_item) +
	       (size_t)2 * LINE_BYTES;
}

bool table_init(struct table *t, struct arena *a, uint32_t capacity)
{
	ensure(capacity >= 1 && capacity <= CAPACITY_MAX);
	struct arena rest = *a;
	uint32_t n = buckets(capacity);
	struct table_bucket *bucket = arena_take(&rest, n, sizeof(*bucket));
	struct table_item *item = arena_take(&rest, capacity, sizeof(*item));
	if (!bucket || !item)
		return false;
	*t = (struct table){ bucket, item, n - 1, capacity, 0 };
	*a = rest;
	return true;
}

uint32_t table_chained(const struct table *t, uint32_t more, uint64_t hash)
{
	while (more && t->item[more - 1].hash != (uint32_t)hash)
		more = t->item[more - 1].next - CHAINED;
	return more - 1;
}

/* Those of the slots in `match` behind the one that the item has. */
static uint64_t behind(const struct table_bucket *b, uint64_t match, uint32_t item)
{
	while (match && b->item[table_slot(match)] != item)
		match &= match - 1;
	return match & (match - 1);
}

uint32_t table_next(const struct table *t, uint32_t item)
{
	struct table_item at = t->item[item];
	if (at.next != IN_SLOT)
		return table_chained(t, at.next - CHAINED, at.hash);
	const struct table_bucket *b = table_bucket_of(t, at.hash);
	uint64_t match = behind(b, table_match(b, table_tag(at.hash)), item);
	return match ? b->item[table_slot(match)] : table_chained(t, b->more, at.hash);
}

static void fill(struct table_bucket *b, uint32_t slot, struct table_item *at, uint32_t item)
{
	b->tag[slot] = table_tag(at->hash);
	b->item[slot] = item;
	at->next = IN_SLOT;
}

void table_insert(struct table *t, uint64_t hash, uint32_t item)
{
	struct table_item *at = &t->item[item];
	ensure(item < t->capacity && at->next == OUT);
	struct table_bucket *b = &t->bucket[(uint32_t)hash & t->mask];
	uint64_t empty = table_match(b, 0);
	at->hash = (uint32_t)hash;
	if (empty) {
		fill(b, table_slot(empty), at, item);
	} else {
		at->next = b->more + CHAINED;
		b->more = item + 1;
	}
	t->count++;
}

static void unchain(struct table *t, struct table_bucket *b, uint32_t item)
{
	uint32_t at = b->more - 1, next = t->item[item].next;
	if (at == item) {
		b->more = next - CHAINED;
		return;
	}
	while (t->item[at].next != item + 1 + CHAINED) {
		at = t->item[at].next - CHAINED - 1;
		ensure(at < t->capacity);
	}
	t->item[at].next = next;
}

void table_remove(struct table *t, uint32_t item)
{
	struct table_item *at = &t->item[item];
	ensure(item < t->capacity && at->next != OUT);
	struct table_bucket *b = &t->bucket[at->hash & t->mask];
	if (at->next == IN_SLOT) {
		uint32_t slot = 0;
		while (b->item[slot] != item || !b->tag[slot]) {
			slot++;
			ensure(slot < TABLE_SLOTS);
		}
		b->tag[slot] = 0;
		if (b->more) {
			uint32_t first = b->more - 1;
			b->more = t->item[first].next - CHAINED;
			fill(b, slot, &t->item[first], first);
		}
	} else {
		unchain(t, b, item);
	}
	at->next = OUT;
	t->count--;
}

/* The bucket's items, or NONE when one is not where it says. */
static uint32_t bucket_items(const struct table *t, uint32_t n)
{
	const struct table_bucket *b = &t->bucket[n];
	uint32_t met = 0;
	for (uint32_t s = 0; s < TABLE_SLOTS; s++) {
		uint32_t item = b->item[s];
		if (!b->tag[s])
			continue;
		if (item >= t->capacity || t->item[item].next != IN_SLOT || (t->item[item].hash & t->mask) != n ||
		    b->tag[s] != table_tag(t->item[item].hash))
			return NONE;
		met++;
	}
	if (b->more && met < TABLE_SLOTS)
		return NONE;
	for (uint32_t i = b->more - 1; i != NONE; i = t->item[i].next - CHAINED - 1) {
		/* more steps than items: a chain that runs in a circle */
		if (i >= t->capacity || (t->item[i].hash & t->mask) != n || met++ == t->count)
			return NONE;
	}
	return met;
}

bool table_valid(const struct table *t)
{
	uint32_t in = 0, met = 0;
	for (uint32_t i = 0; i < t->capacity; i++)
		in += t->item[i].next != OUT;
	for (uint32_t n = 0; n <= t->mask; n++) {
		uint32_t here = bucket_items(t, n);
		if (here == NONE)
			return false;
		met += here;
	}
	return met == in && in == t->count;
}
