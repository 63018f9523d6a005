// SPDX-License-Identifier: ISC
/* Who owns which buffer: none is ever lost or doubled, whatever the guest says. */
#include "tender.h"

/* The last one given back is the first one taken: what was never needed is never touched. */
static struct { uint32_t count, at[ABI_BUFFERS_MAX]; } small;
static struct { uint32_t count, at[ABI_LARGE_MAX]; } large;

static uint32_t total(void)
{
	return tender.memory.buffer_count + tender.memory.large_count;
}

void buffers_setup(void)
{
	for (uint32_t i = total(); i-- > 0;)
		buffers_back(i);
}

bool buffers_take(enum buffer_class class, uint32_t *number)
{
	uint32_t *count = class == BUFFER_SMALL ? &small.count : &large.count;
	if (*count == 0)
		return false;
	*number = class == BUFFER_SMALL ? small.at[--*count] : large.at[--*count];
	return true;
}

void buffers_back(uint32_t number)
{
	tender.guest_owns[number] = false;
	if (number < tender.memory.buffer_count)
		small.at[small.count++] = number;
	else
		large.at[large.count++] = number;
}

uint32_t buffers_left(enum buffer_class class)
{
	return class == BUFFER_SMALL ? small.count : large.count;
}

uint64_t buffers_addr(uint32_t number)
{
	const struct memory *m = &tender.memory;
	return number < m->buffer_count ? m->pool + (uint64_t)number * ABI_BUFFER_BYTES :
		m->large + (uint64_t)(number - m->buffer_count) * ABI_LARGE_BYTES;
}

bool buffers_find(uint64_t addr, uint32_t *number, uint32_t *room)
{
	const struct memory *m = &tender.memory;
	uint64_t offset = addr - m->pool, bytes = ABI_BUFFER_BYTES;
	if (addr >= m->pool && offset / bytes < m->buffer_count) {
		*number = (uint32_t)(offset / bytes);
	} else {
		offset = addr - m->large;
		bytes = ABI_LARGE_BYTES;
		if (addr < m->large || offset / bytes >= m->large_count)
			return false;
		*number = m->buffer_count + (uint32_t)(offset / bytes);
	}
	*room = (uint32_t)(bytes - offset % bytes);
	return tender.guest_owns[*number];
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
		if (i < total() && tender.guest_owns[i])
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
	for (; wanted > used && used < RING_GRANTS && buffers_take(BUFFER_SMALL, &number); used++) {
		tender.guest_owns[number] = true;
		shared->grants[tender.grant_prod++ % RING_GRANTS] = number;
	}
	ring_set(&shared->grant_prod, tender.grant_prod);
}
