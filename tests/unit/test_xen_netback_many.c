/* links: qubes-integration/xen/netback.c qubes-integration/xen/netback_bus.c qubes-integration/xen/netback_rx.c qubes-integration/xen/netback_tx.c qubes-integration/xen/netport.c qubes-integration/xen/netbus.c qubes-integration/xen/netoffload.c qubes-integration/xen/framepool.c netstack/segment.c netstack/limit.c netstack/checksum.c netstack/text.c netstack/addr.c netstack/arena.c tests/unit/xen_fake.c tests/unit/xen_guest.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_xen_netback_many.c: as many clients as there may be, and xenstored's quota for what a guest owns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "xen_client.h"

static void address(uint32_t i, char ip[32], char mac[32])
{
	snprintf(ip, 32, "10.137.1.%u", i + 1);
	snprintf(mac, 32, "00:16:3e:5e:6c:%02x", i);
}

static void two_hundred_and_fifty_at_once(void **state)
{
	(void)state;
	enum { CLIENTS = 250 };
	static struct guest g[CLIENTS];
	static uint16_t port[CLIENTS];
	char ip[32], mac[32];
	struct frame *burst[PLATFORM_BURST_MAX];
	uint8_t bytes[100];
	for (uint32_t i = 0; i < CLIENTS; i++) {
		address(i, ip, mac);
		port[i] = attach(&g[i], (uint16_t)(20 + i), ip, mac);
		guest_frame_udp(bytes, sizeof(bytes), ip, (uint8_t)i);
		guest_send(&g[i], bytes, sizeof(bytes), 100, 0, NULL);
		guest_push(&g[i]);
	}
	bool seen[PORT_COUNT] = { false };
	for (size_t n, total = 0; total < CLIENTS; total += n) {
		n = receive(burst);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			assert_false(seen[burst[i]->port]);
			seen[burst[i]->port] = true;
		}
		give_all(burst, n);
	}
	assert_int_equal(fake_held().watches, 1); /* xenstored allows 128 */
	assert_reaches(&g[249], port[249], 99);
	fake_rm(FAKE_HOME "/backend");
	guest_settle(0);
	while (next_event().kind != EVENT_NONE)
		;
	assert_nothing_held();
}

/* Devices of one domain, more than a short answer of xenstored names, found by looking alone. */
static void many_devices_of_one_domain(void **state)
{
	(void)state;
	enum { DEVICES = 100 };
	static struct guest g[DEVICES];
	char ip[32], mac[32], path[XS_PATH_BYTES];
	uint32_t token;
	for (uint32_t i = 0; i < DEVICES; i++) {
		g[i] = LINUX;
		g[i].handle = (uint16_t)(1000 + i);
		address(i, ip, mac);
		guest_create(&g[i], 9, ip, mac);
	}
	while (xs_event(path, &token))
		; /* lost */
	netback_changed(NULL);
	guest_settle(0);
	for (uint32_t i = 0; i < DEVICES; i++)
		assert_string_equal(guest_state(&g[i], true), "2");
}

/* What the quota leaves decides about offloads, then about serving; it is said once, and mends itself. */
static void a_quota_that_is_used_up(void **state)
{
	(void)state;
	struct guest g[4];
	char ip[32], mac[32];
	fake_nodes = 5;
	for (uint32_t i = 0; i < array_len(g); i++) {
		g[i] = LINUX;
		address(i, ip, mac);
		guest_create(&g[i], (uint16_t)(20 + i), ip, mac);
		guest_settle(0);
	}
	static const char *const wanted[] = { "2", "2", "1", "1" };
	for (uint32_t i = 0; i < array_len(g); i++)
		assert_string_equal(guest_state(&g[i], true), wanted[i]);
	assert_true(fake_exists(FAKE_HOME "/backend/vif/20/0/feature-gso-tcpv4"));
	assert_true(fake_exists(FAKE_HOME "/backend/vif/21/0/feature-sg"));
	assert_false(fake_exists(FAKE_HOME "/backend/vif/21/0/feature-gso-tcpv4"));
	guest_connect(&g[1]);
	assert_hears(&g[1], next_event().port, "10.137.1.2", 100, 100);
	guest_settle(20000 * MS);
	assert_string_equal(guest_state(&g[2], true), "1");
	fake_nodes = 10; /* others went */
	guest_settle(1000 * MS);
	guest_connect(&g[2]);
	guest_connect(&g[3]);
}

/* From the 33rd on, keys that only scripts would read make room: 64 fit into what the quota leaves. */
static void sixty_four_fit_into_the_quota(void **state)
{
	(void)state;
	enum { CLIENTS = 64, QUOTA = 1000, OTHERS = 60, TOOLSTACK = 12 /* nodes of a client: its folder and 11 keys */ };
	static struct guest g[CLIENTS];
	char ip[32], mac[32];
	fake_nodes = QUOTA - OTHERS - CLIENTS * TOOLSTACK;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		address(i, ip, mac);
		g[i] = LINUX;
		guest_create(&g[i], (uint16_t)(20 + i), ip, mac);
		fake_writef("x", FAKE_HOME "/backend/vif/%u/0/bridge", 20 + i);
		fake_writef("", FAKE_HOME "/backend/vif/%u/0/hotplug-status", 20 + i);
		guest_connect(&g[i]);
		assert_int_equal(next_event().kind, EVENT_PORT_ATTACHED);
		char path[XS_PATH_BYTES];
		snprintf(path, sizeof(path), FAKE_HOME "/backend/vif/%u/0/feature-gso-tcpv4", 20 + i);
		assert_true(fake_exists(path));
	}
	assert_true(fake_nodes > 20); /* for the channels to dom0 */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world)
	const struct CMUnitTest tests[] = {
		TEST(two_hundred_and_fifty_at_once), TEST(many_devices_of_one_domain), TEST(a_quota_that_is_used_up),
		TEST(sixty_four_fit_into_the_quota),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
