/* links: tender/host/elf.c */
// SPDX-License-Identifier: ISC
/* Whatever the file says, what is accepted can be loaded without looking again. */
#include "../../tender/host/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint64_t low = 0x100000, high = 0x2000000;
	struct elf_image image;
	volatile uint8_t sum = 0;
	if (elf_parse(bytes, len, low, high, &image))
		return 0;
	uint64_t end = low;
	ensure(image.count > 0 && image.count <= ELF_SEGMENTS_MAX);
	for (uint32_t i = 0; i < image.count; i++) {
		const struct elf_segment *s = &image.segment[i];
		ensure(s->vaddr >= end && s->vaddr % ELF_PAGE_BYTES == 0);
		ensure(!(s->write && s->execute) && s->file_bytes <= s->mem_bytes);
		ensure(s->mem_bytes <= high && s->vaddr <= high - s->mem_bytes);
		for (uint64_t b = 0; b < s->file_bytes; b++)
			sum = (uint8_t)(sum + bytes[s->offset + b]);
		end = s->vaddr + s->mem_bytes;
	}
	ensure(image.end >= end && image.end <= high && image.end % ELF_PAGE_BYTES == 0);
	return 0;
}
