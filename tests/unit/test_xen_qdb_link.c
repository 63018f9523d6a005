/* links: qubes-integration/xen/qdb_link.c qubes-integration/xen/vchan.c qubes-integration/xen/vchan_page.c qubes-integration/xen/vchan_ring.c netstack/text.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
/* A store daemon that comes late, goes, comes back, and lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "qdb_link.h"
#include "vchan.h"
#include "xen_lab.h"
#include "xenstore.h"

#define DIR "/local/domain/0/data/vchan/5/111"

static struct vchan_page *page;
static uint8_t *left, *right;
static uint64_t now;

static void step(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	while (xs_event(path, &token))
		if (token == QDB_LINK_TOKEN)
			qdb_link_look();
	qdb_link_poll(now);
}

static void serve(void)
{
	char text[16];
	page = aligned_alloc(4096, 4096);
	left = aligned_alloc(4096, 4096);
	right = aligned_alloc(4096, 4096);
	*page = (struct vchan_page){ .left_order = 12, .right_order = 12, .cli_live = 2, .srv_live = 1,
				     .cli_notify = 1, .grants = { xen_lab_offer(left), xen_lab_offer(right) } };
	snprintf(text, sizeof(text), "%u", xen_lab_offer(page));
	xen_lab_put(DIR "/ring-ref", text);
	xen_lab_put(DIR "/event-channel", "33");
}

static void unserve(void)
{
	free(page);
	free(left);
	free(right);
}

static void expect_event(enum platform_event_kind kind)
{
	struct platform_event e;
	assert_true(qdb_link_event(&e));
	assert_int_equal(e.kind, kind);
	assert_int_equal(e.channel, CHANNEL_STORE);
}

static void expect_none(void)
{
	struct platform_event e;
	assert_false(qdb_link_event(&e));
}

static int setup(void **state)
{
	(void)state;
	qdb_link_init();
	xen_lab_reset();
	now = 0;
	return 0;
}

static void test_session(void **state)
{
	(void)state;
	char bytes[8];
	step();
	expect_none();
	assert_int_equal(qdb_link_read(bytes, 8), 0);
	serve();
	step();
	expect_event(EVENT_CHANNEL_OPEN);
	expect_none();
	assert_int_equal(qdb_link_write("hello", 5), 5);
	assert_memory_equal(left, "hello", 5);
	memcpy(right, "dump", 4);
	page->right_prod = 4;
	assert_int_equal(qdb_link_read(bytes, 8), 4);
	assert_memory_equal(bytes, "dump", 4);
	/* the daemon goes, and stale keys stay behind: asked again now and then, never mapped for long */
	page->srv_live = 0;
	step();
	expect_event(EVENT_CHANNEL_CLOSED);
	for (unsigned i = 0; i < 5; i++) {
		now += 2 * (uint64_t)1000000000;
		step();
		expect_none();
		assert_int_equal(xen_lab_live(), 1);
	}
	unserve();
	/* two sessions before anybody asks for events: the end of the old one and the new one are both told */
	serve();
	step();
	expect_event(EVENT_CHANNEL_OPEN);
	page->srv_live = 0;
	step();
	unserve();
	serve();
	step();
	memcpy(right, "new", 3);
	page->right_prod = 3;
	assert_int_equal(qdb_link_read(bytes, 8), 0);
	expect_event(EVENT_CHANNEL_CLOSED);
	assert_int_equal(qdb_link_read(bytes, 8), 0);
	expect_event(EVENT_CHANNEL_OPEN);
	assert_int_equal(qdb_link_read(bytes, 8), 3);
	/* a lie ends it, is counted, and the next daemon is heard */
	page->right_prod = 0x7fffffff;
	step();
	expect_event(EVENT_CHANNEL_CLOSED);
	char buffer[100];
	struct text t = text_on(buffer);
	qdb_link_status(&t);
	assert_string_equal(buffer, "\"store_connects\":3,\"store_lies\":1");
	unserve();
	qdb_link_init();
	assert_int_equal(xen_lab_live(), 0);
}

static void test_store_silent(void **state)
{
	(void)state;
	xen_lab_fail_store = true;
	step();
	uint64_t deadline = qdb_link_deadline();
	assert_true(deadline > now && deadline < UINT64_MAX);
	xen_lab_fail_store = false;
	serve();
	now = deadline;
	step();
	step();
	expect_event(EVENT_CHANNEL_OPEN);
	qdb_link_init();
	unserve();
}

/* The firewall wants no more of a daemon: the page that is left is never taken up again, though it looks alive. */
static void test_left(void **state)
{
	(void)state;
	serve();
	step();
	expect_event(EVENT_CHANNEL_OPEN);
	qdb_link_reset();
	char bytes[8];
	memcpy(right, "old", 3);
	page->right_prod = 3;
	assert_int_equal(qdb_link_read(bytes, 8), 0);
	expect_event(EVENT_CHANNEL_CLOSED);
	for (unsigned i = 0; i < 5; i++) {
		now += 2 * (uint64_t)1000000000;
		step();
		expect_none();
		assert_int_equal(page->cli_live, 0); /* so that the daemon sees it */
	}
	qdb_link_reset(); /* nothing to leave */
	unserve();
	serve();
	step();
	expect_event(EVENT_CHANNEL_OPEN);
	memcpy(right, "new", 3);
	page->right_prod = 3;
	assert_int_equal(qdb_link_read(bytes, 8), 3);
	/* left and served again between two looks: both are told */
	qdb_link_reset();
	unserve();
	serve();
	step();
	step();
	expect_event(EVENT_CHANNEL_CLOSED);
	expect_event(EVENT_CHANNEL_OPEN);
	expect_none();
	qdb_link_init();
	unserve();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_session, setup),
		cmocka_unit_test_setup(test_store_silent, setup),
		cmocka_unit_test_setup(test_left, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
