// SPDX-License-Identifier: ISC
/* Ports: attach and detach, frames between interfaces and rings. */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	RX_BURST = 64,
	FRAME_BYTES_MAX = ABI_BUFFER_BYTES - FRAME_HEADROOM_BYTES,
	ETHERNET_BYTES = 14, VLAN_BYTES = 4,
	MTU_MAX = FRAME_BYTES_MAX - ETHERNET_BYTES - VLAN_BYTES - 1,
	EVENTS_RESERVED = 64, /* room kept for links and channels */
};
#define RETRY_NS UINT64_C(1000000000)

/* Free client ports, longest free first; a port waits here until the guest let go of it. */
static struct { uint16_t at[PORT_COUNT]; uint32_t head, count; } idle;
static uint32_t down_count;
static uint64_t retry_ns;
static bool unsaid; /* some link event waits for room */

static void idle_put(uint16_t number)
{
	idle.at[(idle.head + idle.count++) % PORT_COUNT] = number;
}

static struct port_shared *rings(uint16_t number)
{
	return &tender.shared->port[number];
}

void ports_setup(void)
{
	for (uint16_t i = PORT_CLIENT_FIRST; i < PORT_COUNT; i++)
		idle_put(i);
}

static bool let_go(uint16_t number)
{
	struct port_shared *r = rings(number);
	return ring_get(&r->acked) == tender.port[number].serial &&
		ring_get(&r->rx.cons) == tender.port[number].rx_prod;
}

static void send_event(uint16_t number, enum ring_event_kind kind)
{
	const struct port *p = &tender.port[number];
	struct ring_event e = {
		.kind = (uint8_t)kind,
		.addr_count = p->about.addr_count,
		.prefix_len = p->about.prefix_len,
		.port = number,
		.mtu = p->about.mtu < MTU_MAX ? p->about.mtu : MTU_MAX,
		.serial = p->serial,
		.ours = p->about.ours,
		.theirs = p->about.theirs,
		.addr = { p->about.addr[0], p->about.addr[1] },
		.gateway = p->about.gateway,
	};
	memcpy(e.name, p->about.name, sizeof(e.name));
	pump_event(&e);
}

/* The number a new port gets. */
static int choose(int number)
{
	if (number == PORT_UPLINK)
		return tender.port[PORT_UPLINK].state == PORT_FREE ? PORT_UPLINK : -2;
	if (idle.count == 0)
		return -2;
	uint16_t first = idle.at[idle.head];
	if (!let_go(first) || pump_event_room() < EVENTS_RESERVED * 2)
		return -1;
	idle.head = (idle.head + 1) % PORT_COUNT;
	idle.count--;
	return first;
}

int ports_attach(int number, const struct option_port *about, int fd)
{
	number = choose(number);
	if (number == -2)
		close(fd);
	if (number < 0)
		return number;
	uint16_t n = (uint16_t)number;
	struct port *p = &tender.port[n];
	if (dup3(fd, FD_PORT_FIRST + n, O_CLOEXEC) < 0) {
		if (n != PORT_UPLINK)
			idle_put(n);
		close(fd);
		return -2;
	}
	close(fd);
	p->state = PORT_UP;
	p->about = *about;
	if (p->about.mtu == 0)
		p->about.mtu = 1500;
	p->count = (struct port_counters){ 0 };
	p->link_said = true;
	p->tx_cons = ring_get(&rings(n)->tx.prod); /* nothing of the port's past goes out */
	ring_set(&rings(n)->tx.cons, p->tx_cons);
	p->watched = pump_watch(FD_PORT_FIRST + n, EPOLLIN, WATCH_PORT, n);
	send_event(n, RING_PORT_ATTACHED);
	return n;
}

static void unwatch(struct port *p, uint16_t number)
{
	if (p->watched)
		pump_ignore(FD_PORT_FIRST + number);
	p->watched = false;
}

/* Takes back what the guest had queued. */
static void discard_tx(uint16_t number);

uint64_t ports_detach(uint16_t number)
{
	struct port *p = &tender.port[number];
	unwatch(p, number);
	uint64_t burial = broker_bury(FD_PORT_FIRST + number);
	close(FD_PORT_FIRST + number);
	if (p->state == PORT_DOWN)
		down_count--;
	p->state = PORT_FREE;
	p->serial++;
	discard_tx(number);
	send_event(number, RING_PORT_DETACHED);
	if (number != PORT_UPLINK)
		idle_put(number);
	return burial;
}

