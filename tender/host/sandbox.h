/* SPDX-License-Identifier: ISC */
/*
 * sandbox.h: how a port driver says which system calls it makes (driver.h,
 * allow()). Conditions of one SANDBOX_ALLOW are combined by and; several
 * of the same call by or. Whatever was not allowed ends the process.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <seccomp.h>

#include "tender.h"

/* The argument is exactly that. */
#define SANDBOX_EQ(arg, value) SCMP_CMP64(arg, SCMP_CMP_EQ, (scmp_datum_t)(value))
/* The argument is a descriptor in the power-of-two range first..first+mask. */
#define SANDBOX_RANGE(arg, first, mask) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, \
	UINT64_C(0xffffffff) & ~(scmp_datum_t)(mask), (scmp_datum_t)(first))
/* The argument is the descriptor of a port. */
#define SANDBOX_PORT(arg) SANDBOX_RANGE(arg, FD_PORT_FIRST, FD_PORT_MASK)

#define SANDBOX_ALLOW(name, ...) do { \
	const struct scmp_arg_cmp args_[] = { __VA_ARGS__ }; \
	sandbox_allow(SCMP_SYS(name), (unsigned)array_len(args_), args_); \
} while (0)

#endif
