/* SPDX-License-Identifier: ISC */
/*
 * blocks.h: what an operator stops at once, whatever the rules say: one client, or everything.
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "addr.h"
#include "drop.h"
#include "packet.h"

enum { BLOCKS_MAX = 1024 };

/* Starts as zeros. */
struct blocks {
	bool any;  /* the rest need not be looked at otherwise */
	bool panic;
	uint32_t count;
	struct ip_addr isolated[BLOCKS_MAX]; /* ascending */
};

/* DROP_NONE: nothing stops a flow between these; a client is the one or the other end. */
enum drop blocks_judge(const struct blocks *, const struct tuple *);
bool blocks_isolates(const struct blocks *, struct ip_addr);
/* false: nothing changed; or, on, there is no room. */
bool blocks_isolate(struct blocks *, struct ip_addr, bool on);
bool blocks_set_panic(struct blocks *, bool on);
bool blocks_same(const struct blocks *, const struct blocks *);

#endif
