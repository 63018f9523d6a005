/* SPDX-License-Identifier: ISC */
/*
 * hypercall.h: the raw calls into Xen. Arguments are the structures of
 * xen_abi.h; 0 or positive is success, negative a Xen errno (XEN_E...).
 */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include "base.h"

int64_t hypercall_memory(uint32_t cmd, void *arg);
int64_t hypercall_console(uint32_t cmd, uint32_t count, char *bytes);
int64_t hypercall_grant(uint32_t cmd, void *ops, uint32_t count);
int64_t hypercall_vcpu(uint32_t cmd, uint32_t vcpu, void *arg);
int64_t hypercall_sched(uint32_t cmd, void *arg);
int64_t hypercall_evtchn(uint32_t cmd, void *arg);
int64_t hypercall_hvm(uint32_t cmd, void *arg);

/* Calls made since boot, of all kinds. */
uint64_t hypercall_count(void);

#endif
