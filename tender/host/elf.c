// SPDX-License-Identifier: ISC
/* Judges an ELF file by its header and program headers alone. */
#include "elf.h"

#include <elf.h>

enum { PHDRS_MAX = 32 };

static const char *header(const uint8_t *bytes, size_t len, Elf64_Ehdr *h)
{
	if (len < sizeof(*h))
		return "shorter than an ELF header";
	memcpy(h, bytes, sizeof(*h));
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return "not an ELF file";
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return "not a 64-bit little endian ELF file of version 1";
	if (h->e_type != ET_EXEC)
		return "not of type ET_EXEC";
	if (h->e_machine != EM_X86_64)
		return "not for x86_64";
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > PHDRS_MAX)
		return "program headers of a wrong size or number";
	if (h->e_phoff > len || h->e_phnum * sizeof(Elf64_Phdr) > len - h->e_phoff)
		return "program headers outside the file";
	return NULL;
}

static const char *segment(const Elf64_Phdr *p, size_t len, uint64_t low, uint64_t high)
{
	if (p->p_flags & PF_W && p->p_flags & PF_X)
		return "segment both writable and executable";
	if (!(p->p_flags & PF_R))
		return "segment not readable";
	if (p->p_vaddr % ELF_PAGE_BYTES)
		return "segment not page aligned";
	if (p->p_filesz > p->p_memsz)
		return "segment larger in the file than in memory";
	if (p->p_offset > len || p->p_filesz > len - p->p_offset)
		return "segment outside the file";
	if (p->p_vaddr < low)
		return "segment too low, or overlapping or before the one ahead of it";
	if (p->p_vaddr > high || p->p_memsz > high - p->p_vaddr)
		return "segment outside the guest's memory";
	return NULL;
}

static bool entry_is_code(const struct elf_image *image)
{
	for (uint32_t i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];
		if (s->execute && image->entry >= s->vaddr && image->entry - s->vaddr < s->file_bytes)
			return true;
	}
	return false;
}

const char *elf_parse(const uint8_t *bytes, size_t len, uint64_t low, uint64_t high,
	struct elf_image *out)
{
	Elf64_Ehdr h;
	struct elf_image image = { 0 };
	const char *why = header(bytes, len, &h);
	if (why)
		return why;
	high -= high % ELF_PAGE_BYTES; /* so that rounding an end up stays inside */
	for (uint32_t i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;
		memcpy(&p, bytes + h.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP || p.p_type == PT_DYNAMIC)
			return "dynamically linked";
		if (p.p_type != PT_LOAD || p.p_memsz == 0)
			continue;
		if (image.count == ELF_SEGMENTS_MAX)
			return "too many segments";
		why = segment(&p, len, low, high);
		if (why)
			return why;
		image.segment[image.count++] = (struct elf_segment){
			.vaddr = p.p_vaddr,
			.mem_bytes = p.p_memsz,
			.offset = p.p_offset,
			.file_bytes = p.p_filesz,
			.write = p.p_flags & PF_W,
			.execute = p.p_flags & PF_X,
		};
		low = p.p_vaddr + p.p_memsz;
		low += -low % ELF_PAGE_BYTES;
	}
	image.entry = h.e_entry;
	image.end = low;
	if (!entry_is_code(&image))
		return "entry point outside the code";
	*out = image;
	return NULL;
}
