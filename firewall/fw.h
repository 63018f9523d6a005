/* SPDX-License-Identifier: ISC */
/*
 * fw.h: the firewall as a pure machine. Frames, time and configuration go in;
 * frames come out on two queues. Nothing in here knows a platform.
 *
 * A packet's way (fw.c): parse, ARP?, source check, fragment?, to us?, ICMP
 * error?, flow or verdict, track, rewrite, route. A burst is parsed and looked
 * up as a whole; a packet of a flow that nothing has changed for goes from its
 * flow to the rewriting at once (burst.c), and so does a usual one that opens a
 * flow (opening.c); in order of arrival. Every frame handed in comes out exactly once: on `tx` (f->port says where), on `done` (dropped or
 * consumed, with its reason counted), or later, if it waits for a neighbour or
 * for its first fragment.
 */
#ifndef FW_H
#define FW_H

#include "arena.h"
#include "conntrack.h"
#include "fragment.h"
#include "latency.h"
#include "limit.h"
#include "neigh.h"
#include "packet.h"
#include "policy.h"
#include "reflect.h"
#include "reply.h"
#include "rewrite.h"

enum {
	FW_PORT_ADDRS_MAX = 2,
	FW_PORT_NAME_BYTES = 16,
	FW_OURS_MAX = 4,       /* addresses of the firewall itself */
	FW_PROTECTED_MAX = 512, /* connected-ips: addresses of clients, running or not */
	FW_SPARE_FRAMES = 16,  /* what the caller should keep on `spare` */
	FW_BURST = 64,         /* frames that are looked up together */
};

/* One attached port, as the host describes it. */
struct fw_port_config {
	char name[FW_PORT_NAME_BYTES];
	uint16_t mtu;
	struct mac ours, theirs; /* theirs: zero when not known */
	uint8_t addr_count;      /* client: its addresses */
	struct ip_addr addr[FW_PORT_ADDRS_MAX];
};

struct fw_port {
	/* fixed while attached */
	struct fw_port_config config;
	bool attached;
	uint32_t client[FW_PORT_ADDRS_MAX]; /* of the policy, by address; NONE: to be asked for */
	/* changing */
	bool up;
	bool theirs_known;
	struct mac theirs; /* configured, or learned from the client's own frames */
	struct limit icmp_limit;  /* answers to this port */
	struct limit error_limit; /* a client's: errors to the uplink about its flows */
	/* per packet */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, drops;
};

struct resolver;
struct watch;
struct events;

/* What the rules said no to last. */
struct fw_refused {
	struct ip_addr ip;
	uint32_t client, rule; /* client NONE: told already */
};

/* What the rules say of a packet that opens no flow. */
struct fw_verdict {
	uint32_t client, rule; /* client NONE: nobody they know */
	enum drop reason;
};

struct fw_uplink {
	struct ip_addr ip;      /* zero: not configured yet, nothing is forwarded */
	uint8_t prefix_len;     /* in ip's family; 32: only the gateway is on the link */
	struct ip_addr gateway; /* zero: none */
};

/* Rules about flows that no client opens towards the world (cross.h), as the policy's clients; NONE: there are none. */
struct fw_cross {
	uint32_t inbound, between;
	uint64_t kept; /* the generation of the inbound ones whose ports are kept */
};

