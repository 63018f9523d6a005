/* links: qubes-integration/xen/xenstore.c netstack/text.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/* The xenstore client against a daemon at the other end of the rings: prompt, slow, silent or mad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "evtchn.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenstore.h"
#include "xenwait.h"

enum { PORT = 3, QUEUE = 1 << 20 };

static struct xen_store_ring ring;
static uint64_t clock_ns;

/* The daemon: requests are gathered whole; its bytes wait in `queue` for room in the ring. */
static struct {
	uint32_t chunk;    /* bytes a turn, each way */
	bool silent;
	uint8_t request[8192];
	size_t request_len;
	uint8_t queue[QUEUE];
	size_t queued, sent;
	char last_path[4097], last_value[4097];
	uint32_t last_type, last_tx, last_id, requests;
	size_t last_len;
	const char *error;  /* answer with it */
	const char *answer; /* the payload; NULL: "OK" */
	size_t answer_len;
	const char *event_path; /* a watch event before each answer */
	uint32_t event_token;
} daemon;

static void say(uint32_t type, uint32_t id, uint32_t tx, const void *payload, size_t len)
{
	struct xen_store_msg head = { type, id, tx, (uint32_t)len };
	assert_true(daemon.queued + sizeof(head) + len <= QUEUE);
	memcpy(daemon.queue + daemon.queued, &head, sizeof(head));
	memcpy(daemon.queue + daemon.queued + sizeof(head), payload, len);
	daemon.queued += sizeof(head) + len;
}

static void event(const char *path, uint32_t token)
{
	char payload[4096];
	int n = snprintf(payload, sizeof(payload), "%s%c%u", path, 0, token);
	say(XS_WATCH_EVENT, 0, 0, payload, (size_t)n + 1);
}

static void answer(void)
{
	struct xen_store_msg head;
	memcpy(&head, daemon.request, sizeof(head));
	const char *payload = (const char *)daemon.request + sizeof(head);
	daemon.last_type = head.type;
	daemon.last_tx = head.tx;
	daemon.last_id = head.id;
	daemon.last_len = head.len;
	daemon.requests++;
	size_t path = strnlen(payload, head.len);
	memcpy(daemon.last_path, payload, path);
	daemon.last_path[path] = '\0';
	size_t rest = path < head.len ? head.len - path - 1 : 0;
	memcpy(daemon.last_value, payload + path + 1, rest);
	daemon.last_value[rest] = '\0';
	if (daemon.event_path)
		event(daemon.event_path, daemon.event_token);
	if (daemon.error)
		say(XS_ERROR, head.id, head.tx, daemon.error, strlen(daemon.error) + 1);
	else if (daemon.answer)
		say(head.type, head.id, head.tx, daemon.answer, daemon.answer_len);
	else
		say(head.type, head.id, head.tx, "OK", 3);
}

static void daemon_turn(void)
{
	if (daemon.silent)
		return;
	for (uint32_t n = 0; n < daemon.chunk && ring.req_cons != ring.req_prod; n++) {
		daemon.request[daemon.request_len++] = ring.req[ring.req_cons++ % XS_RING_BYTES];
		struct xen_store_msg head;
		memcpy(&head, daemon.request, sizeof(head));
		if (daemon.request_len < sizeof(head) || daemon.request_len < sizeof(head) + head.len)
			continue;
		daemon.request_len = 0;
		answer();
	}
	for (uint32_t n = 0; n < daemon.chunk && daemon.sent < daemon.queued; n++) {
		if (ring.rsp_prod - ring.rsp_cons == XS_RING_BYTES)
			break;
		ring.rsp[ring.rsp_prod++ % XS_RING_BYTES] = daemon.queue[daemon.sent++];
	}
	if (daemon.sent == daemon.queued)
		daemon.sent = daemon.queued = 0;
}

void evtchn_notify(uint32_t port)
{
	assert_int_equal(port, PORT);
}

bool evtchn_pending(uint32_t port)
{
	return port == PORT;
}

bool evtchn_given(uint32_t port)
{
	return port == PORT;
}

