/* SPDX-License-Identifier: ISC */
/*
 * cells.h: which of some overlapping ranges of keys, in order, comes first for
 * each key. First cells_mark for every range, then cells_cut, then cells_paint
 * for every range in order, then cells_merge.
 */
#ifndef CELLS_H
#define CELLS_H

#include "compiled.h"

enum { CELLS_KEY_MAX = 0xffff, CELLS_WORDS = (CELLS_KEY_MAX + 1) / 64 };

/* Starts as zeros but for skip, and is so again after each cells_cut. */
struct cells {
	uint16_t *skip;                   /* fixed at creation; from a painted cell towards the next that is not */
	uint64_t mark[CELLS_WORDS];       /* keys where a cell starts */
	uint64_t word[CELLS_WORDS / 64];  /* words of mark that are not 0 */
	struct compiled_cell *cell;       /* being painted */
	uint32_t count;
};

/* Entries of skip for so many ranges: their cells, and the end. */
static inline size_t cells_skips(uint32_t ranges)
{
	return (size_t)2 * ranges + 2;
}

void cells_mark(struct cells *, uint32_t low, uint32_t high);
/* Takes the marks and makes the cells there; false: they do not fit. */
bool cells_cut(struct cells *, struct compiled_cell *, size_t room);
/* The cells of a marked range that nobody painted before are this rule's. */
void cells_paint(struct cells *, uint32_t low, uint32_t high, uint16_t rule);
/* What is unpainted goes to `rest`, neighbours of one rule become one; how many are left. */
uint32_t cells_merge(struct cells *, uint16_t rest);

#endif
