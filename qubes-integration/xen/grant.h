/* SPDX-License-Identifier: ISC */
/*
 * grant.h: pages lent to other domains, pages of theirs mapped or copied.
 *
 * All memory here is identity mapped: a pointer is its guest address. A page
 * that is lent belongs to its lender's bookkeeping until grant_end() is true.
 */
#ifndef GRANT_H
#define GRANT_H

#include "base.h"

enum { GRANT_NONE = 0, GRANT_COPY_MAX = 128 };

/* Lends the page at `page` (page aligned) to domid: its reference, or GRANT_NONE when the table is full. */
uint32_t grant_give(uint16_t domid, const void *page, bool readonly);
/* Takes it back; false: the peer still uses it, try again later (the reference stays taken). */
bool grant_end(uint32_t ref);

/* A page of domid in our memory, or NULL. Not for the packet path. */
void *grant_map(uint16_t domid, uint32_t ref, bool readonly);
void grant_unmap(void *page);

/* One piece of a copy between a foreign grant and our memory; neither side crosses a page. */
struct grant_copy_op {
	uint32_t ref;     /* of domid's page */
	uint16_t domid;
	uint16_t offset;  /* in that page */
	uint16_t len;
	bool to_foreign;
	int16_t status;   /* out: 0 done, else a GNTST_ value, negative */
	void *local;
};
/* Does n copies, GRANT_COPY_MAX per hypercall; each has its own status. */
void grant_copy(struct grant_copy_op *ops, uint32_t n);

struct grant_counts {
	uint64_t copy_calls, copies; /* hypercalls, pieces */
	uint64_t map_calls;
	uint32_t given, mapped;      /* live now */
};
struct grant_counts grant_counts(void);

#endif
