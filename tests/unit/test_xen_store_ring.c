/* links: qubes-integration/xen/xenstore.c netstack/text.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/*
 * The xenstore client and a daemon that move any number of bytes at any time, around the end of the rings and of
 * the counters; each side sleeps until the other notifies it. No event is lost, late or out of order, and nobody
 * sleeps while there is something for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "craft.h"
#include "evtchn.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenstore.h"
#include "xenwait.h"

enum { PORT = 3, QUEUE = 1 << 16, ROUNDS = 20000, BURST_MAX = 40, TOKEN = 77, SAID_MAX = XS_PAYLOAD_BYTES };

static struct xen_store_ring ring;
static uint64_t clock_ns, seed = 1;
static bool pending;          /* our event channel */
static uint32_t fired, taken; /* watch events, by their numbers */

static struct {
	bool awake;
	uint8_t request[8192];
	size_t request_len;
	uint8_t queue[QUEUE];
	size_t queued, sent;
} daemon;

static uint32_t draw(uint32_t below)
{
	return craft_random(&seed) % below;
}

static void say(uint32_t type, uint32_t id, const void *payload, size_t len)
{
	struct xen_store_msg head = { type, id, 0, (uint32_t)len };
	if (daemon.sent == daemon.queued)
		daemon.sent = daemon.queued = 0;
	assert_true(daemon.queued + sizeof(head) + len <= QUEUE);
	memcpy(daemon.queue + daemon.queued, &head, sizeof(head));
	memcpy(daemon.queue + daemon.queued + sizeof(head), payload, len);
	daemon.queued += sizeof(head) + len;
}

/* Somebody writes below what is watched. */
static void fire(void)
{
	char payload[256];
	if (daemon.queued > QUEUE / 2)
		return;
	int n = snprintf(payload, sizeof(payload), "%u/%.*s%c%u", fired++, (int)draw(200),
			 "....................................................................................................."
			 "....................................................................................................",
			 0, TOKEN);
	say(XS_WATCH_EVENT, 0, payload, (size_t)n + 1);
	daemon.awake = true;
}

/* A key is as long as its name says, when it is read and when it is written. */
static void answer(void)
{
	static char value[SAID_MAX];
	struct xen_store_msg head;
	memcpy(&head, daemon.request, sizeof(head));
	const char *path = (const char *)daemon.request + sizeof(head);
	size_t len = (size_t)atoi(path);
	memset(value, 'a' + (int)(len % 26), len);
	if (head.type == XS_READ) {
		say(head.type, head.id, value, len);
		return;
	}
	assert_int_equal(head.len, strlen(path) + 1 + len);
	assert_memory_equal(path + strlen(path) + 1, value, len);
	say(head.type, head.id, "OK", 3);
}

static bool take_requests(uint32_t most)
{
	bool any = false;
	for (; most > 0 && ring.req_cons != ring.req_prod; most--) {
		struct xen_store_msg head;
		any = true;
		daemon.request[daemon.request_len++] = ring.req[ring.req_cons++ % XS_RING_BYTES];
		memcpy(&head, daemon.request, sizeof(head));
		if (daemon.request_len < sizeof(head) || daemon.request_len < sizeof(head) + head.len)
			continue;
		daemon.request_len = 0;
		if (draw(3) == 0)
			fire();
		answer();
	}
	return any;
}

/* It moves what it can, or a part of that, and tells us; when there was nothing it sleeps. */
static void daemon_turn(void)
{
	uint32_t most = draw(2) ? 1 + draw(40) : 2048;
	bool any = take_requests(most);
	for (; most > 0 && daemon.sent < daemon.queued && ring.rsp_prod - ring.rsp_cons < XS_RING_BYTES; most--) {
		ring.rsp[ring.rsp_prod++ % XS_RING_BYTES] = daemon.queue[daemon.sent++];
		any = true;
	}
	daemon.awake = any;
	pending |= any;
}

void evtchn_notify(uint32_t port)
{
	assert_int_equal(port, PORT);
	daemon.awake = true;
	if (draw(2))
		daemon_turn(); /* on another CPU */
}

bool evtchn_pending(uint32_t port)
{
	bool was = pending;
	assert_int_equal(port, PORT);
	pending = false;
	return was;
}

bool evtchn_given(uint32_t port)
{
	return port == PORT;
}

uint64_t xenclock_now_ns(void)
{
	return clock_ns;
}

/* Sleep: the others run until we are notified. */
void xenwait_port(uint32_t port, uint64_t deadline_ns)
{
	assert_int_equal(port, PORT);
	assert_true(deadline_ns > clock_ns);
	clock_ns++;
	while (!pending) {
		assert_true(daemon.awake); /* or nobody would ever wake us */
		daemon_turn();
	}
}

static void ask(void)
{
	static char value[SAID_MAX + 1];
	char path[16];
	size_t len = draw(3) ? draw(60) : draw(SAID_MAX);
	snprintf(path, sizeof(path), "%zu", len);
	if (draw(2)) {
		len = len < SAID_MAX - sizeof(path) ? len : 0;
		snprintf(path, sizeof(path), "%zu", len);
		memset(value, 'a' + (int)(len % 26), len);
		value[len] = '\0';
		assert_int_equal(xs_write(XS_NO_TX, path, value), XS_RESULT_OK);
		return;
	}
	assert_int_equal(xs_read(XS_NO_TX, path, value, sizeof(value)), XS_RESULT_OK);
	assert_int_equal(strlen(value), len);
	assert_true(len == 0 || (value[0] == 'a' + (char)(len % 26) && value[len - 1] == value[0]));
}

static void take_events(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	while (xs_event(path, &token)) {
		assert_int_equal(token, TOKEN);
		assert_int_equal(strtoul(path, NULL, 10), taken++);
	}
}

/* A round of the platform's loop: events, requests, and sleep if nothing is known to wait. */
static void a_round(void)
{
	take_events();
	for (uint32_t n = draw(4); n > 0; n--)
		ask();
	for (uint32_t n = draw(20) ? draw(3) : draw(BURST_MAX); n > 0; n--)
		fire();
	for (uint32_t n = draw(8); n > 0; n--)
		if (daemon.awake) /* on another CPU, until the ring is full */
			daemon_turn();
	if (xs_event_waits())
		return;
	while (!pending && daemon.awake)
		daemon_turn();
	assert_true(pending || (ring.rsp_prod == ring.rsp_cons && daemon.sent == daemon.queued));
}

static void nobody_oversleeps(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++)
		a_round();
	while (pending || daemon.awake || xs_event_waits()) {
		take_events();
		daemon_turn();
	}
	assert_int_equal(taken, fired);
	assert_in_range(fired, ROUNDS, ROUNDS * 10);
	assert_false(xs_overflowed());
	assert_true(ring.rsp_prod < UINT32_MAX / 2); /* the counters went round */
}

int main(void)
{
	static uint8_t memory[128 * 1024];
	struct arena arena = { memory, sizeof(memory) };
	ring.req_prod = ring.req_cons = ring.rsp_prod = ring.rsp_cons = UINT32_MAX - 5000;
	xenstore_boot(&ring, PORT, &arena);
	const struct CMUnitTest tests[] = { cmocka_unit_test(nobody_oversleeps) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