int ports_find(const char *name, size_t len)
{
	struct cursor c = cursor_of(name, len);
	uint32_t number;
	if (parse_u32(&c, PORT_COUNT - 1, &number) && c.left == 0)
		return tender.port[number].state == PORT_FREE ? -1 : (int)number;
	for (int i = 0; i < PORT_COUNT; i++) {
		const struct port *p = &tender.port[i];
		if (p->state != PORT_FREE && strlen(p->about.name) == len && !memcmp(p->about.name, name, len))
			return i;
	}
	return -1;
}

/* Tells the guest what it does not know yet of this link. */
static void say_link(uint16_t number)
{
	struct port *p = &tender.port[number];
	bool up = p->state == PORT_UP;
	if (p->state == PORT_FREE || up == p->link_said)
		return;
	if (pump_event_room() < EVENTS_RESERVED / 2) {
		unsaid = true;
		return;
	}
	p->link_said = up;
	send_event(number, up ? RING_LINK_UP : RING_LINK_DOWN);
}

void ports_announce(void)
{
	if (!unsaid)
		return;
	unsaid = false;
	for (uint16_t i = 0; i < PORT_COUNT; i++)
		say_link(i);
}

static void link_is(uint16_t number, enum port_state state)
{
	struct port *p = &tender.port[number];
	if (p->state == state || p->state == PORT_FREE || p->state == PORT_GONE)
		return;
	if (p->state == PORT_DOWN)
		down_count--;
	if (state == PORT_DOWN && down_count++ == 0)
		retry_ns = tender.now_ns + RETRY_NS;
	if (state != PORT_UP)
		p->count.link_down++;
	if (state == PORT_GONE)
		unwatch(p, number);
	p->state = state;
	say_link(number);
}

static void link_error(uint16_t number, int error)
{
	if (error == EBADFD || error == EBADF || error == ENODEV || error == ENXIO)
		link_is(number, PORT_GONE);
	else if (error == EIO || error == ENETDOWN)
		link_is(number, PORT_DOWN);
}

/* One frame into one buffer; false when there is nothing to read or nowhere to put it. */
static bool receive_one(uint16_t number, uint32_t buffer, struct desc *d)
{
	struct port *p = &tender.port[number];
	uint64_t addr = tender.memory.pool + (uint64_t)buffer * ABI_BUFFER_BYTES + FRAME_HEADROOM_BYTES;
	for (;;) {
		ssize_t n = read(FD_PORT_FIRST + number, memory_at(&tender.memory, addr), FRAME_BYTES_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				p->count.rx_drop++;
			link_error(number, errno);
			return false;
		}
		if (n == 0)
			return false;
		if (n == FRAME_BYTES_MAX) { /* it was cut */
			p->count.rx_drop++;
			continue;
		}
		*d = (struct desc){ .addr = (uint32_t)addr, .len = (uint32_t)n, .stamp = tender.now_ns };
		return true;
	}
}

static void receive(uint16_t number)
{
	struct port *p = &tender.port[number];
	struct desc_ring *ring = &rings(number)->rx;
	uint32_t used = p->rx_prod - ring_get(&ring->cons), got = 0;
	if (used > RING_DESCS)
		return;
	for (; used < RING_DESCS && got < RX_BURST; used++, got++) {
		struct desc d;
		uint32_t buffer;
		if (!buffers_take(&buffer))
			break;
		if (!receive_one(number, buffer, &d)) {
			buffers_back(buffer);
			break;
		}
		tender.guest_owns[buffer] = true;
		ring->at[p->rx_prod++ % RING_DESCS] = d;
		p->count.rx++;
		p->count.rx_bytes += d.len;
	}
	if (got == 0)
		return;
	ring_set(&ring->prod, p->rx_prod);
	ring_bit_set(tender.shared->rx_ready, number);
	link_is(number, PORT_UP);
}

void ports_readable(uint16_t number, uint32_t events)
{
	if (tender.port[number].state == PORT_FREE)
		return;
	if (events & EPOLLIN)
		receive(number);
	if (events & (EPOLLERR | EPOLLHUP))
		link_is(number, PORT_GONE);
}

/* The buffer a descriptor speaks of, when it lies in the pool and is the guest's. */
static bool buffer_of(const struct desc *d, uint32_t *buffer, uint32_t *inside)
{
	uint64_t pool_bytes = (uint64_t)tender.memory.buffer_count * ABI_BUFFER_BYTES;
	if (d->addr < tender.memory.pool || d->addr - tender.memory.pool >= pool_bytes)
		return false;
	uint64_t offset = d->addr - tender.memory.pool;
	*buffer = (uint32_t)(offset / ABI_BUFFER_BYTES);
	*inside = (uint32_t)(offset % ABI_BUFFER_BYTES);
	return tender.guest_owns[*buffer];
}

