/* SPDX-License-Identifier: ISC */
/*
 * arena.h: memory handed out once, at boot, and never given back.
 */
#ifndef ARENA_H
#define ARENA_H

#include "base.h"

struct arena {
	uint8_t *at;
	size_t left;
};

/* n items of size bytes, zeroed, 64-byte aligned; NULL (arena untouched) when they do not fit. */
void *arena_take(struct arena *, size_t n, size_t size);
/* The same as it lies there, untouched: for what is written before it is read. */
void *arena_take_raw(struct arena *, size_t n, size_t size);

#endif
