/* links: qubes-integration/xen/qrexec.c qubes-integration/xen/qrexec_call.c qubes-integration/xen/qrexec_trigger.c qubes-integration/xen/qrexec_wire.c qubes-integration/xen/vchan.c qubes-integration/xen/vchan_page.c qubes-integration/xen/vchan_ring.c netstack/text.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
/* The test is dom0: client of the agent's vchan, server of each call's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "qrexec.h"
#include "xen_lab.h"
#include "xenstore.h"

enum { RING = 4096, CALLS = 8 };
#define SECOND UINT64_C(1000000000)

/* dom0's end of a connection */
struct peer {
	struct vchan_page *page;
	uint8_t *in, *out; /* rings that we read and write */
	uint32_t in_size, out_size;
	uint32_t *in_cons, *in_prod, *out_cons, *out_prod;
};

static struct peer agent, call[CALLS];
static bool uplink;
static uint64_t wall;
static uint64_t now;

static bool uplink_up(void) { return uplink; }
static void set_wall(uint64_t seconds) { wall = seconds; }
static const struct qrexec_host host = { uplink_up, set_wall };

static void step(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	while (xs_event(path, &token))
		qrexec_look(token);
	qrexec_poll(now);
}

static void put(struct peer *p, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		assert_true(*p->out_prod - *p->out_cons < p->out_size);
		p->out[*p->out_prod % p->out_size] = ((const uint8_t *)bytes)[i];
		++*p->out_prod;
	}
}

static void say(struct peer *p, uint32_t type, const void *body, uint32_t len)
{
	uint32_t header[2] = { type, len };
	put(p, header, sizeof(header));
	put(p, body, len);
}

static size_t get(struct peer *p, void *bytes, size_t len)
{
	size_t n = 0;
	for (; n < len && *p->in_cons != *p->in_prod; n++)
		((uint8_t *)bytes)[n] = p->in[(*p->in_cons)++ % p->in_size];
	return n;
}

/* The next message must be this one. */
static void expect(struct peer *p, uint32_t type, const void *body, uint32_t len)
{
	uint32_t header[2];
	uint8_t bytes[RING];
	assert_int_equal(get(p, header, sizeof(header)), sizeof(header));
	assert_int_equal(header[0], type);
	assert_int_equal(header[1], len);
	assert_int_equal(get(p, bytes, len), len);
	assert_memory_equal(bytes, body, len);
}

static void expect_silence(struct peer *p)
{
	assert_int_equal(*p->in_cons, *p->in_prod);
}

static void connect_agent(void)
{
	const char *ref = xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref");
	assert_non_null(ref);
	struct vchan_page *p = xen_lab_lent((uint32_t)atoi(ref));
	agent = (struct peer){ p, (uint8_t *)p + 2048, (uint8_t *)p + 1024, 2048, 1024,
			       &p->right_cons, &p->right_prod, &p->left_cons, &p->left_prod };
	p->cli_live = 1;
	step();
}

/* A daemon of version 2 is asked for nothing. */
static void greet_agent_as(uint32_t theirs)
{
	uint32_t ours = 3;
	connect_agent();
	expect(&agent, 0x300, &ours, 4);
	say(&agent, 0x300, &theirs, 4);
	step();
	expect_silence(&agent);
}

static void greet_agent(void)
{
	greet_agent_as(2);
}

static int setup(void **state)
{
	(void)state;
	qrexec_init(&host);
	xen_lab_reset();
	uplink = false;
	wall = 0;
	now = SECOND;
	step();
	return 0;
}

static void free_peer(struct peer *p)
{
	if (p->page) {
		free(p->in);
		free(p->out);
		free(p->page);
	}
	*p = (struct peer){ 0 };
}

/* All that the agent holds is given back. */
static int teardown(void **state)
{
	(void)state;
	qrexec_init(&host);
	for (unsigned i = 0; i < CALLS; i++)
		free_peer(&call[i]);
	return xen_lab_live() ? -1 : 0;
}

