// SPDX-License-Identifier: ISC
/* struct platform on Xen: devices, channels, time and log put together. */
#include "evtchn.h"
#include "framepool.h"
#include "grant.h"
#include "hypercall.h"
#include "netback.h"
#include "netdev.h"
#include "platform.h"
#include "qdb_link.h"
#include "suspend.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenconsole.h"
#include "xenlinks.h"
#include "xenpage.h"
#include "xenstore.h"
#include "xenwait.h"

/* Of watches: a guest that writes without end in its own folder gets no more of a round. */
enum { EVENTS_PER_ROUND = 64 };

static struct {
	struct arena *arena;
	bool more; /* there is work though nothing happens */
} self;

/* --- frames ------------------------------------------------------------------------------ */

static struct arena *memory(void)
{
	return self.arena;
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

/* --- events and channels ------------------------------------------------------------------- */

static void say(const char *line)
{
	size_t len = 0;
	while (line[len])
		len++;
	xenconsole_line(line, len);
}

/* Returns when the host goes on with this very domain; what changed meanwhile may have told nobody. */
static void fall_asleep(void)
{
	xenconsole_flush();
	say(suspend_now() ? "resumed" : "Xen refuses to suspend this guest");
	netdev_changed(NULL);
	xenlinks_look_all();
	self.more = true;
}

/* Once a round: what is not packets. At most one device's step in xenstore, so that packets wait for no more. */
static void housekeeping(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	uint64_t now = xenclock_now_ns();
	for (uint32_t n = 0; n < EVENTS_PER_ROUND && xs_event(path, &token); n++) {
		if (token == NETDEV_TOKEN)
			netdev_changed(path);
		else
			xenlinks_look(token);
	}
	if (xs_overflowed()) {
		netdev_changed(NULL);
		xenlinks_look_all();
	}
	xenlinks_poll(now);
	self.more = netdev_step(now);
	self.more |= xs_event_waits();
	const char *note = xenlinks_note();
	if (note)
		say(note);
	if (xenlinks_suspend())
		fall_asleep();
}

static bool event(struct platform_event *e)
{
	if (!netdev_event(e) && !xenlinks_event(e))
		return false;
	xenlinks_saw(e);
	return true;
}

/* --- sleep, status, end ---------------------------------------------------------------------- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void wait_until(uint64_t deadline_ns)
{
	bool busy = netdev_ready() || self.more || deadline_ns == 0;
	xenconsole_flush();
	if (!busy) {
		deadline_ns = sooner(deadline_ns, netdev_deadline());
		deadline_ns = sooner(deadline_ns, xenlinks_deadline());
		xenwait_until(deadline_ns);
	}
	housekeeping();
}

static uint64_t wall_ns(void)
{
	return xenclock_wall_ns() + (uint64_t)xenlinks_wall_shift_ns();
}

static void member(struct text *t, const char *name, uint64_t value)
{
	text_put(t, name);
	text_u64(t, value);
}

static void status(struct text *t)
{
	struct grant_counts grants = grant_counts();
	netdev_status(t);
	text_char(t, ',');
	xenlinks_status(t);
	text_char(t, ',');
	framepool_status(t);
	text_char(t, ',');
	xenconsole_status(t);
	member(t, ",\"hypercalls\":", hypercall_count());
	member(t, ",\"grant_copy_calls\":", grants.copy_calls);
	member(t, ",\"grant_copies\":", grants.copies);
	member(t, ",\"grants_given\":", grants.given);
	member(t, ",\"grants_mapped\":", grants.mapped);
	member(t, ",\"channels\":", evtchn_open_count());
	member(t, ",\"watches\":", xs_watches());
	member(t, ",\"pages_free\":", xenpage_free());
}

static _Noreturn void leave(int code)
{
	static const char line[] = "Xen is told to end this guest";
	uint32_t reason = code ? SHUTDOWN_crash : xenlinks_reboot() ? SHUTDOWN_reboot : SHUTDOWN_poweroff;
	xenconsole_last(line, sizeof(line) - 1);
	for (;;)
		(void)hypercall_sched(SCHEDOP_shutdown, &reason);
}

/* --- boot -------------------------------------------------------------------------------------- */

_Noreturn void xenplatform_run(struct arena *arena)
{
	static const struct platform platform = {
		.name = "xen",
		.now_ns = xenclock_now_ns,
		.wall_ns = wall_ns,
		.ticks = xenclock_ticks,
		.entropy = xenentropy_draw,
		.memory = memory,
		.rx = netdev_rx,
		.tx = netdev_tx,
		.give = give,
		.frame = frame,
		.event = event,
		.told = netback_told,
		.read = xenlinks_read,
		.write = xenlinks_write,
		.reset_store = qdb_link_reset,
		.log = xenconsole_line,
		.wait = wait_until,
		.status = status,
		.exit = leave,
	};
	self.arena = arena;
	framepool_init(arena);
	if (!netdev_init(arena, xenconsole_line))
		panic("not enough memory for devices");
	xenlinks_init();
	housekeeping();
	postern_main(&platform);
}
