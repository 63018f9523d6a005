/* links: tender/host/traffic.c tender/host/wayout.c tender/host/buffers.c netstack/segment.c netstack/checksum.c */
// SPDX-License-Identifier: ISC
/* What the guest queues is judged, what the way out cannot do is done here, and no buffer is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/uio.h>
#include <cmocka.h>

#include "craft.h"
#include "tender.h"

enum {
	BASE = 0x100000, SMALL = 4, LARGE = 2, LARGE_AT = 0x102000,
	MEMORY_BYTES = LARGE_AT - BASE + LARGE * ABI_LARGE_BYTES,
	PORT = 3, PAYLOAD = 3000, PIECE = 1400, HEADERS = 54, SENT_MAX = 80,
	ALL = DRIVER_CSUM | DRIVER_TSO4 | DRIVER_TSO6 | DRIVER_USO,
};
_Static_assert(SMALL * ABI_BUFFER_BYTES == LARGE_AT - BASE, "the classes touch");

struct tender tender;
static struct shared shared;
static _Alignas(4096) uint8_t memory[MEMORY_BYTES];
static struct { uint8_t bytes[70000]; uint32_t len; struct offload offload; } sent[SENT_MAX];
static uint32_t sent_count, bursts;
static uint32_t queued;
static struct driver_frame arriving[DRIVER_BURST_MAX];
static struct driver_result arrived, told;

void ports_result(uint16_t number, const struct driver_result *r)
{
	assert_int_equal(number, PORT);
	told = *r;
}

static void fake_receive(struct driver_port *p, struct driver_frame out[], uint32_t max,
	struct driver_result *r)
{
	(void)p;
	assert_true(max >= arrived.frames);
	memcpy(out, arriving, sizeof(arriving[0]) * arrived.frames);
	*r = arrived;
}

static void record(const struct iovec *part, int count, struct offload o, struct driver_result *r)
{
	assert_true(sent_count < SENT_MAX);
	sent[sent_count].len = 0;
	sent[sent_count].offload = o;
	for (int i = 0; i < count; i++) {
		memcpy(sent[sent_count].bytes + sent[sent_count].len, part[i].iov_base, part[i].iov_len);
		sent[sent_count].len += (uint32_t)part[i].iov_len;
	}
	r->frames++;
	r->bytes += sent[sent_count++].len;
}

static void fake_send(struct driver_port *p, const struct driver_frame frames[], uint32_t count,
	struct driver_result *r)
{
	(void)p;
	bursts++;
	for (uint32_t i = 0; i < count; i++) {
		record(&(struct iovec){ frames[i].data, frames[i].len }, 1, frames[i].offload, r);
		buffers_back(frames[i].buffer);
	}
}

static void fake_put(struct driver_port *p, struct iovec *part, int count, struct driver_result *r)
{
	(void)p;
	part[-1] = (struct iovec){ NULL, 0 }; /* it is there for us */
	record(part, count, (struct offload){ 0 }, r);
}

static const struct driver fake = { .name = "fake", .receive = fake_receive, .send = fake_send, .put = fake_put };

static int fresh(void **state)
{
	uint32_t n;
	(void)state;
	memset(&shared, 0, sizeof(shared));
	memset(memory, 0, sizeof(memory));
	while (buffers_take(BUFFER_SMALL, &n) || buffers_take(BUFFER_LARGE, &n))
		;
	tender = (struct tender){
		.shared = &shared,
		.memory = { .base = (uintptr_t)memory - BASE, .pool = BASE, .buffer_count = SMALL,
		            .large = LARGE_AT, .large_count = LARGE },
	};
	buffers_setup();
	tender.port[PORT].state = PORT_UP;
	tender.port[PORT].way = (struct driver_port){ .driver = &fake, .can = ALL };
	sent_count = bursts = queued = 0;
	told = (struct driver_result){ 0 };
	return 0;
}

static bool all_home(void)
{
	for (uint32_t i = 0; i < SMALL + LARGE; i++)
		if (tender.guest_owns[i])
			return false;
	return buffers_left(BUFFER_SMALL) == SMALL && buffers_left(BUFFER_LARGE) == LARGE;
}