static void send_one(uint16_t number, const struct desc *d)
{
	struct port *p = &tender.port[number];
	if (p->state == PORT_GONE || p->state == PORT_FREE) {
		p->count.tx_drop++;
		return;
	}
	ssize_t n;
	do {
		n = write(FD_PORT_FIRST + number, memory_at(&tender.memory, d->addr), d->len);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		p->count.tx_drop++;
		link_error(number, errno);
		return;
	}
	p->count.tx++;
	p->count.tx_bytes += d->len;
	link_is(number, PORT_UP);
}

static void transmit(uint16_t number, bool discard)
{
	struct port *p = &tender.port[number];
	struct desc_ring *ring = &rings(number)->tx;
	uint32_t prod = ring_get(&ring->prod), buffer, inside;
	if (prod - p->tx_cons > RING_DESCS) {
		p->count.tx_bad++;
		p->tx_cons = prod;
	}
	for (; p->tx_cons != prod; p->tx_cons++) {
		struct desc d;
		memcpy(&d, &ring->at[p->tx_cons % RING_DESCS], sizeof(d));
		__asm__ volatile("" : : "r"(&d) : "memory"); /* one copy is judged and used */
		if (!buffer_of(&d, &buffer, &inside)) {
			p->count.tx_bad++;
			continue;
		}
		bool good = d.len >= ETHERNET_BYTES && d.len <= ABI_BUFFER_BYTES - inside &&
			d.flags == 0 && d.reserved == 0 && !(d.offload.flags & OFFLOAD_NEEDS_CSUM) &&
			d.offload.gso_type == GSO_NONE;
		if (!good)
			p->count.tx_bad++;
		else if (discard)
			p->count.tx_drop++;
		else
			send_one(number, &d);
		buffers_back(buffer);
	}
	ring_set(&ring->cons, p->tx_cons);
}

static void discard_tx(uint16_t number)
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
			if (number < PORT_COUNT)
				transmit((uint16_t)number, tender.port[number].state == PORT_FREE);
		}
	}
}

/* Ethernet alone, from us to us, of an experimental type: nobody takes it, a dead link says so. */
static void probe(uint16_t number)
{
	const struct port *p = &tender.port[number];
	uint8_t frame[ETHERNET_BYTES];
	memcpy(frame, p->about.ours.b, 6);
	memcpy(frame + 6, p->about.ours.b, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	if (write(FD_PORT_FIRST + number, frame, sizeof(frame)) > 0)
		link_is(number, PORT_UP);
	else
		link_error(number, errno);
}

uint64_t ports_tick(void)
{
	if (down_count == 0)
		return 0;
	if (tender.now_ns < retry_ns)
		return retry_ns;
	for (uint16_t i = 0; i < PORT_COUNT; i++)
		if (tender.port[i].state == PORT_DOWN)
			probe(i);
	retry_ns = tender.now_ns + RETRY_NS;
	return down_count ? retry_ns : 0;
}

static void member(struct text *t, const char *name, uint64_t value)
{
	text_put(t, name);
	text_u64(t, value);
}

void ports_status(struct text *t)
{
	static const char *const state[] = { "free", "up", "down", "gone" };
	bool first = true;
	text_put(t, "[");
	for (uint32_t i = 0; i < PORT_COUNT; i++) {
		const struct port *p = &tender.port[i];
		if (p->state == PORT_FREE)
			continue;
		member(t, first ? "{\"port\":" : ",{\"port\":", i);
		text_put(t, ",\"name\":");
		text_json(t, p->about.name, strlen(p->about.name));
		text_put(t, ",\"link\":\"");
		text_put(t, state[p->state]);
		member(t, "\",\"rx\":", p->count.rx);
		member(t, ",\"rx_bytes\":", p->count.rx_bytes);
		member(t, ",\"rx_drop\":", p->count.rx_drop);
		member(t, ",\"tx\":", p->count.tx);
		member(t, ",\"tx_bytes\":", p->count.tx_bytes);
		member(t, ",\"tx_drop\":", p->count.tx_drop);
		member(t, ",\"tx_bad\":", p->count.tx_bad);
		member(t, ",\"link_downs\":", p->count.link_down);
		text_put(t, "}");
		first = false;
	}
	text_put(t, "]");
}
