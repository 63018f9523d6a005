// SPDX-License-Identifier: ISC
/*
 * In place of firewall/main.c: breaks one protection of the address space, the one that dom0 named in
 * data/fault of this guest's home. Nothing may come of it but a line on the console and a crash. `halt` is
 * another matter: an upcall in front of the halt that it should end.
 */
#include "arena.h"
#include "platform.h"
#include "xenmem.h"
#include "xenstore.h"

extern uint8_t image_text[], image_rodata[];

static const struct platform *on;

static void say(const char *line)
{
	size_t len = 0;
	while (line[len])
		len++;
	on->log(line, len);
}

static void store_to(uintptr_t at)
{
	__asm__ volatile("movb $1, (%0)" : : "r"(at) : "memory");
}

static void run_data(void)
{
	static uint8_t code[] = { 0xc3 };
	((void (*)(void))(uintptr_t)code)();
}

static void run_arena(void)
{
	uint8_t *code = arena_take(on->memory(), 1, 1);
	*code = 0xc3;
	((void (*)(void))(uintptr_t)code)();
}

__attribute__((noinline)) static uint32_t deeper(uint32_t depth)
{
	volatile uint8_t frame[1024];
	frame[depth % sizeof(frame)] = (uint8_t)depth;
	return depth == UINT32_MAX ? 0 : deeper(depth + 1) + frame[depth % sizeof(frame)];
}

/* Behind its own frame's end: what the canary is for. */
__attribute__((noinline)) static void smash(volatile uint32_t len)
{
	char room[16];
	volatile char *at = room;
	for (uint32_t i = 0; i < len; i++)
		at[i] = 'x';
}

/* The frame of an upcall between sti and hlt, but with interrupts off: a halt would never end. */
static void upcall_before_halt(void)
{
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tmovq %%rsp, %%rcx\n\t" /* where trap_halt returns to */
			 "movl %%ss, %%eax\n\tpushq %%rax\n\tpushq %%rcx\n\tpushfq\n\tmovl %%cs, %%eax\n\tpushq %%rax\n\t"
			 "pushq $trap_halt_at\n\tjmp trap_upcall\n1:" : : : "rax", "rcx", "memory", "cc");
}

static void fault(const char *name)
{
	switch (name[0]) {
	case 't':
		store_to((uintptr_t)image_text);
		return;
	case 'r':
		store_to((uintptr_t)image_rodata);
		return;
	case '0':
		store_to(16);
		return;
	case 'd':
		run_data();
		return;
	case 'a':
		run_arena();
		return;
	case 's':
		(void)deeper(0);
		return;
	case 'c':
		smash(64);
		return;
	case 'w':
		store_to(XENMEM_WINDOW - 1);
		return;
	case 'h':
		upcall_before_halt();
		return;
	case 'i':
		__asm__ volatile("ud2");
		return;
	}
}

_Noreturn void postern_main(const struct platform *platform)
{
	char name[16] = "";
	on = platform;
	(void)xs_read(XS_NO_TX, "data/fault", name, sizeof(name));
	say(name);
	fault(name);
	say("NOTHING HAPPENED");
	platform->exit(0);
}
