// SPDX-License-Identifier: ISC
/* The PV clock: what Xen noted of system time at some TSC, carried on by the TSC. */
#include "xenclock.h"

#include "barrier.h"
#include "xenmem.h"

uint64_t xenclock_ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t xenclock_scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (uint64_t)((unsigned __int128)ticks * mul >> 32);
}

uint64_t xenclock_now_ns(void)
{
	static uint64_t last;
	const volatile struct xen_vcpu_time *time = &xen_shared()->vcpu[0].time;
	uint64_t now;
	uint32_t version;
	do {
		version = shared_get32((const uint32_t *)&time->version);
		now = time->system_ns + xenclock_scale(xenclock_ticks() - time->tsc, time->mul, time->shift);
		shared_fence();
	} while (version & 1 || version != time->version);
	/* A migrated or resumed host may set the TSC back; time here only goes on. */
	if (now > last)
		last = now;
	return last;
}

uint64_t xenclock_wall_ns(void)
{
	const volatile struct xen_shared_info *shared = xen_shared();
	uint64_t ns;
	uint32_t version;
	do {
		version = shared_get32((const uint32_t *)&shared->wc_version);
		ns = ((uint64_t)shared->wc_sec_hi << 32 | shared->wc_sec) * 1000000000 + shared->wc_nsec;
		shared_fence();
	} while (version & 1 || version != shared->wc_version);
	return ns + xenclock_now_ns();
}
