// SPDX-License-Identifier: ISC
/* One byte channel of the guest: bytes both ways, opened and closed by event. */
#include "tender.h"

enum { EVENTS_RESERVED = 8 };

static struct channel_shared *ring(const struct channel *c)
{
	return &tender.shared->channel[c->number];
}

static void send_event(const struct channel *c, enum ring_event_kind kind)
{
	pump_event(&(struct ring_event){
		.kind = (uint8_t)kind, .channel = (uint8_t)c->number, .serial = c->serial });
}

bool channel_quiet(const struct channel *c)
{
	return !c->open && ring_get(&ring(c)->acked) == c->serial && pump_event_room() > EVENTS_RESERVED;
}

void channel_open(struct channel *c)
{
	c->open = true;
	c->up_cons = ring_get(&ring(c)->up_prod); /* what an earlier stream left unsent */
	ring_set(&ring(c)->up_cons, c->up_cons);
	send_event(c, RING_CHANNEL_OPEN);
}

void channel_close(struct channel *c)
{
	if (!c->open)
		return;
	c->open = false;
	c->serial++;
	send_event(c, RING_CHANNEL_CLOSED);
}

bool channel_left(const struct channel *c)
{
	return c->open && ring_get(&ring(c)->left) == c->serial + 1;
}

uint32_t channel_down_room(const struct channel *c)
{
	uint32_t used = c->down_prod - ring_get(&ring(c)->down_cons);
	return used > RING_CHANNEL_BYTES ? 0 : RING_CHANNEL_BYTES - used;
}

void channel_down(struct channel *c, const void *bytes, uint32_t len)
{
	ring_bytes_in(ring(c)->down, RING_CHANNEL_BYTES, c->down_prod, bytes, len);
	c->down_prod += len;
	ring_set(&ring(c)->down_prod, c->down_prod);
	pump_progress();
}

uint32_t channel_up(struct channel *c, void *bytes, uint32_t max)
{
	uint32_t prod = ring_get(&ring(c)->up_prod), used = prod - c->up_cons;
	if (used > RING_CHANNEL_BYTES) { /* a lie: start again from here */
		c->up_cons = prod;
		used = 0;
	}
	uint32_t n = used < max ? used : max;
	ring_bytes_out(bytes, ring(c)->up, RING_CHANNEL_BYTES, c->up_cons, n);
	c->up_cons += n;
	ring_set(&ring(c)->up_cons, c->up_cons);
	if (n > 0 && used > RING_CHANNEL_BYTES / 2)
		pump_progress(); /* the guest may be waiting for room */
	return n;
}
