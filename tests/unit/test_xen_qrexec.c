/* links: qubes-integration/xen/qrexec.c qubes-integration/xen/qrexec_call.c qubes-integration/xen/qrexec_trigger.c qubes-integration/xen/qrexec_wire.c qubes-integration/xen/vchan.c qubes-integration/xen/vchan_page.c qubes-integration/xen/vchan_ring.c netstack/text.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
/* What the agent does for a dom0 that behaves. */
#include "qrexec_peer.h"

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

/* An answer that says that the question was wrong is exit code 1; one that only looks so at first is not. */
static void test_error_answers(void **state)
{
	(void)state;
	static const struct { const char *answer; uint32_t code; } rows[] = {
		{ "{\"type\":\"error\",\"error\":\"x\"}\n", 1 }, { "{\"type\":\"erratum\"}\n", 0 },
		{ "{}\n{\"type\":\"error\"}\n", 0 }, { "", 0 }, { "{\"type\":\n", 0 },
	};
	greet_agent();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].answer);
		open_call(0, "user:QUBESRPC postern.Explain+x dom0");
		assert_true(event_is(EVENT_CHANNEL_OPEN));
		expect_request("explain x\n");
		for (size_t at = 0, n; at < len; at += n) {
			n = qrexec_write(rows[i].answer + at, len - at < 7 ? len - at : 7);
			expect(&call[0], 0x191, rows[i].answer + at, (uint32_t)n);
		}
		qrexec_write(".\n", 2);
		assert_true(event_is(EVENT_CHANNEL_CLOSED));
		expect_end(0, rows[i].code);
	}
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
		cmocka_unit_test_setup_teardown(test_error_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test(test_dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
