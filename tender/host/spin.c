// SPDX-License-Identifier: ISC
/*
 * Looks again for a while before it sleeps, as long as that pays. To be woken
 * from another CPU costs some 30 us, and half of them the waker; so a sleep
 * that turns out shorter than a few wake-ups was not worth it and widens the
 * window, one that turns out long narrows it to nothing. Whoever shares this
 * CPU runs at every look (sched_yield): it may be the one we wait for.
 */
#include "tender.h"

#include <sched.h>

enum { WINDOW_MIN_NS = 20000, WINDOW_MAX_NS = 100000, KEEP_NS = 20000000 };

static uint64_t window_ns, keep_until_ns;
static bool alone; /* nothing can happen while we look */

void spin_setup(void)
{
	alone = cpus_are_shared();
	window_ns = 0;
}

uint64_t spin_window_ns(void)
{
	return window_ns;
}

bool spin_is_useful(void)
{
	return !alone;
}

void spin_yield(void)
{
	uint64_t begun = tender.now_ns;
	if (begun >= keep_until_ns)
		sched_yield();
	pump_time();
	if (tender.now_ns - begun > WINDOW_MAX_NS)
		keep_until_ns = tender.now_ns + KEEP_NS; /* it was none of those who are quick */
}

bool spin_for(uint64_t deadline)
{
	uint64_t begin = tender.now_ns;
	while (tender.now_ns - begin < window_ns && tender.now_ns < deadline) {
		spin_yield();
		if (pump_look())
			return true;
	}
	return false;
}

void spin_learn(uint64_t slept_ns)
{
	if (alone)
		return;
	if (slept_ns > WINDOW_MAX_NS)
		window_ns = window_ns > WINDOW_MIN_NS ? window_ns / 2 : 0;
	else
		window_ns = window_ns < WINDOW_MIN_NS ? WINDOW_MIN_NS :
			window_ns < WINDOW_MAX_NS / 2 ? window_ns * 2 : WINDOW_MAX_NS;
}
