/* SPDX-License-Identifier: ISC */
/*
 * latency.h: how long packets stay in the firewall, measured from inside all
 * the time.
 *
 * Time is read once for a group of at most 16 packets of a burst and stage, not for each packet: all of
 * a group get the time at which its last was done. So a figure is never too small,
 * and too large by what the neighbours took.
 *
 *   up, down   client to uplink, and back: from the moment the burst was taken
 *              from the platform until the packet stood in the way out
 *   drop       until it was dropped, or refused aloud
 *   answer     until the firewall itself had answered it (or put it by, to wait for its first fragment)
 *   publish    until the platform had the whole burst for sending
 *
 * and of these the stages, for packets of either direction and verdict, which add up to
 * the stay of each:
 *
 *   parse      from taking the burst until the group was parsed: its own time, and
 *              that of what stood before it
 *   lookup     from there until its flows were looked up
 *   forward    from there on: verdict, state, rewriting, way out
 *
 * What lies outside, where the platform can tell:
 *
 *   host-in    from the host's reading of the burst until it was taken
 *   host-out   from handing frames over until the host had written the last of them
 *
 * Ticks are the platform's and become nanoseconds by a scale that is renewed
 * from its clock; before the first second of measuring is over nothing counts.
 * By client and by rule: latencyby.h.
 */
#ifndef LATENCY_H
#define LATENCY_H

#include "arena.h"
#include "histogram.h"
#include "packet.h"

enum latency_kind {
	LATENCY_UP, LATENCY_DOWN, LATENCY_DROP, LATENCY_ANSWER, LATENCY_WAYS, /* what becomes of a packet */
	LATENCY_PARSE = LATENCY_WAYS, LATENCY_LOOKUP, LATENCY_FORWARD, LATENCY_PUBLISH, LATENCY_HOST_IN, LATENCY_HOST_OUT,
	LATENCY_KINDS,
};
enum { LATENCY_SLOW_MAX = 32 };

/* One of the slowest: the first packet of a group that took long. */
struct latency_slow {
	uint64_t ns;
	uint64_t parse_ns, lookup_ns, forward_ns; /* all zero: the stages were not measured */
	struct tuple tuple; /* as it came in; all zero when it was not a usual packet */
	uint32_t generation, rule; /* of its flow; rule NONE: of no flow */
	uint32_t queued;    /* packets of the burst before it */
	uint16_t port;
};

/* When the stages of a group were over, in ticks. */
struct latency_group {
	uint64_t parsed, looked_up, done;
};

struct latency_by;
struct latency_stretches;

struct latency {
	uint64_t (*ticks)(void); /* NULL: the platform has none */
	struct latency_by *by;   /* NULL: no room */
	struct latency_stretches *stretches; /* of the group in hand; latencyby.h */
	bool on, stages;
	uint64_t scale;          /* nanoseconds a tick, in 1/2^32; 0: not known yet */
	uint64_t base_ticks, base_ns;
	uint64_t began;          /* ticks: the burst in hand was taken */
	uint64_t slow_floor;     /* nanoseconds: what is not above is no news */
	uint32_t slow_count;
	struct histogram kind[LATENCY_KINDS];
	struct latency_slow slow[LATENCY_SLOW_MAX];
};

/* On, when there are ticks; NULL: the arena is too small. At most 1/32 of it is taken to tell clients apart. */
struct latency *latency_new(struct arena *, uint64_t (*ticks)(void));
/* Call now and then: learns how long a tick is. */
void latency_calibrate(struct latency *, uint64_t now_ns);
/* Measures or not, and the stages with it or not; what was measured stays. */
void latency_switch(struct latency *, bool on, bool stages);
void latency_forget(struct latency *);
/* "up", ... */
const char *latency_kind_word(enum latency_kind);

static inline bool latency_runs(const struct latency *l)
{
	return l && l->on && l->scale;
}

/* A burst was taken. */
static inline void latency_begin(struct latency *l)
{
	if (latency_runs(l))
		l->began = l->ticks();
}

static inline uint64_t latency_ns(const struct latency *l, uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * l->scale >> 32);
}

/* count packets went each way just now, and the group says when their stages were over; how long they stayed. */
uint64_t latency_done(struct latency *, const struct latency_group *, const uint32_t count[LATENCY_WAYS]);
/* The platform has the n packets of the burst for sending. */
void latency_published(struct latency *, uint32_t n);
/* The n packets of the burst in hand were read by the host from `ticks` on; 0: it does not say. */
void latency_arrived(struct latency *, uint64_t ticks, uint32_t n);
/* The host had n packets written `ticks` after they were published. */
void latency_written(struct latency *, uint64_t ticks, uint32_t n);
/* Worth keeping among the slowest? */
static inline bool latency_is_slow(const struct latency *l, uint64_t ns)
{
	return ns > l->slow_floor;
}
/* Keeps it; the least slow one makes room. */
void latency_keep(struct latency *, const struct latency_slow *);

#endif
