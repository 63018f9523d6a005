/* SPDX-License-Identifier: ISC */
/*
 * xen_abi.h: what of Xen's public interface this guest uses: numbers and
 * layouts for a 64-bit x86 HVM/PVH guest (xen/include/public of Xen 4.17).
 * Shared structures are read and written through the atomics of barrier.h.
 */
#ifndef XEN_ABI_H
#define XEN_ABI_H

#include "base.h"

enum { XEN_PAGE_BYTES = 4096, XEN_DOMID_SELF = 0x7ff0 };

/* negative errno values a caller may care for */
enum {
	XEN_ENOENT = -2,
	XEN_EAGAIN = -11,
	XEN_ENOMEM = -12,
	XEN_EINVAL = -22,
	XEN_ENOSPC = -28,
};

/* --- CPUID and MSRs ------------------------------------------------------------- */
enum { XEN_CPUID_FIRST = 0x40000000, XEN_CPUID_LAST = 0x40010000, XEN_CPUID_STEP = 0x100 };

/* --- start of day (hvm/start_info.h) ---------------------------------------------- */
enum { XEN_START_MAGIC = 0x336ec578 };

struct xen_start_info {
	uint32_t magic;
	uint32_t version; /* 1 and up: the memory map is there */
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_entries;
	uint32_t reserved;
};

enum { XEN_MEMORY_RAM = 1 };

struct xen_memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* --- memory_op --------------------------------------------------------------------- */
enum {
	XENMEM_add_to_physmap = 7,
	XENMAPSPACE_shared_info = 0,
	XENMAPSPACE_grant_table = 1,
};

struct xen_add_to_physmap {
	uint16_t domid;
	uint16_t size;
	uint32_t space;
	uint64_t idx;
	uint64_t gpfn;
};

/* --- hvm_op ------------------------------------------------------------------------- */
enum {
	HVMOP_set_param = 0,
	HVMOP_get_param = 1,
	HVM_PARAM_CALLBACK_IRQ = 0,
	HVM_PARAM_STORE_PFN = 1,
	HVM_PARAM_STORE_EVTCHN = 2,
	HVM_PARAM_CONSOLE_PFN = 17,
	HVM_PARAM_CONSOLE_EVTCHN = 18,
};
#define HVM_CALLBACK_VECTOR(v) (UINT64_C(2) << 56 | (v))

struct xen_hvm_param {
	uint16_t domid;
	uint16_t pad;
	uint32_t index;
	uint64_t value;
};

/* --- sched_op and vcpu_op ------------------------------------------------------------- */
enum {
	SCHEDOP_yield = 0,
	SCHEDOP_shutdown = 2,
	SCHEDOP_poll = 3,
	SHUTDOWN_poweroff = 0,
	SHUTDOWN_reboot = 1,
	SHUTDOWN_suspend = 2,
	SHUTDOWN_crash = 3,
	VCPUOP_set_singleshot_timer = 8,
	VCPUOP_stop_singleshot_timer = 9,
};

struct xen_sched_poll {
	uint32_t *ports;
	uint32_t count;
	uint32_t pad;
	uint64_t timeout_ns; /* of system time; 0: for ever */
};

struct xen_singleshot {
	uint64_t timeout_ns; /* of system time */
	uint32_t flags;
	uint32_t pad;
};

/* --- event_channel_op --------------------------------------------------------------------- */
enum {
	EVTCHNOP_bind_interdomain = 0,
	EVTCHNOP_bind_virq = 1,
	EVTCHNOP_close = 3,
	EVTCHNOP_send = 4,
	EVTCHNOP_alloc_unbound = 6,
	EVTCHNOP_unmask = 9,
	VIRQ_TIMER = 0,
	EVTCHN_PORTS = 4096, /* two-level */
};

struct xen_evtchn_alloc_unbound {
	uint16_t domid, remote;
	uint32_t port; /* out */
};
struct xen_evtchn_bind_interdomain {
	uint16_t remote;
	uint16_t pad;
	uint32_t remote_port;
	uint32_t local_port; /* out */
};
struct xen_evtchn_bind_virq {
	uint32_t virq, vcpu;
	uint32_t port; /* out */
};

