/* SPDX-License-Identifier: ISC */
/*
 * latencyby.h: how long packets stay, by client port and by rule, in fixed memory.
 *
 * Clients: a histogram for each port and way (latency.h) that has had a packet, from a pool of
 * 1/32 of the memory there is at boot (4.6 KiB each; at least 16). Where none is left
 * the packets count as unkept, and show in the whole only. The uplink's own are what was
 * dropped there: of no client.
 *
 * Rules: LATENCY_RULES_MAX pairs of rule and way, those that decide most packets. A rule is
 * named by client, generation and number: after a change it is another. When all
 * places are taken, the lightest is given to a newcomer now and then, which takes its weight over (space
 * saving, Metwally 2005): so a rule that decides more than one packet in LATENCY_RULES_MAX comes in, and how much
 * of a weight was inherited is the difference to the histogram's count.
 */
#ifndef LATENCYBY_H
#define LATENCYBY_H

#include "latency.h"

enum { LATENCY_RULES_MAX = 32 };

enum {
	LATENCY_GROUP = 16,     /* packets whose time is read together */
	LATENCY_STRETCHES = 32, /* places for their kinds: at least as many, twice the better */
};

/* Packets of one group that differ in nothing that is told apart. */
struct latency_stretch {
	uint64_t rule;   /* the rule's generation above its rule_ref; LATENCY_NO_RULE: none is known */
	uint64_t whose;  /* latency_whose() */
	uint32_t count;
	uint32_t place;  /* below LATENCY_RULES_MAX: where the rule was found last; a hint */
	const struct ip_addr *client; /* the rule's */
};
#define LATENCY_NO_RULE UINT64_MAX

/*
 * The stretches of a group. Each kind of packets has a place, which it keeps unless another
 * needs it: there it is found without a search. All zero: empty.
 */
struct latency_stretches {
	struct latency_stretch at[LATENCY_STRETCHES];
	struct ip_addr client[LATENCY_STRETCHES];
	struct latency_stretch *of[LATENCY_GROUP], *last; /* the group's, in order; that of the last packet */
	uint32_t count; /* of the group */
	uint32_t flow;  /* of the last packet, if it was passed on; NONE: it was not, or is of no flow */
	uint16_t from;  /* and its port */
};

static inline uint64_t latency_whose(uint16_t port, enum latency_kind way, uint32_t client)
{
	return port | (uint64_t)way << 16 | (uint64_t)client << 32;
}

static inline enum latency_kind latency_way(const struct latency_stretch *s)
{
	return (enum latency_kind)(s->whose >> 16 & 3);
}

struct latency_rule {
	uint64_t rule, whose; /* as in latency_stretch; port is 0 */
	uint64_t weight;      /* packets, and what was inherited; 0: the place is free */
	struct ip_addr client;
	struct histogram stay;
};

struct latency_by {
	/* fixed at boot */
	struct histogram *pool;
	uint16_t *free;       /* given back, pool_size of them */
	uint32_t pool_size;
	/* changing */
	uint32_t pool_used, free_count;
	uint16_t of[PORT_COUNT][LATENCY_WAYS]; /* place in the pool, from 1; 0: none */
	uint32_t knocks;      /* packets of rules that have no place, since one got in */
	uint64_t unkept, rules_unkept; /* packets */
	uint8_t memo[64];     /* by key: where it may be */
	struct latency_rule rule[LATENCY_RULES_MAX];
};

/* NULL: the arena is too small. */
struct latency_by *latency_by_new(struct arena *);
void latency_by_forget(struct latency_by *);
/* The port is another client's from now on. */
void latency_by_release(struct latency_by *, uint16_t port);
/* The packets of n stretches stayed for ns. */
void latency_by_add(struct latency_by *, struct latency_stretch *const[], uint32_t n, uint64_t ns);

/* NULL: nothing was kept. */
static inline const struct histogram *latency_by_client(const struct latency_by *by, uint16_t port,
							enum latency_kind way)
{
	return by->of[port][way] ? &by->pool[by->of[port][way] - 1] : NULL;
}

#endif
