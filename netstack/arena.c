/* SPDX-License-Identifier: ISC */
/*
 * arena.c: takes from the front, at the next cache line.
 */
#include "arena.h"

enum { LINE_BYTES = 64 };

void *arena_take_raw(struct arena *a, size_t n, size_t size)
{
	size_t pad = -(uintptr_t)a->at % LINE_BYTES;
	if (pad > a->left)
		return NULL;
	size_t left = a->left - pad;
	if (size > 0 && n > left / size)
		return NULL;
	uint8_t *at = a->at + pad;
	size_t bytes = n * size;
	*a = (struct arena){ at + bytes, left - bytes };
	return at;
}

void *arena_take(struct arena *a, size_t n, size_t size)
{
	void *at = arena_take_raw(a, n, size);
	if (at)
		memset(at, 0, n * size);
	return at;
}
