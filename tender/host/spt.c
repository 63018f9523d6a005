// SPDX-License-Identifier: ISC
/* The guest as part of this process: same addresses, calls are calls. */
#include "tender.h"

#include <errno.h>
#include <sys/mman.h>

static void protect(const struct memory *m, uint64_t from, uint64_t to, int how)
{
	if (mprotect(memory_at(m, from), to - from, how))
		die_errno("mprotect", "");
}

static uint64_t page_up(uint64_t at)
{
	return at + -at % ABI_PAGE_BYTES;
}

void spt_setup(struct memory *m)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
	void *at = (void *)(uintptr_t)ABI_BOOT_ADDR;
	if (mmap(at, m->bytes - ABI_BOOT_ADDR, PROT_NONE, flags, -1, 0) != at)
		die_errno("guest memory at its addresses", "");
	m->base = 0;
	const int rw = PROT_READ | PROT_WRITE;
	protect(m, ABI_BOOT_ADDR, ABI_BOOT_ADDR + ABI_PAGE_BYTES, rw);
	protect(m, m->shared, m->guard, rw);
	protect(m, m->guard + ABI_PAGE_BYTES, m->bytes, rw);
	tender.shared = memory_at(m, m->shared);
	for (uint32_t i = 0; i < m->image.count; i++)
		protect(m, m->image.segment[i].vaddr,
			page_up(m->image.segment[i].vaddr + m->image.segment[i].mem_bytes), rw);
	memory_fill(m, (uint64_t)(uintptr_t)pump_call);
	for (uint32_t i = 0; i < m->image.count; i++) {
		const struct elf_segment *s = &m->image.segment[i];
		protect(m, s->vaddr, page_up(s->vaddr + s->mem_bytes),
			PROT_READ | (s->write ? PROT_WRITE : 0) | (s->execute ? PROT_EXEC : 0));
	}
}

_Noreturn void spt_run(const struct memory *m)
{
	__asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tjmp *%1"
		: : "r"(m->bytes), "r"(m->image.entry), "D"((uint64_t)ABI_BOOT_ADDR) : "memory");
	__builtin_unreachable();
}
