// SPDX-License-Identifier: ISC
/* Frames on the shared buffers: the port rings, and a small reserve for the guest's own frames. */
#include "guest.h"

enum { RESERVE_FRAMES = 64, RX_SHARE = 32 };

static struct {
	struct frame *frame; /* one per buffer, by number */
	uint32_t small, count; /* buffers: small ones first, then large ones */
	struct frame_queue reserve;
	uint32_t next_port; /* where the next rx starts looking */
	uint64_t rx, tx, tx_full, bad;
	uint64_t rx_ticks; /* the oldest stamp of the last rx; 0: nothing came */
} own;

void buffers_boot(struct arena *arena)
{
	own.small = guest_boot->buffer_count;
	own.count = own.small + guest_boot->large_count;
	own.frame = arena_take(arena, own.count, sizeof(*own.frame));
	ensure(own.frame);
	for (uint32_t i = 0; i < own.count; i++) {
		struct frame *f = &own.frame[i];
		bool large = i >= own.small;
		f->room = large ? ABI_LARGE_BYTES : ABI_BUFFER_BYTES;
		f->buffer = (uint8_t *)(large ?
			guest_boot->large + (uint64_t)(i - own.small) * ABI_LARGE_BYTES :
			guest_boot->pool + (uint64_t)i * ABI_BUFFER_BYTES);
		f->handle = i;
		f->data = f->buffer;
	}
}

/* The frame around a guest address, or NULL. */
static struct frame *frame_at(uint64_t addr)
{
	uint64_t offset = addr - guest_boot->pool;
	if (addr >= guest_boot->pool && offset / ABI_BUFFER_BYTES < own.small)
		return &own.frame[offset / ABI_BUFFER_BYTES];
	offset = addr - guest_boot->large;
	if (addr >= guest_boot->large && offset / ABI_LARGE_BYTES < own.count - own.small)
		return &own.frame[own.small + offset / ABI_LARGE_BYTES];
	return NULL;
}

/* A descriptor outside the buffers would be a broken tender: it is counted and left alone. */
static struct frame *frame_of(const struct desc *d, uint16_t port)
{
	struct frame *f = frame_at(d->addr);
	uint32_t inside = f ? (uint32_t)(d->addr - (uintptr_t)f->buffer) : 0;
	if (!f || d->len > f->room - inside) {
		own.bad++;
		return NULL;
	}
	f->data = f->buffer + inside;
	f->len = d->len;
	f->port = port;
	f->offload = d->offload;
	f->next = NULL;
	return f;
}

static size_t rx_port(uint16_t port, struct frame *burst[], size_t max)
{
	struct desc_ring *ring = &guest_shared->port[port].rx;
	size_t n = 0;
	ring_bit_clear(guest_shared->rx_ready, port); /* before the index is read */
	uint32_t cons = ring_get(&ring->cons), prod = ring_get(&ring->prod);
	uint64_t first = ring->at[cons % RING_DESCS].stamp;
	if (cons != prod && (!own.rx_ticks || first < own.rx_ticks))
		own.rx_ticks = first;
	for (; cons != prod && n < max; cons++) {
		struct desc d = ring->at[cons % RING_DESCS];
		struct frame *f = frame_of(&d, port);
		if (f)
			burst[n++] = f;
	}
	ring_set(&ring->cons, cons);
	if (cons != prod)
		ring_bit_set(guest_shared->rx_ready, port);
	return n;
}

/* The first port at or after `from` whose bit is set, or PORT_COUNT. */
static uint32_t next_ready(const uint64_t words[], uint32_t from)
{
	while (from < PORT_COUNT) {
		uint64_t word = ring_word(&words[from / 64]) >> from % 64;
		if (word) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < PORT_COUNT ? from : PORT_COUNT;
		}
		from = (from | 63) + 1;
	}
	return PORT_COUNT;
}

size_t buffers_rx(struct frame *burst[], size_t max)
{
	size_t n = 0;
	uint32_t start = own.next_port, port = start;
	bool wrapped = false;
	own.rx_ticks = 0;
	while (n < max) {
		port = next_ready(guest_shared->rx_ready, port);
		if (wrapped && port >= start)
			break;
		if (port == PORT_COUNT) {
			wrapped = true;
			port = 0;
			continue;
		}
		size_t share = max - n < RX_SHARE ? max - n : RX_SHARE;
		n += rx_port((uint16_t)port, burst + n, share);
		port++;
		own.next_port = port % PORT_COUNT;
	}
	own.rx += n;
	return n;
}

