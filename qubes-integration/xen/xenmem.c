// SPDX-License-Identifier: ISC
/* Page tables for the guest under Xen: identity mapped, each part with no more rights than it needs. */
#include "xenmem.h"

enum {
	PRESENT = 1 << 0,
	WRITE = 1 << 1,
	ACCESSED = 1 << 5,
	DIRTY = 1 << 6,
	LARGE = 1 << 7,
	ENTRIES = 512,
	MEMMAP_MAX = 64,
	TABLES_MAX = 24, /* PML4, PDPT, four directories, and one table for each 2 MiB in small pages */
};
#define NX (UINT64_C(1) << 63)
#define LARGE_BYTES (UINT64_C(2) << 20)
#define RAM_MAX (UINT64_C(1) << 31) /* of which use is made */
#define ADDRESS(entry) ((entry) & UINT64_C(0x000ffffffffff000))

static const uint64_t TEXT = PRESENT | ACCESSED;
static const uint64_t RODATA = PRESENT | ACCESSED | NX;
static const uint64_t DATA = PRESENT | ACCESSED | DIRTY | WRITE | NX;

/* postern.ld: where the image's parts begin, page aligned */
extern uint8_t image_text[], image_rodata[], image_data[], image_end[];

static struct {
	uint64_t *root;
	uint8_t *next; /* pages for tables */
	uint32_t count;
} tables;

void *xenmem_slot(uint32_t slot)
{
	return (void *)(XENMEM_WINDOW + (uintptr_t)slot * XEN_PAGE_BYTES);
}

struct xen_shared_info *xen_shared(void)
{
	return xenmem_slot(XENMEM_SLOT_SHARED_INFO);
}

static uint64_t page_down(uint64_t at)
{
	return at & ~(uint64_t)(XEN_PAGE_BYTES - 1);
}

static uint64_t page_up(uint64_t at)
{
	return page_down(at + XEN_PAGE_BYTES - 1);
}

static uint64_t *table_new(void)
{
	uint64_t *table = (uint64_t *)tables.next;
	ensure(tables.count++ < TABLES_MAX);
	tables.next += XEN_PAGE_BYTES;
	memset(table, 0, XEN_PAGE_BYTES);
	return table;
}

static uint64_t *below(uint64_t *entry)
{
	ensure(!(*entry & LARGE));
	if (!*entry)
		*entry = (uintptr_t)table_new() | PRESENT | WRITE | ACCESSED;
	return (uint64_t *)ADDRESS(*entry);
}

static void map(uint64_t at, uint64_t end, uint64_t rights)
{
	while (at < end) {
		uint64_t *pdpt = below(&tables.root[at >> 39 & (ENTRIES - 1)]);
		uint64_t *pd = below(&pdpt[at >> 30 & (ENTRIES - 1)]);
		uint64_t *entry = &pd[at >> 21 & (ENTRIES - 1)];
		if (!*entry && at % LARGE_BYTES == 0 && end - at >= LARGE_BYTES) {
			*entry = at | rights | LARGE;
			at += LARGE_BYTES;
			continue;
		}
		below(entry)[at >> 12 & (ENTRIES - 1)] = at | rights;
		at += XEN_PAGE_BYTES;
	}
}

/* The end of the piece of memory that holds the image. */
static uint64_t memory_end(const struct xen_start_info *start)
{
	const struct xen_memmap_entry *entry = (const void *)start->memmap;
	uint64_t end = 0;
	if (start->magic != XEN_START_MAGIC || start->version < 1)
		panic("Xen gave no memory map");
	for (uint32_t i = 0; i < start->memmap_entries && i < MEMMAP_MAX; i++) {
		if (entry[i].type != XEN_MEMORY_RAM)
			continue;
		if (entry[i].addr < XENMEM_WINDOW + XENMEM_WINDOW_BYTES &&
		    entry[i].size > XENMEM_WINDOW - entry[i].addr)
			panic("give this guest less than 3 GiB of memory");
		if (entry[i].addr <= (uintptr_t)image_text && entry[i].size > (uintptr_t)image_end - entry[i].addr)
			end = entry[i].addr + entry[i].size;
	}
	return page_down(end < RAM_MAX ? end : RAM_MAX);
}

struct xenmem xenmem_boot(const struct xen_start_info *start)
{
	uint64_t end = memory_end(start);
	uint64_t guard = page_up((uintptr_t)image_end) + TABLES_MAX * XEN_PAGE_BYTES;
	uint64_t stack = guard + XEN_PAGE_BYTES;
	struct xenmem mem = { .stack_top = (uint8_t *)stack + XENMEM_STACK_BYTES };
	mem.free = mem.stack_top;
	if (end < (uintptr_t)mem.free + (UINT64_C(8) << 20))
		panic("give this guest at least 16 MiB of memory");
	mem.free_bytes = end - (uintptr_t)mem.free;

	tables.next = (uint8_t *)page_up((uintptr_t)image_end);
	tables.root = table_new();
	map((uintptr_t)image_text, (uintptr_t)image_rodata, TEXT);
	map((uintptr_t)image_rodata, (uintptr_t)image_data, RODATA);
	map((uintptr_t)image_data, guard, DATA);
	map(stack, end, DATA);
	/* In small pages, and all tables at hand: its pages are filled in and taken out by Xen. */
	for (uint64_t at = 0; at < XENMEM_WINDOW_BYTES; at += XEN_PAGE_BYTES)
		map(XENMEM_WINDOW + at, XENMEM_WINDOW + at + XEN_PAGE_BYTES, DATA);
	__asm__ volatile("movq %0, %%cr3" : : "r"(tables.root) : "memory");
	return mem;
}

void *xenmem_map_special(uint64_t frame)
{
	uint64_t at = frame * XEN_PAGE_BYTES;
	ensure(at >= (uintptr_t)image_end);
	map(at, at + XEN_PAGE_BYTES, DATA);
	return (void *)at;
}
