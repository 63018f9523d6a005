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
 * What the world opened (ct_open_inbound) counts against no client: all of it
 * together holds at most an eighth, what leads to one client half of that
 * (ct_lead_to_many), and makes room with its own alone: with the client's own
 * first, then with those of the client that has most evictable ones.
 * Evictable, cheapest first: closed, time_wait, syn_sent, udp_unreplied, icmp,
 * other_unreplied, syn_recv. Never an established or replied flow.
 *
 * Time: now_ns never steps back, or is taken as standing still. A flow takes a
 * new place in the queues only when its last one is older than its class's
 * slack: it never goes early, and both expiry and the order of eviction are
 * late by the slack at most: a quarter of a second for the evictable classes,
 * a 32nd of its time for the others.
 */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "accounts.h"
#include "flow_key.h"
#include "nat.h"
#include "table.h"
#include "tcp_track.h"

/* In `state` of flows that are not TCP; TCP has enum tcp_state. */
enum { FLOW_UNREPLIED, FLOW_REPLIED };

/* Who opened it. */
enum flow_kind {
	FLOW_OUTWARD, /* a client, or the firewall itself */
	FLOW_INBOUND, /* the world: the tuples are as if the client had, so that all translation is the same */
	FLOW_BETWEEN, /* a client, to another one; untranslated */
};

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

/* Three cache lines: who it is, what each packet changes, and what only TCP needs. */
struct flow {
	/* fixed when opened; generation follows the rules */
	_Alignas(64) struct tuple orig; /* as the opener sends it (client -> world) */
	struct ip_addr nat_ip;          /* the opener's address and port as the world sees them */
	uint16_t nat_port;
	uint16_t client;                /* of the policy; ct_admit's, as are: */
	uint32_t generation;            /* of the rule set that admitted it last */
	/* per packet */
	struct flow_sent sent[2];       /* by enum ct_dir: what that side sent */
	uint64_t touched_ns;
	uint64_t stale_ns;              /* touched from here on, it takes a new place in the queues */
	uint32_t serial;                /* grows with every flow opened; never 0 */
	uint32_t epoch;                 /* of the configuration its addresses were checked under; the pipeline's */
	uint16_t port;                  /* fixed: the client port it belongs to */
	uint8_t state;                  /* TCP: enum tcp_state; else FLOW_UNREPLIED or FLOW_REPLIED */
	bool replied : 1;               /* by the side that did not open it */
	uint8_t kind : 2;               /* fixed: enum flow_kind */
	uint32_t rule;                  /* that admitted it, a rule_ref (rule.h): its account has what the flow sent when it ends */
	/* TCP */
	struct ct_half half[2];         /* by flow_side: the opener's first */
	struct tcp_probe probe;
	uint64_t opened_ns;
};
_Static_assert(sizeof(struct flow) == 192, "three cache lines");

/* As the answer arrives: from the world to the translated address and port. */
static inline struct tuple flow_reply(const struct flow *f)
{
	return (struct tuple){ f->orig.dst, f->nat_ip, f->orig.dport, f->nat_port, f->orig.proto, f->orig.kind, 0 };
}

/* What a direction is to the protocol's states, whose CT_ORIG is the opener. */
static inline enum ct_dir flow_side(const struct flow *f, enum ct_dir dir)
{
	return (enum ct_dir)((unsigned)dir ^ (f->kind == FLOW_INBOUND));
}

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

/* Flows are counted here from now on: before the first. They outlive ct. */
void ct_set_accounts(struct ct *, struct accounts *);

