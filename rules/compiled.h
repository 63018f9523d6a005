/* SPDX-License-Identifier: ISC */
/*
 * compiled.h: a rule set as an image whose judging cost does not grow with it.
 *
 * Destinations: the distinct prefixes of the set, sorted, each with the next
 * wider one that holds it as its parent; the root stands for rules without a
 * destination. A tuple finds the last prefix at or before its destination by
 * halving and climbs from there: every prefix that holds the destination lies on
 * that way. Ports: each prefix keeps, for its own rules, cells of neighbouring
 * ports that the same rule decides; the cell of a port is found by halving.
 *
 * Judging n rules: one search among at most n prefixes, and at most 34 (IPv4) or
 * 130 (IPv6) prefixes climbed, each with one search among at most 2m + 1 cells
 * of its m rules; a climb ends as soon as nothing wider can come first.
 * A name is each of its addresses as a prefix, all of the one rule.
 * Rules between clients have a source, too: the distinct sources are found and
 * climbed as destinations are, and each has a root and prefixes of its own, of
 * its own rules. At most 33 sources are climbed, however many rules there are.
 * An image takes at most COMPILED_RULE_BYTES a rule, however the rules overlap
 * (for IPv6 12 more in the worst case), and as much for each address of a name
 * beyond the first; for each source beyond the first COMPILED_SOURCE_BYTES. It has no pointers: it can be moved.
 */
#ifndef COMPILED_H
#define COMPILED_H

#include "arena.h"
#include "hosts.h"
#include "packet.h"
#include "rule.h"

enum {
	COMPILED_RULES = RULE_NUMBER_MAX + 1, /* most rules in an image */
	COMPILED_ITEMS = 10900,               /* most destinations: a rule has one, or those of its name */
	COMPILED_SPARE_ITEMS = 2048,          /* room for destinations beyond one a rule */
	COMPILED_ALIGN = 16,
	COMPILED_HEAD_BYTES = 64,             /* of an image without rules, rounding included */
	COMPILED_RULE_BYTES = 48,
	COMPILED_SOURCE_BYTES = 28,
};

enum { COMPILED_NO_RULE = 0xffff };

struct compiled;

struct compiled_verdict {
	uint16_t number_action; /* of the rule; enum rule_verdict in the top bit */
	uint16_t account;
};

static inline uint16_t compiled_number(const struct compiled_verdict *v)
{
	return v->number_action & INT16_MAX;
}

static inline enum rule_verdict compiled_action(const struct compiled_verdict *v)
{
	return (enum rule_verdict)(v->number_action >> 15);
}

/*
 * The rule that decides, by its place in the set: 0 is the first; COMPILED_NO_RULE: none does. to_dns: the tuple goes to
 * port 53 of a name server.
 */
uint32_t compiled_judge(const struct compiled *, const struct tuple *, bool to_dns);

/* --- making one ---------------------------------------------------------------- */

struct compiler;

/* For images of so many rules, at most COMPILED_RULES; NULL: the arena is too small. */
struct compiler *compiler_new(struct arena *, uint32_t rules);
size_t compiler_bytes(uint32_t rules);

void compiler_begin(struct compiler *);
/* In rule order. false: more rules or addresses than there is room for, or a rule that no store line can mean. */
bool compiler_add(struct compiler *, const struct rule *, const struct hosts *);
/* Bytes that the image of what was added takes at most. */
size_t compiler_need(const struct compiler *);
/* The image, at a multiple of COMPILED_ALIGN; its size, or 0 when it takes more than room. */
size_t compiler_finish(struct compiler *, void *at, size_t room);

/* --- the image, for compiled.c and compiler.c ------------------------------------ */

/* What a prefix keeps cells for. Other protocols see only rules for all of them. */
enum compiled_map { MAP_TCP, MAP_UDP, MAP_MARKS, MAP_COUNT };

/* Keys in MAP_MARKS; an ICMP type is added to its family's. */
enum compiled_mark { MARK_ICMP = 0, MARK_ICMPV6 = 256, MARK_DNS_TCP = 512, MARK_DNS_UDP = 513 };

struct compiled_key6 {
	uint64_t high, low;
};

struct compiled_node {
	uint16_t cells;  /* the first; those of the maps follow each other */
	uint16_t count[MAP_COUNT];
	uint16_t parent; /* from the root of its source on; 0: the root, which is its own */
	uint16_t all;    /* first rule for every protocol and port, or COMPILED_NO_RULE */
	uint16_t best;   /* first of all rules here and above */
	uint16_t bits;   /* of the prefix, in its family */
};

/* From this port up to the next cell's. A map's first cell starts at 0. */
struct compiled_cell {
	uint16_t start, rule;
};

/* In order. The first is any, which is its own parent. */
struct compiled_source {
	uint32_t key;
	uint16_t root;   /* its first node; then those of its prefixes */
	uint16_t parent; /* the next wider source */
	uint16_t best;   /* first of all rules here and in wider ones */
	uint16_t bits;
};

/* Behind it: key6, node (the root, then those of key4, then those of key6; source by source), key4, verdict, source, cell. */
struct compiled {
	uint32_t count4, count6; /* prefixes */
	uint32_t node_at, key4_at, verdict_at, cell_at; /* bytes from here */
	uint32_t sources; /* 0: rules have none, and there is one root */
	uint32_t source_at;
};

static inline const struct compiled_node *compiled_nodes(const struct compiled *c)
{
	return (const void *)((const uint8_t *)c + c->node_at);
}

static inline const struct compiled_verdict *compiled_verdicts(const struct compiled *c)
{
	return (const void *)((const uint8_t *)c + c->verdict_at);
}

static inline const struct compiled_cell *compiled_cells(const struct compiled *c)
{
	return (const void *)((const uint8_t *)c + c->cell_at);
}

/* Of these cells the one that holds the key. count > 0. */
static inline uint32_t compiled_cell_of(const struct compiled_cell *cell, uint32_t count, uint32_t key)
{
	uint32_t at = 0;
	while (count > 1) {
		uint32_t half = count / 2;
		at = cell[at + half].start <= key ? at + half : at;
		count -= half;
	}
	return at;
}

static inline struct compiled_key6 compiled_key6_of(struct ip_addr ip)
{
	struct compiled_key6 key = { 0, 0 };
	for (int i = 0; i < 8; i++) {
		key.high = key.high << 8 | ip.b[i];
		key.low = key.low << 8 | ip.b[i + 8];
	}
	return key;
}

#endif
