/* SPDX-License-Identifier: ISC */
/*
 * neigh.h: the neighbour cache of one firewall (RFC 826 ARP; the states follow
 * RFC 4861 7.3.2): (port, address) -> MAC, with a bounded queue of frames that
 * wait for the answer. Answers are only believed for questions asked, or for
 * entries that already exist (no cache filling by strangers). Permanent
 * entries do not age.
 */
#ifndef NEIGH_H
#define NEIGH_H

#include "addr.h"
#include "frame.h"
#include "hash.h"
#include "table.h"
#include "queue.h"

enum {
	NEIGH_WAITING_MAX = 16,      /* frames per neighbour */
	NEIGH_HELD_MAX = 256,        /* frames over all neighbours; then FULL, but still asked */
	NEIGH_TRIES_MAX = 3,         /* requests, one a second, then failed */
	NEIGH_REACHABLE_S = 60,      /* then asked again while still used (stale) */
	NEIGH_FAILED_S = 3,          /* how long a failure is remembered */
};

struct neigh;

size_t neigh_bytes(uint32_t capacity);
/* NULL when the arena is too small. `secret` outlives it. */
struct neigh *neigh_new(struct arena *, uint32_t capacity, struct secret *secret);

enum neigh_answer { NEIGH_FOUND, NEIGH_WAIT, NEIGH_FAILED, NEIGH_FULL };
/*
 * Where is addr on port? FOUND: *mac is filled in. WAIT: the frame is now held
 * here (its offset and port untouched) and a request falls due at once. FAILED,
 * FULL: the frame stays the caller's. One whose buffer is large (FRAME_HELD_ROOM_MAX) finds it always FULL.
 */
enum neigh_answer neigh_resolve(struct neigh *, uint16_t port, struct ip_addr, struct frame *, uint64_t now_ns, struct mac *mac);
/* Looks without holding or asking. */
bool neigh_lookup(const struct neigh *, uint16_t port, struct ip_addr, struct mac *mac);
/*
 * An ARP packet said addr is at mac: updates an existing non-permanent entry
 * and moves its waiting frames onto `released` for the caller to send to mac.
 * False when there was no entry.
 */
bool neigh_learn(struct neigh *, uint16_t port, struct ip_addr, struct mac, uint64_t now_ns, struct frame_queue *released);
/* Adds or replaces a permanent entry; waiting frames as above. False when the cache is full of permanent ones. */
bool neigh_set(struct neigh *, uint16_t port, struct ip_addr, struct mac, struct frame_queue *released);
/* Forgets all of a port; its waiting frames go to `dropped`. */
void neigh_flush(struct neigh *, uint16_t port, struct frame_queue *dropped);

struct neigh_request { uint16_t port; struct ip_addr target; };
/*
 * What is due: up to max requests to send (each is then due again a second
 * later, NEIGH_TRIES_MAX times in all); frames of neighbours that did not
 * answer go to `dropped`. Call at neigh_deadline() or oftener.
 */
size_t neigh_poll(struct neigh *, uint64_t now_ns, struct neigh_request *, size_t max, struct frame_queue *dropped);
/* When neigh_poll has something to do; UINT64_MAX for never. */
uint64_t neigh_deadline(const struct neigh *);
uint32_t neigh_count(const struct neigh *);
bool neigh_valid(const struct neigh *); /* for tests and fuzzers */

#endif