bool buffers_ready(void)
{
	return next_ready(guest_shared->rx_ready, 0) != PORT_COUNT;
}

static void give(struct frame *f)
{
	if (f->handle < own.small && own.reserve.count < RESERVE_FRAMES) {
		frames_put(&own.reserve, f);
		return;
	}
	uint32_t prod = ring_get(&guest_shared->free_prod);
	guest_shared->frees[prod % ABI_BUFFERS_MAX] = f->handle;
	ring_set(&guest_shared->free_prod, prod + 1);
}

void buffers_give(struct frame_queue *q)
{
	for (struct frame *f; (f = frames_take(q));)
		give(f);
}

uint64_t buffers_rx_ticks(void)
{
	return own.rx_ticks;
}

uint32_t buffers_tx_ticks(uint64_t *ticks)
{
	uint32_t cons = ring_get(&guest_shared->time_cons);
	if (cons == ring_get(&guest_shared->time_prod))
		return 0;
	const struct ring_time *t = &guest_shared->time[cons % RING_TIMES];
	uint32_t frames = t->frames;
	*ticks = t->ticks;
	ring_set(&guest_shared->time_cons, cons + 1);
	return frames;
}

static bool tx_one(const struct frame *f, uint64_t ticks)
{
	struct desc_ring *ring = &guest_shared->port[f->port].tx;
	uint32_t prod = ring_get(&ring->prod);
	if (prod - ring_get(&ring->cons) >= RING_DESCS) {
		guest_call(CALL_DOORBELL);
		if (prod - ring_get(&ring->cons) >= RING_DESCS)
			return false;
	}
	ring->at[prod % RING_DESCS] = (struct desc){
		.addr = (uint32_t)(uintptr_t)f->data,
		.len = f->len,
		.offload = f->offload,
		.stamp = ticks,
	};
	ring_set(&ring->prod, prod + 1);
	ring_bit_set(guest_shared->tx_pending, f->port);
	return true;
}

void buffers_tx(struct frame_queue *q)
{
	uint64_t ticks = ring_ticks();
	for (struct frame *f; (f = frames_take(q));) {
		if (f->port < PORT_COUNT && tx_one(f, ticks)) {
			own.tx++;
			continue;
		}
		own.tx_full++;
		give(f);
	}
}

struct frame *buffers_free(void)
{
	struct frame *f = frames_take(&own.reserve);
	if (f)
		(void)frame_reset(f, 0);
	return f;
}

void buffers_wanted(void)
{
	__atomic_store_n(&guest_shared->buffers_wanted, RESERVE_FRAMES - own.reserve.count, __ATOMIC_RELAXED);
}

void buffers_take_grants(void)
{
	uint32_t cons = ring_get(&guest_shared->grant_cons), prod = ring_get(&guest_shared->grant_prod);
	for (; cons != prod; cons++) {
		uint32_t i = guest_shared->grants[cons % RING_GRANTS];
		if (i < own.small)
			give(&own.frame[i]);
		else
			own.bad++;
	}
	ring_set(&guest_shared->grant_cons, cons);
}

void buffers_drain(uint16_t port)
{
	struct frame *burst[RX_SHARE];
	for (size_t n; (n = rx_port(port, burst, array_len(burst))) > 0;)
		for (size_t i = 0; i < n; i++)
			give(burst[i]);
}

static void member(struct text *t, const char *name, uint64_t value)
{
	text_put(t, name);
	text_u64(t, value);
}

void buffers_status(struct text *t)
{
	member(t, "\"platform_rx\":", own.rx);
	member(t, ",\"platform_tx\":", own.tx);
	member(t, ",\"platform_tx_full\":", own.tx_full);
	member(t, ",\"platform_bad_descriptors\":", own.bad);
	member(t, ",\"buffers\":", own.count);
	member(t, ",\"buffers_reserve\":", own.reserve.count);
}
