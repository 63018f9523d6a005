/* SPDX-License-Identifier: ISC */
/*
 * compiler.c: makes the image of a rule set: prefixes sorted and linked to wider ones, each with its cells.
 */
#include "cells.h"

enum { WORD_BITS = 64 };
enum item_family { ITEM_ANY, ITEM_V4, ITEM_V6 };
enum { MAP_ALL = 1 << MAP_COUNT }; /* instead of maps: every protocol and key */

/* A rule's source and destination: what is sorted. An IPv4 address is the top of key.high. */
struct item {
	struct compiled_key6 key;
	uint16_t rule;
	uint8_t family : 2, src_bits : 6; /* 0 of any source */
	uint8_t bits;
	uint32_t src;
};

/* A rule's protocols and ports. */
struct shape {
	uint16_t low, high; /* keys in each of the maps */
	uint8_t maps;       /* bits: 1 << enum compiled_map, or MAP_ALL */
};

struct compiler {
	uint32_t capacity; /* fixed at creation; in rules */
	uint32_t item_capacity;
	struct item *item, *spare;
	struct shape *shape;
	struct compiled_verdict *verdict;
	struct cells cells;
	uint32_t rules, items;
	bool by_source; /* some rule is between clients */
	size_t need;
};

/* The image under construction. */
struct making {
	struct compiler *c;
	struct compiled_node *node;
	uint32_t *key4;
	struct compiled_key6 *key6;
	struct compiled_source *source; /* NULL: none */
	struct compiled_cell *cell;
	size_t used, room; /* cells made; that fit */
	uint32_t nodes, count4, roots;
	uint32_t root; /* of the source that is being made */
	uint32_t keys; /* the first of its keys */
};

_Static_assert(6 * COMPILED_ITEMS <= UINT16_MAX, "a node's first cell is 16 bits");
_Static_assert(sizeof(struct compiled_node) + sizeof(uint32_t) + sizeof(struct compiled_verdict) +
	       6 * sizeof(struct compiled_cell) == COMPILED_RULE_BYTES, "an IPv4 rule at its worst");
_Static_assert(sizeof(struct compiled) + sizeof(struct compiled_node) + COMPILED_ALIGN <= COMPILED_HEAD_BYTES,
	       "an image without rules");
_Static_assert(sizeof(struct compiled_source) + sizeof(struct compiled_node) == COMPILED_SOURCE_BYTES, "and its root");
_Static_assert(COMPILED_ITEMS + COMPILED_RULES < UINT16_MAX, "a node is 16 bits");
_Static_assert(sizeof(struct compiled) % COMPILED_ALIGN == 0, "key6 is behind it");

static uint32_t items_of(uint32_t rules)
{
	return rules + COMPILED_SPARE_ITEMS < COMPILED_ITEMS ? rules + COMPILED_SPARE_ITEMS : COMPILED_ITEMS;
}

size_t compiler_bytes(uint32_t rules)
{
	return sizeof(struct compiler) + 2 * items_of(rules) * sizeof(struct item) + rules * (sizeof(struct shape) +
	       sizeof(struct compiled_verdict)) + cells_skips(rules) * sizeof(uint16_t) + (size_t)6 * 64;
}

struct compiler *compiler_new(struct arena *arena, uint32_t rules)
{
	ensure(rules <= COMPILED_RULES);
	struct arena rest = *arena;
	struct compiler *c = arena_take(&rest, 1, sizeof(*c));
	struct item *item = arena_take_raw(&rest, items_of(rules), sizeof(*item));
	struct item *spare = arena_take_raw(&rest, items_of(rules), sizeof(*spare));
	struct shape *shape = arena_take_raw(&rest, rules, sizeof(*shape));
	struct compiled_verdict *verdict = arena_take_raw(&rest, rules, sizeof(*verdict));
	uint16_t *skip = arena_take_raw(&rest, cells_skips(rules), sizeof(*skip));
	if (!c || !item || !spare || !shape || !verdict || !skip)
		return NULL;
	c->capacity = rules;
	c->item_capacity = items_of(rules);
	c->item = item;
	c->spare = spare;
	c->shape = shape;
	c->verdict = verdict;
	c->cells.skip = skip;
	*arena = rest;
	return c;
}

