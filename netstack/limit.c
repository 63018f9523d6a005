/* SPDX-License-Identifier: ISC */
/*
 * limit.c: tokens grow with the time since `stamp_ns`, in whole tokens; the
 * rest of the time stays on the stamp, so that nothing is lost to rounding.
 */
#include "limit.h"

enum { SECOND_NS = 1000000000 };

struct limit limit_of(uint32_t per_second, uint32_t burst, uint64_t now_ns)
{
	uint64_t per_token = per_second ? SECOND_NS / per_second : UINT64_MAX;
	struct limit l = {
		.per_token_ns = per_token ? per_token : 1,
		.burst = burst ? burst : 1,
		.stamp_ns = now_ns,
	};
	l.tokens = l.burst;
	return l;
}

static void grow(struct limit *l, uint64_t now_ns)
{
	if (now_ns <= l->stamp_ns)
		return;
	uint64_t grown = (now_ns - l->stamp_ns) / l->per_token_ns;
	if (grown >= l->burst - l->tokens) {
		l->tokens = l->burst;
		l->stamp_ns = now_ns;
	} else {
		l->tokens += (uint32_t)grown;
		l->stamp_ns += grown * l->per_token_ns;
	}
}

bool limit_allows(struct limit *l, uint64_t now_ns)
{
	grow(l, now_ns);
	if (l->tokens == 0) {
		l->suppressed++;
		return false;
	}
	l->tokens--;
	l->suppressed = 0;
	return true;
}