uint64_t xenclock_now_ns(void)
{
	return clock_ns;
}

void xenwait_port(uint32_t port, uint64_t deadline_ns)
{
	assert_int_equal(port, PORT);
	assert_true(deadline_ns > clock_ns);
	daemon_turn();
	clock_ns = daemon.silent ? deadline_ns : clock_ns + 1000;
}

/* A client cannot be made anew: each test leaves it idle. */
static int fresh(void **state)
{
	(void)state;
	memset(&daemon, 0, sizeof(daemon));
	daemon.chunk = 4096;
	return 0;
}

static void each_call_says_what_it_means(void **state)
{
	(void)state;
	char value[64];
	uint32_t tx = 0;
	assert_int_equal(xs_write(5, "a/b", "hello"), XS_RESULT_OK);
	assert_int_equal(daemon.last_type, XS_WRITE);
	assert_int_equal(daemon.last_tx, 5);
	assert_string_equal(daemon.last_path, "a/b");
	assert_string_equal(daemon.last_value, "hello");
	assert_int_equal(daemon.last_len, 9); /* no NUL behind the value */

	daemon.answer = "12";
	daemon.answer_len = 2;
	assert_int_equal(xs_read(XS_NO_TX, "domid", value, sizeof(value)), XS_RESULT_OK);
	assert_string_equal(value, "12");
	assert_int_equal(xs_read(XS_NO_TX, "domid", value, 3), XS_RESULT_OK);
	strcpy(value, "kept");
	assert_int_equal(xs_read(XS_NO_TX, "domid", value, 2), XS_RESULT_TOO_LONG);
	assert_string_equal(value, "kept");

	daemon.answer = "0\0" "12\0";
	daemon.answer_len = 5;
	char names[8];
	size_t len = 0;
	assert_int_equal(xs_directory(XS_NO_TX, "backend/vif", names, sizeof(names), &len), XS_RESULT_OK);
	assert_int_equal(len, 5);
	assert_memory_equal(names, "0\0" "12\0", 5);
	assert_int_equal(xs_directory(XS_NO_TX, "backend/vif", names, 4, &len), XS_RESULT_TOO_LONG);

	daemon.answer = "4242";
	daemon.answer_len = 5;
	assert_int_equal(xs_transaction_start(&tx), XS_RESULT_OK);
	assert_int_equal(tx, 4242);
	daemon.answer = "x";
	daemon.answer_len = 2;
	assert_int_equal(xs_transaction_start(&tx), XS_RESULT_ERROR);
	daemon.answer = NULL;
	assert_int_equal(xs_transaction_end(tx, true), XS_RESULT_OK);
	assert_string_equal(daemon.last_path, "T");
	assert_int_equal(xs_transaction_end(tx, false), XS_RESULT_OK);
	assert_string_equal(daemon.last_path, "F");

	assert_int_equal(xs_set_perms(XS_NO_TX, "data", "n5 r0"), XS_RESULT_OK);
	assert_int_equal(daemon.last_len, 5 + 6);
	assert_memory_equal(daemon.last_value, "n5\0r0", 6);
	assert_int_equal(xs_watch("/local/domain", 25966), XS_RESULT_OK);
	assert_int_equal(daemon.last_type, XS_WATCH);
	assert_string_equal(daemon.last_value, "25966");
	assert_int_equal(xs_unwatch("/local/domain", 25966), XS_RESULT_OK);
	assert_int_equal(xs_mkdir(XS_NO_TX, "d"), XS_RESULT_OK);
	assert_int_equal(daemon.last_type, XS_MKDIR);
	assert_int_equal(xs_rm(XS_NO_TX, "d"), XS_RESULT_OK);
	assert_int_equal(daemon.last_type, XS_RM);
}

