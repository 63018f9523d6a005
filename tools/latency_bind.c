// SPDX-License-Identifier: ISC
/* Keeps which flow of one capture is which of the other. */
#include <stdlib.h>

#include "latency_bind.h"

/* A learned binding that has not been used for so long may have been given to another flow. */
static const uint64_t stale_ns = 2000000000;
/* A SYN sent again is not a new flow; one that comes later than this is. */
static const uint64_t fresh_ns = 500000000;
enum { PROBES = 8 };

bool latency_binds_init(struct latency_binds *t, unsigned bits)
{
	t->mask = (1ull << bits) - 1;
	t->by_a = calloc(t->mask + 1, sizeof(*t->by_a));
	t->by_b = calloc(t->mask + 1, sizeof(*t->by_b));
	return t->by_a && t->by_b;
}

void latency_binds_free(struct latency_binds *t)
{
	free(t->by_a);
	free(t->by_b);
}

static struct latency_bind *find_a(const struct latency_binds *t, uint64_t a)
{
	for (uint64_t i = 0; i < PROBES; i++) {
		struct latency_bind *s = &t->by_a[(a + i) & t->mask];
		if (s->a == a)
			return s;
	}
	return NULL;
}

static struct latency_bind *find_b(const struct latency_binds *t, uint64_t b)
{
	for (uint64_t i = 0; i < PROBES; i++)
		if (t->by_b[(b + i) & t->mask].b == b) {
			struct latency_bind *s = find_a(t, t->by_b[(b + i) & t->mask].a);
			return s && s->b == b ? s : NULL; /* overwritten, or bound anew */
		}
	return NULL;
}

static struct latency_bind *put(struct latency_binds *t, uint64_t a, uint64_t b, uint64_t ns, bool told)
{
	struct latency_bind *s = find_a(t, a);
	uint64_t at = b & t->mask;
	for (uint64_t i = 0; !s && i < PROBES; i++)
		if (!t->by_a[(a + i) & t->mask].a)
			s = &t->by_a[(a + i) & t->mask];
	for (uint64_t i = 0; !s && i < PROBES; i++)
		if (!t->by_a[(a + i) & t->mask].told)
			s = &t->by_a[(a + i) & t->mask];
	if (!s)
		return NULL;
	for (uint64_t i = 0; i < PROBES; i++) {
		uint64_t old = t->by_b[(b + i) & t->mask].b;
		if (old && old != b && i + 1 < PROBES)
			continue;
		at = (b + i) & t->mask;
		break;
	}
	t->by_b[at].b = b;
	t->by_b[at].a = a;
	*s = (struct latency_bind){ .a = a, .b = b, .used_ns = ns, .told = told };
	return s;
}

bool latency_bind_keep(struct latency_binds *t, uint64_t a, uint64_t b)
{
	return put(t, a, b, 0, true);
}

static bool holds(const struct latency_bind *s, uint64_t ns)
{
	return s && (s->told || ns < s->used_ns || ns - s->used_ns <= stale_ns);
}

enum latency_bound latency_bind_ask(const struct latency_binds *t, uint64_t a, uint64_t b, uint64_t ns)
{
	const struct latency_bind *x = find_a(t, a);
	if (x && x->b == b)
		return LATENCY_BIND_SAME;
	return holds(x, ns) || holds(find_b(t, b), ns) ? LATENCY_BIND_OTHER : LATENCY_BIND_UNKNOWN;
}

struct latency_bind *latency_bind_learn(struct latency_binds *t, uint64_t a, uint64_t b, uint64_t ns, bool sure)
{
	struct latency_bind *s = find_a(t, a);
	if (s && s->b == b) {
		s->used_ns = ns;
		return s;
	}
	return sure ? put(t, a, b, ns, false) : NULL;
}

void latency_bind_forget(struct latency_binds *t, uint64_t flow, bool at_a, uint64_t ns)
{
	struct latency_bind *s = at_a ? find_a(t, flow) : find_b(t, flow);
	if (s && !s->told && ns > s->used_ns && ns - s->used_ns > fresh_ns)
		s->b = 0;
}