static void serve_call(unsigned n)
{
	char path[80], text[16];
	struct peer *p = &call[n];
	free_peer(p);
	struct vchan_page *page = p->page = aligned_alloc(4096, 4096);
	p->in = aligned_alloc(4096, RING);
	p->out = aligned_alloc(4096, RING);
	p->in_size = p->out_size = RING;
	*page = (struct vchan_page){ .left_order = 12, .right_order = 12, .cli_live = 2, .srv_live = 1,
				     .cli_notify = 1, .grants = { xen_lab_offer(p->in), xen_lab_offer(p->out) } };
	p->in_cons = &page->left_cons;
	p->in_prod = &page->left_prod;
	p->out_cons = &page->right_cons;
	p->out_prod = &page->right_prod;
	snprintf(text, sizeof(text), "%u", xen_lab_offer(page));
	snprintf(path, sizeof(path), "/local/domain/0/data/vchan/5/%u/ring-ref", 600 + n);
	xen_lab_put(path, text);
	snprintf(path, sizeof(path), "/local/domain/0/data/vchan/5/%u/event-channel", 600 + n);
	xen_lab_put(path, "33");
}

static void ask(unsigned n, const char *command)
{
	uint8_t body[1000] = { 0, 0, 0, 0, (uint8_t)(600 + n), (uint8_t)((600 + n) >> 8) };
	size_t len = strlen(command) + 1;
	memcpy(body + 8, command, len);
	say(&agent, 0x200, body, (uint32_t)(8 + len));
	step();
}

/* The call until both have greeted. */
static void open_call(unsigned n, const char *command)
{
	uint32_t ours = 3;
	serve_call(n);
	ask(n, command);
	say(&call[n], 0x300, &ours, 4);
	step();
	expect(&call[n], 0x300, &ours, 4);
}

static void expect_end(unsigned n, uint32_t code)
{
	uint32_t terminated[2] = { 0, 600 + n };
	expect(&call[n], 0x191, "", 0);
	expect(&call[n], 0x193, &code, 4);
	expect_silence(&call[n]);
	step();
	assert_int_equal(call[n].page->cli_live, 0);
	expect(&agent, 0x211, terminated, 8);
}

static void test_services(void **state)
{
	(void)state;
	static const struct { const char *command; uint32_t code; const char *why; } rows[] = {
		{ "root:QUBESRPC qubes.WaitForSession none", 0, "" },
		{ "root:nogui:QUBESRPC qubes.WaitForSession dom0", 0, "" },
		{ "user:QUBESRPC qubes.VMShell dom0", 127, "postern: no such service\n" },
		{ "user:QUBESRPC postern.StatusX dom0", 127, "postern: no such service\n" },
		{ "user:bash -c reboot", 127, "postern: no such service\n" },
		{ "", 127, "postern: no such service\n" },
		{ "user:QUBESRPC qubes.WaitForSession", 127, "postern: no such service\n" },
	};
	greet_agent();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_call(0, rows[i].command);
		if (rows[i].why[0])
			expect(&call[0], 0x192, rows[i].why, (uint32_t)strlen(rows[i].why));
		expect_end(0, rows[i].code);
	}
}

static void test_set_date_time(void **state)
{
	(void)state;
	greet_agent();
	open_call(0, "root:QUBESRPC qubes.SetDateTime dom0");
	say(&call[0], 0x190, "2026-11-21T08:", 14);
	step();
	say(&call[0], 0x190, "12:54+00:00\n", 12);
	step();
	assert_int_equal(wall, 1795248774);
	expect_end(0, 0);
	open_call(1, "root:QUBESRPC qubes.SetDateTime dom0");
	say(&call[1], 0x190, "soon", 4);
	step();
	expect_silence(&call[1]);
	say(&call[1], 0x190, "", 0);
	step();
	expect(&call[1], 0x192, "postern: not a date\n", 20);
	expect_end(1, 1);
	assert_int_equal(wall, 1795248774);
}