/* --- the shared page ------------------------------------------------------------------------ */
struct xen_vcpu_time {
	uint32_t version; /* odd: being written */
	uint32_t pad;
	uint64_t tsc;
	uint64_t system_ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad1[2];
};

struct xen_vcpu_info {
	uint8_t upcall_pending;
	uint8_t upcall_mask;
	uint8_t pad[6];
	uint64_t pending_sel;
	uint64_t arch[2];
	struct xen_vcpu_time time;
};

struct xen_shared_info {
	struct xen_vcpu_info vcpu[32];
	uint64_t pending[64];
	uint64_t mask[64];
	uint32_t wc_version, wc_sec, wc_nsec, wc_sec_hi;
};

/* --- grant tables (version 1) ------------------------------------------------------------------- */
enum {
	GNTTABOP_map_grant_ref = 0,
	GNTTABOP_unmap_grant_ref = 1,
	GNTTABOP_copy = 5,
	GNTTABOP_query_size = 6,
	GTF_permit_access = 1,
	GTF_readonly = 1 << 2,
	GTF_reading = 1 << 3,
	GTF_writing = 1 << 4,
	GNTMAP_host_map = 1 << 1,
	GNTMAP_readonly = 1 << 2,
	GNTCOPY_source_gref = 1 << 0,
	GNTCOPY_dest_gref = 1 << 1,
	GNTST_okay = 0,
	GNTST_general_error = -1,
	GRANT_RESERVED = 8, /* the first entries are the toolstack's */
};

struct xen_grant_entry {
	uint16_t flags;
	uint16_t domid;
	uint32_t frame;
};
struct xen_grant_query_size {
	uint16_t domid;
	uint16_t pad;
	uint32_t frames, max_frames;
	int16_t status;
	uint16_t pad1;
};
struct xen_grant_map {
	uint64_t host_addr;
	uint32_t flags, ref;
	uint16_t domid;
	int16_t status;
	uint32_t handle;
	uint64_t bus_addr;
};
struct xen_grant_unmap {
	uint64_t host_addr, bus_addr;
	uint32_t handle;
	int16_t status;
	uint16_t pad;
};
struct xen_grant_copy {
	struct {
		uint64_t ref_or_frame; /* a grant reference in its low half, or a frame number */
		uint16_t domid, offset;
		uint32_t pad;
	} source, dest;
	uint16_t len, flags;
	int16_t status;
	uint16_t pad;
};

/* --- xenstore and console rings (io/xs_wire.h, io/console.h) ---------------------------------------- */
enum {
	XS_DIRECTORY = 1,
	XS_READ = 2,
	XS_GET_PERMS = 3,
	XS_WATCH = 4,
	XS_UNWATCH = 5,
	XS_TRANSACTION_START = 6,
	XS_TRANSACTION_END = 7,
	XS_WRITE = 11,
	XS_MKDIR = 12,
	XS_RM = 13,
	XS_SET_PERMS = 14,
	XS_WATCH_EVENT = 15,
	XS_ERROR = 16,
	XS_RING_BYTES = 1024,
	XS_PAYLOAD_BYTES = 4096,
};

struct xen_store_msg {
	uint32_t type, id, tx, len;
};

struct xen_store_ring {
	uint8_t req[XS_RING_BYTES];
	uint8_t rsp[XS_RING_BYTES];
	uint32_t req_cons, req_prod;
	uint32_t rsp_cons, rsp_prod;
};

enum { CONSOLE_IN_BYTES = 1024, CONSOLE_OUT_BYTES = 2048 };

struct xen_console_ring {
	uint8_t in[CONSOLE_IN_BYTES];
	uint8_t out[CONSOLE_OUT_BYTES];
	uint32_t in_cons, in_prod;
	uint32_t out_cons, out_prod;
};

_Static_assert(sizeof(struct xen_start_info) == 56, "layout");
_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "layout");
_Static_assert(sizeof(struct xen_vcpu_info) == 64, "layout");
_Static_assert(offsetof(struct xen_shared_info, pending) == 2048, "layout");
_Static_assert(offsetof(struct xen_shared_info, wc_version) == 3072, "layout");
_Static_assert(sizeof(struct xen_grant_map) == 32, "layout");
_Static_assert(sizeof(struct xen_grant_unmap) == 24, "layout");
_Static_assert(sizeof(struct xen_grant_copy) == 40, "layout");

#endif