/* A buffer that the guest has; its guest address. */
static uint32_t guests(enum buffer_class class)
{
	uint32_t n;
	assert_true(buffers_take(class, &n));
	tender.guest_owns[n] = true;
	return (uint32_t)buffers_addr(n);
}

static uint8_t *at(uint32_t addr)
{
	return memory_at(&tender.memory, addr);
}

static void queue(struct desc d)
{
	struct desc_ring *ring = &shared.port[PORT].tx;
	ring->at[queued++ % RING_DESCS] = d;
	ring_set(&ring->prod, queued);
	ring_bit_set(shared.tx_pending, PORT);
}

/* Ethernet, IPv4, TCP with a partial checksum, and payload. */
static struct desc super(uint32_t addr, uint32_t payload)
{
	uint8_t *b = at(addr), *ip = b + 14;
	size_t tcp = 20 + payload;
	memset(b, 2, 12);
	store16(b + 12, ETHERTYPE_IPV4);
	memcpy(ip, (const uint8_t[20]){ 0x45, [8] = 64, PROTO_TCP, [12] = 10, 0, 0, 1, 10, 0, 0, 2 }, 20);
	store16(ip + 2, (uint32_t)(20 + tcp));
	store16(ip + 10, ~naive_add(0, ip, 20));
	memset(ip + 20, 0, 20);
	ip[20 + 12] = 5 << 4;
	ip[20 + 13] = 0x18;
	for (uint32_t i = 0; i < payload; i++)
		b[HEADERS + i] = (uint8_t)(i * 7);
	store16(ip + 20 + 16, naive_pseudo(ip, PROTO_TCP, tcp));
	return (struct desc){
		.addr = addr, .len = HEADERS + payload,
		.offload = { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, PIECE, 34, 16 },
	};
}

static bool sums_are_right(const uint8_t *b, uint32_t len)
{
	size_t tcp = len - 34;
	return load16(b + 16) == len - 14 && naive_add(0, b + 14, 20) == 0xffff &&
	       naive_add(naive_pseudo(b + 14, PROTO_TCP, tcp), b + 34, tcp) == 0xffff;
}

static void supers_pass(void **state)
{
	(void)state;
	struct desc d = super(guests(BUFFER_LARGE) + FRAME_HEADROOM_BYTES, 60000);
	d.offload.hdr_len = 7; /* only a hint, and a wrong one */
	d.offload.flags |= OFFLOAD_DATA_VALID;
	queue(d);
	queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 60 });
	ports_transmit();
	assert_int_equal(sent_count, 2);
	assert_int_equal(bursts, 1);
	assert_int_equal(sent[0].len, 60054);
	assert_memory_equal(sent[0].bytes, at(d.addr), 60054);
	assert_int_equal(sent[0].offload.hdr_len, HEADERS);
	assert_int_equal(sent[0].offload.flags, OFFLOAD_NEEDS_CSUM);
	assert_int_equal(sent[0].offload.gso_size, PIECE);
	assert_int_equal(tender.port[PORT].count.tx, 2);
	assert_int_equal(told.frames, 2);
	assert_true(all_home());
}

static void supers_are_cut(void **state)
{
	static const uint32_t can[] = { 0, DRIVER_CSUM, ALL & ~(uint32_t)DRIVER_TSO4 };
	for (size_t i = 0; i < array_len(can); i++) {
		fresh(state);
		tender.port[PORT].way.can = can[i];
		queue((struct desc){ .addr = guests(BUFFER_SMALL), .len = 60 });
		struct desc d = super(guests(BUFFER_LARGE) + FRAME_HEADROOM_BYTES, PAYLOAD);
		queue(d);
		queue((struct desc){ .addr = guests(BUFFER_SMALL), .len = 61 });
		ports_transmit();
		assert_int_equal(sent_count, 5);
		assert_int_equal(sent[0].len, 60); /* in order */
		assert_int_equal(sent[4].len, 61);
		for (uint32_t n = 0, got = 0; n < 3; n++) {
			assert_true(sums_are_right(sent[1 + n].bytes, sent[1 + n].len));
			uint32_t payload = sent[1 + n].len - HEADERS;
			assert_int_equal(payload, n < 2 ? PIECE : PAYLOAD - 2 * PIECE);
			assert_memory_equal(sent[1 + n].bytes + HEADERS, at(d.addr) + HEADERS + got, payload);
			got += payload;
		}
		assert_int_equal(tender.port[PORT].count.tx, 5);
		assert_int_equal(tender.port[PORT].count.tx_cut, 1);
		assert_true(all_home());
	}
}

