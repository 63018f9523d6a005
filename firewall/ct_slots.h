/* SPDX-License-Identifier: ISC */
/*
 * ct_slots.h: what conntrack.c keeps, for itself, for ct_open.c, and for ct_valid.c, which checks it.
 * Nobody else includes this.
 */
#ifndef CT_SLOTS_H
#define CT_SLOTS_H

#include "conntrack.h"
#include "queue.h"

enum { FIRM, EVICTABLE };
enum { CT_LINE_BYTES = 64 };
enum { CT_WORLD = PORT_COUNT, CT_OWNERS = 2 * PORT_COUNT }; /* behind the ports: what the world opened to each */
enum { CT_KEPT_WORDS = 65536 / 64 };

struct ct_port {
	struct queue flows[2]; /* FIRM in order of becoming so, EVICTABLE in order of touch */
};

struct ct {
	/* fixed */
	struct flow *flow;
	struct link *class_link; /* of `free` and `class` */
	struct link *port_link;
	struct ct_port *port;    /* CT_OWNERS */
	struct accounts *accounts; /* or NULL */
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
	uint32_t inbound; /* of count: that the world opened */
	bool inbound_many; /* to more than one client, perhaps */
	struct ct_stats stats;
	bool keeps;           /* any of those below is to be kept */
	uint32_t kept_count[2];
	uint64_t kept[2][CT_KEPT_WORDS]; /* TCP's and UDP's, by port */
};

static inline bool in_use(const struct ct *ct, uint32_t i)
{
	return i < ct->fresh && ct->flow[i].serial != 0;
}

/* A clock that steps back stands still, so that every class's queue stays in order of time. */
static inline void clock(struct ct *ct, uint64_t now_ns)
{
	if (now_ns > ct->now_ns)
		ct->now_ns = now_ns;
}

/* Whose share a flow counts against. */
static inline uint32_t owner_of(const struct flow *f)
{
	return f->kind == FLOW_INBOUND ? CT_WORLD + (uint32_t)f->port : f->port;
}

static inline uint32_t part_of(const struct ct *ct, uint32_t parts)
{
	return ct->capacity > parts ? ct->capacity / parts : 1;
}

static inline uint32_t share_of(const struct ct *ct, uint32_t owner)
{
	return part_of(ct, owner < CT_WORLD ? 2 : ct->inbound_many ? 16 : 8);
}

/* Of all that the world opened. */
static inline uint32_t world_share(const struct ct *ct)
{
	return part_of(ct, 8);
}

static inline uint32_t owned(const struct ct *ct, uint32_t owner)
{
	return ct->port[owner].flows[FIRM].count + ct->port[owner].flows[EVICTABLE].count;
}

static inline struct queue *port_queue(struct ct *ct, const struct flow *f, enum ct_class class)
{
	return &ct->port[owner_of(f)].flows[class < CT_CLASS_EVICTABLE ? EVICTABLE : FIRM];
}

static inline void enqueue(struct ct *ct, uint32_t i)
{
	struct flow *f = &ct->flow[i];
	enum ct_class class = flow_class(f);
	f->stale_ns = ct->now_ns + ct_slack_ns(class);
	queue_push(&ct->class[class], ct->class_link, i);
	queue_push(port_queue(ct, f, class), ct->port_link, i);
}

/* `was` is the class the flow was enqueued with. */
static inline void dequeue(struct ct *ct, uint32_t i, enum ct_class was)
{
	queue_remove(&ct->class[was], ct->class_link, i);
	queue_remove(port_queue(ct, &ct->flow[i], was), ct->port_link, i);
}

/* ICMP: a request opens and is sent by the opener, a reply comes from the other side. */
static inline bool is_request(const struct packet *p)
{
	return p->icmp_type == p->tuple.kind;
}

static inline struct tcp_conn conn(struct flow *f)
{
	return (struct tcp_conn){ &f->state, f->half, &f->probe };
}

/* Gives the slot back. */
void ct_release(struct ct *, uint32_t flow);

#endif
