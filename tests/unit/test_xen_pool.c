/* links: qubes-integration/xen/framepool.c qubes-integration/xen/xenpage.c qubes-integration/xen/xenclock.c netstack/arena.c netstack/text.c */
// SPDX-License-Identifier: ISC
/* Frames, pages and the clock of the Xen platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framepool.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenmem.h"
#include "xenpage.h"

enum { MEMORY_BYTES = 24 << 20 };

static struct xen_shared_info shared;

struct xen_shared_info *xen_shared(void)
{
	return &shared;
}

static void frames_share_no_page(void **state)
{
	(void)state;
	uint8_t *memory = malloc(MEMORY_BYTES), *taken = calloc(MEMORY_BYTES / 4096 + 2, 1);
	struct arena arena = { memory, MEMORY_BYTES };
	struct frame_queue out = { 0 };
	static const uint32_t lens[] = { FRAMEPOOL_SMALL_BYTES - FRAME_HEADROOM_BYTES,
					 FRAMEPOOL_SMALL_BYTES - FRAME_HEADROOM_BYTES + 1 };
	framepool_init(&arena);
	for (uint32_t which = 0; which < 2; which++) {
		uint32_t left = framepool_left(lens[which]), n = 0;
		for (struct frame *f; (f = framepool_take(lens[which])) != NULL; n++) {
			assert_int_equal((uintptr_t)f->buffer % 4096, 0);
			assert_int_equal(f->len, 0);
			assert_true(frame_room(f) >= lens[which]);
			assert_true(f->buffer >= memory && f->buffer + f->room <= memory + MEMORY_BYTES);
			for (uint32_t at = 0; at < f->room; at += 4096)
				assert_false(taken[(size_t)(f->buffer + at - memory + 4095) / 4096]++);
			frames_put(&out, f);
		}
		assert_int_equal(n, left);
		assert_true(n >= 16);
		assert_int_equal(framepool_left(lens[which]), 0);
	}
	assert_null(framepool_take(FRAMEPOOL_LARGE_BYTES));
	for (struct frame *f; (f = frames_take(&out));)
		framepool_give(f);
	assert_non_null(framepool_take(65535 + 14));
	char buffer[256];
	struct text t = text_on(buffer);
	framepool_status(&t);
	assert_non_null(strstr(buffer, "\"frames_small_wanting\":1,\"frames_large\""));
	assert_non_null(strstr(buffer, ",\"frames_large_wanting\":1"));
	free(taken);
	free(memory);
}

static void pages_come_zeroed(void **state)
{
	(void)state;
	enum { PAGES = 7 };
	uint8_t *memory = aligned_alloc(4096, PAGES * 4096);
	void *pages[PAGES];
	memset(memory, 0xff, PAGES * 4096);
	xenpage_boot(memory, PAGES);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < PAGES; i++) {
			assert_int_equal(xenpage_free(), PAGES - i);
			const uint8_t *page = pages[i] = xenpage_take();
			assert_non_null(page);
			for (uint32_t k = 0; k < 4096; k++)
				assert_int_equal(page[k], 0);
			memset(pages[i], 0xaa, 4096);
		}
		assert_null(xenpage_take());
		for (uint32_t i = 0; i < PAGES; i++)
			xenpage_give(pages[(i + round) % PAGES]);
	}
	while (xenpage_take())
		;
	free(memory);
}

/* By long multiplication in halves, so that the oracle knows no 128-bit numbers. */
static uint64_t slow_scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (ticks >> 32) * mul + ((ticks & UINT32_MAX) * mul >> 32);
}

static void ticks_become_nanoseconds(void **state)
{
	(void)state;
	static const struct { uint64_t ticks; uint32_t mul; int8_t shift; uint64_t ns; } cases[] = {
		{ 0, UINT32_MAX, 0, 0 },
		{ 1000, 0x80000000, 1, 1000 },         /* 1 GHz */
		{ 3000, 0xaaaaaaaa, -1, 999 },         /* 3 GHz */
		{ UINT64_C(1) << 62, 0x80000000, 0, UINT64_C(1) << 61 },
	};
	for (size_t i = 0; i < array_len(cases); i++)
		assert_true(xenclock_scale(cases[i].ticks, cases[i].mul, cases[i].shift) == cases[i].ns);
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		uint64_t ticks = ((uint64_t)random() << 31 | (uint64_t)random()) >> random() % 62;
		uint32_t mul = (uint32_t)random() << 1;
		int8_t shift = (int8_t)(random() % 3 - 1);
		assert_true(xenclock_scale(ticks, mul, shift) == slow_scale(ticks, mul, shift));
	}
}

static void time_only_goes_on(void **state)
{
	(void)state;
	struct xen_vcpu_time *time = &shared.vcpu[0].time;
	*time = (struct xen_vcpu_time){ .system_ns = UINT64_C(1) << 40 }; /* mul 0: it stands still */
	assert_true(xenclock_now_ns() == UINT64_C(1) << 40);
	time->system_ns += 5;
	assert_true(xenclock_now_ns() == (UINT64_C(1) << 40) + 5);
	time->system_ns -= 1000;
	assert_true(xenclock_now_ns() == (UINT64_C(1) << 40) + 5);
	shared.wc_sec = 1700000000;
	shared.wc_nsec = 3;
	assert_true(xenclock_wall_ns() == UINT64_C(1700000000) * 1000000000 + 3 + xenclock_now_ns());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_share_no_page),
		cmocka_unit_test(pages_come_zeroed),
		cmocka_unit_test(ticks_become_nanoseconds),
		cmocka_unit_test(time_only_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
