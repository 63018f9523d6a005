// SPDX-License-Identifier: ISC
/* The raw calls into Xen, through the page it filled. */
#include "hypercall.h"

enum {
	CALL_MEMORY = 12,
	CALL_CONSOLE = 18,
	CALL_GRANT = 20,
	CALL_VCPU = 24,
	CALL_SCHED = 29,
	CALL_EVTCHN = 32,
	CALL_HVM = 34,
	CALL_SLOT_BYTES = 32,
};

extern uint8_t hypercall_page[];

static uint64_t count;

static int64_t call3(uint32_t number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result;
	count++;
	/* xen may write any of the argument registers, and all memory */
	__asm__ volatile("call *%[at]"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : [at] "r"(hypercall_page + (size_t)number * CALL_SLOT_BYTES)
			 : "rcx", "r8", "r9", "r10", "r11", "memory");
	return result;
}

int64_t hypercall_memory(uint32_t cmd, void *arg)
{
	return call3(CALL_MEMORY, cmd, (uintptr_t)arg, 0);
}

int64_t hypercall_console(uint32_t cmd, uint32_t n, char *bytes)
{
	return call3(CALL_CONSOLE, cmd, n, (uintptr_t)bytes);
}

int64_t hypercall_grant(uint32_t cmd, void *ops, uint32_t n)
{
	return call3(CALL_GRANT, cmd, (uintptr_t)ops, n);
}

int64_t hypercall_vcpu(uint32_t cmd, uint32_t vcpu, void *arg)
{
	return call3(CALL_VCPU, cmd, vcpu, (uintptr_t)arg);
}

int64_t hypercall_sched(uint32_t cmd, void *arg)
{
	return call3(CALL_SCHED, cmd, (uintptr_t)arg, 0);
}

int64_t hypercall_evtchn(uint32_t cmd, void *arg)
{
	return call3(CALL_EVTCHN, cmd, (uintptr_t)arg, 0);
}

int64_t hypercall_hvm(uint32_t cmd, void *arg)
{
	return call3(CALL_HVM, cmd, (uintptr_t)arg, 0);
}

uint64_t hypercall_count(void)
{
	return count;
}
