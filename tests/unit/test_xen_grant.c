/* links: qubes-integration/xen/grant.c */
// SPDX-License-Identifier: ISC
/* The grant table against a hypervisor of arrays: what is lent, mapped and copied, and all of it given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grant.h"
#include "hypercall.h"
#include "xenboot.h"
#include "xenmem.h"

enum { FRAMES = 2, ENTRIES = FRAMES * 512, FOREIGN = XENMEM_WINDOW_PAGES - XENMEM_SLOT_FOREIGN };

static uint8_t *window;
static struct xen_grant_entry *table;
static struct {
	uint32_t added, copy_calls, mapped;
	uint32_t fail_ref;  /* map and copy of it fail */
	bool fail_unmap, fail_copy;
	uint32_t handle_of[FOREIGN];
} xen;

void *xenmem_slot(uint32_t slot)
{
	return window + (size_t)slot * XEN_PAGE_BYTES;
}

int64_t hypercall_memory(uint32_t cmd, void *arg)
{
	const struct xen_add_to_physmap *map = arg;
	assert_int_equal(cmd, XENMEM_add_to_physmap);
	assert_int_equal(map->space, XENMAPSPACE_grant_table);
	assert_true(map->idx < FRAMES);
	assert_true(map->gpfn == (uintptr_t)xenmem_slot(XENMEM_SLOT_GRANTS + (uint32_t)map->idx) / XEN_PAGE_BYTES);
	xen.added++;
	return 0;
}

static void copy_one(struct xen_grant_copy *c)
{
	bool out = c->flags == GNTCOPY_dest_gref;
	uint64_t ref = out ? c->dest.ref_or_frame : c->source.ref_or_frame;
	assert_true(c->flags == GNTCOPY_dest_gref || c->flags == GNTCOPY_source_gref);
	assert_int_equal(out ? c->source.domid : c->dest.domid, XEN_DOMID_SELF);
	assert_int_equal(out ? c->dest.domid : c->source.domid, 9);
	c->status = ref == xen.fail_ref ? -3 : GNTST_okay;
}

int64_t hypercall_grant(uint32_t cmd, void *ops, uint32_t count)
{
	struct xen_grant_query_size *size = ops;
	struct xen_grant_map *map = ops;
	struct xen_grant_unmap *unmap = ops;
	switch (cmd) {
	case GNTTABOP_query_size:
		size->max_frames = FRAMES;
		size->status = GNTST_okay;
		return 0;
	case GNTTABOP_map_grant_ref:
		map->status = map->ref == xen.fail_ref ? -2 : GNTST_okay;
		map->handle = 1000 + map->ref;
		xen.mapped += map->status == GNTST_okay;
		return 0;
	case GNTTABOP_unmap_grant_ref:
		unmap->status = xen.fail_unmap ? -1 : GNTST_okay;
		xen.mapped -= unmap->status == GNTST_okay;
		assert_in_range(unmap->handle, 1000, 1999);
		return 0;
	case GNTTABOP_copy:
		assert_in_range(count, 1, GRANT_COPY_MAX);
		xen.copy_calls++;
		for (uint32_t i = 0; i < count; i++)
			copy_one((struct xen_grant_copy *)ops + i);
		return xen.fail_copy ? XEN_EINVAL : 0;
	}
	fail();
	return -1;
}

static int setup(void **state)
{
	(void)state;
	window = aligned_alloc(XEN_PAGE_BYTES, XENMEM_WINDOW_BYTES);
	memset(window, 0, XENMEM_WINDOW_BYTES);
	table = xenmem_slot(XENMEM_SLOT_GRANTS);
	grant_boot();
	return xen.added == FRAMES ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(window);
	return 0;
}

static uint8_t page[XEN_PAGE_BYTES] __attribute__((aligned(XEN_PAGE_BYTES)));