static void test_uplink(void **state)
{
	(void)state;
	greet_agent();
	open_call(0, "root:QUBESRPC qubes.WaitForNetworkUplink dom0");
	expect_silence(&call[0]);
	uplink = true;
	step();
	expect_end(0, 0);
	uplink = false;
	open_call(1, "root:QUBESRPC qubes.WaitForNetworkUplink dom0");
	now += 8 * SECOND;
	step();
	expect_silence(&call[1]);
	now += 2 * SECOND;
	step();
	expect(&call[1], 0x192, "postern: no uplink\n", 19);
	expect_end(1, 1);
}

static bool event_is(enum platform_event_kind kind)
{
	struct platform_event e;
	return qrexec_event(&e) && e.kind == kind && e.channel == CHANNEL_CONTROL;
}

/* As firewall/main.c does: the request line comes out, the answer's lines go in. */
static void expect_request(const char *request)
{
	char bytes[300] = "";
	size_t n = 0;
	while (n < sizeof(bytes) - 1 && qrexec_read(bytes + n, 1) == 1)
		n++;
	assert_string_equal(bytes, request);
}

static void test_control_services(void **state)
{
	(void)state;
	struct platform_event e;
	static const char answer[] = "{\"type\":\"appliance\"}\n{\"a\":\".\"}\n.\n";
	greet_agent();
	assert_false(qrexec_event(&e));
	open_call(0, "user:QUBESRPC postern.Status dom0 name x");
	open_call(1, "user:QUBESRPC postern.Explain+10.137.0.5+tcp+1.1.1.1+443 dom0");
	open_call(2, "user:QUBESRPC postern.Flows dom0");
	assert_int_equal(qrexec_deadline(), 0);
	assert_true(event_is(EVENT_CHANNEL_OPEN));
	assert_false(qrexec_event(&e));
	expect_request("status\n");
	for (size_t i = 0; i < sizeof(answer) - 1; i++)
		assert_int_equal(qrexec_write(answer + i, 1), 1);
	char got[300] = "";
	for (size_t i = 0; i < sizeof(answer) - 3; i++) {
		uint32_t header[2];
		get(&call[0], header, 8);
		assert_int_equal(header[0], 0x191);
		assert_int_equal(header[1], 1);
		get(&call[0], got + i, 1);
	}
	assert_memory_equal(got, answer, sizeof(answer) - 3);
	assert_true(event_is(EVENT_CHANNEL_CLOSED));
	assert_true(event_is(EVENT_CHANNEL_OPEN));
	expect_request("explain 10.137.0.5 tcp 1.1.1.1 443\n");
	expect_end(0, 0);
	/* the caller dies in the middle: the firewall is told, what it still says goes nowhere, the next has its turn */
	call[1].page->srv_live = 0;
	step();
	assert_int_equal(qrexec_write("rest\n", 5), 5);
	assert_true(event_is(EVENT_CHANNEL_CLOSED));
	assert_true(event_is(EVENT_CHANNEL_OPEN));
	expect_request("flows\n");
	assert_int_equal(qrexec_write("{}\n.\n", 5), 5);
	expect(&call[2], 0x191, "{}\n", 3);
	assert_true(event_is(EVENT_CHANNEL_CLOSED));
	uint32_t terminated[2] = { 0, 601 };
	expect(&agent, 0x211, terminated, 8);
	expect_end(2, 0);
	assert_false(qrexec_event(&e));
}