void compiler_begin(struct compiler *c)
{
	c->rules = c->items = 0;
	c->by_source = false;
	c->need = COMPILED_HEAD_BYTES;
}

/* --- rules in ------------------------------------------------------------------- */

enum meaning { MEANS_NOTHING, MEANS_TUPLES, MEANS_UNKNOWN };

static uint8_t maps_of(const struct rule *r)
{
	if (!(r->flags & RULE_HAS_PROTO))
		return 1 << MAP_TCP | 1 << MAP_UDP;
	if (r->proto == PROTO_TCP)
		return 1 << MAP_TCP;
	return r->proto == PROTO_UDP ? 1 << MAP_UDP : 0;
}

static enum meaning dns_shape(const struct rule *r, struct shape *s)
{
	uint8_t maps = maps_of(r);
	bool other_ports = (r->flags & RULE_HAS_PORTS) && (r->port_lo != 53 || r->port_hi != 53);
	if (other_ports || maps == 0)
		return MEANS_NOTHING;
	s->maps = 1 << MAP_MARKS;
	s->low = maps & 1 << MAP_TCP ? MARK_DNS_TCP : MARK_DNS_UDP;
	s->high = maps & 1 << MAP_UDP ? MARK_DNS_UDP : MARK_DNS_TCP;
	return MEANS_TUPLES;
}

static enum meaning icmp_shape(const struct rule *r, struct shape *s)
{
	uint16_t base = r->proto == PROTO_ICMP ? MARK_ICMP : MARK_ICMPV6;
	bool one = r->flags & RULE_HAS_TYPE;
	s->maps = 1 << MAP_MARKS;
	s->low = (uint16_t)(base + (one ? r->icmp_type : 0));
	s->high = (uint16_t)(base + (one ? r->icmp_type : UINT8_MAX));
	return MEANS_TUPLES;
}

/* What ruleset_judge_linear says of a rule, destination aside. */
static enum meaning shape_of(const struct rule *r, struct shape *s)
{
	bool icmp = r->proto == PROTO_ICMP || r->proto == PROTO_ICMPV6;
	if (!(r->flags & RULE_HAS_PROTO))
		icmp = false;
	else if (!icmp && r->proto != PROTO_TCP && r->proto != PROTO_UDP)
		return MEANS_UNKNOWN;
	if ((r->flags & RULE_HAS_TYPE) && !icmp)
		return MEANS_UNKNOWN;
	if (r->flags & RULE_DNS)
		return dns_shape(r, s);
	if (r->flags & RULE_HAS_PORTS) {
		*s = (struct shape){ r->port_lo, r->port_hi, maps_of(r) };
		return s->maps && s->low <= s->high ? MEANS_TUPLES : MEANS_NOTHING;
	}
	if (icmp)
		return icmp_shape(r, s);
	*s = (struct shape){ 0, CELLS_KEY_MAX, r->flags & RULE_HAS_PROTO ? maps_of(r) : MAP_ALL };
	return MEANS_TUPLES;
}

static uint64_t cut64(uint64_t value, uint32_t bits)
{
	return bits == 0 ? 0 : value & UINT64_MAX << (WORD_BITS - bits);
}

static struct item item_of(struct ip_prefix dst, uint32_t rule)
{
	bool v4 = ip_is_v4(dst.addr);
	ensure(dst.len <= (v4 ? 32 : 128));
	struct item item = { .rule = (uint16_t)rule, .family = v4 ? ITEM_V4 : ITEM_V6, .bits = dst.len };
	item.key = compiled_key6_of(dst.addr);
	if (v4)
		item.key = (struct compiled_key6){ item.key.low << 32, 0 };
	item.key.low = item.bits > WORD_BITS ? cut64(item.key.low, item.bits - WORD_BITS) : 0;
	item.key.high = item.bits < WORD_BITS ? cut64(item.key.high, item.bits) : item.key.high;
	return item;
}

