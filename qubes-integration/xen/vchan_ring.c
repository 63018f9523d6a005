// SPDX-License-Identifier: ISC
/* Index arithmetic and copies of a vchan's ring; trusts nothing but its own index. */
#include "vchan_ring.h"
#include "barrier.h"

bool vchan_ring_ready(const struct vchan_ring *r, uint32_t *bytes)
{
	*bytes = shared_get32(r->peers) - r->at;
	return *bytes <= r->size;
}

bool vchan_ring_room(const struct vchan_ring *r, uint32_t *bytes)
{
	uint32_t waiting = r->at - shared_get32(r->peers);
	*bytes = r->size - waiting;
	return waiting <= r->size;
}

/* The run of bytes from our index on that lies in one page, at most len. */
static uint8_t *run(const struct vchan_ring *r, uint32_t done, uint32_t len, uint32_t *n)
{
	uint32_t at = (r->at + done) & (r->size - 1);
	uint32_t in_page = at & (r->page_bytes - 1);
	*n = r->page_bytes - in_page;
	*n = *n < len ? *n : len;
	return r->page[at / r->page_bytes] + in_page;
}

void vchan_ring_read(struct vchan_ring *r, void *bytes, uint32_t len)
{
	uint8_t *to = bytes;
	for (uint32_t done = 0, n; done < len; done += n) {
		const uint8_t *from = run(r, done, len - done, &n);
		shared_copy(to + done, from, n);
	}
	r->at += len;
	shared_set32(r->ours, r->at);
}

void vchan_ring_write(struct vchan_ring *r, const void *bytes, uint32_t len)
{
	const uint8_t *from = bytes;
	for (uint32_t done = 0, n; done < len; done += n) {
		uint8_t *to = run(r, done, len - done, &n);
		shared_copy(to, from + done, n);
	}
	r->at += len;
	shared_set32(r->ours, r->at);
}