static void every_entry_is_lent_once(void **state)
{
	(void)state;
	static uint32_t refs[ENTRIES];
	static bool seen[ENTRIES];
	uint32_t n = 0;
	for (uint32_t ref; (ref = grant_give(9, page, n % 2)) != GRANT_NONE; n++) {
		assert_in_range(ref, GRANT_RESERVED, ENTRIES - 1);
		assert_false(seen[ref]);
		seen[ref] = true;
		refs[n] = ref;
		assert_int_equal(table[ref].flags, GTF_permit_access | (n % 2 ? GTF_readonly : 0));
		assert_int_equal(table[ref].domid, 9);
		assert_int_equal(table[ref].frame, (uint32_t)((uintptr_t)page / XEN_PAGE_BYTES));
	}
	assert_int_equal(n, ENTRIES - GRANT_RESERVED);
	assert_int_equal(grant_counts().given, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(grant_end(refs[i]));
		assert_int_equal(table[refs[i]].flags, 0);
	}
	assert_int_equal(grant_counts().given, 0);
	assert_int_not_equal(refs[0] = grant_give(9, page, false), GRANT_NONE);
	assert_true(grant_end(refs[0]));
}

static void what_a_peer_uses_is_not_taken_back(void **state)
{
	(void)state;
	uint32_t ref = grant_give(9, page, false);
	for (uint32_t i = 0; i < 2; i++) {
		table[ref].flags |= i ? GTF_reading : GTF_writing;
		assert_false(grant_end(ref));
		assert_true(table[ref].flags & GTF_permit_access);
		table[ref].flags &= (uint16_t)~(GTF_reading | GTF_writing);
	}
	assert_true(grant_end(ref));
}

static void pages_are_mapped_into_slots_of_their_own(void **state)
{
	(void)state;
	static void *pages[FOREIGN];
	uint32_t n = 0;
	for (void *p; (p = grant_map(9, 1 + n % 900, n % 3 == 0)) != NULL; n++) {
		assert_int_equal((uintptr_t)p % XEN_PAGE_BYTES, 0);
		for (uint32_t i = n < 50 ? 0 : n - 50; i < n; i++)
			assert_ptr_not_equal(p, pages[i]);
		pages[n] = p;
	}
	assert_int_equal(n, FOREIGN);
	for (uint32_t i = 0; i < n; i++)
		grant_unmap(pages[i]);
	assert_int_equal(xen.mapped, 0);
	assert_int_equal(grant_counts().mapped, 0);
}

static void a_failed_map_takes_nothing(void **state)
{
	(void)state;
	xen.fail_ref = 77;
	for (uint32_t i = 0; i < 2 * FOREIGN; i++)
		assert_null(grant_map(9, 77, false));
	void *p = grant_map(9, 78, false);
	assert_non_null(p);
	/* a slot that Xen would not clear is never used again */
	xen.fail_unmap = true;
	grant_unmap(p);
	xen.fail_unmap = false;
	xen.mapped = 0;
	void *q = grant_map(9, 78, false);
	assert_ptr_not_equal(p, q);
	grant_unmap(q);
	assert_int_equal(grant_counts().mapped, 0);
}

static void copies_go_in_batches_each_with_its_status(void **state)
{
	(void)state;
	static struct grant_copy_op ops[3 * GRANT_COPY_MAX + 5];
	const uint32_t counts[] = { 0, 1, GRANT_COPY_MAX, GRANT_COPY_MAX + 1, array_len(ops) };
	xen.fail_ref = 40;
	for (uint32_t c = 0; c < array_len(counts); c++) {
		for (uint32_t i = 0; i < counts[c]; i++)
			ops[i] = (struct grant_copy_op){ .ref = i % 50, .domid = 9, .offset = 5, .len = 60,
							 .to_foreign = i % 2, .local = page + 100, .status = 1 };
		xen.copy_calls = 0;
		grant_copy(ops, counts[c]);
		assert_int_equal(xen.copy_calls, (counts[c] + GRANT_COPY_MAX - 1) / GRANT_COPY_MAX);
		for (uint32_t i = 0; i < counts[c]; i++)
			assert_int_equal(ops[i].status, i % 50 == 40 ? -3 : GNTST_okay);
	}
	xen.fail_copy = true; /* Xen refused the batch as such */
	grant_copy(ops, 2);
	assert_int_equal(ops[0].status, GNTST_general_error);
	xen.fail_copy = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_is_lent_once),
		cmocka_unit_test(what_a_peer_uses_is_not_taken_back),
		cmocka_unit_test(pages_are_mapped_into_slots_of_their_own),
		cmocka_unit_test(a_failed_map_takes_nothing),
		cmocka_unit_test(copies_go_in_batches_each_with_its_status),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
