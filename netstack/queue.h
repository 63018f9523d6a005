/* SPDX-License-Identifier: ISC */
/*
 * queue.h: items in order of their last touch, and free lists. One expiry
 * queue per timeout class: touch moves to the tail, expiry pops the head. An
 * item stands in at most one queue of its `links` array at a time.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "arena.h"

struct link { uint32_t prev, next; };

struct queue {
	uint32_t head, tail; /* NONE when empty */
	uint32_t count;
};

static inline void queue_init(struct queue *q) { *q = (struct queue){ NONE, NONE, 0 }; }
void queue_push(struct queue *, struct link *links, uint32_t item);   /* at the tail */
void queue_remove(struct queue *, struct link *links, uint32_t item); /* item is in this queue */
uint32_t queue_pop(struct queue *, struct link *links);               /* the head, or NONE */
static inline uint32_t queue_after(const struct link *links, uint32_t item) { return links[item].next; }

#endif
