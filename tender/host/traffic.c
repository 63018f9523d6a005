// SPDX-License-Identifier: ISC
/* Frames between ports and rings: bursts in, judged bursts out. */
#include "tender.h"

#include "segment.h"

enum { ETHERNET_BYTES = 14, IPV4_BYTES = 20, SUM_BYTES = 2 };

static struct port_shared *rings(uint16_t number)
{
	return &tender.shared->port[number];
}

static uint32_t guest_addr(const uint8_t *at)
{
	return (uint32_t)((uintptr_t)at - tender.memory.base);
}

void traffic_receive(uint16_t number)
{
	struct port *p = &tender.port[number];
	struct desc_ring *ring = &rings(number)->rx;
	struct driver_frame burst[DRIVER_BURST_MAX];
	struct driver_result r = { 0 };
	uint32_t used = p->rx_prod - ring_get(&ring->cons);
	if (used >= RING_DESCS)
		return;
	uint64_t began = ring_ticks();
	uint32_t max = RING_DESCS - used < DRIVER_BURST_MAX ? RING_DESCS - used : DRIVER_BURST_MAX;
	p->way.driver->receive(&p->way, burst, max, &r);
	for (uint32_t i = 0; i < r.frames; i++) {
		tender.guest_owns[burst[i].buffer] = true;
		ring->at[p->rx_prod++ % RING_DESCS] = (struct desc){
			.addr = guest_addr(burst[i].data),
			.len = burst[i].len,
			.offload = burst[i].offload,
			.stamp = began,
		};
	}
	p->count.rx += r.frames;
	p->count.rx_bytes += r.bytes;
	p->count.rx_drop += r.lost;
	if (r.frames) {
		ring_set(&ring->prod, p->rx_prod);
		ring_bit_set(tender.shared->rx_ready, number);
	}
	ports_result(number, &r);
}

/* Metadata that speaks of these bytes, in words that we know; hdr_len is ours. */
static bool offload_judged(struct driver_frame *f)
{
	struct offload *o = &f->offload;
	if (o->flags & ~(OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID))
		return false;
	o->flags &= OFFLOAD_NEEDS_CSUM;
	if (o->gso_type != GSO_NONE) {
		const struct frame whole = { .data = f->data, .len = f->len, .offload = *o };
		struct segments s;
		if (!segment_begin(&s, &whole))
			return false;
		o->hdr_len = s.header_bytes;
		return true;
	}
	o->gso_size = 0;
	o->hdr_len = 0;
	if (!o->flags) {
		o->csum_start = o->csum_offset = 0;
		return true;
	}
	return o->csum_start >= ETHERNET_BYTES + IPV4_BYTES && o->csum_start < f->len &&
		f->len - o->csum_start >= SUM_BYTES &&
		o->csum_offset <= f->len - o->csum_start - SUM_BYTES;
}

/* Makes a frame of a descriptor; false: the guest got it wrong. *ours: its buffer is, now. */
static bool judge(const struct desc *d, struct driver_frame *f, bool *ours)
{
	uint32_t room;
	*ours = buffers_find(d->addr, &f->buffer, &room);
	if (!*ours)
		return false;
	tender.guest_owns[f->buffer] = false;
	f->data = memory_at(&tender.memory, d->addr);
	f->len = d->len;
	f->offload = d->offload;
	return d->len >= ETHERNET_BYTES && d->len <= room && d->flags == 0 && d->reserved == 0 &&
		offload_judged(f);
}

/* What waits to go out of one port in one call of its driver. */
struct outgoing {
	struct driver_frame at[DRIVER_BURST_MAX];
	uint32_t count;
	uint32_t frames; /* of this transmission, so far */
	uint64_t stamp;  /* the first one's, as the guest says */
	struct driver_result result;
};

static void flush(struct port *p, struct outgoing *out)
{
	if (out->count)
		p->way.driver->send(&p->way, out->at, out->count, &out->result);
	out->count = 0;
}

static void put(struct port *p, struct outgoing *out, struct driver_frame *f)
{
	if (wayout_needs(&f->offload) & ~p->way.can && !wayout_complete(f)) {
		flush(p, out); /* what came before goes before */
		p->count.tx_cut += f->offload.gso_type != GSO_NONE;
		wayout_send(&p->way, f, &out->result);
		return;
	}
	out->at[out->count++] = *f;
	if (out->count == DRIVER_BURST_MAX)
		flush(p, out);
}

/* The guest is told how long its frames took to be written. */
static void tell_time(const struct outgoing *out)
{
	struct shared *s = tender.shared;
	if (!out->frames || tender.time_prod - ring_get(&s->time_cons) >= RING_TIMES)
		return;
	s->time[tender.time_prod % RING_TIMES] =
		(struct ring_time){ .ticks = ring_ticks() - out->stamp, .frames = out->frames };
	ring_set(&s->time_prod, ++tender.time_prod);
}

static void transmit(uint16_t number, bool discard)
{
	struct port *p = &tender.port[number];
	struct desc_ring *ring = &rings(number)->tx;
	struct outgoing out;
	uint32_t prod = ring_get(&ring->prod);
	out.count = out.frames = 0;
	out.result = (struct driver_result){ 0 };
	if (prod - p->tx_cons > RING_DESCS) {
		p->count.tx_bad++;
		p->tx_cons = prod;
	}
	for (; p->tx_cons != prod; p->tx_cons++) {
		struct desc d;
		struct driver_frame f;
		bool ours;
		memcpy(&d, &ring->at[p->tx_cons % RING_DESCS], sizeof(d));
		__asm__ volatile("" : : "r"(&d) : "memory"); /* one copy is judged and used */
		bool good = judge(&d, &f, &ours);
		if (good && !discard) {
			if (!out.frames++)
				out.stamp = d.stamp;
			put(p, &out, &f);
			continue;
		}
		p->count.tx_bad += !good;
		p->count.tx_drop += good;
		if (ours)
			buffers_back(f.buffer);
	}
	if (!discard) {
		flush(p, &out);
		tell_time(&out);
	}
	ring_set(&ring->cons, p->tx_cons);
	p->count.tx += out.result.frames;
	p->count.tx_bytes += out.result.bytes;
	p->count.tx_drop += out.result.lost;
	if (!discard)
		ports_result(number, &out.result);
}

void traffic_discard(uint16_t number)
{
	transmit(number, true);
}

void ports_transmit(void)
{
	for (uint32_t w = 0; w < RING_PORT_WORDS; w++) {
		uint64_t *pending = &tender.shared->tx_pending[w];
		if (!ring_word(pending))
			continue;
		uint64_t word = __atomic_exchange_n(pending, 0, __ATOMIC_ACQ_REL);
		for (; word; word &= word - 1) {
			uint32_t number = w * 64 + (uint32_t)__builtin_ctzll(word);
			if (number >= PORT_COUNT)
				continue;
			enum port_state state = tender.port[number].state;
			transmit((uint16_t)number, state == PORT_FREE || state == PORT_GONE);
		}
	}
}
