/* SPDX-License-Identifier: ISC */
/*
 * compiled.c: judges a tuple by a compiled rule set.
 */
#include "compiled.h"

static const struct compiled_key6 *keys6(const struct compiled *c)
{
	return (const void *)(c + 1);
}

/* The prefixes that are searched: of one source, or all there are. */
struct part {
	const struct compiled_node *root;
	const uint32_t *key4;
	uint32_t count4;
};

static struct part all_of(const struct compiled *c)
{
	return (struct part){ compiled_nodes(c), (const void *)((const uint8_t *)c + c->key4_at), c->count4 };
}

/* Index of the last key at or before this one, NONE when all are behind it. */
static inline __attribute__((always_inline)) uint32_t last4(const struct part *p, uint32_t key)
{
	const uint32_t *keys = p->key4;
	uint32_t count = p->count4, at = 0;
	if (count == 0 || keys[0] > key)
		return NONE;
	while (count > 1) {
		uint32_t half = count / 2;
		at = keys[at + half] <= key ? at + half : at;
		count -= half;
	}
	return at;
}

static bool is_at_or_before(struct compiled_key6 a, struct compiled_key6 b)
{
	return a.high < b.high || (a.high == b.high && a.low <= b.low);
}

static uint32_t last6(const struct compiled *c, struct compiled_key6 key)
{
	const struct compiled_key6 *keys = keys6(c);
	uint32_t count = c->count6, at = 0;
	if (count == 0 || !is_at_or_before(keys[0], key))
		return NONE;
	while (count > 1) {
		uint32_t half = count / 2;
		at = is_at_or_before(keys[at + half], key) ? at + half : at;
		count -= half;
	}
	return at;
}

/* The narrowest prefix that holds the destination: a node. */
static inline __attribute__((always_inline)) uint32_t narrowest4(const struct part *p, uint32_t dst)
{
	uint32_t at = last4(p, dst) + 1; /* none: the root */
	while (at > 0 && (uint64_t)(p->key4[at - 1] ^ dst) >> (32 - p->root[at].bits))
		at = p->root[at].parent;
	return at;
}

static bool differ(struct compiled_key6 a, struct compiled_key6 b, uint32_t bits)
{
	if (bits <= 64)
		return bits > 0 && (a.high ^ b.high) >> (64 - bits);
	return a.high != b.high || (a.low ^ b.low) >> (128 - bits);
}

static uint32_t narrowest6(const struct compiled *c, struct compiled_key6 dst)
{
	const struct compiled_key6 *keys = keys6(c);
	const struct compiled_node *node = compiled_nodes(c);
	uint32_t last = last6(c, dst);
	uint32_t at = last == NONE ? 0 : c->count4 + 1 + last;
	while (at > 0 && differ(keys[at - 1 - c->count4], dst, node[at].bits))
		at = node[at].parent;
	return at;
}

/* The first rule for this key on the way from a node up to the root, if it comes before `first`. */
static uint32_t climb(const struct compiled *c, const struct compiled_node *nodes, uint32_t from, enum compiled_map map,
		      uint32_t key, uint32_t first)
{
	const struct compiled_node *node = &nodes[from];
	while (node->best < first) {
		uint32_t rule = node->all;
		if (map != MAP_COUNT && node->count[map] > 0) {
			uint32_t cells = node->cells;
			for (uint32_t m = 0; m < map; m++)
				cells += node->count[m];
			const struct compiled_cell *cell = compiled_cells(c) + cells;
			rule = cell[compiled_cell_of(cell, node->count[map], key)].rule;
		}
		if (rule < first)
			first = rule;
		if (node == nodes)
			break;
		node = &nodes[node->parent];
	}
	return first;
}

/* Of these prefixes the rule that decides, if it comes before `first`. */
static inline __attribute__((always_inline)) uint32_t judge(const struct compiled *c, const struct part *p,
							    const struct tuple *t, bool to_dns, uint32_t first)
{
	uint32_t from = ip_is_v4(t->dst) ? narrowest4(p, be32_get(ip_to_v4(t->dst)))
					 : narrowest6(c, compiled_key6_of(t->dst));
	enum compiled_map map = MAP_COUNT;
	uint32_t key = 0;
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP) {
		map = t->proto == PROTO_TCP ? MAP_TCP : MAP_UDP;
		key = t->dport;
	} else if (t->proto == PROTO_ICMP || t->proto == PROTO_ICMPV6) {
		map = MAP_MARKS;
		key = t->kind + (t->proto == PROTO_ICMP ? (uint32_t)MARK_ICMP : (uint32_t)MARK_ICMPV6);
	}
	first = climb(c, p->root, from, map, key, first);
	if (to_dns && map != MAP_MARKS && map != MAP_COUNT)
		first = climb(c, p->root, from, MAP_MARKS, map == MAP_TCP ? MARK_DNS_TCP : MARK_DNS_UDP, first);
	return first;
}

/* --- by source ------------------------------------------------------------------- */

static const struct compiled_source *sources(const struct compiled *c)
{
	return (const void *)((const uint8_t *)c + c->source_at);
}

static struct part part_of(const struct compiled *c, uint32_t source)
{
	const struct compiled_source *s = sources(c);
	const struct part all = all_of(c);
	uint32_t end = source + 1 < c->sources ? s[source + 1].root : c->sources + c->count4, root = s[source].root;
	/* each of the sources before has a node without a key */
	return (struct part){ all.root + root, all.key4 + (root - source), end - root - 1 };
}

/* The narrowest source that holds the address. */
static uint32_t source_of(const struct compiled *c, uint32_t src)
{
	const struct compiled_source *s = sources(c);
	uint32_t count = c->sources, at = 0;
	while (count > 1) {
		uint32_t half = count / 2;
		at = s[at + half].key <= src ? at + half : at;
		count -= half;
	}
	while (at > 0 && (uint64_t)(s[at].key ^ src) >> (32 - s[at].bits))
		at = s[at].parent;
	return at;
}

static __attribute__((noinline)) uint32_t judge_by_source(const struct compiled *c, const struct tuple *t, bool to_dns)
{
	const struct compiled_source *s = sources(c);
	uint32_t first = COMPILED_NO_RULE;
	if (!ip_is_v4(t->src))
		return first;
	for (uint32_t at = source_of(c, be32_get(ip_to_v4(t->src))); s[at].best < first; at = s[at].parent) {
		const struct part p = part_of(c, at);
		first = judge(c, &p, t, to_dns, first);
		if (at == 0)
			break;
	}
	return first;
}

uint32_t compiled_judge(const struct compiled *c, const struct tuple *t, bool to_dns)
{
	if (c->sources)
		return judge_by_source(c, t, to_dns);
	const struct part p = all_of(c);
	return judge(c, &p, t, to_dns, COMPILED_NO_RULE);
}