/* The flow at index; NULL when the slot is free. Compare the serial of a handle kept elsewhere. */
struct flow *ct_flow(struct ct *, uint32_t index);
uint32_t ct_index(const struct ct *, const struct flow *); /* the other way round */
/* Finds the flow a tuple belongs to and its direction. */
bool ct_find(const struct ct *, const struct tuple *, uint32_t *flow, enum ct_dir *);

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
 * The same for one that the world opens: a TCP SYN or UDP to our own address, which goes on to this client's address
 * and port. DROP_NONE; or CT_INVALID, FLOW_FULL, FLOW_SHARE, NAT_PORTS (what would come back is another flow's).
 */
enum drop ct_open_inbound(struct ct *, const struct packet *, uint16_t port, struct ip_addr to, uint16_t to_port,
			  uint64_t now_ns, uint32_t *flow);
/* What the world may open leads to more than one client, so none may have all of its share. At first it does not. */
void ct_lead_to_many(struct ct *, bool);
/*
 * Ports that translation leaves alone as far as it can, since what comes to them is meant for somebody: TCP's and
 * UDP's. When they are more than half of all, it does not care. None, at first.
 */
void ct_keep_none(struct ct *);
void ct_keep_ports(struct ct *, uint8_t proto, uint16_t lo, uint16_t hi);
bool ct_keeps(const struct ct *, uint8_t proto, uint16_t port);

/*
 * Takes in a packet of the flow: state, windows, time and counters. DROP_NONE;
 * or TCP_WINDOW, TCP_STATE, CT_INVALID with the flow unchanged.
 */
enum drop ct_track(struct ct *, uint32_t flow, enum ct_dir, const struct packet *, uint64_t now_ns);

/* The tuple a packet of that direction leaves with. */
static inline struct tuple ct_translated(const struct flow *f, enum ct_dir dir)
{
	if (dir == CT_REPLY)
		return tuple_reverse(&f->orig);
	return (struct tuple){ f->nat_ip, f->orig.dst, f->nat_port, f->orig.dport, f->orig.proto, f->orig.kind, 0 };
}
/*
 * ICMP errors: an error is found by ct_find(tuple_reverse(&p->inner)), which
 * yields the direction the error itself travels in; the quoted packet then
 * becomes this. An error is never tracked: it refreshes and ends nothing
 * (RFC 5508 REQ-6).
 */
struct tuple ct_quoted(const struct flow *, enum ct_dir);

/*
 * The data path's own view, for bursts: hash all, prefetch all, look all up.
 * Item 2 * flow + dir of the index has the tuple of that direction. An item
 * that was found is a hint: compare the tuple before it is used, since
 * another packet may have changed the flows in between.
 */
struct ct_view {
	const struct table *index;
	struct flow *flow;
	const struct flow_key *key;
	uint64_t now_ns; /* that of the flows: it never steps back */
};
struct ct_view ct_view(struct ct *, uint64_t now_ns);
/* ct_track of a packet known to be TCP (its view) or UDP (NULL), of `bytes` IP bytes and the flow's own protocol. */
enum drop ct_pass(struct ct *, uint32_t flow, enum ct_dir, const struct tcp_view *, uint32_t bytes, uint64_t now_ns);

/* ct_pass of UDP, when nothing but counters and time changes. False: nothing was done, and it is ct_pass's. */
static inline bool ct_pass_quietly(struct flow *f, enum ct_dir dir, uint32_t bytes, uint64_t now_ns)
{
	if (now_ns >= f->stale_ns || (!f->replied && flow_side(f, dir) == CT_REPLY))
		return false;
	f->touched_ns = now_ns;
	f->sent[dir].packets++;
	f->sent[dir].bytes += bytes;
	return true;
}

/* Is there a flow of this tuple, whose hash (by ct_view's key) is known? */
bool ct_knows(const struct ct *, uint64_t hash, const struct tuple *);

/* A packet that opens a flow, when all about it is known already. */
struct ct_opening {
	struct tuple tuple;
	uint64_t hash;              /* of the tuple, which ct_knows not */
	uint64_t reply_hash;        /* of the way back to nat_src, with the source port as it is */
	const struct tcp_view *tcp; /* of a SYN; NULL: not TCP */
	uint32_t bytes;             /* of IP */
	uint16_t port;
};
/* ct_open, at the time of the last ct_view, of a packet that may open a flow. */
enum drop ct_open_new(struct ct *, const struct ct_opening *, struct ip_addr nat_src, uint32_t *flow);

/* Who admitted a flow: a client of the policy, under this generation, by this rule_ref. */
struct ct_admission {
	uint32_t client, generation, rule;
};
/* A flow that was just opened is admitted. */
static inline void ct_admit(struct accounts *accounts, struct flow *f, const struct ct_admission *by)
{
	f->client = (uint16_t)by->client;
	f->generation = by->generation;
	f->rule = by->rule;
	accounts_open(accounts, rule_ref_account(by->rule), f->opened_ns);
}
/* One that was admitted before is judged again, and stays. */
void ct_readmit(struct ct *, uint32_t flow, const struct ct_admission *by);

void ct_cut(struct ct *, uint32_t flow);
/* Cuts all flows of a client port; returns how many. */
uint32_t ct_flush_port(struct ct *, uint16_t port);
/* Expires what is due, up to CT_POLL_MAX; a flow lives while now < its last touch + its class's time, or its slack longer. */
void ct_poll(struct ct *, uint64_t now_ns);
uint64_t ct_deadline(const struct ct *); /* UINT64_MAX: nothing to expire */

uint32_t ct_count(const struct ct *);
uint32_t ct_capacity(const struct ct *);
uint32_t ct_used(const struct ct *); /* slots from here on were never used */
uint32_t ct_port_count(const struct ct *, uint16_t port); /* without what the world opened */
uint32_t ct_inbound_count(const struct ct *);
uint32_t ct_share(const struct ct *); /* flows one port may hold */
/* The live flow with the lowest index >= from, or NONE: for lists and sweeps. */
uint32_t ct_next(const struct ct *, uint32_t from);
const struct ct_stats *ct_stats(const struct ct *);

uint64_t ct_class_ns(enum ct_class);
uint64_t ct_slack_ns(enum ct_class);
enum ct_class ct_class_of(uint8_t proto, uint8_t state);
enum ct_class flow_class(const struct flow *);
uint64_t flow_expires_ns(const struct flow *);
/* "established", "unreplied", ... */
const char *flow_state_word(const struct flow *);

/* Every invariant of the tables. For tests and fuzzers: walks everything. */
bool ct_valid(const struct ct *);

#endif
