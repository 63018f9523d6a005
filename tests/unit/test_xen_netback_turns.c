/* links: qubes-integration/xen/netback.c qubes-integration/xen/netback_bus.c qubes-integration/xen/netback_rx.c qubes-integration/xen/netback_tx.c qubes-integration/xen/netport.c qubes-integration/xen/netbus.c qubes-integration/xen/netoffload.c qubes-integration/xen/framepool.c netstack/segment.c netstack/limit.c netstack/checksum.c netstack/text.c netstack/addr.c netstack/arena.c tests/unit/xen_fake.c tests/unit/xen_guest.c */
// SPDX-License-Identifier: ISC
/*
 * What the toolstack and a frontend do between any two of netback's requests to
 * xenstored: whatever falls where, the end is the same, and soon, that is long
 * before netback looks at every folder by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "xen_client.h"

enum { SOON_MS = 3000, MOMENT_MS = 100, ACTS_MAX = 8, REQUESTS_MAX = 120, SEEDS = 3000 };

static struct guest client;

/* --- acts ----------------------------------------------------------------------------------- */

static void put(bool backend, const char *key, const char *value)
{
	if (backend)
		fake_writef(value, FAKE_HOME "/backend/vif/%u/%u/%s", client.domid, client.handle, key);
	else
		fake_writef(value, "/local/domain/%u/device/vif/%u/%s", client.domid, client.handle, key);
}

static bool there(void)
{
	return guest_state(&client, true)[0] != 0;
}

static void create(void)
{
	guest_create(&client, 9, IP1, MAC1);
}

static void offline(void)
{
	if (there())
		put(true, "online", "0");
}

static void closing(void)
{
	if (there())
		put(true, "state", "5");
}

static void detach(void) /* as libxl does it: both at once, and nothing where it is closed */
{
	if (!there())
		return;
	put(true, "online", "0");
	if (guest_state(&client, true)[0] != '6')
		put(true, "state", "5");
}

static void offer(void)
{
	if (guest_state(&client, false)[0])
		guest_offer(&client);
}

static void front_closing(void)
{
	if (guest_state(&client, false)[0])
		guest_front_state(&client, XENBUS_CLOSING);
}

static void front_closed(void)
{
	if (guest_state(&client, false)[0])
		guest_front_state(&client, XENBUS_CLOSED);
}

static void front_again(void)
{
	if (guest_state(&client, false)[0])
		guest_front_state(&client, XENBUS_INITIALISING);
}

static void late(void)
{
	fake_deny = 1;
}

typedef void act(void);

/* Each act is done before the request with that number, counted from when it began. */
static struct { act *what; uint32_t before; } script[ACTS_MAX];
static uint32_t acts, done, begun;

static void perform(void)
{
	void (*hook)(void) = fake_between;
	fake_between = NULL;
	script[done++].what();
	fake_between = hook;
}

static void between(void)
{
	while (done < acts && fake_requests - begun > script[done].before)
		perform();
}

static void play(void)
{
	done = 0;
	begun = fake_requests;
	fake_between = between;
	for (uint32_t ms = 0; done < acts && ms < SOON_MS; ms += MOMENT_MS)
		guest_settle(MOMENT_MS * MS);
	while (done < acts) { /* it asked less than that */
		perform();
		guest_settle(MOMENT_MS * MS);
	}
	fake_between = NULL;
	guest_settle(SOON_MS * MS);
	while (next_event().kind != EVENT_NONE)
		;
}

static void begin(bool merge)
{
	guest_world();
	fake_merge = merge;
	client = LINUX;
	acts = 0;
}

static void then(act *what, uint32_t before)
{
	script[acts].what = what;
	script[acts++].before = before;
}

static void assert_gone(void)
{
	assert_string_equal(guest_state(&client, true), "");
	assert_nothing_held();
	assert_true(guest_now_ns < UINT64_C(30000000000)); /* it did not look at every folder again */
}

/* --- every place ------------------------------------------------------------------------------- */

static void detached_anywhere(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < 2 * REQUESTS_MAX; at++) {
		begin(at & 1);
		create();
		then(detach, at / 2);
		play();
		assert_gone();
	}
}