static void errors_have_names(void **state)
{
	(void)state;
	static const struct { const char *name; enum xs_result result; } cases[] = {
		{ "ENOENT", XS_RESULT_NOENT }, { "EAGAIN", XS_RESULT_AGAIN }, { "EACCES", XS_RESULT_DENIED },
		{ "E2BIG", XS_RESULT_TOO_LONG }, { "EINVAL", XS_RESULT_ERROR }, { "", XS_RESULT_ERROR },
	};
	char value[8] = "kept";
	for (size_t i = 0; i < array_len(cases); i++) {
		daemon.error = cases[i].name;
		assert_int_equal(xs_read(XS_NO_TX, "x", value, sizeof(value)), cases[i].result);
		assert_string_equal(value, "kept");
	}
}

static void sizes_up_to_the_payload_pass_in_pieces(void **state)
{
	(void)state;
	static char value[XS_PAYLOAD_BYTES + 2], got[XS_PAYLOAD_BYTES + 1];
	static const uint32_t chunks[] = { 1, 7, 100, 1023, 1024, 4096 };
	for (size_t c = 0; c < array_len(chunks); c++) {
		daemon.chunk = chunks[c];
		for (size_t n = 0; n <= XS_PAYLOAD_BYTES; n += n < 10 ? 1 : 511) {
			memset(value, 'a' + (int)(n % 26), n);
			value[n] = '\0';
			daemon.answer = value;
			daemon.answer_len = n;
			assert_int_equal(xs_read(XS_NO_TX, "p", got, sizeof(got)), XS_RESULT_OK);
			assert_string_equal(got, value);
			enum xs_result fits = n + 2 <= XS_PAYLOAD_BYTES ? XS_RESULT_OK : XS_RESULT_TOO_LONG;
			assert_int_equal(xs_write(XS_NO_TX, "p", value), fits);
			if (fits == XS_RESULT_OK)
				assert_string_equal(daemon.last_value, value);
		}
	}
}

static void events_wait_in_their_order(void **state)
{
	(void)state;
	char path[XS_PATH_BYTES], value[8];
	uint32_t token;
	daemon.event_path = "backend/vif/3/0/state";
	daemon.event_token = 4000000000u;
	assert_int_equal(xs_read(XS_NO_TX, "x", value, sizeof(value)), XS_RESULT_OK);
	daemon.event_path = NULL;
	event("second", 0);
	static char lengthy[3000];
	memset(lengthy, 'y', sizeof(lengthy) - 1);
	event(lengthy, 7);
	daemon_turn();
	assert_true(xs_event(path, &token));
	assert_string_equal(path, "backend/vif/3/0/state");
	assert_int_equal(token, 4000000000u);
	assert_true(xs_event(path, &token));
	assert_string_equal(path, "second");
	assert_int_equal(token, 0);
	daemon_turn();
	bool more = false;
	for (int i = 0; i < 10 && !(more = xs_event(path, &token)); i++)
		daemon_turn();
	assert_true(more);
	assert_int_equal(strlen(path), XS_PATH_BYTES - 1); /* cut, and the prefix right */
	assert_memory_equal(path, lengthy, XS_PATH_BYTES - 1);
	assert_int_equal(token, 7);
	assert_false(xs_event(path, &token));
	assert_false(xs_overflowed());
}

static void malformed_events_are_nothing(void **state)
{
	(void)state;
	char path[XS_PATH_BYTES];
	uint32_t token;
	say(XS_WATCH_EVENT, 0, 0, "", 0);
	say(XS_WATCH_EVENT, 0, 0, "path", 4);
	say(XS_WATCH_EVENT, 0, 0, "path\0", 5);
	say(XS_WATCH_EVENT, 0, 0, "path\0x", 7);
	daemon_turn();
	assert_false(xs_event(path, &token));
}

static void events_that_nobody_takes_are_lost_and_said_so(void **state)
{
	(void)state;
	char path[XS_PATH_BYTES];
	uint32_t token, n = 0;
	for (uint32_t i = 0; i < 5000; i++)
		event("some/path/of/a/device/state", i);
	while (daemon.sent < daemon.queued) {
		daemon_turn();
		xenstore_poll();
	}
	while (xs_event(path, &token))
		assert_int_equal(token, n++);
	assert_in_range(n, 1000, 4999);
	assert_true(xs_overflowed());
	assert_false(xs_overflowed());
	event("and/again", 1);
	daemon_turn();
	assert_true(xs_event(path, &token));
	assert_string_equal(path, "and/again");
}

