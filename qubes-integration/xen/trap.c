// SPDX-License-Identifier: ISC
/* GDT, TSS and IDT: an exception is reported and ends the guest; the upcall returns at once. */
#include "trap.h"

#include "text.h"

enum {
	EXCEPTIONS = 32,
	STUB_BYTES = 16, /* pvh.S */
	DOUBLE_FAULT = 8,
	PAGE_FAULT = 14,
	CODE_SELECTOR = 8,
	TSS_SELECTOR = 24,
	GATE_INTERRUPT = 0x8e,
	TSS_AVAILABLE = 0x89,
	CRASH_STACK_BYTES = 8192,
};

struct gate {
	uint16_t low, selector;
	uint8_t stack, kind;
	uint16_t middle;
	uint32_t high, zero;
};

struct tss {
	uint32_t zero;
	uint32_t words[25]; /* rsp0-2, then stack 1 from word 8 on */
} __attribute__((packed));
enum { TSS_STACK1_WORD = 8 };

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct trap_frame {
	uint64_t vector, error, rip, cs, flags, rsp, ss;
};

extern uint8_t trap_stubs[], trap_upcall[];
_Noreturn void trap_report(const struct trap_frame *);

static struct gate idt[TRAP_UPCALL_VECTOR + 1];
static struct tss tss;
static uint64_t gdt[5];
/* Of its own, so that a stack that ran into its guard page can still be reported. */
static uint8_t crash_stack[CRASH_STACK_BYTES] __attribute__((aligned(16)));

static void gate_set(uint32_t vector, const uint8_t *at, uint8_t stack)
{
	uint64_t address = (uintptr_t)at;
	idt[vector] = (struct gate){
		.low = (uint16_t)address,
		.selector = CODE_SELECTOR,
		.stack = stack,
		.kind = GATE_INTERRUPT,
		.middle = (uint16_t)(address >> 16),
		.high = (uint32_t)(address >> 32),
	};
}

void trap_boot(void)
{
	uint64_t base = (uintptr_t)&tss, stack = (uintptr_t)crash_stack + sizeof(crash_stack);
	tss.words[TSS_STACK1_WORD] = (uint32_t)stack;
	tss.words[TSS_STACK1_WORD + 1] = (uint32_t)(stack >> 32);
	gdt[1] = UINT64_C(0x00af9b000000ffff);
	gdt[2] = UINT64_C(0x00cf93000000ffff);
	gdt[3] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | (uint64_t)TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	gdt[4] = base >> 32;
	for (uint32_t i = 0; i < EXCEPTIONS; i++)
		gate_set(i, trap_stubs + (size_t)i * STUB_BYTES, i == DOUBLE_FAULT || i == PAGE_FAULT ? 1 : 0);
	gate_set(TRAP_UPCALL_VECTOR, trap_upcall, 0);
	struct pointer gdt_at = { sizeof(gdt) - 1, (uintptr_t)gdt }, idt_at = { sizeof(idt) - 1, (uintptr_t)idt };
	__asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2" : : "m"(gdt_at), "m"(idt_at), "r"(TSS_SELECTOR) : "memory");
}

_Noreturn void trap_report(const struct trap_frame *frame)
{
	char line[128];
	struct text t = text_on(line);
	uint64_t address;
	__asm__ volatile("movq %%cr2, %0" : "=r"(address));
	text_put(&t, "exception ");
	text_u64(&t, frame->vector);
	text_put(&t, " error ");
	text_hex(&t, frame->error, 4);
	text_put(&t, " at ");
	text_hex(&t, frame->rip, 8);
	text_put(&t, " stack ");
	text_hex(&t, frame->rsp, 8);
	if (frame->vector == PAGE_FAULT) {
		text_put(&t, " address ");
		text_hex(&t, address, 16);
	}
	panic(line);
}
