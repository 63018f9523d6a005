/* SPDX-License-Identifier: ISC */
/*
 * conntrack.h: the flows: who talks to whom, in which state, translated how.
 *
 * A packet's way: ct_find(its tuple); found: ct_track, then ct_translated says
 * the tuple it leaves with. Not found: judge it by the rules, then ct_open,
 * which also takes the opening packet in (no ct_track for that one).
 *
 * A flow number is a slot; `serial` tells two tenants of a slot apart.
 *
 * Share and eviction: one port holds at most half of the table. A port at its
 * share, or a full table, makes room with the opener's own oldest evictable
 * flow; a full table then takes the oldest of the cheapest class of anybody.
 * Evictable, cheapest first: closed, time_wait, syn_sent, udp_unreplied, icmp,
 * other_unreplied, syn_recv. Never an established or replied flow.
 *
 * Time: now_ns never steps back, or is taken as standing still.
 */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "arena.h"
#include "nat.h"
#include "tcp_track.h"

/* In `state` of flows that are not TCP; TCP has enum tcp_state. */
enum { FLOW_UNREPLIED, FLOW_REPLIED };

/*
 * Timeout classes, seconds. RFC 5382 REQ-5: established >= 2 h 4 min; RFC 4787
 * REQ-5: UDP >= 2 min once replied; RFC 5508 REQ-2: ICMP queries >= 60 s.
 * Shorter than the 4 minutes RFC 5382 and RFC 7857 want for opening, closing
 * and reset connections, as Linux is: a packet of the connection refreshes.
 * Packets of both directions refresh UDP, ICMP and other flows (RFC 4787
 * REQ-6 leaves inbound open; Linux does the same). A retransmitted SYN and a
 * dropped packet refresh nothing.
 */
#define CT_CLASS_LIST(X) \
	X(CLOSED, 10) \
	X(TIME_WAIT, 120) \
	X(SYN_SENT, 120) \
	X(UDP_UNREPLIED, 30) \
	X(ICMP, 60) \
	X(OTHER_UNREPLIED, 600) \
	X(SYN_RECV, 60) \
	/* from here on: never evicted */ \
	X(ESTABLISHED, 2 * 3600 + 4 * 60) \
	X(FIN_WAIT, 120) \
	X(CLOSE_WAIT, 60) \
	X(LAST_ACK, 30) \
	X(UDP_REPLIED, 180) \
	X(OTHER_REPLIED, 600)

enum ct_class {
#define CT_CLASS_ENUM_(name, seconds) CT_CLASS_##name,
	CT_CLASS_LIST(CT_CLASS_ENUM_)
#undef CT_CLASS_ENUM_
	CT_CLASS_COUNT,
	CT_CLASS_EVICTABLE = CT_CLASS_ESTABLISHED, /* classes below this one may be evicted */
};

enum {
	CT_POLL_MAX = 256, /* flows that expire in one ct_poll; ct_deadline stays due while there are more */
};

struct flow {
	/* fixed when opened */
	struct tuple orig;  /* as the opener sends it (client -> world) */
	struct tuple reply; /* as the answer arrives: src = world, dst = translated address and port */
	uint32_t serial;    /* grows with every flow opened; never 0 */
	uint32_t generation, rule; /* of the rule set that admitted it; stored by the pipeline, 0 when opened */
	uint16_t port;      /* the client port it belongs to */
	/* per packet */
	uint8_t state;      /* TCP: enum tcp_state; else FLOW_UNREPLIED or FLOW_REPLIED */
	bool replied;
	uint64_t opened_ns, touched_ns;
	struct ct_half half[2]; /* by enum ct_dir: what that side sent */
	struct tcp_probe probe;
};

struct ct;

struct ct_stats {
	uint64_t opened;  /* TCP reopenings of a closed slot included */
	uint64_t closed;  /* TCP connections that came to time_wait or closed */
	uint64_t expired, evicted, cut;
	uint64_t port_collisions; /* flows whose source port could not be preserved */
};

/* Bytes of arena that ct_new takes for `flows` flows, 1 <= flows <= 2^24: under 300 each. */
size_t ct_bytes(uint32_t flows);
/* NULL when the arena is too small. The secret is drawn from, for ports, and must outlive it. */
struct ct *ct_new(struct arena *, uint32_t flows, struct secret *);

/* The flow at index; NULL when the slot is free. Compare the serial of a handle kept elsewhere. */
struct flow *ct_flow(struct ct *, uint32_t index);
/* Finds the flow a tuple belongs to and its direction. */
bool ct_find(const struct ct *, const struct tuple *, uint32_t *flow, enum ct_dir *);
/* The same in steps, for bursts: hash all, prefetch all, then look all up. */
uint64_t ct_hash(const struct ct *, const struct tuple *);
void ct_prefetch(const struct ct *, uint64_t hash);
bool ct_find_hashed(const struct ct *, uint64_t hash, const struct tuple *, uint32_t *flow, enum ct_dir *);

/*
 * Opens a flow for a packet whose tuple ct_find does not know, its source
 * translated to nat_src (zero address: not translated). Only a TCP SYN without
 * ACK, an ICMP query's request, UDP and other protocols open one. The packet
 * is taken in. DROP_NONE; or CT_INVALID (cannot open one, or its way back is
 * itself), FLOW_FULL, FLOW_SHARE, NAT_PORTS with no flow opened. May evict.
 */
enum drop ct_open(struct ct *, const struct packet *, uint16_t port, struct ip_addr nat_src, uint64_t now_ns,
                  uint32_t *flow);
/*
 * Takes in a packet of the flow: state, windows, time and counters. DROP_NONE;
 * or TCP_WINDOW, TCP_STATE, CT_INVALID with the flow unchanged.
 */
enum drop ct_track(struct ct *, uint32_t flow, enum ct_dir, const struct packet *, uint64_t now_ns);

/* The tuple a packet of that direction leaves with. */
struct tuple ct_translated(const struct flow *, enum ct_dir);
/*
 * ICMP errors: an error is found by ct_find(tuple_reverse(&p->inner)), which
 * yields the direction the error itself travels in; the quoted packet then
 * becomes this. An error is never tracked: it refreshes and ends nothing
 * (RFC 5508 REQ-6).
 */
struct tuple ct_quoted(const struct flow *, enum ct_dir);

void ct_cut(struct ct *, uint32_t flow);
/* Cuts all flows of a client port; returns how many. */
uint32_t ct_flush_port(struct ct *, uint16_t port);
/* Expires what is due, up to CT_POLL_MAX; a flow lives while now < its last touch + its class's time. */
void ct_poll(struct ct *, uint64_t now_ns);
uint64_t ct_deadline(const struct ct *); /* UINT64_MAX: nothing to expire */

uint32_t ct_count(const struct ct *);
uint32_t ct_capacity(const struct ct *);
uint32_t ct_port_count(const struct ct *, uint16_t port);
uint32_t ct_share(const struct ct *); /* flows one port may hold */
/* The live flow with the lowest index >= from, or NONE: for lists and sweeps. */
uint32_t ct_next(const struct ct *, uint32_t from);
const struct ct_stats *ct_stats(const struct ct *);

uint64_t ct_class_ns(enum ct_class);
enum ct_class flow_class(const struct flow *);
uint64_t flow_expires_ns(const struct flow *);
/* "established", "unreplied", ... */
const char *flow_state_word(const struct flow *);

/* Every invariant of the tables. For tests and fuzzers: walks everything. */
bool ct_valid(const struct ct *);

#endif
