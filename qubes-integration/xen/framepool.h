/* SPDX-License-Identifier: ISC */
/*
 * framepool.h: the frames of the Xen platform, two sizes, made at boot. Every
 * buffer starts on a page and shares no page with another, so that lending it
 * shows a peer nothing else.
 */
#ifndef FRAMEPOOL_H
#define FRAMEPOOL_H

#include "arena.h"
#include "frame.h"
#include "text.h"

enum {
	FRAMEPOOL_SMALL_BYTES = 4096,
	FRAMEPOOL_LARGE_BYTES = 17 * 4096, /* headroom and a 64 KiB frame, contiguous */
};

/* Takes its frames from the arena: count by its size. */
void framepool_init(struct arena *);
/* Empty (frame_reset), with room for len bytes behind the headroom; NULL: none free or len too large. */
struct frame *framepool_take(size_t len);
void framepool_give(struct frame *);
/* Free frames that hold len bytes. */
uint32_t framepool_left(size_t len);
void framepool_status(struct text *); /* JSON members, without a leading comma */

#endif
