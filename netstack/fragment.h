/* SPDX-License-Identifier: ISC */
/*
 * fragment.h: datagrams in pieces, followed without reassembly. Every fragment
 * is checked against the others of its datagram ((src, dst, proto, id), per
 * port): an overlap, a tiny or impossible piece kills the datagram, and
 * nothing of it passes any more (RFC 5722's rule, for IPv4 too). Fragments
 * that come before the first one are held, bounded; once the first has been
 * judged, its verdict and translation apply to all.
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "packet.h"
#include "hash.h"
#include "table.h"
#include "queue.h"

enum {
	FRAGMENT_PIECES_MAX = 64,  /* per datagram */
	FRAGMENT_HELD_MAX = 16,    /* frames per datagram that wait for the first, */
	FRAGMENTS_HELD_MAX = 256,  /* over all, a quarter of them from one port */
	FRAGMENTS_MAX = 65536,     /* datagrams, whatever the caller asks for; a quarter from one port, */
	                           /* where the oldest of which nothing passed makes room */
	FRAGMENT_TIMEOUT_S = 30,   /* RFC 791: 15 s, RFC 1122: 60-120 s; Linux: 30 s */
};

struct fragments;

size_t fragments_bytes(uint32_t datagrams);
struct fragments *fragments_new(struct arena *, uint32_t datagrams, struct secret *);

/* What became of the first fragment, for the rest to follow. */
struct fragment_way {
	bool pass;             /* else the rest is dropped with `reason` */
	enum drop reason;
	uint16_t port;         /* way out */
	uint16_t id;           /* new IPv4 identification */
	uint32_t flow;         /* the caller's handle: flow number and its serial, */
	uint32_t flow_serial;  /* so that a flow cut meanwhile is noticed */
	struct ip_addr src, dst; /* after translation */
};

enum fragment_next {
	FRAGMENT_JUDGE,  /* the first fragment: the caller judges it, then calls fragments_decide(handle) */
	FRAGMENT_FOLLOW, /* *way says where it goes */
	FRAGMENT_HELD,   /* waits here for the first fragment; the frame is no longer the caller's */
	FRAGMENT_DROP,   /* *reason says why; the frame stays the caller's */
};
/* For every packet with has_fragments. Frames of a datagram that dies here go to `dropped`. */
enum fragment_next fragments_take(struct fragments *, struct packet *, uint64_t now_ns, uint32_t *handle,
                                  struct fragment_way *way, enum drop *reason, struct frame_queue *dropped);
/*
 * The first fragment was judged; held frames come back in order of arrival,
 * for the usual way through pkt_parse and fragments_take (FOLLOW).
 */
void fragments_decide(struct fragments *, uint32_t handle, const struct fragment_way *, struct frame_queue *released);
/* Forgets what timed out; held frames go to `dropped`. */
void fragments_poll(struct fragments *, uint64_t now_ns, struct frame_queue *dropped);
/* A port is gone: its datagrams are forgotten. */
void fragments_flush(struct fragments *, uint16_t port, struct frame_queue *dropped);
uint64_t fragments_deadline(const struct fragments *);
uint32_t fragments_count(const struct fragments *);
bool fragments_valid(const struct fragments *);

#endif