/* A caller that reads slowly gets all of a long answer; one that does not read at all loses it after a while. */
static void test_slow_reader(void **state)
{
	(void)state;
	static char line[200], got[RING * 4];
	size_t sent = 0, seen = 0;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	greet_agent();
	open_call(0, "user:QUBESRPC postern.Flows dom0");
	assert_true(event_is(EVENT_CHANNEL_OPEN));
	expect_request("flows\n");
	for (unsigned round = 0; round < 2000 && seen < 100000; round++) {
		if (sent < 100000)
			sent += qrexec_write(line + sent % sizeof(line), sizeof(line) - sent % sizeof(line));
		uint32_t header[2];
		if (round % 3 == 0 && get(&call[0], header, 8) == 8) {
			assert_int_equal(header[0], 0x191);
			assert_int_equal(get(&call[0], got, header[1]), header[1]);
			for (uint32_t i = 0; i < header[1]; i++, seen++)
				assert_int_equal(got[i], line[seen % sizeof(line)]);
		}
		step();
	}
	assert_int_equal(seen, 100000);
	while (qrexec_write(line, sizeof(line)) > 0)
		;
	now += 61 * SECOND;
	step();
	assert_int_equal(call[0].page->cli_live, 0);
	assert_true(event_is(EVENT_CHANNEL_CLOSED));
}

