/* SPDX-License-Identifier: ISC */
/*
 * blocks.c: a sorted array of addresses: few, and asked for by packets that open flows.
 */
#include "blocks.h"

/* Where it is, or belongs. */
static uint32_t place_of(const struct blocks *b, struct ip_addr ip)
{
	uint32_t low = 0, high = b->count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (memcmp(b->isolated[middle].b, ip.b, sizeof(ip.b)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool blocks_isolates(const struct blocks *b, struct ip_addr ip)
{
	uint32_t at = place_of(b, ip);
	return at < b->count && ip_eq(b->isolated[at], ip);
}

enum drop blocks_judge(const struct blocks *b, const struct tuple *t)
{
	if (b->panic)
		return DROP_PANIC;
	return b->count && (blocks_isolates(b, t->src) || blocks_isolates(b, t->dst)) ? DROP_ISOLATED : DROP_NONE;
}

bool blocks_isolate(struct blocks *b, struct ip_addr ip, bool on)
{
	uint32_t at = place_of(b, ip);
	bool is = at < b->count && ip_eq(b->isolated[at], ip);
	if (is == on || (on && b->count == BLOCKS_MAX))
		return false;
	size_t behind = b->count - at;
	if (on) {
		memmove(&b->isolated[at + 1], &b->isolated[at], behind * sizeof(b->isolated[0]));
		b->isolated[at] = ip;
		b->count++;
	} else {
		memmove(&b->isolated[at], &b->isolated[at + 1], (behind - 1) * sizeof(b->isolated[0]));
		b->count--;
	}
	b->any = b->panic || b->count;
	return true;
}

bool blocks_set_panic(struct blocks *b, bool on)
{
	bool changes = b->panic != on;
	b->panic = on;
	b->any = b->panic || b->count;
	return changes;
}

bool blocks_same(const struct blocks *a, const struct blocks *b)
{
	return a->panic == b->panic && a->count == b->count &&
	       !memcmp(a->isolated, b->isolated, a->count * sizeof(a->isolated[0]));
}
