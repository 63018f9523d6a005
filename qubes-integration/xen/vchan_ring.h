/* SPDX-License-Identifier: ISC */
/*
 * vchan_ring.h: one direction of a vchan (io/libxenvchan.h): a byte ring in
 * pages that the peer shares and may change at any time. Our own index is kept
 * here and only ever written to the shared page; the peer's is read once per
 * call and judged.
 */
#ifndef VCHAN_RING_H
#define VCHAN_RING_H

#include "base.h"

enum {
	VCHAN_ORDER_SMALL = 10, /* 1024 bytes, at 1024 of the shared page */
	VCHAN_ORDER_HALF = 11,  /* 2048 bytes, at 2048 of it */
	VCHAN_ORDER_PAGE = 12,  /* from here on pages of their own */
	VCHAN_ORDER_MAX = 16,   /* 64 KiB: what qrexec asks for */
	VCHAN_PAGES_MAX = 1 << (VCHAN_ORDER_MAX - VCHAN_ORDER_PAGE),
};

/* The notify bits: "tell me when you wrote", "tell me when you consumed". */
enum { VCHAN_WRITE = 1, VCHAN_READ = 2 };

enum { VCHAN_EXITED = 0, VCHAN_CONNECTED = 1, VCHAN_NOT_YET = 2 }; /* the live bytes */

/* The head of the shared page. Left is client to server, right server to client. */
struct vchan_page {
	uint32_t left_cons, left_prod;
	uint32_t right_cons, right_prod;
	uint16_t left_order, right_order;
	uint8_t cli_live, srv_live;
	uint8_t cli_notify, srv_notify; /* what that side was asked to signal */
	uint32_t grants[2 * VCHAN_PAGES_MAX]; /* of the left ring, then of the right one */
};

_Static_assert(offsetof(struct vchan_page, left_order) == 16, "layout");
_Static_assert(offsetof(struct vchan_page, grants) == 24, "layout");

struct vchan_ring {
	uint8_t *page[VCHAN_PAGES_MAX]; /* each of page_bytes; one for the in-page rings */
	uint32_t page_bytes;
	uint32_t size;        /* a power of two */
	uint32_t *peers, *ours; /* the shared indices */
	uint32_t at;          /* our index: free running */
};

/* Bytes to read. False: the peer's index is a lie. */
bool vchan_ring_ready(const struct vchan_ring *, uint32_t *bytes);
/* Bytes that may be written. False: the peer's index is a lie. */
bool vchan_ring_room(const struct vchan_ring *, uint32_t *bytes);
/* Copy and advance; len is at most what ready or room said. */
void vchan_ring_read(struct vchan_ring *, void *bytes, uint32_t len);
void vchan_ring_write(struct vchan_ring *, const void *bytes, uint32_t len);

#endif
