// SPDX-License-Identifier: ISC
/* Ports: open, attach and detach, and what their links are. */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	ETHERNET_BYTES = 14,
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
		.mtu = p->about.mtu,
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

bool ports_adopt(struct driver_port *way, int fd, const struct option_port *about)
{
	for (size_t i = 0; drivers[i]; i++) {
		*way = (struct driver_port){ .driver = drivers[i], .fd = -1 };
		if (drivers[i]->adopt && drivers[i]->adopt(way, fd, about))
			return true;
	}
	return false;
}

static bool open_named(struct driver_port *way, const struct option_port *about)
{
	for (size_t i = 0; drivers[i]; i++) {
		*way = (struct driver_port){ .driver = drivers[i], .fd = -1 };
		if (drivers[i]->open && drivers[i]->open(way, about))
			return true;
	}
	return false;
}

static void say_kind(const struct option_port *about, const struct driver_port *way)
{
	char line[64];
	struct text t = text_on(line);
	text_put(&t, about->name);
	text_put(&t, ": opened as ");
	text_put(&t, way->driver->name);
	say("port ", line);
}

void ports_open(int number, struct option_port *about)
{
	static const struct mac fixed = { { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct driver_port way;
	if (!about->has_ours && number != PORT_UPLINK) {
		about->ours = fixed;
		about->has_ours = true;
	}
	if (about->fd >= 0) {
		if (!ports_adopt(&way, about->fd, about))
			die(EXIT_SETUP, "not a tap without packet information: ", about->name);
	} else if (!open_named(&way, about)) {
		die(EXIT_SETUP, "no such kind of port: ", about->name);
	}
	if (about->mtu == 0)
		about->mtu = way.mtu;
	if (about->kind == OPTION_ANY)
		say_kind(about, &way);
	if (!about->has_ours && !mac_eq(way.mac, (struct mac){ 0 }))
		about->ours = way.mac;
	else if (!about->has_ours) {
		if (getrandom(about->ours.b, sizeof(about->ours.b), 0) != sizeof(about->ours.b))
			die_errno("getrandom", "");
		about->ours.b[0] = 0x02;
	}
	if (ports_attach(number, about, &way) < 0)
		die_errno("port ", about->name);
}

int ports_attach(int number, const struct option_port *about, const struct driver_port *way)
{
	int fd = way->fd;
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
	p->way = *way;
	p->way.fd = FD_PORT_FIRST + n;
	if (p->way.driver->moved)
		p->way.driver->moved(&p->way);
	p->count = (struct port_counters){ 0 };
	p->link_said = true;
	p->tx_cons = ring_get(&rings(n)->tx.prod); /* nothing of the port's past goes out */
	ring_set(&rings(n)->tx.cons, p->tx_cons);
	p->watched = pump_watch(p->way.fd, EPOLLIN, WATCH_PORT, n);
	send_event(n, RING_PORT_ATTACHED);
	return n;
}

static void unwatch(struct port *p, uint16_t number)
{
	if (p->watched)
		pump_ignore(FD_PORT_FIRST + number);
	p->watched = false;
}

uint64_t ports_detach(uint16_t number)
{
	struct port *p = &tender.port[number];
	unwatch(p, number);
	if (p->way.driver->close)
		p->way.driver->close(&p->way);
	uint64_t burial = broker_bury(FD_PORT_FIRST + number);
	close(FD_PORT_FIRST + number);
	if (p->state == PORT_DOWN)
		down_count--;
	p->state = PORT_FREE;
	p->serial++;
	traffic_discard(number);
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

void ports_result(uint16_t number, const struct driver_result *r)
{
	if (r->error)
		link_error(number, r->error);
	else if (r->frames)
		link_is(number, PORT_UP);
}

void ports_readable(uint16_t number, uint32_t events)
{
	if (tender.port[number].state == PORT_FREE)
		return;
	if (events & EPOLLIN)
		traffic_receive(number);
	if (!(events & (EPOLLERR | EPOLLHUP)))
		return;
	struct driver_port *way = &tender.port[number].way;
	if (way->driver->error)
		link_error(number, way->driver->error(way));
	else
		link_is(number, PORT_GONE);
}

/* Ethernet alone, from us to us, of an experimental type: nobody takes it, a dead link says so. */
static void probe(uint16_t number)
{
	struct port *p = &tender.port[number];
	uint8_t frame[ETHERNET_BYTES];
	struct iovec part[] = { { 0 } /* the driver's */, { frame, sizeof(frame) } };
	struct driver_result r = { 0 };
	memcpy(frame, p->about.ours.b, 6);
	memcpy(frame + 6, p->about.ours.b, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	p->way.driver->put(&p->way, &part[1], 1, &r);
	if (p->way.driver->flush)
		p->way.driver->flush(&p->way, &r);
	ports_result(number, &r);
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

uint64_t ports_received(void)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < PORT_COUNT; i++)
		sum += tender.port[i].count.rx;
	return sum;
}
