/* SPDX-License-Identifier: ISC */
/*
 * queue.c: doubly linked by item number, so that any item leaves in one step.
 */
#include "queue.h"

void queue_push(struct queue *q, struct link *links, uint32_t item)
{
	links[item] = (struct link){ q->tail, NONE };
	if (q->tail == NONE) {
		q->head = item;
	} else {
		ensure(links[q->tail].next == NONE && q->tail != item);
		links[q->tail].next = item;
	}
	q->tail = item;
	q->count++;
}

void queue_remove(struct queue *q, struct link *links, uint32_t item)
{
	struct link l = links[item];
	/* An item of no queue, or of another one, shows at its neighbours. */
	ensure(q->count > 0);
	ensure((l.prev == NONE ? q->head : links[l.prev].next) == item);
	ensure((l.next == NONE ? q->tail : links[l.next].prev) == item);
	if (l.prev == NONE)
		q->head = l.next;
	else
		links[l.prev].next = l.next;
	if (l.next == NONE)
		q->tail = l.prev;
	else
		links[l.next].prev = l.prev;
	links[item] = (struct link){ NONE, NONE };
	q->count--;
}

uint32_t queue_pop(struct queue *q, struct link *links)
{
	uint32_t item = q->head;
	if (item != NONE)
		queue_remove(q, links, item);
	return item;
}
