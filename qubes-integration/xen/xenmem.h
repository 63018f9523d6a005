/* SPDX-License-Identifier: ISC */
/*
 * xenmem.h: the guest's address space under Xen, identity mapped.
 *
 *   2 MiB      image: text RX, read-only data R, data RW
 *   after it   page tables, a guard page, the stack, xenpage, frames, arena: RW
 *   WINDOW     no memory of ours: shared info, grant table, mapped foreign pages
 *   high       what the toolstack put there: xenstore and console rings
 * Nothing else is mapped, the first 2 MiB least of all; nothing is writable
 * and executable.
 */
#ifndef XENMEM_H
#define XENMEM_H

#include "xen_abi.h"

#define XENMEM_WINDOW 0xf8000000
#define XENMEM_WINDOW_BYTES 0x400000
enum {
	XENMEM_WINDOW_PAGES = XENMEM_WINDOW_BYTES / XEN_PAGE_BYTES,
	XENMEM_SLOT_SHARED_INFO = 0,
	XENMEM_SLOT_GRANTS = 1,   /* the grant table's own frames */
	XENMEM_GRANT_FRAMES = 16,
	XENMEM_SLOT_FOREIGN = XENMEM_SLOT_GRANTS + XENMEM_GRANT_FRAMES, /* up to the end */
	XENMEM_STACK_BYTES = 256 * 1024,
};

struct xen_shared_info *xen_shared(void);

void *xenmem_slot(uint32_t slot);

struct xenmem {
	uint8_t *free;        /* memory of ours that nobody uses yet */
	uint64_t free_bytes;
	uint8_t *stack_top;
};

/* Builds the page tables from the memory map and goes over to them. Called once, on the boot stack. */
struct xenmem xenmem_boot(const struct xen_start_info *);
/* Maps a page that the toolstack owns, readable and writable. */
void *xenmem_map_special(uint64_t frame);

#endif
