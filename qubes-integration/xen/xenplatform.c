// SPDX-License-Identifier: ISC
/* struct platform on Xen: devices, channels, time and log put together. */
#include "framepool.h"
#include "grant.h"
#include "hypercall.h"
#include "platform.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenconsole.h"
#include "xenpage.h"
#include "xenstore.h"
#include "xenwait.h"

static struct arena *left;

static struct arena *memory(void)
{
	return left;
}

static void give(struct frame_queue *q)
{
	for (struct frame *f; (f = frames_take(q));)
		framepool_give(f);
}

static struct frame *frame(void)
{
	return framepool_take(FRAMEPOOL_SMALL_BYTES - FRAME_HEADROOM_BYTES);
}

static size_t rx(struct frame *burst[], size_t max)
{
	(void)burst;
	(void)max;
	return 0;
}

static bool event(struct platform_event *e)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	(void)e;
	while (xs_event(path, &token))
		;
	return false;
}

static size_t channel_read(enum platform_channel channel, void *bytes, size_t len)
{
	(void)channel;
	(void)bytes;
	(void)len;
	return 0;
}

static size_t channel_write(enum platform_channel channel, const void *bytes, size_t len)
{
	(void)channel;
	(void)bytes;
	(void)len;
	return 0;
}

static void wait_until(uint64_t deadline_ns)
{
	xenconsole_flush();
	if (deadline_ns)
		xenwait_until(deadline_ns);
}

static void status(struct text *t)
{
	framepool_status(t);
	text_char(t, ',');
	xenconsole_status(t);
	text_put(t, ",\"hypercalls\":");
	text_u64(t, hypercall_count());
}

static _Noreturn void leave(int code)
{
	uint32_t reason = code == 0 ? SHUTDOWN_poweroff : SHUTDOWN_crash;
	static const char line[] = "end";
	xenconsole_last(line, sizeof(line) - 1);
	for (;;)
		(void)hypercall_sched(SCHEDOP_shutdown, &reason);
}

_Noreturn void xenplatform_run(struct arena *arena)
{
	static const struct platform platform = {
		.name = "xen",
		.now_ns = xenclock_now_ns,
		.wall_ns = xenclock_wall_ns,
		.entropy = xenentropy_draw,
		.memory = memory,
		.rx = rx,
		.tx = give,
		.give = give,
		.frame = frame,
		.event = event,
		.read = channel_read,
		.write = channel_write,
		.log = xenconsole_line,
		.wait = wait_until,
		.status = status,
		.exit = leave,
	};
	left = arena;
	framepool_init(arena);
	postern_main(&platform);
}
