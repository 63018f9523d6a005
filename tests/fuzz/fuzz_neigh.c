/* links: netstack/neigh.c netstack/hash.c netstack/table.c netstack/queue.c netstack/arena.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_neigh.c: two bytes are one step of the neighbour cache. A MAC found is
 * the one last learnt, after a poll nothing is due, and every frame is with
 * the caller or held, never both.
 */
#include "neigh.h"

#define TICK_NS UINT64_C(100000000)

enum { FRAMES = 512, CAPACITY = 5, PORTS = 2, HOSTS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct run {
	struct neigh *n;
	struct frame frame[FRAMES];
	bool held[FRAMES];
	uint64_t now_ns;
	uint8_t learnt[PORTS][HOSTS]; /* last byte of the MAC, 0: none yet */
};

static _Alignas(64) uint8_t memory[16 * 1024];
static struct run run;
static struct secret secret = { { 1, 2 }, 0 };

static void back(struct run *r, struct frame_queue *q)
{
	struct frame *f;
	while ((f = frames_take(q))) {
		ensure(r->held[f->handle]);
		r->held[f->handle] = false;
	}
	ensure(q->count == 0 && !q->tail);
}

static void resolve(struct run *r, uint16_t port, uint8_t host)
{
	uint32_t i = 0;
	struct mac mac = { { 0 } }, same = { { 0 } };
	while (i < FRAMES && r->held[i])
		i++;
	if (i == FRAMES)
		return; /* all wait for a poll */
	r->frame[i] = (struct frame){ .handle = i };
	struct ip_addr addr = ip_v4(10, 0, 0, host);
	switch (neigh_resolve(r->n, port, addr, &r->frame[i], r->now_ns, &mac)) {
	case NEIGH_FOUND:
		ensure(mac.b[5] != 0 && mac.b[5] == r->learnt[port][host]);
		ensure(neigh_lookup(r->n, port, addr, &same) && mac_eq(mac, same));
		break;
	case NEIGH_WAIT:
		r->held[i] = true;
		ensure(!neigh_lookup(r->n, port, addr, &same));
		break;
	case NEIGH_FAILED:
	case NEIGH_FULL:
		ensure(!neigh_lookup(r->n, port, addr, &same));
		break;
	}
}

static void poll(struct run *r, size_t max)
{
	struct neigh_request request[CAPACITY];
	struct frame_queue dropped = { 0 };
	size_t sent = neigh_poll(r->n, r->now_ns, request, max, &dropped);
	ensure(sent <= max);
	for (size_t i = 0; i < sent; i++)
		ensure(request[i].port < PORTS && ip_to_v4(request[i].target).b[3] < HOSTS);
	if (sent < max)
		ensure(neigh_deadline(r->n) > r->now_ns);
	back(r, &dropped);
}

static void step(struct run *r, uint8_t a, uint8_t b)
{
	struct frame_queue out = { 0 };
	uint16_t port = a >> 3 & 1;
	uint8_t host = a & (HOSTS - 1), last = (uint8_t)(b | 1);
	struct ip_addr addr = ip_v4(10, 0, 0, host);
	struct mac mac = { { 2, 0, 0, 0, 0, last } }, now = { { 0 } };
	switch (a >> 4) {
	default:
		resolve(r, port, host);
		break;
	case 1:
	case 2:
		neigh_learn(r->n, port, addr, mac, r->now_ns, &out);
		if (neigh_lookup(r->n, port, addr, &now) && mac_eq(mac, now))
			r->learnt[port][host] = last;
		break;
	case 3:
		r->now_ns += b * TICK_NS;
		break;
	case 4:
	case 5:
	case 6:
		r->now_ns += b % 16 * TICK_NS;
		poll(r, b % (CAPACITY + 1));
		break;
	case 7:
		if (b < 64 && neigh_set(r->n, port, addr, mac, &out))
			r->learnt[port][host] = last;
		if (b >= 240)
			neigh_flush(r->n, port, &out);
		break;
	}
	back(r, &out);
	ensure(neigh_valid(r->n) && neigh_count(r->n) <= CAPACITY);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena a = { memory, sizeof(memory) };
	struct frame_queue out = { 0 };
	memset(&run, 0, sizeof(run));
	run.n = neigh_new(&a, CAPACITY, &secret);
	ensure(run.n);
	for (; len >= 2; bytes += 2, len -= 2)
		step(&run, bytes[0], bytes[1]);
	for (uint16_t port = 0; port < PORTS; port++)
		neigh_flush(run.n, port, &out);
	neigh_poll(run.n, run.now_ns, NULL, 0, &out);
	back(&run, &out);
	ensure(neigh_count(run.n) == 0 && neigh_deadline(run.n) == UINT64_MAX);
	for (uint32_t i = 0; i < FRAMES; i++)
		ensure(!run.held[i]);
	return 0;
}
