// SPDX-License-Identifier: ISC
/* The guest on KVM: one virtual CPU, long mode, no interrupts; a call is an exit (vcpu.c). */
#include "hvt.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CPUID_ENTRIES = 128, CPUID_HYPERVISOR = 31, CPUID_VMX = 5, CPUID_SVM = 2 };
enum {
	CR0_PE = 1 << 0, CR0_MP = 1 << 1, CR0_ET = 1 << 4, CR0_NE = 1 << 5, CR0_WP = 1 << 16,
	CR4_PAE = 1 << 5, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10,
	EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11,
};
#define CR0_PG UINT64_C(0x80000000)

static int vcpu = -1;
static struct kvm_run *run;

bool hvt_available(void)
{
	unsigned a, b, c, d;
	if (__get_cpuid(1, &a, &b, &c, &d) && c >> CPUID_HYPERVISOR & 1)
		return false; /* nested: it works, but slowly */
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int hvt_vcpu_fd(void)
{
	return vcpu;
}

/* Guest memory with a page of nothing on either side. */
static void map_memory(struct memory *m)
{
	size_t bytes = m->bytes + 2 * ABI_PAGE_BYTES;
	uint8_t *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED || mprotect(at + ABI_PAGE_BYTES, m->bytes, PROT_READ | PROT_WRITE))
		die_errno("guest memory", "");
	m->base = (uintptr_t)(at + ABI_PAGE_BYTES);
	tender.shared = memory_at(m, m->shared);
}

static int open_machine(const struct memory *m, int kvm)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = m->bytes, .userspace_addr = m->base };
	int machine = ioctl(kvm, KVM_CREATE_VM, 0);
	if (machine < 0 || ioctl(machine, KVM_SET_USER_MEMORY_REGION, &region))
		die_errno("KVM machine", "");
	vcpu = ioctl(machine, KVM_CREATE_VCPU, 0);
	int run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || run_bytes < (int)sizeof(*run))
		die_errno("KVM virtual CPU", "");
	void *at = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (at == MAP_FAILED)
		die_errno("KVM virtual CPU", "");
	run = at;
	return machine;
}

static void set_cpuid(int kvm)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[CPUID_ENTRIES];
	} cpuid;
	cpuid.head.nent = CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid))
		die_errno("KVM cpuid", "");
	for (uint32_t i = 0; i < cpuid.head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid.entry[i];
		if (e->function == 1)
			e->ecx &= ~(1u << CPUID_VMX);
		if (e->function == 0x80000001)
			e->ecx &= ~(1u << CPUID_SVM);
	}
	if (ioctl(vcpu, KVM_SET_CPUID2, &cpuid))
		die_errno("KVM cpuid", "");
}

/* Stamps in the rings are of one counter for both sides. Where KVM cannot, the guest sees that they are not. */
static void share_counter(void)
{
	const uint64_t offset = 0;
	const struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)&offset };
	(void)ioctl(vcpu, KVM_SET_DEVICE_ATTR, &attr);
}

static void set_registers(const struct memory *m, uint64_t page_table)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvm_sregs s;
	struct kvm_regs r = {
		.rip = m->image.entry,
		.rsp = m->bytes,
		.rdi = ABI_BOOT_ADDR,
		.rflags = 2,
	};
	if (ioctl(vcpu, KVM_GET_SREGS, &s))
		die_errno("KVM registers", "");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.fs.base = ABI_CANARY_ADDR;
	s.tr = (struct kvm_segment){ .limit = 0x67, .selector = 24, .type = 11, .present = 1 };
	s.gdt = s.idt = (struct kvm_dtable){ 0 }; /* no interrupts; a fault ends the guest */
	s.cr3 = page_table;
	s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s.efer = EFER_LME | EFER_LMA | EFER_NXE;
	if (ioctl(vcpu, KVM_SET_SREGS, &s) || ioctl(vcpu, KVM_SET_REGS, &r))
		die_errno("KVM registers", "");
}

void hvt_setup(struct memory *m)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die_errno("/dev/kvm", "");
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		die(EXIT_SETUP, "KVM of another version", "");
	map_memory(m);
	int machine = open_machine(m, kvm);
	set_cpuid(kvm);
	share_counter();
	memory_fill(m, 0);
	set_registers(m, hvt_page_tables(m));
	close(machine); /* the virtual CPU holds it */
	close(kvm);
}

static _Noreturn void unexpected(const char *what, uint64_t detail)
{
	struct kvm_regs r = { 0 };
	static char line[160];
	struct text t = text_on(line);
	(void)ioctl(vcpu, KVM_GET_REGS, &r);
	text_put(&t, "postern-tender: crash, ");
	text_put(&t, what);
	text_put(&t, " ");
	text_hex(&t, detail, 16);
	text_put(&t, ", at ");
	text_hex(&t, r.rip, 16);
	text_char(&t, '\n');
	vcpu_crash(line, t.len);
}

static void handle_exit(void)
{
	const struct kvm_run *k = run;
	uint32_t call;
	__atomic_fetch_add(&tender.exits, 1, __ATOMIC_RELAXED);
	switch (k->exit_reason) {
	case KVM_EXIT_IO:
		if (k->io.port != ABI_CALL_PORT || k->io.direction != KVM_EXIT_IO_OUT ||
		    k->io.size != sizeof(call) || k->io.count != 1)
			unexpected("access to port", k->io.port);
		memcpy(&call, (const uint8_t *)k + k->io.data_offset, sizeof(call));
		if (call > CALL_EXIT)
			unexpected("call", call);
		vcpu_call(call);
		return;
	case KVM_EXIT_MMIO:
		unexpected("access to address", k->mmio.phys_addr);
	case KVM_EXIT_SHUTDOWN:
		unexpected("fault", 0);
	case KVM_EXIT_INTERNAL_ERROR:
		unexpected("instruction that KVM cannot emulate", k->internal.suberror);
	default:
		unexpected("KVM exit", k->exit_reason);
	}
}

_Noreturn void hvt_loop(void)
{
	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) == 0)
			handle_exit();
		else if (errno != EINTR && errno != EAGAIN)
			unexpected("KVM_RUN", (uint64_t)errno);
	}
}

_Noreturn void hvt_run(const struct memory *m)
{
	(void)m;
	vcpu_serve();
}
