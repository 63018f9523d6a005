/* SPDX-License-Identifier: ISC */
/* ct_slots.h: what conntrack.c keeps, for itself and for ct_valid.c, which checks it. Nobody else includes this. */
#ifndef CT_SLOTS_H
#define CT_SLOTS_H

#include "conntrack.h"
#include "queue.h"

enum { FIRM, EVICTABLE };

struct ct_port {
	struct queue flows[2]; /* FIRM in order of becoming so, EVICTABLE in order of touch */
};

struct ct {
	/* fixed */
	struct flow *flow;
	struct link *class_link; /* of `free` and `class` */
	struct link *port_link;
	struct ct_port *port;    /* PORT_COUNT */
	struct secret *secret;
	struct flow_key key;
	uint32_t capacity;
	/* changing */
	struct table index;
	uint32_t free;  /* the slot freed last, NONE: none; linked by `next` */
	uint32_t fresh; /* slots from here on were never used */
	struct queue class[CT_CLASS_COUNT];
	uint64_t now_ns;
	uint32_t count, serial;
	struct ct_stats stats;
};

static inline bool in_use(const struct ct *ct, uint32_t i)
{
	return i < ct->fresh && ct->flow[i].serial != 0;
}

#endif
