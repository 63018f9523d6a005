// SPDX-License-Identifier: ISC
/* The grant table (version 1), foreign pages in the window, and copies in batches. */
#include "grant.h"

#include "barrier.h"
#include "hypercall.h"
#include "xenboot.h"
#include "xenmem.h"

enum {
	ENTRIES_PER_FRAME = XEN_PAGE_BYTES / 8,
	ENTRIES_MAX = XENMEM_GRANT_FRAMES * ENTRIES_PER_FRAME,
	FOREIGN_MAX = XENMEM_WINDOW_PAGES - XENMEM_SLOT_FOREIGN,
};

static struct xen_grant_entry *table;

static struct {
	uint16_t next[ENTRIES_MAX]; /* of a free entry: the next one; 0 ends the list */
	uint16_t first;
	uint32_t handle[FOREIGN_MAX]; /* of a mapped page; of a free slot: the next one + 1 */
	uint32_t first_slot;          /* + 1 */
	bool mapped[FOREIGN_MAX];
	struct grant_counts counts;
} own;

void grant_boot(void)
{
	struct xen_grant_query_size size = { .domid = XEN_DOMID_SELF };
	uint32_t frames = 1;
	table = xenmem_slot(XENMEM_SLOT_GRANTS);
	if (hypercall_grant(GNTTABOP_query_size, &size, 1) == 0 && size.status == GNTST_okay)
		frames = size.max_frames < XENMEM_GRANT_FRAMES ? size.max_frames : XENMEM_GRANT_FRAMES;
	for (uint32_t i = frames; i-- > 0;) { /* the last first: the table grows once */
		struct xen_add_to_physmap map = {
			.domid = XEN_DOMID_SELF,
			.space = XENMAPSPACE_grant_table,
			.idx = i,
			.gpfn = (uintptr_t)xenmem_slot(XENMEM_SLOT_GRANTS + i) / XEN_PAGE_BYTES,
		};
		if (hypercall_memory(XENMEM_add_to_physmap, &map) != 0)
			panic("Xen gives no grant table");
	}
	for (uint32_t ref = frames * ENTRIES_PER_FRAME; ref-- > GRANT_RESERVED;) {
		own.next[ref] = own.first;
		own.first = (uint16_t)ref;
	}
	for (uint32_t slot = FOREIGN_MAX; slot-- > 0;) {
		own.handle[slot] = own.first_slot;
		own.first_slot = slot + 1;
	}
}

uint32_t grant_give(uint16_t domid, const void *page, bool readonly)
{
	uint32_t ref = own.first;
	if (ref == GRANT_NONE)
		return GRANT_NONE;
	ensure((uintptr_t)page % XEN_PAGE_BYTES == 0);
	own.first = own.next[ref];
	table[ref].frame = (uint32_t)((uintptr_t)page / XEN_PAGE_BYTES);
	table[ref].domid = domid;
	/* the flags last: they make the entry valid */
	__atomic_store_n(&table[ref].flags, (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)),
			 __ATOMIC_RELEASE);
	own.counts.given++;
	return ref;
}

bool grant_end(uint32_t ref)
{
	ensure(ref >= GRANT_RESERVED && ref < ENTRIES_MAX);
	uint16_t flags = __atomic_load_n(&table[ref].flags, __ATOMIC_ACQUIRE);
	do {
		if (flags & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
	own.next[ref] = own.first;
	own.first = (uint16_t)ref;
	own.counts.given--;
	return true;
}

void *grant_map(uint16_t domid, uint32_t ref, bool readonly)
{
	if (own.first_slot == 0)
		return NULL;
	uint32_t slot = own.first_slot - 1;
	void *page = xenmem_slot(XENMEM_SLOT_FOREIGN + slot);
	struct xen_grant_map op = {
		.host_addr = (uintptr_t)page,
		.flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0),
		.ref = ref,
		.domid = domid,
	};
	own.counts.map_calls++;
	if (hypercall_grant(GNTTABOP_map_grant_ref, &op, 1) != 0 || op.status != GNTST_okay)
		return NULL;
	own.first_slot = own.handle[slot];
	own.handle[slot] = op.handle;
	own.mapped[slot] = true;
	own.counts.mapped++;
	return page;
}

void grant_unmap(void *page)
{
	uint32_t slot = (uint32_t)(((uintptr_t)page - (uintptr_t)xenmem_slot(XENMEM_SLOT_FOREIGN)) / XEN_PAGE_BYTES);
	ensure(slot < FOREIGN_MAX && own.mapped[slot]);
	struct xen_grant_unmap op = { .host_addr = (uintptr_t)page, .handle = own.handle[slot] };
	own.counts.map_calls++;
	own.mapped[slot] = false;
	own.counts.mapped--;
	if (hypercall_grant(GNTTABOP_unmap_grant_ref, &op, 1) != 0 || op.status != GNTST_okay)
		return; /* the slot is lost rather than used with another's page behind it */
	own.handle[slot] = own.first_slot;
	own.first_slot = slot + 1;
}

/* --- copies ------------------------------------------------------------------------------ */

static struct xen_grant_copy abi_of(const struct grant_copy_op *op)
{
	uint64_t local = (uintptr_t)op->local;
	struct xen_grant_copy abi = { .len = op->len };
	abi.source.ref_or_frame = op->to_foreign ? local / XEN_PAGE_BYTES : op->ref;
	abi.source.domid = op->to_foreign ? XEN_DOMID_SELF : op->domid;
	abi.source.offset = op->to_foreign ? (uint16_t)(local % XEN_PAGE_BYTES) : op->offset;
	abi.dest.ref_or_frame = op->to_foreign ? op->ref : local / XEN_PAGE_BYTES;
	abi.dest.domid = op->to_foreign ? op->domid : XEN_DOMID_SELF;
	abi.dest.offset = op->to_foreign ? op->offset : (uint16_t)(local % XEN_PAGE_BYTES);
	abi.flags = op->to_foreign ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	abi.status = GNTST_general_error;
	return abi;
}

void grant_copy(struct grant_copy_op *ops, uint32_t n)
{
	static struct xen_grant_copy batch[GRANT_COPY_MAX];
	while (n > 0) {
		uint32_t count = n < GRANT_COPY_MAX ? n : GRANT_COPY_MAX;
		for (uint32_t i = 0; i < count; i++)
			batch[i] = abi_of(&ops[i]);
		int64_t result = hypercall_grant(GNTTABOP_copy, batch, count);
		for (uint32_t i = 0; i < count; i++)
			ops[i].status = result == 0 ? batch[i].status : GNTST_general_error;
		own.counts.copy_calls++;
		own.counts.copies += count;
		ops += count;
		n -= count;
	}
}

struct grant_counts grant_counts(void)
{
	return own.counts;
}
