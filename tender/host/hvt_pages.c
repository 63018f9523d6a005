// SPDX-License-Identifier: ISC
/* Identity-mapped page tables, built once from the layout. */
#include "hvt.h"

#include <sys/random.h>

enum {
	TABLE_ENTRIES = 512,
	TABLES_ADDR = 0x20000, /* to ABI_IMAGE_MIN: 224 tables */
	CANARY_OFFSET = 0x28,
	PAGE_PRESENT = 1, PAGE_WRITE = 2, PAGE_LARGE = 0x80,
	PAGE_ACCESSED_DIRTY = 0x60, /* set ahead, so that the CPU never writes a table */
};
#define PAGE_NX (UINT64_C(1) << 63)
#define LARGE_BYTES (UINT64_C(1) << 21)
#define ADDRESS_BITS UINT64_C(0x000ffffffffff000)

struct tables {
	const struct memory *memory;
	uint64_t next; /* the next table not yet used */
};

static uint64_t new_table(struct tables *t)
{
	uint64_t at = t->next;
	if (at >= ABI_IMAGE_MIN)
		die(EXIT_SETUP, "page tables do not fit", "");
	t->next += ABI_PAGE_BYTES;
	return at;
}

/* The table below this entry, made when absent. */
static uint64_t *below(struct tables *t, uint64_t *entry)
{
	if (!*entry)
		*entry = new_table(t) | PAGE_PRESENT | PAGE_WRITE | PAGE_ACCESSED_DIRTY;
	return memory_at(t->memory, *entry & ADDRESS_BITS);
}

static void map_one(struct tables *t, uint64_t at, uint64_t bits, bool large)
{
	uint64_t *table = memory_at(t->memory, TABLES_ADDR);
	table = below(t, &table[at >> 39 & (TABLE_ENTRIES - 1)]);
	table = below(t, &table[at >> 30 & (TABLE_ENTRIES - 1)]);
	uint64_t *entry = &table[at >> 21 & (TABLE_ENTRIES - 1)];
	if (large) {
		*entry = at | bits | PAGE_LARGE;
		return;
	}
	table = below(t, entry);
	table[at >> 12 & (TABLE_ENTRIES - 1)] = at | bits;
}

static void map(struct tables *t, uint64_t from, uint64_t to, bool write, bool execute)
{
	uint64_t bits = PAGE_PRESENT | PAGE_ACCESSED_DIRTY | (write ? PAGE_WRITE : 0u) |
		(execute ? 0 : PAGE_NX);
	while (from < to) {
		bool large = from % LARGE_BYTES == 0 && to - from >= LARGE_BYTES;
		map_one(t, from, bits, large);
		from += large ? LARGE_BYTES : ABI_PAGE_BYTES;
	}
}

uint64_t hvt_page_tables(const struct memory *m)
{
	struct tables t = { m, TABLES_ADDR };
	uint8_t *canary = memory_at(m, ABI_CANARY_ADDR + CANARY_OFFSET);
	if (getrandom(canary, 8, 0) != 8)
		die_errno("getrandom", "");
	canary[0] = 0; /* a string copied over it cannot contain it */
	uint64_t root = new_table(&t);
	map(&t, ABI_BOOT_ADDR, ABI_BOOT_ADDR + ABI_PAGE_BYTES, true, false);
	map(&t, ABI_CANARY_ADDR, ABI_CANARY_ADDR + ABI_PAGE_BYTES, false, false);
	for (uint32_t i = 0; i < m->image.count; i++) {
		const struct elf_segment *s = &m->image.segment[i];
		map(&t, s->vaddr, s->vaddr + s->mem_bytes, s->write, s->execute);
	}
	map(&t, m->shared, m->guard, true, false);
	map(&t, m->guard + ABI_PAGE_BYTES, m->bytes, true, false);
	return root;
}
