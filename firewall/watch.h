/* SPDX-License-Identifier: ISC */
/*
 * watch.h: packets that an operator looks at: copies of those that match, with what became of them, in a ring until
 * they are read (watchreport.h). Bounded: what finds no room is lost and counted. A watch ends by itself, after so
 * many packets, or so long, or when nobody has read for WATCH_SILENCE_S; an ended one is gone when it is read
 * empty, or after that silence. While none runs, packets cost nothing.
 *
 * The data path's side is watchtap.c: watch_begin and watch_end around one packet's way, watch_drop on it.
 */
#ifndef WATCH_H
#define WATCH_H

#include "arena.h"
#include "match.h"
#include "rule_id.h"

enum {
	WATCH_SESSIONS = 2,
	WATCH_RING_BYTES = 256 << 10, /* at least; more where there is more memory */
	WATCH_RING_MAX = 4 << 20,
	WATCH_SNAP_MAX = 66000,     /* no frame is longer */
	WATCH_SILENCE_S = 10,
	WATCH_SECONDS_MAX = 86400,
};

enum watch_flow { WATCH_NO_FLOW, WATCH_FOUND, WATCH_OPENED };

/* One packet: as it came in, and as what it became went out; then in_bytes and out_bytes of both. */
struct watch_record {
	uint64_t number;            /* in its watch, from 1 */
	uint64_t ns;                /* of the clock that fw is told; one burst has one */
	uint16_t in_port, out_port; /* PORT_NONE: did not come in now, did not go out now */
	uint32_t in_len, in_bytes;  /* of the frame, and of those kept */
	uint32_t out_len, out_bytes;
	struct tuple came, left;    /* zero: not of IP */
	struct ip_addr client;      /* zero: none */
	struct ip_addr next_hop;    /* zero: none */
	uint64_t generation;        /* of the client's rules; 0: none asked */
	uint32_t rule;              /* that decided, a rule_ref; NONE: none did */
	uint8_t fate, reason;       /* enum match_fate, enum drop */
	uint8_t flow;               /* enum watch_flow */
	uint8_t state;              /* of the flow, when has_state */
	bool has_state, arp, up;    /* up: in its flow's opening direction */
	uint8_t tcp_flags, icmp_type;
	char rule_id[RULE_ID_TEXT]; /* "": none */
};

enum watch_state { WATCH_FREE, WATCH_RUNS, WATCH_ENDED };

struct watch_session {
	/* fixed while it is not free */
	uint32_t id;
	struct match match;
	uint32_t snaplen;           /* 0: no bytes are kept */
	uint64_t wall_offset;       /* of the clock's ns, to 1970 */
	uint64_t until_ns;          /* UINT64_MAX: none */
	/* changing */
	enum watch_state state;
	const char *ended;          /* why: a word */
	uint64_t left;              /* packets that are still wanted */
	uint64_t heard_ns;
	uint64_t matched, lost;
	uint32_t seen_at[PORT_COUNT], lost_at[PORT_COUNT]; /* of matched: frames in and out, by port */
	uint8_t *ring;
	uint32_t ring_bytes;
	uint64_t head, tail;        /* read and written, in bytes since the start */
};

struct watch_wish {
	struct match match;
	uint32_t snaplen, count, seconds; /* count, seconds 0: no bound */
};

struct frame;
struct fw;

struct watch {
	uint32_t running; /* sessions in WATCH_RUNS; 0: nobody looks */
	uint32_t last_id;
	struct watch_session session[WATCH_SESSIONS];
	/* the packet on its way */
	const struct frame *frame;      /* NULL: none */
	bool wanted;                    /* somebody may want to see it */
	const struct frame *sent;       /* the last one in fw->tx before it */
	struct watch_record record;
	struct match_facts facts;
	struct tuple key;               /* what its flow is looked up by */
	uint8_t *head;                  /* its first bytes */
};

struct watch *watch_new(struct arena *); /* NULL: the arena is too small */
/* NULL: all are in use. */
struct watch_session *watch_start(struct watch *, const struct watch_wish *, uint64_t now_ns, uint64_t wall_offset);
struct watch_session *watch_find(struct watch *, uint32_t id); /* or NULL; it is heard of at now_ns by watch_heard */
void watch_end_session(struct watch *, struct watch_session *, const char *why); /* one that runs */
void watch_free(struct watch *, struct watch_session *);
/* Ends what is over, and frees what nobody reads. */
void watch_tick(struct watch *, uint64_t now_ns);
uint64_t watch_deadline(const struct watch *); /* UINT64_MAX: none */

/* record's number and sizes are filled in here. */
void watch_put(struct watch_session *, const struct watch_record *, const uint8_t *in, const uint8_t *out);
bool watch_peek(const struct watch_session *, struct watch_record *); /* the oldest; false: none */
/* n of the oldest record's bytes from at: in_bytes, then out_bytes. */
void watch_bytes(const struct watch_session *, uint32_t at, uint8_t *to, uint32_t n);
void watch_pop(struct watch_session *);

/* --- watchtap.c: while one runs -------------------------------------------------------- */

/* A frame begins its way through fw; its fate is known when it ends. Not while another is under way. */
void watch_begin(struct fw *, struct frame *);
void watch_end(struct fw *);
/* It, or one that was held before, is dropped; its bytes are what they were when it was. */
void watch_drop(struct fw *, const struct frame *, uint16_t from, enum drop);
/* Frames that were put on fw->tx behind `last` (NULL: all of it), of none that is on its way. */
void watch_sent(struct fw *, const struct frame *last);

static inline bool watch_runs(const struct watch *w)
{
	return w && w->running;
}

#endif
