/* links: qubes-integration/xen/vchan.c qubes-integration/xen/vchan_page.c qubes-integration/xen/vchan_ring.c netstack/text.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
/* The test plays the other domain by hand, index by index, as libxenvchan does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vchan.h"
#include "xen_lab.h"

enum { PORT = 111, TOKEN = 42, STREAM = 200000, NS = 1000000000 };
#define DIR "/local/domain/0/data/vchan/5/111"

static struct vchan v;
static struct vchan_page *page; /* the shared page, whoever made it */
static uint8_t *rings[2 * VCHAN_PAGES_MAX];
static uint8_t stream[STREAM];

static void *new_page(void)
{
	void *p = aligned_alloc(4096, 4096);
	memset(p, 0, 4096);
	return p;
}

/* A foreign server's page, advertised. */
static void serve(unsigned left, unsigned right)
{
	char text[16];
	unsigned n = 0;
	page = new_page();
	*page = (struct vchan_page){ .left_order = (uint16_t)left, .right_order = (uint16_t)right,
				     .cli_live = 2, .srv_live = 1, .cli_notify = VCHAN_WRITE };
	for (unsigned side = 0; side < 2; side++)
		for (unsigned i = 0, order = side ? right : left; order >= 12 && order <= 16 && i < 1u << (order - 12); i++) {
			rings[n] = new_page();
			page->grants[n] = xen_lab_offer(rings[n]);
			n++;
		}
	snprintf(text, sizeof(text), "%u", xen_lab_offer(page));
	xen_lab_put(DIR "/ring-ref", text);
	xen_lab_put(DIR "/event-channel", "9");
}

static void unserve(void)
{
	for (unsigned i = 0; i < 2 * VCHAN_PAGES_MAX; i++) {
		free(rings[i]);
		rings[i] = NULL;
	}
	free(page);
	page = NULL;
}

/* The byte at free-running index i of the left or right ring, as the page lays it out. */
static uint8_t *slot(bool right, uint32_t i)
{
	unsigned order = right ? page->right_order : page->left_order;
	uint32_t at = i & ((1u << order) - 1);
	if (order < 12)
		return (uint8_t *)page + (1u << order) + at;
	unsigned first = right && page->left_order >= 12 ? 1u << (page->left_order - 12) : 0;
	return rings[first + at / 4096] + at % 4096;
}

static int reset(void **state)
{
	(void)state;
	xen_lab_reset();
	for (unsigned i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)(i * 7 + i / 251);
	return 0;
}

/* Both directions at once, in pieces of odd sizes, until the whole stream went through twice around. */
static void pump(bool we_serve)
{
	uint32_t *peer_cons = we_serve ? &page->right_cons : &page->left_cons;
	uint32_t *peer_prod = we_serve ? &page->left_prod : &page->right_prod;
	volatile uint32_t *our_prod = we_serve ? &page->right_prod : &page->left_prod;
	volatile uint32_t *our_cons = we_serve ? &page->left_cons : &page->right_cons;
	unsigned in_order = we_serve ? page->left_order : page->right_order;
	uint32_t sent = 0, seen = 0, fed = 0, got = 0;
	uint8_t buffer[5000];
	for (unsigned round = 1; sent < STREAM || got < STREAM || seen < STREAM; round++) {
		size_t want = round * 37 % 4999 + 1;
		size_t n = vchan_write(&v, stream + sent, want < STREAM - sent ? want : STREAM - sent);
		sent += (uint32_t)n;
		assert_int_equal(*our_prod, sent);
		for (unsigned i = 0; i < want && seen < *our_prod; i++, seen++)
			assert_int_equal(*slot(we_serve, seen), stream[seen]);
		*peer_cons = seen;
		for (; fed < STREAM && fed - *our_cons < 1u << in_order && fed < got + want; fed++)
			*slot(!we_serve, fed) = stream[fed];
		*peer_prod = fed;
		n = vchan_read(&v, buffer, want);
		assert_memory_equal(buffer, stream + got, n);
		got += (uint32_t)n;
		assert_int_equal(*our_cons, got);
		assert_int_equal(vchan_poll(&v, 0), VCHAN_OPEN);
	}
	assert_true(vchan_drained(&v));
}

static void test_client_streams(void **state)
{
	(void)state;
	static const struct { unsigned left, right; } orders[] = {
		{ 10, 11 }, { 11, 10 }, { 12, 12 }, { 10, 14 }, { 16, 16 }, { 13, 11 },
	};
	for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		reset(NULL);
		assert_true(vchan_connect(&v, 0, PORT, TOKEN));
		assert_int_equal(vchan_poll(&v, 0), VCHAN_WAITING);
		serve(orders[i].left, orders[i].right);
		/* nobody said that it changed, and the time for a retry has not come */
		assert_int_equal(vchan_poll(&v, 1), VCHAN_WAITING);
		vchan_look(&v);
		assert_int_equal(vchan_poll(&v, 2), VCHAN_OPEN);
		assert_int_equal(page->cli_live, 1);
		assert_int_equal(page->srv_notify & VCHAN_WRITE, VCHAN_WRITE);
		pump(false);
		vchan_close(&v);
		assert_int_equal(page->cli_live, 0);
		assert_int_equal(xen_lab_live(), 0);
		unserve();
	}
}

