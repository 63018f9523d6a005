// SPDX-License-Identifier: ISC
/* Boot under Xen: memory, traps, the hypercall page, the shared page, console, xenstore; then the firewall. */
#include "xenboot.h"

#include "hypercall.h"
#include "runtime.h"
#include "suspend.h"
#include "trap.h"
#include "xenconsole.h"
#include "xenmem.h"
#include "xenwait.h"

enum { PAGES_SHARE = 64, PAGES_MIN = 128, PAGES_MAX = 2048 };

extern uint8_t hypercall_page[];

static struct xenmem mem;
static bool restored;

static _Noreturn void leave(uint32_t reason)
{
	for (;;)
		(void)hypercall_sched(SCHEDOP_shutdown, &reason);
}

static _Noreturn void die(const char *reason)
{
	static bool dying;
	char line[256];
	struct text t = text_on(line);
	text_put(&t, "panic: ");
	text_put(&t, reason);
	if (!dying) {
		dying = true; /* a fault on the way out ends it at once */
		xenconsole_last(line, t.len);
	}
	leave(SHUTDOWN_crash);
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

static void hypercall_boot(void)
{
	static const char name[12] = { 'X', 'e', 'n', 'V', 'M', 'M', 'X', 'e', 'n', 'V', 'M', 'M' };
	uint32_t r[4];
	uint64_t page = (uintptr_t)hypercall_page;
	for (uint32_t base = XEN_CPUID_FIRST; base < XEN_CPUID_LAST; base += XEN_CPUID_STEP) {
		cpuid(base, r);
		if (memcmp(&r[1], name, sizeof(name)) != 0)
			continue;
		cpuid(base + 2, r); /* ebx: the register to tell the page's address */
		__asm__ volatile("wrmsr" : : "c"(r[1]), "a"((uint32_t)page), "d"((uint32_t)(page >> 32)) : "memory");
		return;
	}
	for (;;) /* no way to say it: whatever started this is not Xen */
		__asm__ volatile("cli\n\thlt");
}

static void shared_boot(void)
{
	struct xen_add_to_physmap map = {
		.domid = XEN_DOMID_SELF,
		.space = XENMAPSPACE_shared_info,
		.gpfn = (uintptr_t)xen_shared() / XEN_PAGE_BYTES,
	};
	if (hypercall_memory(XENMEM_add_to_physmap, &map) != 0)
		panic("Xen gives no shared info");
}

bool xenboot_param(uint32_t index, uint64_t *value)
{
	struct xen_hvm_param param = { .domid = XEN_DOMID_SELF, .index = index };
	if (hypercall_hvm(HVMOP_get_param, &param) != 0 || param.value == 0)
		return false;
	*value = param.value;
	return true;
}

static void console_boot(void)
{
	uint64_t frame, port;
	if (xenboot_param(HVM_PARAM_CONSOLE_PFN, &frame) && xenboot_param(HVM_PARAM_CONSOLE_EVTCHN, &port))
		xenconsole_boot(xenmem_map_special(frame), (uint32_t)port);
}

static void store_boot(struct arena *arena)
{
	uint64_t frame, port;
	if (!xenboot_param(HVM_PARAM_STORE_PFN, &frame) || !xenboot_param(HVM_PARAM_STORE_EVTCHN, &port))
		panic("Xen gives no xenstore");
	xenstore_boot(xenmem_map_special(frame), (uint32_t)port, arena);
}

/* Before anything that may take its time, or fail. */
static void say_start(void)
{
	char line[64];
	struct text t = text_on(line);
	text_put(&t, "postern starts under Xen with ");
	text_u64(&t, mem.free_bytes >> 20);
	text_put(&t, restored ? " MiB, restored: all begins anew" : " MiB");
	xenconsole_line(line, t.len);
	xenconsole_flush();
}

uint8_t *xenboot_memory(const struct xen_start_info *start)
{
	start = suspend_keep(start, &restored);
	runtime_panic = die;
	hypercall_boot();
	mem = xenmem_boot(start);
	return mem.stack_top;
}

_Noreturn void xenboot_main(void)
{
	trap_boot();
	shared_boot();
	console_boot();
	say_start();
	xenwait_boot();
	grant_boot();
	uint64_t pages = mem.free_bytes / XEN_PAGE_BYTES / PAGES_SHARE;
	pages = pages < PAGES_MIN ? PAGES_MIN : pages > PAGES_MAX ? PAGES_MAX : pages;
	xenpage_boot(mem.free, (uint32_t)pages);
	struct arena arena = { mem.free + pages * XEN_PAGE_BYTES, mem.free_bytes - pages * XEN_PAGE_BYTES };
	store_boot(&arena);
	xenplatform_run(&arena);
}
