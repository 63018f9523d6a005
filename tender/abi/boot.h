/* SPDX-License-Identifier: ISC */
/*
 * boot.h: what the tender hands the guest in rdi, and how the guest calls back.
 *
 * Guest addresses are the same numbers everywhere: in the ELF, in guest
 * memory and, under spt, in the tender's own address space. From low to high:
 * boot page, canary page (hvt), image, struct shared (ring.h), small buffers,
 * large buffers, arena, guard page, stack. What lies between them is not mapped.
 */
#ifndef BOOT_H
#define BOOT_H

#include "frame.h"

enum {
	ABI_VERSION = 2,
	ABI_PAGE_BYTES = 4096,
	ABI_BOOT_ADDR = 0x10000,  /* struct boot_info; nothing is mapped below */
	ABI_CANARY_ADDR = 0x11000, /* hvt: FS base; the stack canary lies at +0x28 */
	ABI_IMAGE_MIN = 0x100000,
	ABI_STACK_BYTES = 256 * 1024, /* ends with the guest's memory */
	ABI_BUFFER_BYTES = 2048,
	/*
	 * A super-frame (64 KiB of IP, Ethernet, a VLAN tag) behind the headroom and
	 * ahead of a spare byte. An odd multiple of 64: no two begin in one cache set.
	 */
	ABI_LARGE_BYTES = 64 * 1029,
	ABI_BUFFERS_MIN = 256,
	ABI_BUFFERS_MAX = 16384, /* of both classes; a power of two */
	ABI_LARGE_MIN = 16,
	ABI_LARGE_MAX = 512,
	ABI_ENTROPY_BYTES = 48,
	ABI_CMDLINE_BYTES = 512,
	ABI_CALL_PORT = 0x510, /* hvt: outl of an enum abi_call */
};

#define ABI_MAGIC UINT64_C(0x6e72657473706f01)

/* Calls, without arguments: those stand in struct shared. */
enum abi_call {
	CALL_DOORBELL, /* look at the rings, come back at once */
	CALL_WAIT,     /* as DOORBELL, then sleep until something arrives or shared.deadline_ns */
	CALL_EXIT,     /* ends with shared.exit_status */
};

enum abi_mode { MODE_HVT, MODE_SPT };

struct boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t mode; /* enum abi_mode */
	uint64_t mem_bytes;
	uint64_t kernel_end;
	uint64_t shared; /* struct shared */
	uint64_t pool;   /* buffer_count buffers of ABI_BUFFER_BYTES, numbered from 0 */
	uint64_t large;  /* large_count buffers of ABI_LARGE_BYTES, numbered from buffer_count */
	uint64_t arena;
	uint64_t arena_bytes;
	uint64_t spt_call; /* void (*)(uint32_t call), C calling convention; 0 under hvt */
	uint32_t buffer_count, large_count;
	uint8_t entropy[ABI_ENTROPY_BYTES]; /* the guest wipes it once used */
	char cmdline[ABI_CMDLINE_BYTES];
};

_Static_assert(sizeof(struct boot_info) <= ABI_PAGE_BYTES, "boot_info is one page");

_Static_assert(ABI_LARGE_BYTES > FRAME_HEADROOM_BYTES + 65535 + 14 + 4, "a super-frame fits");
_Static_assert(ABI_LARGE_BYTES % 128 == 64, "the starts are spread over the cache");

#endif