static void test_server_streams(void **state)
{
	(void)state;
	assert_true(vchan_listen(&v, 0, 512));
	const char *ref = xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref");
	assert_non_null(ref);
	assert_non_null(xen_lab_get("/local/domain/5/data/vchan/0/512/event-channel"));
	assert_string_equal(xen_lab_perms("/local/domain/5/data/vchan/0/512/ring-ref"), "n5 r0");
	page = xen_lab_lent((uint32_t)atoi(ref));
	assert_int_equal(page->cli_live, 2);
	assert_int_equal(page->srv_live, 1);
	assert_int_equal(page->cli_notify, VCHAN_WRITE);
	assert_int_equal(vchan_poll(&v, 0), VCHAN_WAITING);
	page->cli_live = 1;
	assert_int_equal(vchan_poll(&v, 0), VCHAN_OPEN);
	assert_null(xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref"));
	pump(true);
	/* the peer keeps its mapping: the page stays ours and alive until it lets go */
	xen_lab_peer_maps = true;
	vchan_close(&v);
	assert_int_equal(page->srv_live, 0);
	assert_int_equal(xen_lab_live(), 2);
	xen_lab_peer_maps = false;
	assert_true(vchan_listen(&v, 0, 512));
	vchan_close(&v);
	assert_int_equal(xen_lab_live(), 0);
	page = NULL;
}

/* A peer that never unmaps cannot take more than the list of pages. */
static void test_server_lingering(void **state)
{
	(void)state;
	xen_lab_peer_maps = true;
	for (unsigned i = 0; i < VCHAN_LINGER_MAX; i++) {
		assert_true(vchan_listen(&v, 0, 512));
		vchan_close(&v);
	}
	assert_false(vchan_listen(&v, 0, 512));
	assert_int_equal(xen_lab_live(), 2 * VCHAN_LINGER_MAX);
	xen_lab_peer_maps = false;
	assert_true(vchan_listen(&v, 0, 512));
	vchan_close(&v);
	assert_int_equal(xen_lab_live(), 0);
}

static void test_orders_refused(void **state)
{
	(void)state;
	static const struct { unsigned left, right; } orders[] = {
		{ 10, 10 }, { 11, 11 }, { 9, 11 }, { 10, 17 }, { 0, 0 }, { 65535, 12 }, { 12, 32 },
	};
	for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		reset(NULL);
		serve(orders[i].left, orders[i].right);
		assert_true(vchan_connect(&v, 0, PORT, TOKEN));
		assert_int_equal(vchan_poll(&v, 0), VCHAN_WAITING);
		vchan_close(&v);
		assert_int_equal(xen_lab_live(), 0);
		unserve();
	}
}

/* Half of an advertisement, nonsense in it, a server that is gone: it waits, holds nothing, and tries again. */
static void test_client_waits(void **state)
{
	(void)state;
	static const char *const values[][2] = {
		{ "", "9" }, { "x", "9" }, { "99", "9" }, { "8", "-1" }, { "8 ", "9" }, { "8", "99999999999" },
	};
	assert_true(vchan_connect(&v, 0, PORT, TOKEN));
	xen_lab_put(DIR "/event-channel", "9");
	uint64_t now = 0;
	assert_int_equal(vchan_poll(&v, now), VCHAN_WAITING);
	serve(12, 12);
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		xen_lab_put(DIR "/ring-ref", values[i][0]);
		xen_lab_put(DIR "/event-channel", values[i][1]);
		now += 2 * (uint64_t)NS;
		assert_int_equal(vchan_poll(&v, now), VCHAN_WAITING);
		assert_int_equal(xen_lab_live(), 1);
	}
	xen_lab_put(DIR "/ring-ref", "10"); /* the third page offered */
	xen_lab_put(DIR "/event-channel", "9");
	page->srv_live = 0;
	vchan_look(&v);
	assert_int_equal(vchan_poll(&v, now), VCHAN_WAITING);
	assert_int_equal(xen_lab_live(), 1);
	page->srv_live = 1;
	assert_int_equal(vchan_deadline(&v), now + (uint64_t)VCHAN_RETRY_MS * 1000000);
	assert_int_equal(vchan_poll(&v, vchan_deadline(&v)), VCHAN_OPEN);
	vchan_close(&v);
	unserve();
}