static void a_silent_daemon_costs_one_limit(void **state)
{
	(void)state;
	char value[8];
	uint64_t before = clock_ns;
	daemon.silent = true;
	assert_int_equal(xs_write(XS_NO_TX, "late", "1"), XS_RESULT_TIMEOUT);
	assert_true(clock_ns - before == (uint64_t)XS_LIMIT_MS * 1000000);
	before = clock_ns;
	for (int i = 0; i < 5; i++)
		assert_int_equal(xs_read(XS_NO_TX, "next", value, sizeof(value)), XS_RESULT_TIMEOUT);
	assert_true(clock_ns == before);
	daemon.silent = false;
	daemon_turn(); /* the late answer is nobody's */
	daemon_turn();
	daemon.answer = "right";
	daemon.answer_len = 5;
	assert_int_equal(xs_read(XS_NO_TX, "next", value, sizeof(value)), XS_RESULT_OK);
	assert_string_equal(value, "right");
	assert_string_equal(daemon.last_path, "next");
}

static void a_request_that_did_not_fit_is_finished_first(void **state)
{
	(void)state;
	static char value[3001];
	char got[8];
	memset(value, 'v', sizeof(value) - 1);
	daemon.silent = true; /* the ring takes its first KiB */
	assert_int_equal(xs_write(XS_NO_TX, "big", value), XS_RESULT_TIMEOUT);
	daemon.silent = false;
	for (int i = 0; i < 10; i++) {
		daemon_turn();
		xenstore_poll();
	}
	assert_string_equal(daemon.last_path, "big");
	assert_string_equal(daemon.last_value, value);
	assert_int_equal(xs_read(XS_NO_TX, "x", got, sizeof(got)), XS_RESULT_OK);
	assert_string_equal(got, "OK");
}

static void answers_of_another_kind_are_errors(void **state)
{
	(void)state;
	char value[8];
	daemon.event_path = NULL;
	say(XS_READ, 0xffffffff, 0, "stale", 5); /* an id that nobody waits for */
	assert_int_equal(xs_read(XS_NO_TX, "x", value, sizeof(value)), XS_RESULT_OK);
	assert_string_equal(value, "OK");
}

/* Last: the client does not come back from it. */
static void a_mad_daemon_ends_it(void **state)
{
	(void)state;
	char value[8], path[XS_PATH_BYTES];
	uint32_t token;
	struct xen_store_msg head = { XS_READ, 1, 0, XS_PAYLOAD_BYTES + 1 };
	memcpy(daemon.queue, &head, sizeof(head));
	daemon.queued = sizeof(head);
	daemon_turn();
	assert_false(xs_event(path, &token));
	assert_int_equal(xs_read(XS_NO_TX, "x", value, sizeof(value)), XS_RESULT_ERROR);
	ring.rsp_prod = ring.rsp_cons + 5000;
	assert_false(xs_event(path, &token));
	assert_int_equal(xs_write(XS_NO_TX, "x", "y"), XS_RESULT_ERROR);
}

int main(void)
{
	static uint8_t memory[128 * 1024];
	struct arena arena = { memory, sizeof(memory) };
	xenstore_boot(&ring, PORT, &arena);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_call_says_what_it_means, fresh),
		cmocka_unit_test_setup(errors_have_names, fresh),
		cmocka_unit_test_setup(sizes_up_to_the_payload_pass_in_pieces, fresh),
		cmocka_unit_test_setup(events_wait_in_their_order, fresh),
		cmocka_unit_test_setup(malformed_events_are_nothing, fresh),
		cmocka_unit_test_setup(events_that_nobody_takes_are_lost_and_said_so, fresh),
		cmocka_unit_test_setup(a_silent_daemon_costs_one_limit, fresh),
		cmocka_unit_test_setup(a_request_that_did_not_fit_is_finished_first, fresh),
		cmocka_unit_test_setup(answers_of_another_kind_are_errors, fresh),
		cmocka_unit_test_setup(a_mad_daemon_ends_it, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
