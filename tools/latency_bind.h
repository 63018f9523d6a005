/* SPDX-License-Identifier: ISC */
/*
 * latency_bind.h: which flow at A is which at B: learned from matches, or told.
 *
 * Flows are latency_flow_hash() numbers. Of fixed size: where there is no room, the older is overwritten,
 * unless it was told.
 */
#ifndef LATENCY_BIND_H
#define LATENCY_BIND_H

#include <stdbool.h>
#include <stdint.h>

enum latency_bound { LATENCY_BIND_UNKNOWN, LATENCY_BIND_SAME, LATENCY_BIND_OTHER };

struct latency_bind {
	uint64_t a, b; /* 0: none */
	uint64_t used_ns;
	uint64_t sent[2]; /* per way: order of the latest matched */
	bool told;
};

struct latency_binds {
	struct latency_bind *by_a; /* owned */
	struct {
		uint64_t b, a;
	} *by_b; /* owned; the way back to by_a */
	uint64_t mask;
};

bool latency_binds_init(struct latency_binds *, unsigned bits);
void latency_binds_free(struct latency_binds *);
bool latency_bind_keep(struct latency_binds *, uint64_t a, uint64_t b);
enum latency_bound latency_bind_ask(const struct latency_binds *, uint64_t a, uint64_t b, uint64_t ns);
/* The binding of a to b, made if `sure` and not there; NULL: none. */
struct latency_bind *latency_bind_learn(struct latency_binds *, uint64_t a, uint64_t b, uint64_t ns, bool sure);
/* The flow of that side begins anew. */
void latency_bind_forget(struct latency_binds *, uint64_t flow, bool at_a, uint64_t ns);

#endif