static bool add_item(struct compiler *c, const struct item *item)
{
	if (c->items == c->item_capacity)
		return false;
	const struct shape *shape = &c->shape[item->rule];
	c->item[c->items++] = *item;
	if (item->family != ITEM_ANY)
		c->need += sizeof(struct compiled_node) +
			   (item->family == ITEM_V4 ? sizeof(uint32_t) : sizeof(struct compiled_key6));
	for (uint32_t map = 0; map < MAP_COUNT; map++)
		if (shape->maps & 1u << map)
			c->need += 3 * sizeof(struct compiled_cell);
	return true;
}

static bool add_host(struct compiler *c, const struct host *host, uint32_t rule)
{
	for (uint32_t i = 0; i < host->count; i++) {
		struct ip_prefix one = { host->address[i], ip_is_v4(host->address[i]) ? 32 : 128 };
		struct item item = item_of(one, rule);
		if (!add_item(c, &item))
			return false;
	}
	return true;
}

bool compiler_add(struct compiler *c, const struct rule *r, const struct hosts *hosts)
{
	if (c->rules == c->capacity)
		return false;
	struct shape shape;
	const struct host *host = r->flags & RULE_HAS_HOST ? hosts_resolved(hosts, r->host) : NULL;
	enum meaning meaning = shape_of(r, &shape);
	if (meaning == MEANS_UNKNOWN)
		return false;
	/* fail closed: a name that is not resolved forbids everything and permits nothing */
	if ((r->flags & RULE_HAS_HOST) && !host && r->action == VERDICT_ACCEPT)
		meaning = MEANS_NOTHING;
	if (r->flags & RULE_VOID)
		meaning = MEANS_NOTHING;
	uint32_t rule = c->rules++;
	c->verdict[rule] = (struct compiled_verdict){ (uint16_t)(r->number | r->action << 15), r->account };
	c->need += sizeof(struct compiled_verdict);
	if (meaning == MEANS_NOTHING)
		return true;
	c->shape[rule] = shape;
	if (host)
		return add_host(c, host, rule);
	struct item everywhere = { .rule = (uint16_t)rule, .family = ITEM_ANY };
	struct item item = r->flags & RULE_HAS_DST ? item_of(r->dst, rule) : everywhere;
	if (r->kind == RULE_BETWEEN) {
		item.src = (uint32_t)(cut64((uint64_t)be32_get(r->peer) << 32, r->peer_len) >> 32);
		item.src_bits = r->peer_len;
		c->by_source = true;
		c->need += COMPILED_SOURCE_BYTES;
	}
	return add_item(c, &item);
}

size_t compiler_need(const struct compiler *c)
{
	return c->need + (c->by_source ? sizeof(struct compiled_source) : 0);
}

/* --- destinations ------------------------------------------------------------------ */

/* Wider prefixes before those inside them. */
static int compare(const struct item *a, const struct item *b)
{
	if (a->src != b->src)
		return a->src < b->src ? -1 : 1;
	if (a->src_bits != b->src_bits)
		return a->src_bits < b->src_bits ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->key.high != b->key.high)
		return a->key.high < b->key.high ? -1 : 1;
	if (a->key.low != b->key.low)
		return a->key.low < b->key.low ? -1 : 1;
	return (int)a->bits - (int)b->bits;
}

/* Stable, so that rules with one prefix stay in order. Merges runs of twice the width until one is left. */
static void sort(struct compiler *c)
{
	for (uint32_t width = 1; width < c->items; width *= 2) {
		for (uint32_t from = 0; from < c->items; from += 2 * width) {
			uint32_t middle = c->items - from > width ? from + width : c->items;
			uint32_t end = c->items - from > 2 * width ? from + 2 * width : c->items;
			uint32_t a = from, b = middle;
			for (uint32_t to = from; to < end; to++) {
				bool first = b == end || (a < middle && compare(&c->item[a], &c->item[b]) <= 0);
				c->spare[to] = c->item[first ? a++ : b++];
			}
		}
		struct item *sorted = c->spare;
		c->spare = c->item;
		c->item = sorted;
	}
}

