/* links: qubes-integration/xen/netback.c qubes-integration/xen/netback_bus.c qubes-integration/xen/netback_rx.c qubes-integration/xen/netback_tx.c qubes-integration/xen/netport.c qubes-integration/xen/netbus.c qubes-integration/xen/netoffload.c qubes-integration/xen/framepool.c netstack/segment.c netstack/limit.c netstack/checksum.c netstack/text.c netstack/addr.c netstack/arena.c tests/unit/xen_fake.c tests/unit/xen_guest.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_xen_netback_attacks.c: frontends that lie to the backend, and who is
 * hurt by it: they alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "xen_client.h"

static void lie(struct guest *g, uint32_t kind)
{
	uint8_t bytes[300];
	struct netextra gso = { .type = NETEXTRA_GSO, .gso_size = 0, .gso_type = NETGSO_TCPV4 };
	struct nettx_request r;
	guest_frame_udp(bytes, sizeof(bytes), IP1, 1);
	switch (kind) {
	case 0: /* an index that jumps ahead */
		shared_set32(&g->tx.page->req_prod, g->tx.req_prod + 257);
		break;
	case 1: /* or back */
		shared_set32(&g->tx.page->req_prod, g->tx.req_prod - 1);
		break;
	case 2: /* a part that is larger than the whole */
		guest_send(g, bytes, 300, 100, 0, NULL);
		r = nettx_request_at(g->tx.page, g->tx.req_prod - 1);
		r.size = 4000;
		nettx_request_put(g->tx.page, g->tx.req_prod - 1, r);
		break;
	case 3: /* a part outside its page */
		guest_send(g, bytes, 300, 300, 0, NULL);
		r = nettx_request_at(g->tx.page, g->tx.req_prod - 1);
		r.offset = 4000;
		nettx_request_put(g->tx.page, g->tx.req_prod - 1, r);
		break;
	case 4: /* more to come that does not */
		guest_send(g, bytes, 300, 300, NETTX_MORE_DATA, NULL);
		break;
	case 5: /* too many parts */
		guest_send(g, bytes, 300, 10, 0, NULL);
		break;
	case 6: /* extra info of no kind, */
		gso.type = 77;
		guest_send(g, bytes, 300, 300, 0, &gso);
		break;
	case 7: /* without end, */
		guest_send(g, bytes, 300, 300, 0, &(struct netextra){ .type = 2, .flags = NETEXTRA_MORE });
		break;
	case 8: /* segments of no size */
		guest_send(g, bytes, 300, 300, 0, &gso);
		break;
	case 9: /* a whole of 65535 in one page */
		guest_send(g, bytes, 300, 300, 0, NULL);
		r = nettx_request_at(g->tx.page, g->tx.req_prod - 1);
		r.size = 65535;
		nettx_request_put(g->tx.page, g->tx.req_prod - 1, r);
		break;
	case 10: /* the other ring's index, too: seen when a frame goes there */
		shared_set32(&g->rx.page->req_prod, g->rx.req_prod + 300);
		return;
	}
	if (kind > 1)
		(void)netring_push_requests(&g->tx);
	fake_notify(guest_port(g));
}

static void a_liar_loses_its_vif_and_nobody_else(void **state)
{
	(void)state;
	enum { LIES = 11 };
	struct guest good, bad;
	struct frame *burst[PLATFORM_BURST_MAX];
	uint8_t bytes[100];
	uint16_t port = attach(&good, 4, IP2, MAC2), bad_port = attach(&bad, 3, IP1, MAC1);
	guest_frame_udp(bytes, sizeof(bytes), IP1, 0);
	for (uint32_t kind = 0; kind < LIES; kind++) {
		uint64_t broken = netback.broken;
		lie(&bad, kind);
		if (kind == 10)
			send(frame_of(bad_port, bytes, sizeof(bytes)));
		assert_int_equal(receive(burst), 0);
		assert_int_equal(netback.broken, broken + 1);
		assert_hears(&good, port, IP2, 200, 200);
		assert_reaches(&good, port, 200);
		guest_settle(0);
		assert_string_equal(guest_state(&bad, true), "6");
		assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
		guest_front_state(&bad, XENBUS_INITIALISING); /* at once: too early */
		guest_settle(500 * MS);
		assert_string_equal(guest_state(&bad, true), "6");
		guest_settle(1000 * MS);
		guest_connect(&bad);
		assert_int_equal(next_event().kind, EVENT_LINK_UP);
		assert_hears(&bad, bad_port, IP1, 100, 100);
	}
	assert_int_equal(fake_held().mapped, 4);
}

