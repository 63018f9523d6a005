// SPDX-License-Identifier: ISC
/* Suspending, and what a start in a restored domain begins with. */
#include "suspend.h"

#include "hypercall.h"

enum { MEMMAP_KEPT = 64, DATA_KEPT_BYTES = XEN_PAGE_BYTES };

/* pvh.S: in .bss, but not emptied by pvh_again */
extern struct kept {
	bool valid;
	uint32_t data_bytes;
	struct xen_start_info start;
	struct xen_memmap_entry memmap[MEMMAP_KEPT];
	uint8_t data[DATA_KEPT_BYTES];
} suspend_kept;
_Static_assert(sizeof(struct kept) <= 8192, "pvh.S");

extern uint8_t image_data[], image_bss[];
_Noreturn void pvh_again(const struct xen_start_info *, const uint8_t *data);

const struct xen_start_info *suspend_keep(const struct xen_start_info *start, bool *restored)
{
	struct kept *k = &suspend_kept;
	*restored = k->valid;
	if (k->valid)
		return &k->start;
	k->data_bytes = (uint32_t)(image_bss - image_data);
	ensure(k->data_bytes <= DATA_KEPT_BYTES);
	memcpy(k->data, image_data, k->data_bytes);
	k->start = *start;
	if (k->start.memmap_entries > MEMMAP_KEPT)
		k->start.memmap_entries = MEMMAP_KEPT;
	memcpy(k->memmap, (const void *)start->memmap, k->start.memmap_entries * sizeof(k->memmap[0]));
	k->start.memmap = (uintptr_t)k->memmap;
	k->valid = true;
	return &k->start;
}

bool suspend_now(void)
{
	uint32_t reason = SHUTDOWN_suspend;
	int64_t result = hypercall_sched(SCHEDOP_shutdown, &reason);
	if (result == 0) /* another domain; 1 is the same one */
		pvh_again(&suspend_kept.start, suspend_kept.data);
	return result > 0;
}
