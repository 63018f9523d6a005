/* SPDX-License-Identifier: ISC */
/*
 * limit.h: a token bucket.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include "base.h"

struct limit {
	uint64_t per_token_ns; /* fixed: one token grows in this time */
	uint32_t burst;        /* fixed: tokens it can hold, >= 1 */
	uint32_t tokens;
	uint64_t stamp_ns;
	uint64_t suppressed;   /* refused since the last limit_allows that said yes */
};

/* Full at `now`. */
struct limit limit_of(uint32_t per_second, uint32_t burst, uint64_t now_ns);
/* Takes a token if there is one. A clock that stands or steps back grants nothing extra. */
bool limit_allows(struct limit *, uint64_t now_ns);

#endif