static bool is_inside(const struct item *inner, const struct compiled_key6 *key, uint32_t bits)
{
	uint64_t high = inner->key.high ^ key->high, low = inner->key.low ^ key->low;
	return bits <= WORD_BITS ? cut64(high, bits) == 0 : high == 0 && cut64(low, bits - WORD_BITS) == 0;
}

/* The prefix before this one in the order holds it, or one of those that hold that one does. */
static uint16_t parent_of(const struct making *m, const struct item *item)
{
	uint32_t at = m->nodes - 1 - m->root;
	while (at > 0) {
		bool v4 = at <= m->count4;
		const struct compiled_node *node = &m->node[m->root + at];
		struct compiled_key6 key = { 0, 0 };
		if (v4)
			key.high = (uint64_t)m->key4[m->keys + at - 1] << 32;
		else
			key = m->key6[at - 1 - m->count4];
		if (v4 == (item->family == ITEM_V4) && is_inside(item, &key, node->bits))
			break;
		at = node->parent;
	}
	return (uint16_t)at;
}

/* --- nodes --------------------------------------------------------------------------- */

/* The cells of one map of a node, none when no rule is for this map alone. `all` takes what is left over. */
static bool make_map(struct making *m, enum compiled_map map, const struct item *item, uint32_t items,
		     struct compiled_node *node)
{
	struct cells *cells = &m->c->cells;
	uint32_t bit = 1u << map;
	bool any = false;
	node->count[map] = 0;
	for (uint32_t i = 0; i < items; i++) {
		const struct shape *s = &m->c->shape[item[i].rule];
		if (s->maps & bit) {
			cells_mark(cells, s->low, s->high);
			any = true;
		}
	}
	if (!any)
		return true;
	if (!cells_cut(cells, m->cell + m->used, m->room - m->used))
		return false;
	for (uint32_t i = 0; i < items; i++) {
		const struct shape *s = &m->c->shape[item[i].rule];
		if (s->maps & bit)
			cells_paint(cells, s->low, s->high, item[i].rule);
	}
	node->count[map] = (uint16_t)cells_merge(cells, node->all);
	m->used += node->count[map];
	return true;
}

/* A node from its rules, which are in order. */
static bool make_node(struct making *m, struct compiled_node *node, const struct item *item, uint32_t items)
{
	node->cells = (uint16_t)m->used;
	node->all = COMPILED_NO_RULE;
	node->best = items > 0 ? item->rule : COMPILED_NO_RULE;
	if (node != &m->node[m->root] && m->node[m->root + node->parent].best < node->best)
		node->best = m->node[m->root + node->parent].best;
	for (uint32_t i = 0; i < items; i++) {
		if (m->c->shape[item[i].rule].maps == MAP_ALL) {
			node->all = item[i].rule;
			items = i; /* nothing behind it can come first */
		}
	}
	return make_map(m, MAP_TCP, item, items, node) && make_map(m, MAP_UDP, item, items, node) &&
	       make_map(m, MAP_MARKS, item, items, node);
}

/* --- the image ------------------------------------------------------------------------ */

/* Where this item's prefix ends in the order. */
static uint32_t group_end(const struct compiler *c, uint32_t from)
{
	uint32_t end = from + 1;
	while (end < c->items && compare(&c->item[from], &c->item[end]) == 0)
		end++;
	return end;
}

static bool same_source(const struct item *a, const struct item *b)
{
	return a->src == b->src && a->src_bits == b->src_bits;
}