static void open_client(void)
{
	serve(12, 12);
	assert_true(vchan_connect(&v, 0, PORT, TOKEN));
	assert_int_equal(vchan_poll(&v, 0), VCHAN_OPEN);
}

static void test_lies(void **state)
{
	(void)state;
	static const uint32_t wrong[] = { 4097, 0x80000000, 0xffffffff }, wrong_cons[] = { 4097, 0x80000000, 1 };
	uint8_t byte = 0;
	for (unsigned i = 0; i < 3; i++) {
		reset(NULL);
		open_client();
		page->right_prod = wrong[i];
		assert_int_equal(vchan_read(&v, &byte, 1), 0);
		assert_int_equal(vchan_poll(&v, 0), VCHAN_ENDED);
		assert_true(v.lied);
		vchan_close(&v);
		unserve();
		reset(NULL);
		open_client();
		page->left_cons = wrong_cons[i];
		assert_int_equal(vchan_write(&v, &byte, 1), 0);
		assert_int_equal(vchan_poll(&v, 0), VCHAN_ENDED);
		assert_int_equal(vchan_write(&v, &byte, 1), 0);
		vchan_close(&v);
		assert_int_equal(xen_lab_live(), 0);
		unserve();
	}
	/* the peer rewrites our index and the orders: nothing follows it */
	reset(NULL);
	open_client();
	page->right_cons = 77;
	page->left_prod = 99;
	page->left_order = 31;
	page->right_prod = 1;
	rings[1][0] = 'x';
	assert_int_equal(vchan_read(&v, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(page->right_cons, 1);
	assert_int_equal(vchan_write(&v, "y", 1), 1);
	assert_int_equal(page->left_prod, 1);
	page->left_order = 12;
	vchan_close(&v);
	unserve();
}

static void test_signals(void **state)
{
	(void)state;
	uint8_t bytes[8] = { 0 };
	open_client();
	unsigned *n = &xen_lab_notified[v.evtchn];
	assert_int_equal(*n, 1); /* the hello; cli_notify asks for writes from the start */
	vchan_write(&v, bytes, 3);
	assert_int_equal(*n, 2);
	assert_int_equal(page->cli_notify, 0);
	vchan_write(&v, bytes, 3);
	assert_int_equal(*n, 2); /* not asked again */
	page->srv_notify = 0;
	assert_int_equal(vchan_read(&v, bytes, 8), 0);
	assert_int_equal(page->srv_notify, VCHAN_WRITE);
	page->right_prod = 4;
	page->cli_notify = VCHAN_READ;
	assert_int_equal(vchan_read(&v, bytes, 4), 4);
	assert_int_equal(*n, 3);
	uint8_t many[5000] = { 0 };
	assert_int_equal(vchan_write(&v, many, sizeof(many)), 4096 - 6);
	assert_int_equal(page->srv_notify, VCHAN_WRITE | VCHAN_READ);
	vchan_close(&v);
	unserve();
}

static void test_last_words(void **state)
{
	(void)state;
	uint8_t bytes[8];
	open_client();
	memcpy(rings[1], "bye", 3);
	page->right_prod = 3;
	page->srv_live = 0;
	assert_int_equal(vchan_poll(&v, 0), VCHAN_OPEN);
	assert_int_equal(vchan_read(&v, bytes, 8), 3);
	assert_memory_equal(bytes, "bye", 3);
	assert_int_equal(vchan_poll(&v, 0), VCHAN_ENDED);
	assert_false(v.lied);
	vchan_close(&v);
	unserve();
}

static void test_nothing_to_be_had(void **state)
{
	(void)state;
	bool *const fails[] = { &xen_lab_fail_evtchn, &xen_lab_fail_store, &xen_lab_fail_grant };
	for (unsigned i = 0; i < 3; i++) {
		reset(NULL);
		*fails[i] = true;
		assert_false(vchan_listen(&v, 0, 512));
		assert_int_equal(v.state, VCHAN_OFF);
		assert_int_equal(xen_lab_live(), 0);
		serve(16, 16);
		if (vchan_connect(&v, 0, PORT, TOKEN))
			assert_int_equal(vchan_poll(&v, 0), VCHAN_WAITING);
		vchan_close(&v);
		assert_int_equal(xen_lab_live(), 0);
		unserve();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_client_streams, reset),
		cmocka_unit_test_setup(test_server_streams, reset),
		cmocka_unit_test_setup(test_server_lingering, reset),
		cmocka_unit_test_setup(test_orders_refused, reset),
		cmocka_unit_test_setup(test_client_waits, reset),
		cmocka_unit_test_setup(test_lies, reset),
		cmocka_unit_test_setup(test_signals, reset),
		cmocka_unit_test_setup(test_last_words, reset),
		cmocka_unit_test_setup(test_nothing_to_be_had, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
