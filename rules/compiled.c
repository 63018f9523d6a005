/* SPDX-License-Identifier: ISC */
/*
 * compiled.c: judges a tuple by a compiled rule set.
 */
#include "compiled.h"

static const struct compiled_key6 *keys6(const struct compiled *c)
{
	return (const void *)(c + 1);
}

/* Index of the last key at or before this one, NONE when all are behind it. */
static uint32_t last4(const struct compiled *c, uint32_t key)
{
	const uint32_t *keys = (const void *)((const uint8_t *)c + c->key4_at);
	uint32_t count = c->count4, at = 0;
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
static uint32_t narrowest4(const struct compiled *c, uint32_t dst)
{
	const uint32_t *keys = (const void *)((const uint8_t *)c + c->key4_at);
	const struct compiled_node *node = compiled_nodes(c);
	uint32_t at = last4(c, dst) + 1; /* none: the root */
	while (at > 0 && (uint64_t)(keys[at - 1] ^ dst) >> (32 - node[at].bits))
		at = node[at].parent;
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
static uint32_t climb(const struct compiled *c, uint32_t from, enum compiled_map map, uint32_t key, uint32_t first)
{
	const struct compiled_node *nodes = compiled_nodes(c), *node = &nodes[from];
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

const struct compiled_verdict *compiled_judge(const struct compiled *c, const struct tuple *t, bool to_dns)
{
	uint32_t from = ip_is_v4(t->dst) ? narrowest4(c, be32_get(ip_to_v4(t->dst)))
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
	uint32_t first = climb(c, from, map, key, COMPILED_NO_RULE);
	if (to_dns && map != MAP_MARKS && map != MAP_COUNT)
		first = climb(c, from, MAP_MARKS, map == MAP_TCP ? MARK_DNS_TCP : MARK_DNS_UDP, first);
	if (first == COMPILED_NO_RULE)
		return NULL;
	const struct compiled_verdict *verdict = (const void *)((const uint8_t *)c + c->verdict_at);
	return &verdict[first];
}
