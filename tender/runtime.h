/* SPDX-License-Identifier: ISC */
/*
 * runtime.h: what the image needs of its entry point besides struct platform.
 * Set before anything else runs.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "base.h"

/* Says why, and ends the appliance: what panic() does on this platform. */
extern void (*runtime_panic)(const char *reason) __attribute__((noreturn));

/* This memory is zero and untouched: memset need not zero it again. */
void mem_fresh(const void *from, size_t n);

#endif
