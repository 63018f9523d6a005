/* SPDX-License-Identifier: ISC */
/*
 * barrier.h: memory shared with another domain: every field is read once into a
 * local (snapshot) and written with the order the peer relies on.
 */
#ifndef BARRIER_H
#define BARRIER_H

#include "base.h"

static inline uint32_t shared_get32(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void shared_set32(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* A full fence: what I stored is seen before what I load next (ring "check again" steps). */
static inline void shared_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Bytes of a foreign structure to a local: the compiler may not read them again after. */
static inline void shared_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	__asm__ volatile("" : : : "memory");
}

#endif