struct fw {
	/* fixed at boot */
	struct ct *ct;
	struct neigh *neigh;
	struct fragments *fragments;
	struct policy *policy;
	struct latency *latency;  /* NULL: not measured */
	struct resolver *resolver; /* NULL: nothing is asked */
	struct watch *watch;      /* NULL: nobody can look */
	struct events *events;    /* NULL: nothing is told of */
	struct table owners;      /* client address -> owner slot */
	struct owner *owner;      /* port * FW_PORT_ADDRS_MAX + n */
	struct secret secret;
	struct word_key address_key; /* of owners and protected_index */
	/* configuration */
	struct fw_uplink uplink;
	struct ip_addr ours[FW_OURS_MAX];
	uint32_t ours_count;
	struct ip_addr protected_ip[FW_PROTECTED_MAX];
	struct table protected_index; /* by address, into protected_ip */
	uint32_t protected_count;
	struct fw_port port[PORT_COUNT];
	uint32_t epoch;      /* of all that addresses are checked against, and of ports and links; never 0 */
	uint32_t uplink_net, uplink_mask; /* IPv4, as in a packet: who is on the link needs no gateway */
	bool uplink_plain;   /* the uplink's address may be that of answers: a unicast one, and no client's */
	struct fw_cross cross;
	/* sweep of flows that older rules admitted: once around after each change */
	uint32_t sweep, sweep_left; /* the next slot, and how many are left */
	/* frames */
	struct frame_queue tx;    /* to send; the caller empties it */
	struct frame_queue done;  /* to give back; the caller empties it */
	struct frame_queue spare; /* empty frames for our own questions; the caller tops it up */
	struct frame_queue again; /* released fragments, to go through the pipeline */
	uint64_t now_ns;
	uint64_t gateway_until_ns; /* the gateway's address on the link is known and in use; then it is asked for again */
	struct mac gateway_mac;
	struct reflect reflect;
	const struct frame *judged;   /* that goes the whole way because of what the rules said of it: */
	struct fw_verdict verdict;
	/* for the measuring */
	struct fw_refused refused;
	uint64_t lost;      /* packets that were dropped or refused */
	uint32_t forwarded; /* the flow of the packet that went the whole way and out last */
	uint64_t drops[DROP_COUNT];
};

struct fw_sizes {
	uint32_t flows, neighbours, datagrams;
};
/* What fits a guest with `bytes` of table memory (policy and rules apart). */
struct fw_sizes fw_sizes_for(size_t bytes);
/* False: the arena is too small. `policy` outlives fw. seed is 16 secret bytes. */
bool fw_init(struct fw *, struct arena *, const struct fw_sizes *, struct policy *policy, const uint64_t seed[2]);

/* ports.c: all answer false for a port number or address that cannot be. */
bool fw_attach(struct fw *, uint16_t port, const struct fw_port_config *, uint64_t now_ns);
bool fw_detach(struct fw *, uint16_t port);
bool fw_link(struct fw *, uint16_t port, bool up);
/* A changed address cuts every flow: their translation is void. */
void fw_set_uplink(struct fw *, const struct fw_uplink *);
/* Addresses of the firewall itself besides the uplink's. */
void fw_set_ours(struct fw *, const struct ip_addr *, uint32_t count);
void fw_set_protected(struct fw *, const struct ip_addr *, uint32_t count);
/* A rule set was published or closed: silent flows are judged again too, a few per poll. */
void fw_rules_changed(struct fw *);
bool fw_port_owns(const struct fw_port *, struct ip_addr); /* a client port's own address */
uint16_t fw_port_of(const struct fw *, struct ip_addr); /* of the client that has it; PORT_NONE: nobody attached */
bool fw_is_ours(const struct fw *, struct ip_addr);
/* Belongs to a client, attached or (connected-ips) not. */
bool fw_is_protected(const struct fw *, struct ip_addr);
bool fw_is_protected_v4(const struct fw *, uint32_t ip); /* as it lies in a packet */

/* opening.c */
struct quick;
enum fw_opening {
	FW_OPENED,     /* *flow is the packet's, which may leave */
	FW_REFUSED,    /* for *reason, which the rules have nothing to do with: nobody is told */
	FW_OTHER_WAY,  /* nothing was done: it has a flow, or may not open one, or is not usual */
};
/*
 * Opens a flow for a client's packet whose link header is right, when all that is usual holds. The hashes are ct_opening's;
 * time is that of the last ct_view.
 */
enum fw_opening fw_open_usual(struct fw *, const struct quick *, uint64_t hash, uint64_t reply_hash, uint32_t *flow,
			      enum drop *reason);