/* The two writes of a toolstack that does not hold them together, around every pair of requests. */
static void detached_in_two_halves(void **state)
{
	(void)state;
	for (uint32_t first = 0; first < REQUESTS_MAX / 2; first++)
		for (uint32_t second = first; second < REQUESTS_MAX / 2; second++) {
			begin(second & 1);
			create();
			then(offline, first);
			then(closing, second);
			play();
			assert_gone();
		}
}

static void detached_while_it_connects(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < REQUESTS_MAX; at++)
		for (uint32_t merge = 0; merge < 2; merge++) {
			begin(merge);
			create();
			guest_settle(0);
			offer();
			then(offline, at);
			then(closing, at + merge);
			play();
			assert_gone();
		}
}

static void closed_by_its_frontend_anywhere(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < REQUESTS_MAX; at++)
		for (uint32_t merge = 0; merge < 2; merge++) {
			begin(merge);
			create();
			guest_settle(0);
			offer();
			then(front_closing, at);
			then(front_closed, at + 3);
			play();
			assert_string_equal(guest_state(&client, true), "6");
			assert_int_equal(netback_held().rings, 0);
			acts = 0;
			front_again();
			play();
			assert_string_equal(guest_state(&client, true), "2");
			acts = 0;
			offer();
			then(detach, 20);
			play();
			assert_gone();
		}
}

/* The word alone, without `online`: it is heard, unless a state of ours was written over it. */
static void told_to_close_anywhere(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < REQUESTS_MAX; at++)
		for (uint32_t merge = 0; merge < 2; merge++) {
			begin(merge);
			create();
			guest_settle(0);
			offer();
			then(closing, at);
			play();
			const char *end = guest_state(&client, true);
			assert_true(end[0] == '6' || (end[0] == '4' && at < REQUESTS_MAX / 2));
			assert_int_equal(netback_held().rings, end[0] == '6' ? 0 : 2);
		}
}

/* The domain's folder appears while every folder is looked at. */
static void created_during_a_look(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < 20; at++)
		for (uint32_t merge = 0; merge < 2; merge++) {
			begin(merge);
			fake_write(FAKE_HOME "/backend/vif/3/0/online", "0");
			netback_changed(NULL);
			then(create, at);
			play();
			assert_string_equal(guest_state(&client, true), "2");
		}
}

/* An answer that comes too late, be it of the look itself: it is asked again before the next look. */
static void late_anywhere(void **state)
{
	(void)state;
	char path[XS_PATH_BYTES];
	uint32_t token;
	for (uint32_t at = 0; at < REQUESTS_MAX; at++) {
		begin(false);
		create();
		while (xs_event(path, &token))
			; /* lost: only the look finds it */
		netback_changed(NULL);
		then(late, at);
		play();
		assert_string_equal(guest_state(&client, true), "2");
		acts = 0;
		offer();
		then(late, at);
		play();
		assert_string_equal(guest_state(&client, true), "4");
		assert_int_equal(netback.broken, 0);
		assert_true(netback.vif[netback.live[0]].caps.csum6); /* the last key that it asks for */
		acts = 0;
		detach();
		then(late, at);
		play();
		assert_gone();
	}
}

/* --- any script, in any place ------------------------------------------------------------------ */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static void any_life_ends(void **state)
{
	(void)state;
	static act *const some[] = { offer, front_closing, front_closed, front_again, late, offline };
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		uint32_t random = seed, at = 0;
		begin(seed & 1);
		create();
		while (acts < ACTS_MAX - 1) {
			at += draw(&random, 12);
			then(some[draw(&random, array_len(some))], at);
		}
		then(detach, at + draw(&random, 12));
		play();
		if (there() || netback_held().vifs)
			print_error("seed %u\n", seed);
		assert_string_equal(guest_state(&client, true), "");
		assert_nothing_held();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detached_anywhere), cmocka_unit_test(detached_in_two_halves),
		cmocka_unit_test(detached_while_it_connects), cmocka_unit_test(closed_by_its_frontend_anywhere),
		cmocka_unit_test(told_to_close_anywhere),
		cmocka_unit_test(created_during_a_look), cmocka_unit_test(late_anywhere), cmocka_unit_test(any_life_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
