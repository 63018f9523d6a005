// SPDX-License-Identifier: ISC
/* Pins the threads to the CPUs of --cpus: the first moves packets, the second runs the guest. */
#include "tender.h"

#include <sched.h>
#include <unistd.h>

static int allowed; /* how many we may run on */

void cpus_setup(void)
{
	cpu_set_t set;
	allowed = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
	if (tender.options->cpu_count)
		allowed = (int)tender.options->cpu_count;
	cpus_place(0);
}

void cpus_place(uint32_t thread)
{
	const struct options *o = tender.options;
	cpu_set_t set;
	if (!o->cpu_count)
		return;
	CPU_ZERO(&set);
	CPU_SET(o->cpu[thread % o->cpu_count], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die_errno("--cpus", "");
}

bool cpus_are_shared(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) <= 1 || (tender.mode == MODE_HVT && allowed <= 1);
}
