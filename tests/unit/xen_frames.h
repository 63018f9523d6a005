/* SPDX-License-Identifier: ISC */
/*
 * xen_frames.h: what the tests of both ends of a network device do with frames and events. Who
 * includes it has cmocka.h and says which end: static const struct xen_device DEVICE.
 */
#ifndef XEN_FRAMES_H
#define XEN_FRAMES_H

#include <string.h>

#include "framepool.h"
#include "platform.h"
#include "xen_fake.h"

#define MS UINT64_C(1000000)

struct xen_device {
	bool (*event)(struct platform_event *);
	bool (*poll)(void);
	size_t (*rx)(struct frame *burst[], size_t max);
	void (*tx)(struct frame_queue *);
};
static const struct xen_device DEVICE;

static inline struct platform_event next_event(void)
{
	struct platform_event e = { 0 };
	if (!DEVICE.event(&e))
		e.kind = EVENT_NONE;
	return e;
}

static inline size_t receive(struct frame *burst[PLATFORM_BURST_MAX])
{
	(void)DEVICE.poll();
	return DEVICE.rx(burst, PLATFORM_BURST_MAX);
}

static inline void give_all(struct frame *burst[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		framepool_give(burst[i]);
}

/* A frame of ours to a port, with these bytes. */
static inline struct frame *frame_of(uint16_t port, const void *bytes, size_t len)
{
	struct frame *f = framepool_take(len);
	assert_non_null(f);
	memcpy(f->data, bytes, len);
	f->len = (uint32_t)len;
	f->port = port;
	return f;
}

static inline void send(struct frame *f)
{
	struct frame_queue q = { 0 };
	frames_put(&q, f);
	DEVICE.tx(&q);
	assert_int_equal(q.count, 0);
}

/* Nothing of Xen's, but the one watch that the test itself set. */
static inline void assert_xen_has_all(void)
{
	struct fake_held xen = fake_held();
	assert_int_equal(xen.given, 0);
	assert_int_equal(xen.mapped, 0);
	assert_int_equal(xen.channels, 0);
	assert_int_equal(xen.pages, 0);
	assert_int_equal(xen.watches, 1);
}

#endif
