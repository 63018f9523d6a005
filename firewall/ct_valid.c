/* SPDX-License-Identifier: ISC */
/* ct_valid.c: every invariant of the flows' tables, for tests and fuzzers. */
#include "ct_slots.h"

/* Flows in the queue, or NONE when its links or order are broken. */
static uint32_t queue_walk(const struct ct *ct, const struct queue *q, const struct link *links)
{
	uint32_t n = 0;
	uint64_t last = 0;
	for (uint32_t i = q->head; i != NONE; i = queue_after(links, i)) {
		if (i >= ct->capacity || n++ == q->count || ct->flow[i].stale_ns < last)
			return NONE;
		last = links == ct->class_link ? ct->flow[i].stale_ns : 0;
	}
	return n == q->count ? n : NONE;
}

/* The class it stands in is its own, and its place is not older than the slack allows. */
static bool place_valid(const struct ct *ct, uint32_t i, enum ct_class class)
{
	const struct flow *f = &ct->flow[i];
	return in_use(ct, i) && flow_class(f) == class && f->touched_ns < f->stale_ns &&
	       f->stale_ns - f->touched_ns <= ct_slack_ns(class);
}

static uint32_t free_slots(const struct ct *ct)
{
	uint32_t n = 0;
	for (uint32_t i = ct->free; i != NONE && n <= ct->fresh; i = ct->class_link[i].next) {
		if (i >= ct->fresh || in_use(ct, i))
			return NONE;
		n++;
	}
	return n;
}

static bool queues_valid(const struct ct *ct)
{
	uint32_t in_classes = 0, in_ports = 0, inbound = 0;
	for (uint32_t c = 0; c < CT_CLASS_COUNT; c++) {
		uint32_t n = queue_walk(ct, &ct->class[c], ct->class_link);
		if (n == NONE)
			return false;
		in_classes += n;
		for (uint32_t i = ct->class[c].head; i != NONE; i = queue_after(ct->class_link, i)) {
			if (!place_valid(ct, i, (enum ct_class)c))
				return false;
		}
	}
	for (uint32_t p = 0; p < CT_OWNERS; p++) {
		uint32_t firm = queue_walk(ct, &ct->port[p].flows[FIRM], ct->port_link);
		uint32_t evictable = queue_walk(ct, &ct->port[p].flows[EVICTABLE], ct->port_link);
		if (firm == NONE || evictable == NONE || firm + evictable > (p < CT_WORLD ? share_of(ct, p) : world_share(ct)))
			return false;
		in_ports += firm + evictable;
		inbound += p < CT_WORLD ? 0 : firm + evictable;
		for (uint32_t i = ct->port[p].flows[EVICTABLE].head; i != NONE; i = queue_after(ct->port_link, i)) {
			if (flow_class(&ct->flow[i]) >= CT_CLASS_EVICTABLE || owner_of(&ct->flow[i]) != p)
				return false;
		}
	}
	return ct->fresh <= ct->capacity && free_slots(ct) == ct->fresh - ct->count && in_classes == ct->count &&
	       in_ports == ct->count && inbound == ct->inbound && inbound <= world_share(ct);
}

bool ct_valid(const struct ct *ct)
{
	uint32_t flow, met = 0;
	enum ct_dir dir;
	for (uint32_t i = ct_next(ct, 0); i != NONE; i = ct_next(ct, i + 1)) {
		const struct flow *f = &ct->flow[i];
		struct tuple reply = flow_reply(f);
		met++;
		/* found means found first: were there a second item of this tuple, one of the two would miss */
		if (!ct_find(ct, &f->orig, &flow, &dir) || flow != i || dir != CT_ORIG ||
		    !ct_find(ct, &reply, &flow, &dir) || flow != i || dir != CT_REPLY)
			return false;
	}
	return met == ct->count && ct->index.count == 2 * ct->count && table_valid(&ct->index) && queues_valid(ct);
}