/* May this client's packet open a flow, as the rules see it? Those who ask after fw_open_usual get what it found. */
struct fw_verdict fw_judge(const struct fw *, const struct packet *);
/* burst.c */
void fw_input(struct fw *, struct frame *burst[], size_t count, uint64_t now_ns);
/* fw.c; timers: expiry, ARP questions, stale flows. Call at fw_deadline() or oftener. */
void fw_poll(struct fw *, uint64_t now_ns);
uint64_t fw_deadline(const struct fw *);

/* Steps of the pipeline that live in files of their own. */
/* told.c: whoever looks on is told of a drop, while the frame is what it was. */
void fw_tell_drop(struct fw *, const struct frame *, uint16_t from, enum drop);
/* Of frames that were put on tx behind `last`, by no packet that came in. */
void fw_tell_sent(struct fw *, const struct frame *last);
void fw_tell_poll(struct fw *);
uint64_t fw_tell_deadline(const struct fw *);
void fw_drop(struct fw *, struct frame *, uint16_t from, enum drop);
static inline void fw_send(struct fw *fw, struct frame *f, uint16_t port) /* link header is right already */
{
	struct fw_port *p = &fw->port[port];
	if (!p->attached || !p->up) {
		fw_drop(fw, f, port, DROP_PORT_GONE);
		return;
	}
	p->tx_packets++;
	p->tx_bytes += f->len;
	f->port = port;
	frames_put(&fw->tx, f);
}
/* The whole way of one parsed frame of port `from`; `reason` is the parser's. */
void fw_take(struct fw *, struct packet *, struct frame *, uint16_t from, enum drop reason);
/* Finds the next hop and sends, or holds, or drops. The flow admitted it, and is asked again when it was held. */
void fw_route(struct fw *, struct packet *, uint16_t out, uint32_t flow);
/* It was held, and this is its next hop's address: sends it, or drops it when its flow does not stand any more. */
void fw_route_held(struct fw *, struct frame *, struct mac);
/* route.c: anti-spoofing both ways (BCP 38; QSB-056), and what cannot be forwarded at all; DROP_NONE: may be. */
enum drop fw_admits(const struct fw *, const struct tuple *, uint16_t from);
struct ip_addr fw_next_hop(const struct fw *, uint16_t out, struct ip_addr dst);
bool fw_uplink_ready(const struct fw *);
/* Of what will be on the wire: the port cuts a super-frame into segments of gso_size. */
uint32_t fw_wire_bytes(const struct packet *);
/* Does the rule set of today still admit the flow? One that it does not is cut. */
bool fw_flow_stands(struct fw *, uint32_t flow);
/* arp.c */
void fw_arp(struct fw *, struct packet *, uint16_t from);
void fw_announce(struct fw *, uint16_t port); /* gratuitous ARP, when a spare frame is there */
/* Belongs to no flow and begins none: an answer, or a TCP segment that is neither SYN nor plain ACK. */
bool fw_is_stray(const struct packet *);
/* local.c: to the firewall itself */
void fw_local(struct fw *, struct packet *, uint16_t from);
/* Drops p for `reason`, and tells its sender by ICMP if that is allowed and within the rate (a client's; the uplink's
 * is the caller's to keep). */
void fw_refuse(struct fw *, struct packet *, uint16_t from, enum drop reason, uint8_t type, uint8_t code, uint32_t info);
/* related.c: an ICMP error that belongs to a flow, translated inside and out */
void fw_related(struct fw *, struct packet *, uint16_t from);

/* own.c: a question of the firewall itself is a flow of the uplink's port. */
struct fw_own {
	uint32_t flow, serial;
};
/* A datagram from a port drawn at random; false: no uplink, frame or port now. */
bool fw_own_send(struct fw *, struct ip_addr to, uint16_t dport, struct cursor payload, uint64_t now_ns,
		 struct fw_own *);
void fw_own_end(struct fw *, const struct fw_own *); /* no answer is wanted any more */
/* An answer on such a flow, which it may end; what its frame is to be dropped for. */
enum drop fw_own_take(struct fw *, const struct packet *, uint32_t flow);

#endif
