/* SPDX-License-Identifier: ISC */
/*
 * cells.c: cuts keys where ranges begin and end, and paints each cell once.
 *
 * Marks are a bitmap with a bitmap of its words, so that a few are found as fast
 * as they are few and all come out sorted. A painted cell's skip leads to a later
 * cell, and paths are halved as they are followed: painting n ranges in order
 * costs little more than n searches, however they overlap.
 */
#include "cells.h"

enum { WORD_BITS = 64 };

static void mark(struct cells *c, uint32_t key)
{
	uint32_t w = key / WORD_BITS;
	c->mark[w] |= UINT64_C(1) << key % WORD_BITS;
	c->word[w / WORD_BITS] |= UINT64_C(1) << w % WORD_BITS;
}

void cells_mark(struct cells *c, uint32_t low, uint32_t high)
{
	mark(c, low);
	if (high < CELLS_KEY_MAX)
		mark(c, high + 1);
}

bool cells_cut(struct cells *c, struct compiled_cell *cell, size_t room)
{
	uint32_t n = 0;
	mark(c, 0);
	for (uint32_t i = 0; i < array_len(c->word); i++) {
		for (; c->word[i]; c->word[i] &= c->word[i] - 1) {
			uint32_t w = i * WORD_BITS + (uint32_t)__builtin_ctzll(c->word[i]);
			for (; c->mark[w]; c->mark[w] &= c->mark[w] - 1, n++) {
				uint32_t key = w * WORD_BITS + (uint32_t)__builtin_ctzll(c->mark[w]);
				if (n < room)
					cell[n] = (struct compiled_cell){ (uint16_t)key, COMPILED_NO_RULE };
			}
		}
	}
	if (n > room)
		return false;
	for (uint32_t i = 0; i <= n; i++)
		c->skip[i] = (uint16_t)i;
	c->cell = cell;
	c->count = n;
	return true;
}

/* The first cell from here on that is not painted, or count. */
static uint32_t unpainted(uint16_t *skip, uint32_t at)
{
	while (skip[at] != at) {
		skip[at] = skip[skip[at]];
		at = skip[at];
	}
	return at;
}

void cells_paint(struct cells *c, uint32_t low, uint32_t high, uint16_t rule)
{
	uint32_t at = unpainted(c->skip, compiled_cell_of(c->cell, c->count, low));
	while (at < c->count && c->cell[at].start <= high) {
		c->cell[at].rule = rule;
		c->skip[at] = (uint16_t)(at + 1);
		at = unpainted(c->skip, at + 1);
	}
}

uint32_t cells_merge(struct cells *c, uint16_t rest)
{
	struct compiled_cell *cell = c->cell;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		uint16_t rule = cell[i].rule == COMPILED_NO_RULE ? rest : cell[i].rule;
		if (kept == 0 || cell[kept - 1].rule != rule)
			cell[kept++] = (struct compiled_cell){ cell[i].start, rule };
	}
	return kept;
}