static void sums_are_completed(void **state)
{
	(void)state;
	for (int can = 0; can < 2; can++) {
		fresh(state);
		tender.port[PORT].way.can = can ? DRIVER_CSUM : 0;
		struct desc d = super(guests(BUFFER_SMALL) + 70, 101);
		d.offload.gso_type = GSO_NONE;
		queue(d);
		ports_transmit();
		assert_int_equal(sent_count, 1);
		assert_int_equal(sums_are_right(sent[0].bytes, sent[0].len), !can);
		assert_int_equal(sent[0].offload.flags, can ? OFFLOAD_NEEDS_CSUM : 0);
		assert_true(all_home());
	}
}

static void lies_are_counted(void **state)
{
	static const struct { uint32_t len; uint16_t flags; struct offload o; } lies[] = {
		{ 13, 0, { 0 } },
		{ ABI_LARGE_BYTES - FRAME_HEADROOM_BYTES + 1, 0, { 0 } },
		{ UINT32_MAX, 0, { 0 } },
		{ 60, 1, { 0 } },
		{ 1000, 0, { .flags = 4 } },
		{ 1000, 0, { .gso_type = GSO_TCPV4, .gso_size = 500 } }, /* without a checksum */
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_UDP, 0, 500, 34, 16 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, 0, 500, 34, 6 } }, /* it is TCP */
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 0, 34, 16 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 500, 35, 16 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 500, 34, 6 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, 0x77, 0, 500, 34, 16 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 0, 33, 16 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 0, 999, 0 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 0, 990, 9 } },
		{ 1000, 0, { OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 0, 65535, 65535 } },
	};
	for (size_t i = 0; i < array_len(lies); i++) {
		fresh(state);
		struct desc d = super(guests(BUFFER_LARGE) + FRAME_HEADROOM_BYTES, 946);
		d.len = lies[i].len;
		d.flags = lies[i].flags;
		d.offload = lies[i].o;
		queue(d);
		ports_transmit();
		assert_int_equal(sent_count, 0);
		assert_int_equal(tender.port[PORT].count.tx_bad, 1);
		assert_true(all_home());
	}
}

/* Addresses outside, and buffers that are not the guest's, are nobody's: nothing comes back for them. */
static void strange_addresses(void **state)
{
	(void)state;
	const uint32_t wrong[] = { 0, BASE - 1, BASE + MEMORY_BYTES, UINT32_MAX, BASE, LARGE_AT };
	for (size_t i = 0; i < array_len(wrong); i++)
		queue((struct desc){ .addr = wrong[i], .len = 60 });
	uint32_t twice = guests(BUFFER_SMALL);
	queue((struct desc){ .addr = twice, .len = 60 });
	queue((struct desc){ .addr = twice, .len = 60 });
	ports_transmit();
	assert_int_equal(sent_count, 1);
	assert_int_equal(tender.port[PORT].count.tx_bad, array_len(wrong) + 1);
	assert_true(all_home());
}

static void a_gone_port_takes_back(void **state)
{
	(void)state;
	tender.port[PORT].state = PORT_GONE;
	queue(super(guests(BUFFER_LARGE) + FRAME_HEADROOM_BYTES, PAYLOAD));
	ports_transmit();
	assert_int_equal(sent_count, 0);
	assert_int_equal(tender.port[PORT].count.tx_drop, 1);
	assert_true(all_home());
}

