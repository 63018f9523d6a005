// SPDX-License-Identifier: ISC
/* Who owns which buffer: none is ever lost or doubled, whatever the guest says. */
#include "tender.h"

void buffers_setup(void)
{
	for (uint32_t i = tender.memory.buffer_count; i-- > 0;)
		tender.free[tender.free_count++] = i;
}

bool buffers_take(uint32_t *number)
{
	if (tender.free_count == 0)
		return false;
	*number = tender.free[--tender.free_count];
	return true;
}

void buffers_back(uint32_t number)
{
	tender.guest_owns[number] = false;
	tender.free[tender.free_count++] = number;
}

void buffers_collect(void)
{
	struct shared *shared = tender.shared;
	uint32_t prod = ring_get(&shared->free_prod);
	if (prod - tender.free_cons > ABI_BUFFERS_MAX)
		tender.free_cons = prod - ABI_BUFFERS_MAX;
	for (; tender.free_cons != prod; tender.free_cons++) {
		const uint32_t *entry = &shared->frees[tender.free_cons % ABI_BUFFERS_MAX];
		uint32_t i = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (i < tender.memory.buffer_count && tender.guest_owns[i])
			buffers_back(i);
		else
			tender.bad_frees++;
	}
	ring_set(&shared->free_cons, tender.free_cons);
}

void buffers_grant(void)
{
	struct shared *shared = tender.shared;
	uint32_t wanted = __atomic_load_n(&shared->buffers_wanted, __ATOMIC_RELAXED), number;
	uint32_t used = tender.grant_prod - ring_get(&shared->grant_cons);
	if (used > RING_GRANTS)
		return;
	for (; wanted > used && used < RING_GRANTS && buffers_take(&number); used++) {
		tender.guest_owns[number] = true;
		shared->grants[tender.grant_prod++ % RING_GRANTS] = number;
	}
	ring_set(&shared->grant_prod, tender.grant_prod);
}