static void a_frontend_that_writes_all_the_time_waits_its_turn(void **state)
{
	(void)state;
	struct guest good, bad;
	uint16_t port = attach(&good, 4, IP2, MAC2);
	attach(&bad, 3, IP1, MAC1);
	guest_settle(10000 * MS);
	uint32_t before = fake_requests;
	for (uint32_t i = 0; i < 10000; i++) {
		guest_front_state(&bad, XENBUS_CONNECTED);
		guest_settle(1 * MS);
	}
	assert_in_range(fake_requests - before, 1, 3000); /* of 40000 that it would like */
	assert_hears(&good, port, IP2, 100, 100);
	guest_front_state(&bad, XENBUS_CLOSED);
	guest_settle(1000 * MS); /* but it has its turn */
	assert_string_equal(guest_state(&bad, true), "6");
}

/* The same without a pause, and the attaching of another counted in steps: a bound, however many write. */
static void who_writes_without_end_delays_nobody_s_attaching(void **state)
{
	(void)state;
	enum { FLOODERS = 20, STEPS_MAX = 10 * (FLOODERS + 2) };
	struct guest flood[FLOODERS], late = LINUX;
	char ip[32], mac[32], path[XS_PATH_BYTES];
	uint32_t token, steps = 0;
	for (uint32_t i = 0; i < FLOODERS; i++) { /* made first: before it in the table */
		snprintf(ip, sizeof(ip), "10.137.1.%u", i + 1);
		snprintf(mac, sizeof(mac), "00:16:3e:5e:6c:%02x", i);
		attach(&flood[i], (uint16_t)(20 + i), ip, mac);
	}
	guest_settle(10000 * MS);
	guest_create(&late, 5, IP1, MAC1);
	guest_offer(&late);
	while (strcmp(guest_state(&late, true), "4") != 0) {
		assert_true(++steps < STEPS_MAX);
		for (uint32_t i = 0; i < FLOODERS; i++)
			guest_front_state(&flood[i], XENBUS_CONNECTED);
		while (xs_event(path, &token))
			netback_changed(path);
		(void)netback_step(guest_now_ns);
	}
	assert_int_equal(next_event().kind, EVENT_PORT_ATTACHED);
	/* found by looking alone too: no event told of its folder */
	struct guest unseen = LINUX;
	guest_create(&unseen, 6, IP2, MAC2);
	while (xs_event(path, &token))
		;
	netback_changed(NULL);
	for (steps = 0; strcmp(guest_state(&unseen, true), "2") != 0; steps++) {
		assert_true(steps < STEPS_MAX * 2);
		for (uint32_t i = 0; i < FLOODERS; i++)
			guest_front_state(&flood[i], XENBUS_CONNECTED);
		while (xs_event(path, &token))
			netback_changed(path);
		(void)netback_step(guest_now_ns);
	}
}

/*
 * A client that posts no buffers holds frames, but of no kind those that others need: not the large
 * ones either, also when a small one stands first in its queue.
 */
static void a_lagging_client_leaves_large_frames_to_others(void **state)
{
	(void)state;
	static uint8_t bytes[20000];
	struct guest lag, good;
	uint16_t lag_port = attach(&lag, 3, IP1, MAC1), port = attach(&good, 4, IP2, MAC2);
	uint32_t small = framepool_left(0), large = framepool_left(FRAMEPOOL_SMALL_BYTES), kept = large;
	guest_frame_udp(bytes, sizeof(bytes), "192.0.2.1", 1);
	send(frame_of(lag_port, bytes, 100));
	for (uint32_t i = 0; i < 4 * large; i++) {
		struct frame *f = framepool_take(sizeof(bytes));
		assert_non_null(f); /* there is always one left */
		framepool_give(f);
		send(frame_of(lag_port, bytes, 9000));
		kept = framepool_left(FRAMEPOOL_SMALL_BYTES) < kept ? framepool_left(FRAMEPOOL_SMALL_BYTES) : kept;
	}
	assert_in_range(kept, large / 4 - 1, large - 1); /* it does hold some */
	assert_true(netback.tx_dropped > 0);
	assert_hears(&good, port, IP2, 300, 300);
	assert_reaches(&good, port, 300);
	guest_vanish(&lag);
	guest_settle(0);
	assert_int_equal(framepool_left(0), small);
	assert_int_equal(framepool_left(FRAMEPOOL_SMALL_BYTES), large);
}

