/* links: qubes-integration/xen/xenconsole.c netstack/text.c */
// SPDX-License-Identifier: ISC
/* The PV console: a flood costs nothing but lines, a reader that lies or sleeps holds nobody up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "evtchn.h"
#include "hypercall.h"
#include "xenclock.h"
#include "xenconsole.h"
#include "xenwait.h"

enum { PORT = 4 };

static struct xen_console_ring ring;
static uint64_t clock_ns = 1000000000000;
static unsigned notified, waited;
static bool reads_when_notified;

static uint32_t unread(void)
{
	return ring.out_prod - ring.out_cons;
}

/* Everything in the ring as one string; the reader has read it then. */
static const char *text(void)
{
	static char copy[CONSOLE_OUT_BYTES + 1];
	uint32_t n = 0;
	for (; ring.out_cons != ring.out_prod && n < CONSOLE_OUT_BYTES; n++)
		copy[n] = (char)ring.out[ring.out_cons++ % CONSOLE_OUT_BYTES];
	copy[n] = '\0';
	return copy;
}

void evtchn_notify(uint32_t port)
{
	assert_int_equal(port, PORT);
	notified++;
	if (reads_when_notified)
		ring.out_cons = ring.out_prod;
}

bool evtchn_pending(uint32_t port)
{
	(void)port;
	return false;
}

int64_t hypercall_console(uint32_t cmd, uint32_t count, char *bytes)
{
	assert_int_equal(cmd, 0);
	assert_int_equal(bytes[count - 1], '\n');
	return 0;
}

uint64_t xenclock_now_ns(void)
{
	return clock_ns;
}

void xenwait_port(uint32_t port, uint64_t deadline_ns)
{
	assert_int_equal(port, PORT);
	assert_true(deadline_ns > clock_ns);
	clock_ns = deadline_ns;
	waited++;
}

static void before_there_is_one_lines_are_counted(void **state)
{
	(void)state;
	char buffer[64];
	struct text t = text_on(buffer);
	xenconsole_line("early", 5);
	xenconsole_flush();
	xenconsole_last("early", 5);
	xenconsole_status(&t);
	assert_string_equal(buffer, "\"log_lost\":1");
	xenconsole_boot(&ring, PORT);
	(void)text();
}

static void lines_arrive_clean(void **state)
{
	(void)state;
	clock_ns += 60000000000;
	xenconsole_flush(); /* tells of the early one */
	assert_string_equal(text(), "1 log lines suppressed\n");
	notified = 0;
	xenconsole_line("a line", 6);
	xenconsole_line("ev\nil\x1b[2J\xff", 10);
	assert_int_equal(notified, 0);
	xenconsole_flush();
	xenconsole_flush();
	assert_int_equal(notified, 1);
	assert_string_equal(text(), "a line\nev?il?[2J?\n");
}

static void a_flood_is_cut_and_counted(void **state)
{
	(void)state;
	uint32_t lines = 0, said = 0;
	clock_ns += 60000000000;
	for (uint32_t i = 0; i < 10000; i++) {
		xenconsole_line("x", 1);
		lines += (uint32_t)strlen(text()) / 2;
	}
	assert_int_equal(lines, CONSOLE_LINES_BURST);
	xenconsole_flush();
	assert_string_equal(text(), ""); /* not even that line, before its time */
	clock_ns += 1000000000;
	xenconsole_flush();
	assert_string_equal(text(), "9900 log lines suppressed\n");
	for (uint32_t i = 0; i < 100; i++)
		xenconsole_line("x", 1);
	(void)text();
	clock_ns += 999999999; /* lines again, but not yet another of those */
	xenconsole_flush();
	assert_string_equal(text(), "");
	clock_ns += 1;
	xenconsole_flush();
	assert_non_null(strstr(text(), " log lines suppressed\n"));
	for (uint32_t s = 0; s < 10; s++) {
		for (uint32_t i = 0; i < 1000; i++) {
			xenconsole_line("x", 1);
			said += (uint32_t)strlen(text()) / 2;
		}
		clock_ns += 1000000000;
	}
	assert_in_range(said, 10 * CONSOLE_LINES_PER_S - CONSOLE_LINES_PER_S - 1, 10 * CONSOLE_LINES_PER_S);
}

static void a_full_ring_is_no_reason_to_wait(void **state)
{
	(void)state;
	char line[200];
	memset(line, 'z', sizeof(line));
	clock_ns += 60000000000;
	(void)text();
	waited = 0;
	for (uint32_t i = 0; i < 50; i++)
		xenconsole_line(line, sizeof(line));
	assert_int_equal(unread(), 10 * 201);
	assert_int_equal(waited, 0);
	ring.out_cons = ring.out_prod + 77; /* a reader ahead of the writer */
	xenconsole_line("lost", 4);
	assert_int_equal(ring.out_prod + 77, ring.out_cons);
	ring.out_cons = ring.out_prod;
}

static void last_words_wait_a_second_at_most(void **state)
{
	(void)state;
	uint64_t before = clock_ns;
	xenconsole_last("the end", 7);
	assert_true(clock_ns - before >= 1000000000 && clock_ns - before < 1100000000);
	assert_non_null(strstr(text(), "the end\n"));
	reads_when_notified = true;
	before = clock_ns;
	xenconsole_last("the end", 7);
	assert_true(clock_ns == before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_there_is_one_lines_are_counted),
		cmocka_unit_test(lines_arrive_clean),
		cmocka_unit_test(a_flood_is_cut_and_counted),
		cmocka_unit_test(a_full_ring_is_no_reason_to_wait),
		cmocka_unit_test(last_words_wait_a_second_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