static void test_protocol_breaches(void **state)
{
	(void)state;
	static const struct { uint32_t type, len; uint8_t body[12]; bool greeted; } rows[] = {
		{ 0x300, 4, { 1 }, false }, { 0x300, 3, { 3 }, false }, { 0x200, 12, { 0 }, false },
		{ 0x200, 7, { 0 }, true }, { 0x201, 0, { 0 }, true },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(NULL);
		if (rows[i].greeted)
			greet_agent();
		else
			connect_agent();
		struct vchan_page *page = agent.page;
		xen_lab_peer_maps = true; /* keeps the page to be looked at */
		say(&agent, rows[i].type, rows[i].body, rows[i].len);
		step();
		assert_int_equal(page->srv_live, 0);
		xen_lab_peer_maps = false;
		step();
		assert_non_null(xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref"));
		greet_agent(); /* and it is as good as new */
	}
	uint32_t huge[2] = { 0x999, 65537 };
	put(&agent, huge, 8);
	step();
	step();
	greet_agent();
	/* unknown messages are read over, however long */
	uint8_t much[900] = { 0 };
	say(&agent, 0x998, much, sizeof(much));
	step();
	open_call(0, "root:QUBESRPC qubes.WaitForSession dom0");
	expect_end(0, 0);
	/* a caller that breaks the protocol, and one that never serves */
	serve_call(0);
	ask(0, "root:QUBESRPC qubes.WaitForSession dom0");
	say(&call[0], 0x190, "x", 1);
	step();
	uint32_t terminated[2] = { 0, 600 };
	expect(&agent, 0x211, terminated, 8);
	xen_lab_put("/local/domain/0/data/vchan/5/605/event-channel", NULL);
	ask(5, "root:QUBESRPC qubes.WaitForSession dom0");
	now += 21 * SECOND;
	step();
	terminated[1] = 605;
	expect(&agent, 0x211, terminated, 8);
}

static void test_more_calls_than_places(void **state)
{
	(void)state;
	greet_agent();
	for (unsigned i = 0; i < QREXEC_CALLS; i++)
		open_call(i, "root:QUBESRPC qubes.WaitForNetworkUplink dom0");
	serve_call(7);
	ask(7, "root:QUBESRPC qubes.WaitForSession dom0");
	uint32_t terminated[2] = { 0, 607 };
	expect(&agent, 0x211, terminated, 8);
	uplink = true;
	step();
	for (unsigned i = 0; i < QREXEC_CALLS; i++) {
		uint32_t code = 0;
		expect(&call[i], 0x191, "", 0);
		expect(&call[i], 0x193, &code, 4);
	}
	step();
	for (unsigned i = 0; i < QREXEC_CALLS; i++) {
		terminated[1] = 600 + i;
		expect(&agent, 0x211, terminated, 8);
	}
}

/* Our one request: the words on the wire, the connection that follows, and that it is made once. */
static void test_feature_request(void **state)
{
	(void)state;
	uint8_t wanted[64 + 32 + 22] = "dom0";
	memcpy(wanted + 64, "postern-features", 16);
	memcpy(wanted + 96, "qubes.FeaturesRequest", 22);
	greet_agent_as(4);
	assert_int_equal(qrexec_deadline(), now + 3 * SECOND);
	now += 4 * SECOND;
	step();
	expect(&agent, 0x212, wanted, sizeof(wanted));
	uint8_t where[8 + 17] = { 0, 0, 0, 0, 0x01, 0x02 };
	memcpy(where + 8, "postern-features", 17);
	say(&agent, 0x202, where, sizeof(where));
	step();
	const char *ref = xen_lab_get("/local/domain/5/data/vchan/0/513/ring-ref");
	assert_non_null(ref);
	struct vchan_page *p = xen_lab_lent((uint32_t)atoi(ref));
	struct peer dom0 = { p, (uint8_t *)p + 2048, (uint8_t *)p + 1024, 2048, 1024,
			     &p->right_cons, &p->right_prod, &p->left_cons, &p->left_prod };
	p->cli_live = 1;
	step();
	uint32_t version = 3, code = 0, terminated[2] = { 0, 513 };
	expect(&dom0, 0x300, &version, 4);
	expect(&dom0, 0x190, "", 0);
	say(&dom0, 0x300, &version, 4);
	say(&dom0, 0x191, "", 0);
	say(&dom0, 0x193, &code, 4);
	step();
	expect(&agent, 0x211, terminated, 8);
	now += 60 * SECOND;
	step();
	expect_silence(&agent);
	/* nor of a daemon that comes later */
	agent.page->cli_live = 0;
	step();
	step();
	greet_agent_as(4);
	now += 60 * SECOND;
	step();
	expect_silence(&agent);
}

/* Refused, not answered, and asked of a daemon that went away before it answered. */
static void test_feature_refused(void **state)
{
	(void)state;
	uint8_t body[200];
	uint32_t header[2];
	for (unsigned way = 0; way < 3; way++) {
		setup(NULL);
		greet_agent_as(4);
		now += 4 * SECOND;
		step();
		assert_int_equal(get(&agent, header, 8), 8);
		assert_int_equal(header[0], 0x212);
		get(&agent, body, header[1]);
		if (way == 0)
			say(&agent, 0x203, body + 64, 32);
		if (way == 2) {
			agent.page->cli_live = 0;
			step();
			step();
			greet_agent_as(4);
		}
		now += 60 * SECOND;
		step();
		assert_int_equal(get(&agent, header, 8), way == 2 ? 8 : 0);
		open_call(0, "root:QUBESRPC qubes.WaitForSession dom0");
	}
}

static void test_dates(void **state)
{
	(void)state;
	static const struct { const char *text; uint64_t seconds; } rows[] = {
		{ "1971-01-01T00:00:00Z", 31536000 }, { "2000-02-29T23:59:59+00:00\n", 951868799 },
		{ "2026-11-21T08:12:54+02:00", 1795241574 }, { "2026-11-21T08:12:54-0530", 1795268574 },
		{ "2100-03-01T00:00:00Z \r\n", 4107542400 }, { "2024-12-31T23:59:60Z", 1735689600 },
		{ "2026-02-29T00:00:00Z", 0 }, { "2100-02-29T00:00:00Z", 0 }, { "2026-13-01T00:00:00Z", 0 },
		{ "2026-00-01T00:00:00Z", 0 }, { "2026-01-00T00:00:00Z", 0 }, { "2026-01-01T24:00:00Z", 0 },
		{ "2026-01-01 00:00:00Z", 0 }, { "2026-01-01T00:00:00", 0 }, { "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-01T00:00:00Zx", 0 }, { "2026-1-01T00:00:00Z", 0 }, { "", 0 }, { "2026-01-01T00:00:00+99:00", 0 },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t seconds = 0;
		bool ok = qrexec_date_parse(cursor_of(rows[i].text, strlen(rows[i].text)), &seconds);
		assert_int_equal(ok, rows[i].seconds != 0);
		assert_int_equal(seconds, rows[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_services, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_date_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_control_services, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protocol_breaches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_calls_than_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_feature_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_feature_refused, setup, teardown),
		cmocka_unit_test(test_dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
