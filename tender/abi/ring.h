/* SPDX-License-Identifier: ISC */
/*
 * ring.h: the memory that guest and tender share.
 *
 * Every ring has one producer and one consumer. Indices run free (u32, masked
 * when used), each on a cache line of its own; the producer publishes with
 * release, the consumer reads with acquire. The tender keeps its own copy of
 * the indices it owns and never reads them back; it copies a descriptor
 * before it looks at it.
 *
 * Buffers circulate: a buffer belongs to the tender or to the guest. It comes
 * to the guest in an rx descriptor or through `grants` (small ones only), and
 * goes back in a tx descriptor or through `frees`. Large ones are few: the guest
 * gives them back in the turn in which they came.
 *
 * A descriptor's offload metadata speaks of the frame's own bytes, both ways;
 * the tender judges what the guest says there, and computes hdr_len itself.
 *
 * Ports and channels carry a serial: the guest stores the serial of a DETACHED
 * or CLOSED event into `acked` once it has emptied what was on its way, and
 * only then the tender uses the port or channel again.
 */
#ifndef RING_H
#define RING_H

#include "addr.h"
#include "boot.h"
#include "frame.h"

enum {
	RING_DESCS = 128,
	RING_EVENTS = 1024,
	RING_GRANTS = 128,
	RING_CHANNEL_BYTES = 8192,
	RING_CONSOLE_BYTES = 16384,
	RING_PORT_WORDS = (PORT_COUNT + 63) / 64,
	RING_CHANNELS = 2, /* store, control: enum platform_channel */
	RING_LINE_BYTES = 64,
	RING_TIMES = 256,
};

struct ring_index { _Alignas(RING_LINE_BYTES) uint32_t at; };

struct desc {
	uint32_t addr; /* of the first byte, guest address */
	uint32_t len;
	struct offload offload;
	uint16_t flags;    /* zero */
	uint32_t reserved; /* zero */
	uint64_t stamp;    /* the processor's counter: rx: before the host read it; tx: when the guest handed it over */
};
_Static_assert(sizeof(struct desc) == 32, "two descriptors a cache line");

struct desc_ring {
	struct ring_index prod, cons;
	_Alignas(RING_LINE_BYTES) struct desc at[RING_DESCS];
};

struct port_shared {
	struct desc_ring rx, tx;
	struct ring_index acked;
};

struct channel_shared {
	struct ring_index down_prod, down_cons; /* tender to guest */
	struct ring_index up_prod, up_cons;     /* guest to tender */
	struct ring_index acked;
	struct ring_index left; /* the guest's: the serial of the OPEN event whose stream it wants ended, and 1 */
	uint8_t down[RING_CHANNEL_BYTES];
	uint8_t up[RING_CHANNEL_BYTES];
};

/* Frames of one port that left together: from the first one's stamp until the last was written. */
struct ring_time {
	uint64_t ticks;
	uint32_t frames;
	uint32_t reserved; /* zero */
};

enum ring_event_kind {
	RING_NONE,
	RING_PORT_ATTACHED,
	RING_PORT_DETACHED,
	RING_LINK_UP,
	RING_LINK_DOWN,
	RING_CHANNEL_OPEN,
	RING_CHANNEL_CLOSED,
	RING_SHUTDOWN,
};

/* The fields mean what they mean in struct platform_event. */
struct ring_event {
	uint8_t kind; /* enum ring_event_kind */
	uint8_t channel;
	uint8_t addr_count;
	uint8_t prefix_len;
	uint16_t port;
	uint16_t mtu;
	uint32_t serial;
	struct mac ours, theirs;
	char name[16];
	struct ip_addr addr[2];
	struct ip_addr gateway;
};

struct shared {
	/* the tender's, renewed at every call and while it is awake */
	_Alignas(RING_LINE_BYTES) uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint64_t wall_ns;                          /* CLOCK_REALTIME */
	uint32_t awake;    /* the tender looks at the rings by itself, and renews the clocks */
	uint32_t progress; /* changes when bytes came, or there is room for more */
	/* the guest's */
	_Alignas(RING_LINE_BYTES) uint64_t deadline_ns;
	uint32_t exit_status;
	uint32_t buffers_wanted; /* how many grants the guest can take */
	uint32_t console_lost;   /* lines that did not fit */
	/* bits by port; rx_ready: set by the tender, cleared by the guest; tx_pending the other way */
	_Alignas(RING_LINE_BYTES) uint64_t rx_ready[RING_PORT_WORDS];
	_Alignas(RING_LINE_BYTES) uint64_t tx_pending[RING_PORT_WORDS];
	struct ring_index event_prod, event_cons;
	struct ring_index grant_prod, grant_cons;
	struct ring_index free_prod, free_cons;
	struct ring_index console_prod, console_cons;
	struct ring_index time_prod, time_cons;
	struct ring_event event[RING_EVENTS];
	uint32_t grants[RING_GRANTS];    /* buffer numbers */
	uint32_t frees[ABI_BUFFERS_MAX]; /* never full: as many as buffers */
	struct ring_time time[RING_TIMES]; /* the tender's; what does not fit is not told */
	uint8_t console[RING_CONSOLE_BYTES]; /* lines, each ended by a newline */
	struct channel_shared channel[RING_CHANNELS];
	_Alignas(RING_LINE_BYTES) struct port_shared port[PORT_COUNT];
};

static inline uint32_t ring_get(const struct ring_index *i)
{
	return __atomic_load_n(&i->at, __ATOMIC_ACQUIRE);
}

static inline void ring_set(struct ring_index *i, uint32_t value)
{
	__atomic_store_n(&i->at, value, __ATOMIC_RELEASE);
}

/* Of constant rate, and one count for both sides: the tender sees to that. */
static inline uint64_t ring_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static inline void ring_bit_set(uint64_t words[], uint32_t bit)
{
	__atomic_fetch_or(&words[bit / 64], UINT64_C(1) << bit % 64, __ATOMIC_RELEASE);
}

static inline void ring_bit_clear(uint64_t words[], uint32_t bit)
{
	__atomic_fetch_and(&words[bit / 64], ~(UINT64_C(1) << bit % 64), __ATOMIC_ACQ_REL);
}

static inline uint64_t ring_word(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Copies part of a byte ring of `size` (a power of two), starting at index. */
static inline void ring_bytes_out(void *to, const uint8_t *ring, uint32_t size, uint32_t index,
	uint32_t n)
{
	uint32_t first = size - index % size;
	if (first > n)
		first = n;
	memcpy(to, ring + index % size, first);
	memcpy((uint8_t *)to + first, ring, n - first);
}

static inline void ring_bytes_in(uint8_t *ring, uint32_t size, uint32_t index, const void *from,
	uint32_t n)
{
	uint32_t first = size - index % size;
	if (first > n)
		first = n;
	memcpy(ring + index % size, from, first);
	memcpy(ring, (const uint8_t *)from + first, n - first);
}

#endif