/* The fixed parts' places; false: they do not fit. */
static bool lay_out(struct making *m, struct compiled *image, size_t room)
{
	const struct compiler *c = m->c;
	*image = (struct compiled){ .count4 = 0 };
	m->roots = 1;
	for (uint32_t i = 0; i < c->items; i = group_end(c, i)) {
		image->count4 += c->item[i].family == ITEM_V4;
		image->count6 += c->item[i].family == ITEM_V6;
		m->roots += c->item[i].src_bits > 0 && (i == 0 || !same_source(&c->item[i - 1], &c->item[i]));
	}
	image->sources = c->by_source ? m->roots : 0;
	size_t at = sizeof(*image) + image->count6 * sizeof(struct compiled_key6);
	image->node_at = (uint32_t)at;
	at += (m->roots + image->count4 + image->count6) * sizeof(struct compiled_node);
	image->key4_at = (uint32_t)at;
	at += image->count4 * sizeof(uint32_t);
	image->verdict_at = (uint32_t)at;
	at += c->rules * sizeof(struct compiled_verdict);
	image->source_at = (uint32_t)at;
	at += image->sources * sizeof(struct compiled_source);
	image->cell_at = (uint32_t)at;
	if (at > room)
		return false;
	uint8_t *base = (uint8_t *)image;
	m->key6 = (void *)(image + 1);
	m->node = (void *)(base + image->node_at);
	m->key4 = (void *)(base + image->key4_at);
	m->source = image->sources ? (void *)(base + image->source_at) : NULL;
	m->cell = (void *)(base + image->cell_at);
	m->room = (room - at) / sizeof(struct compiled_cell);
	m->count4 = image->count4;
	memcpy(base + image->verdict_at, c->verdict, c->rules * sizeof(struct compiled_verdict));
	return true;
}

/* A root from the items of one source, and a node for each of its prefixes. `number` roots were made before. */
static bool make_root(struct making *m, uint32_t number, uint32_t from, uint32_t end)
{
	const struct compiler *c = m->c;
	/* first in the order when there are rules for it */
	uint32_t behind = from < end && c->item[from].family == ITEM_ANY ? group_end(c, from) : from;
	m->root = m->nodes++;
	m->keys = m->root - number;
	m->node[m->root] = (struct compiled_node){ .parent = 0 };
	if (!make_node(m, &m->node[m->root], &c->item[from], behind - from))
		return false;
	for (uint32_t i = behind; i < end; i = behind) {
		const struct item *item = &c->item[i];
		struct compiled_node *node = &m->node[m->nodes];
		uint32_t at = m->nodes - m->root - 1;
		behind = group_end(c, i);
		*node = (struct compiled_node){ .parent = parent_of(m, item), .bits = item->bits };
		if (item->family == ITEM_V4)
			m->key4[m->keys + at] = (uint32_t)(item->key.high >> 32);
		else
			m->key6[at - m->count4] = item->key;
		m->nodes++;
		if (!make_node(m, node, item, behind - i))
			return false;
	}
	return true;
}

/* The source before this one in the order holds it, or one of those that hold that one does. */
static uint16_t wider_source(const struct making *m, uint32_t number, uint32_t key)
{
	uint32_t at = number - 1;
	while (at > 0 && cut64((uint64_t)(m->source[at].key ^ key) << 32, m->source[at].bits))
		at = m->source[at].parent;
	return (uint16_t)at;
}

static bool make_sources(struct making *m)
{
	static const struct item any = { .rule = 0 };
	const struct item *item = m->c->item;
	uint32_t from = 0, end = 0;
	for (uint32_t n = 0; n < m->roots; n++, from = end) {
		const struct item *this = n == 0 ? &any : &item[from];
		struct compiled_source *s = &m->source[n];
		*s = (struct compiled_source){ this->src, (uint16_t)m->nodes, 0, COMPILED_NO_RULE, this->src_bits };
		if (n > 0) {
			s->parent = wider_source(m, n, this->src);
			s->best = m->source[s->parent].best;
		}
		for (; end < m->c->items && same_source(&item[end], this); end++)
			s->best = item[end].rule < s->best ? item[end].rule : s->best;
		if (!make_root(m, n, from, end))
			return false;
	}
	return true;
}

size_t compiler_finish(struct compiler *c, void *at, size_t room)
{
	struct making m = { .c = c };
	ensure((uintptr_t)at % COMPILED_ALIGN == 0);
	room -= room % COMPILED_ALIGN;
	if (room < COMPILED_HEAD_BYTES)
		return 0;
	sort(c);
	if (!lay_out(&m, at, room))
		return 0;
	if (!(m.source ? make_sources(&m) : make_root(&m, 0, 0, c->items)))
		return 0;
	size_t bytes = ((const struct compiled *)at)->cell_at + m.used * sizeof(struct compiled_cell);
	return (bytes + COMPILED_ALIGN - 1) / COMPILED_ALIGN * COMPILED_ALIGN;
}
