/* SPDX-License-Identifier: ISC */
/*
 * elf.h: what of an ELF file is to be loaded, or why it is refused.
 *
 * Strict: ELF64 little endian, ET_EXEC, EM_X86_64; PT_LOAD page aligned,
 * ascending, not overlapping within pages, inside [low, high), none both
 * writable and executable; the entry point lies in an executable segment.
 */
#ifndef ELF_H
#define ELF_H

#include "base.h"

enum { ELF_SEGMENTS_MAX = 8, ELF_PAGE_BYTES = 4096 };

struct elf_segment {
	uint64_t vaddr, mem_bytes; /* vaddr is a page's; mem_bytes > 0 */
	uint64_t offset, file_bytes; /* in the file; file_bytes <= mem_bytes */
	bool write, execute;
};

struct elf_image {
	uint64_t entry;
	uint64_t end; /* page aligned, behind the last segment */
	uint32_t count;
	struct elf_segment segment[ELF_SEGMENTS_MAX];
};

/* NULL, or the reason of the refusal and the image untouched. */
const char *elf_parse(const uint8_t *bytes, size_t len, uint64_t low, uint64_t high,
	struct elf_image *);

#endif