static void what_arrives_is_the_guests(void **state)
{
	uint32_t small, large;
	(void)state;
	assert_true(buffers_take(BUFFER_SMALL, &small) && buffers_take(BUFFER_LARGE, &large));
	arriving[0] = (struct driver_frame){ buffers_at(small) + 64, 60, small, { 0 } };
	arriving[1] = (struct driver_frame){ buffers_at(large) + 64, 60000, large,
		{ OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 54, PIECE, 34, 16 } };
	arrived = (struct driver_result){ .frames = 2, .bytes = 60060, .lost = 3 };
	traffic_receive(PORT);
	const struct desc_ring *ring = &shared.port[PORT].rx;
	assert_int_equal(ring_get(&ring->prod), 2);
	assert_true(shared.rx_ready[0] & 1u << PORT);
	assert_int_equal(ring->at[1].addr, buffers_addr(large) + 64);
	assert_int_equal(ring->at[1].len, 60000);
	assert_memory_equal(&ring->at[1].offload, &arriving[1].offload, sizeof(struct offload));
	assert_true(tender.guest_owns[small] && tender.guest_owns[large]);
	assert_int_equal(tender.port[PORT].count.rx_drop, 3);
	/* and comes back through frees, once */
	shared.frees[0] = large;
	shared.frees[1] = small;
	shared.frees[2] = large;
	shared.frees[3] = SMALL + LARGE;
	ring_set(&shared.free_prod, 4);
	buffers_collect();
	assert_true(all_home());
	assert_int_equal(tender.bad_frees, 2);
}

/* The guest learns how long its frames took, from the first one's stamp; what has no room is not told, and nothing else. */
static void times_are_told(void **state)
{
	(void)state;
	uint64_t stamp = ring_ticks();
	queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 60, .stamp = stamp });
	queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 60, .stamp = stamp + 5 });
	queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 3, .stamp = 1 }); /* no frame */
	ports_transmit();
	assert_int_equal(ring_get(&shared.time_prod), 1);
	assert_int_equal(shared.time[0].frames, 2);
	assert_true(shared.time[0].ticks <= ring_ticks() - stamp);
	for (uint32_t i = 0; i < 2 * RING_TIMES; i++) {
		queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 60 });
		ports_transmit();
		sent_count = 0;
	}
	assert_int_equal(ring_get(&shared.time_prod), RING_TIMES);
	assert_int_equal(tender.port[PORT].count.tx, 2 + 2 * RING_TIMES);
	ring_set(&shared.time_cons, RING_TIMES);
	tender.port[PORT].state = PORT_GONE;
	queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 60 });
	ports_transmit();
	assert_int_equal(ring_get(&shared.time_prod), RING_TIMES); /* it was not written */
	tender.port[PORT].state = PORT_UP;
	queue((struct desc){ .addr = guests(BUFFER_SMALL) + 100, .len = 60 });
	ports_transmit();
	assert_int_equal(ring_get(&shared.time_prod), RING_TIMES + 1);
	assert_true(all_home());
}

/* All frames of a burst carry the time before it was read. */
static void arrivals_are_stamped(void **state)
{
	uint32_t n;
	(void)state;
	assert_true(buffers_take(BUFFER_SMALL, &n));
	arriving[0] = (struct driver_frame){ buffers_at(n) + 64, 60, n, { 0 } };
	arrived = (struct driver_result){ .frames = 1, .bytes = 60 };
	uint64_t before = ring_ticks();
	traffic_receive(PORT);
	uint64_t stamp = shared.port[PORT].rx.at[0].stamp;
	assert_true(stamp >= before && stamp <= ring_ticks());
	shared.frees[0] = n;
	ring_set(&shared.free_prod, 1);
	buffers_collect();
	assert_true(all_home());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(supers_pass, fresh),
		cmocka_unit_test_setup(supers_are_cut, fresh),
		cmocka_unit_test_setup(sums_are_completed, fresh),
		cmocka_unit_test_setup(lies_are_counted, fresh),
		cmocka_unit_test_setup(strange_addresses, fresh),
		cmocka_unit_test_setup(a_gone_port_takes_back, fresh),
		cmocka_unit_test_setup(what_arrives_is_the_guests, fresh),
		cmocka_unit_test_setup(times_are_told, fresh),
		cmocka_unit_test_setup(arrivals_are_stamped, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