/* What its owner hides is as good as gone, and of no concern to others (netbus.c: DENIED). */
static void a_frontend_that_hides_its_folder(void **state)
{
	(void)state;
	struct guest shy, good;
	uint16_t port = attach(&good, 4, IP2, MAC2);
	attach(&shy, 3, IP1, MAC1);
	for (uint32_t round = 0; round < 3; round++) {
		fake_hide("/local/domain/3", true);
		guest_front_state(&shy, XENBUS_CONNECTED);
		guest_settle(1000 * MS);
		assert_string_equal(guest_state(&shy, true), "6");
		assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
		assert_int_equal(fake_held().mapped, 2); /* the other one's */
		assert_hears(&good, port, IP2, 200, 200);
		fake_hide("/local/domain/3", false);
		guest_front_state(&shy, XENBUS_INITIALISING);
		guest_connect(&shy);
		assert_int_equal(next_event().kind, EVENT_LINK_UP);
	}
}

static void refused_offers(void **state)
{
	(void)state;
	static const struct { const char *key, *value; } rows[] = {
		{ "tx-ring-ref", "3" }, { "rx-ring-ref", "4294967295" }, { "event-channel", "4000" }, { "request-rx-copy", "0" },
	};
	for (size_t i = 0; i < array_len(rows); i++) {
		struct guest g = LINUX;
		guest_create(&g, (uint16_t)(30 + i), IP1, MAC1);
		guest_offer(&g);
		fake_writef(rows[i].value, "/local/domain/%u/device/vif/0/%s", g.domid, rows[i].key);
		guest_settle(0);
		assert_string_equal(guest_state(&g, true), "6");
		assert_int_equal(fake_held().mapped, 0);
		assert_int_equal(fake_held().channels, 0);
		guest_vanish(&g);
		guest_settle(0);
		while (next_event().kind != EVENT_NONE)
			;
		assert_nothing_held();
	}
}

/* Ring bytes at random, beside a client that works; the same seed, the same run. */
static void a_random_peer(void **state)
{
	(void)state;
	struct guest good, bad;
	struct frame *burst[PLATFORM_BURST_MAX];
	uint8_t bytes[100];
	uint16_t port = attach(&good, 4, IP2, MAC2), bad_port = attach(&bad, 3, IP1, MAC1);
	uint32_t frames = framepool_left(0), large = framepool_left(FRAMEPOOL_SMALL_BYTES);
	srandom(20);
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t *words = (uint32_t *)(void *)(random() % 2 ? bad.tx.page : bad.rx.page);
		for (uint32_t i = 0; i < 200; i++) {
			uint32_t value = (uint32_t)random() ^ (uint32_t)random() << 16;
			/* small numbers are the likelier harm */
			words[16 + random() % 800] = random() % 2 ? value : value & 0x000f003f;
		}
		words[0] = random() % 8 ? words[0] + (uint32_t)random() % 20 : (uint32_t)random();
		if (guest_port(&bad))
			fake_notify(guest_port(&bad));
		guest_frame_udp(bytes, sizeof(bytes), IP1, 0);
		send(frame_of(bad_port, bytes, sizeof(bytes)));
		size_t n = receive(burst);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(burst[i]->port, bad_port);
		give_all(burst, n);
		guest_settle(0);
		assert_hears(&good, port, IP2, 100, 50);
		if (bad.domid && strcmp(guest_state(&bad, true), "4") != 0) {
			guest_front_state(&bad, XENBUS_INITIALISING);
			guest_settle(1100 * MS);
			guest_connect(&bad);
		}
	}
	guest_vanish(&bad);
	guest_vanish(&good);
	guest_settle(0);
	while (next_event().kind != EVENT_NONE)
		;
	assert_nothing_held();
	assert_int_equal(framepool_left(0), frames);
	assert_int_equal(framepool_left(FRAMEPOOL_SMALL_BYTES), large);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world)
	const struct CMUnitTest tests[] = {
		TEST(a_liar_loses_its_vif_and_nobody_else),
		TEST(a_frontend_that_writes_all_the_time_waits_its_turn),
		TEST(who_writes_without_end_delays_nobody_s_attaching),
		TEST(a_lagging_client_leaves_large_frames_to_others),
		TEST(a_frontend_that_hides_its_folder),
		TEST(refused_offers),
		TEST(a_random_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
