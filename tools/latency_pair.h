/* SPDX-License-Identifier: ISC */
/*
 * latency_pair.h: the same packet at two points, A and B, with a NAT in between.
 *
 * Packets go in one by one, of both points, in order of (aligned) time or nearly; what waits for its
 * other half is held for a window of time in a table of fixed size. A candidate must have the
 * same content and keep one of its ends (source NAT keeps the destination of what goes out and the source of
 * what comes in). Among several, the flow already known, the same IP identification and the same
 * ports decide, then the delay most like the others': so retransmissions are not taken for their originals.
 */
#ifndef LATENCY_PAIR_H
#define LATENCY_PAIR_H

#include "latency_key.h"

enum latency_side { LATENCY_A, LATENCY_B };
enum latency_way { LATENCY_A_TO_B, LATENCY_B_TO_A, LATENCY_WAYS };

struct latency_way_count {
	uint64_t matched;
	uint64_t lost;	     /* seen where it came from, not where it went to */
	uint64_t edge;	     /* the same, when the other point may not have been looking */
	uint64_t duplicated; /* a further copy of what was matched */
	uint64_t reordered;  /* RFC 4737: later than one of its flow that was sent after it */
	uint64_t ambiguous;  /* several would have done; that was taken whose delay is most like the others' */
	uint64_t early;	     /* given up because the table was full: not lost for sure */
};

/* A match; times as they were put in. sure: no other would have done as well. */
typedef void latency_pair_found(void *context, enum latency_way, uint64_t a_ns, uint64_t b_ns, bool sure);

struct latency_pairer;

/* NULL: no memory. window_ns: how long one waits for its other half; entries: how many may, a power of two. */
struct latency_pairer *latency_pair_new(uint64_t window_ns, uint32_t entries, latency_pair_found *, void *context);
void latency_pair_free(struct latency_pairer *);
/*
 * The translation of one flow, known beforehand: `inside` as it is at A, `outside` at B, both as sent by
 * the one who opened it. False: no room for more.
 */
bool latency_pair_flow(struct latency_pairer *, const struct latency_ends *inside, const struct latency_ends *outside);
/* Without NAT, directions are told by time only when both clocks agree; else by the ports. */
void latency_pair_by_ports(struct latency_pairer *);
void latency_pair_put(struct latency_pairer *, enum latency_side, uint64_t ns, const struct latency_key *);
/* The captures are over: what still waits is lost, or at the edge. */
void latency_pair_end(struct latency_pairer *);
const struct latency_way_count *latency_pair_count(const struct latency_pairer *, enum latency_way);

#endif
