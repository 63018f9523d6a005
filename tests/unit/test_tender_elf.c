/* links: tender/host/elf.c */
// SPDX-License-Identifier: ISC
/* The image loader's judgement: one good file, and each way to spoil it. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../tender/host/elf.h"

enum { SEGMENTS = 3, FILE_BYTES = 64 + SEGMENTS * 56 + 48 };
static const uint64_t low = 0x100000, high = 0x400000;

struct file {
	Elf64_Ehdr head;
	Elf64_Phdr segment[SEGMENTS];
	uint8_t content[48];
};
_Static_assert(sizeof(struct file) == FILE_BYTES, "no padding");

static struct file good(void)
{
	struct file f = {
		.head = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_entry = 0x200004, .e_phoff = 64, .e_phentsize = 56, .e_phnum = SEGMENTS,
		},
	};
	for (uint32_t i = 0; i < SEGMENTS; i++)
		f.segment[i] = (Elf64_Phdr){
			.p_type = PT_LOAD, .p_flags = PF_R | (i == 0 ? PF_X : i == 2 ? PF_W : 0u),
			.p_offset = 64 + SEGMENTS * 56 + i * 16, .p_vaddr = 0x200000 + i * 0x1000,
			.p_filesz = 16, .p_memsz = i == 2 ? 0x1234 : 16,
		};
	return f;
}

static const char *judge(const struct file *f, size_t len, struct elf_image *image)
{
	uint8_t *exact = malloc(len ? len : 1); /* so that the sanitizer sees a read too far */
	memcpy(exact, f, len);
	const char *why = elf_parse(exact, len, low, high, image);
	free(exact);
	return why;
}

static void accepts(void **state)
{
	(void)state;
	struct elf_image image;
	struct file f = good();
	assert_null(judge(&f, sizeof(f), &image));
	assert_int_equal(image.count, 3);
	assert_int_equal(image.entry, 0x200004);
	assert_int_equal(image.end, 0x204000);
	assert_true(image.segment[0].execute && !image.segment[0].write);
	assert_true(!image.segment[1].execute && !image.segment[1].write);
	assert_true(image.segment[2].write && !image.segment[2].execute);
	assert_int_equal(image.segment[2].mem_bytes, 0x1234);
	assert_int_equal(image.segment[1].offset, f.segment[1].p_offset);
}

static void refuses_truncation(void **state)
{
	(void)state;
	struct file f = good();
	for (size_t len = 0; len < sizeof(f); len++) {
		struct elf_image image = { .count = 77 };
		assert_non_null(judge(&f, len, &image));
		assert_int_equal(image.count, 77);
	}
}

static void type(struct file *f) { f->head.e_type = ET_DYN; }
static void machine(struct file *f) { f->head.e_machine = EM_AARCH64; }
static void class(struct file *f) { f->head.e_ident[EI_CLASS] = ELFCLASS32; }
static void magic(struct file *f) { f->head.e_ident[0] = 0; }
static void endian(struct file *f) { f->head.e_ident[EI_DATA] = ELFDATA2MSB; }
static void version(struct file *f) { f->head.e_version = 0; }
static void phdr_size(struct file *f) { f->head.e_phentsize = 55; }
static void phdr_none(struct file *f) { f->head.e_phnum = 0; }
static void phdr_many(struct file *f) { f->head.e_phnum = 65535; }
static void phdr_far(struct file *f) { f->head.e_phoff = UINT64_MAX - 8; }
static void phdr_outside(struct file *f) { f->head.e_phoff = FILE_BYTES - 100; }
static void write_execute(struct file *f) { f->segment[0].p_flags |= PF_W; }
static void unreadable(struct file *f) { f->segment[1].p_flags = 0; }
static void unaligned(struct file *f) { f->segment[1].p_vaddr += 16; }
static void too_low(struct file *f) { f->segment[0].p_vaddr = low - 0x1000; }
static void unsorted(struct file *f) { f->segment[2].p_vaddr = 0x1ff000; }
static void overlapping(struct file *f) { f->segment[0].p_memsz = 0x1001; }
static void same_page(struct file *f) { f->segment[1].p_vaddr = 0x200000; }
static void too_high(struct file *f) { f->segment[2].p_vaddr = high; }
static void too_large(struct file *f) { f->segment[2].p_memsz = high - 0x202000 + 1; }
static void wrapping(struct file *f) { f->segment[2].p_memsz = UINT64_MAX; }
static void high_address(struct file *f) { f->segment[2].p_vaddr = UINT64_MAX & ~0xfffull; }
static void file_larger(struct file *f) { f->segment[0].p_filesz = 17; }
static void file_outside(struct file *f) { f->segment[2].p_offset++; }
static void file_far(struct file *f) { f->segment[2].p_offset = UINT64_MAX; }
static void entry_data(struct file *f) { f->head.e_entry = 0x201000; }
static void entry_beyond(struct file *f) { f->head.e_entry = 0x200010; }
static void entry_null(struct file *f) { f->head.e_entry = 0; }
static void interpreter(struct file *f) { f->segment[1].p_type = PT_INTERP; }
static void nothing(struct file *f)
{
	for (int i = 0; i < SEGMENTS; i++)
		f->segment[i].p_type = PT_NOTE;
}

static void refuses_spoilt(void **state)
{
	(void)state;
	void (*const spoil[])(struct file *) = {
		type, machine, class, magic, endian, version, phdr_size, phdr_none, phdr_many, phdr_far,
		phdr_outside, write_execute, unreadable, unaligned, too_low, unsorted, overlapping,
		same_page, too_high, too_large, wrapping, high_address, file_larger, file_outside,
		file_far, entry_data, entry_beyond, entry_null, interpreter, nothing,
	};
	for (size_t i = 0; i < array_len(spoil); i++) {
		struct elf_image image = { .count = 77 };
		struct file f = good();
		spoil[i](&f);
		if (!judge(&f, sizeof(f), &image))
			fail_msg("case %zu was accepted", i);
		assert_int_equal(image.count, 77);
	}
}

static void takes_the_edges(void **state)
{
	(void)state;
	struct elf_image image;
	struct file f = good();
	f.segment[2].p_memsz = high - 0x202000; /* to the last byte */
	assert_null(judge(&f, sizeof(f), &image));
	assert_int_equal(image.end, high);
	f.segment[0].p_vaddr = low;
	f.head.e_entry = low;
	assert_null(judge(&f, sizeof(f), &image));
	f.segment[1].p_memsz = f.segment[1].p_filesz = 0; /* empty: as if it were not there */
	assert_null(judge(&f, sizeof(f), &image));
	assert_int_equal(image.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses_truncation),
		cmocka_unit_test(refuses_spoilt),
		cmocka_unit_test(takes_the_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
