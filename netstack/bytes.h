/* SPDX-License-Identifier: ISC */
/*
 * bytes.h: wire integers and the one cursor over untrusted bytes.
 *
 * A wire integer is a struct of bytes: alignment 1, no aliasing question, and
 * comparing one with an int does not compile. gcc turns get/of into one load
 * and a byte swap.
 */
#ifndef BYTES_H
#define BYTES_H

#include "base.h"

typedef struct { uint8_t b[2]; } be16;
typedef struct { uint8_t b[4]; } be32;

static inline uint16_t be16_get(be16 v)
{
	return (uint16_t)(v.b[0] << 8 | v.b[1]);
}

static inline be16 be16_of(uint16_t v)
{
	return (be16){ { (uint8_t)(v >> 8), (uint8_t)v } };
}

static inline uint32_t be32_get(be32 v)
{
	return (uint32_t)v.b[0] << 24 | (uint32_t)v.b[1] << 16 | (uint32_t)v.b[2] << 8 | v.b[3];
}

static inline be32 be32_of(uint32_t v)
{
	return (be32){ { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v } };
}

/* What is left to read: at[0..left). No other pointer arithmetic on input. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

static inline struct cursor cursor_of(const void *bytes, size_t len)
{
	return (struct cursor){ bytes, len };
}

/* The next n bytes, or NULL and the cursor untouched when fewer are left. */
static inline const uint8_t *take(struct cursor *c, size_t n)
{
	if (n > c->left)
		return NULL;
	const uint8_t *at = c->at;
	c->at += n;
	c->left -= n;
	return at;
}

/* Splits the next n bytes off as a cursor of their own. */
static inline bool carve(struct cursor *c, size_t n, struct cursor *part)
{
	const uint8_t *at = take(c, n);
	if (!at)
		return false;
	*part = (struct cursor){ at, n };
	return true;
}

static inline bool get_u8(struct cursor *c, uint8_t *v)
{
	const uint8_t *at = take(c, 1);
	if (!at)
		return false;
	*v = at[0];
	return true;
}

static inline bool get_be16(struct cursor *c, uint16_t *v)
{
	const uint8_t *at = take(c, 2);
	if (!at)
		return false;
	*v = (uint16_t)(at[0] << 8 | at[1]);
	return true;
}

static inline bool get_be32(struct cursor *c, uint32_t *v)
{
	const uint8_t *at = take(c, 4);
	if (!at)
		return false;
	*v = be32_get((be32){ { at[0], at[1], at[2], at[3] } });
	return true;
}

#endif
