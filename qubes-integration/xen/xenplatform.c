// SPDX-License-Identifier: ISC
/* struct platform on Xen: devices, channels, time and log put together. */
#include "framepool.h"
#include "grant.h"
#include "hypercall.h"
#include "lifecycle.h"
#include "netback.h"
#include "platform.h"
#include "qdb_link.h"
#include "qrexec.h"
#include "vchan.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenconsole.h"
#include "xenpage.h"
#include "xenstore.h"
#include "xenwait.h"

enum { DEVICES_TOKEN = 0x01000000, HOME_BYTES = 40 };

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

static size_t rx(struct frame *burst[], size_t max)
{
	return netback_rx(burst, max);
}

static void tx(struct frame_queue *q)
{
	netback_tx(q);
}

/* --- events and channels ------------------------------------------------------------------- */

static void store_event(const char *path, uint32_t token)
{
	if (token == DEVICES_TOKEN)
		netback_changed(path);
	else if (token == LIFECYCLE_TOKEN)
		lifecycle_look();
	else if (token == QDB_LINK_TOKEN)
		qdb_link_look();
	else
		qrexec_look(token);
}

/* Everything may have changed. */
static void look_everywhere(void)
{
	netback_changed(NULL);
	lifecycle_look();
	qdb_link_look();
	for (uint32_t i = 0; i < QREXEC_CALLS; i++)
		qrexec_look(QREXEC_TOKEN + i);
}

/* Once a round: what is not packets. At most one device's step in xenstore, so that packets wait for no more. */
static void housekeeping(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	uint64_t now = xenclock_now_ns();
	while (xs_event(path, &token))
		store_event(path, token);
	if (xs_overflowed())
		look_everywhere();
	lifecycle_poll();
	qdb_link_poll(now);
	qrexec_poll(now);
	self.more = netback_step(now);
	const char *note = lifecycle_note();
	if (note) {
		size_t len = 0;
		while (note[len])
			len++;
		xenconsole_line(note, len);
	}
}

static bool event(struct platform_event *e)
{
	return qdb_link_event(e) || netback_event(e) || qrexec_event(e) || lifecycle_event(e);
}

static size_t channel_read(enum platform_channel channel, void *bytes, size_t len)
{
	switch (channel) {
	case CHANNEL_STORE:
		return qdb_link_read(bytes, len);
	case CHANNEL_CONTROL:
		return qrexec_read(bytes, len);
	case CHANNEL_COUNT:
		return 0;
	}
	return 0;
}

static size_t channel_write(enum platform_channel channel, const void *bytes, size_t len)
{
	switch (channel) {
	case CHANNEL_STORE:
		return qdb_link_write(bytes, len);
	case CHANNEL_CONTROL:
		return qrexec_write(bytes, len);
	case CHANNEL_COUNT:
		return 0;
	}
	return 0;
}

/* --- sleep, status, end ---------------------------------------------------------------------- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void wait_until(uint64_t deadline_ns)
{
	bool busy = netback_poll() || self.more || deadline_ns == 0;
	xenconsole_flush();
	if (!busy) {
		deadline_ns = sooner(deadline_ns, netback_deadline());
		deadline_ns = sooner(deadline_ns, sooner(qdb_link_deadline(), qrexec_deadline()));
		xenwait_until(deadline_ns);
	}
	housekeeping();
}

static void member(struct text *t, const char *name, uint64_t value)
{
	text_put(t, name);
	text_u64(t, value);
}

static void status(struct text *t)
{
	struct grant_counts grants = grant_counts();
	netback_status(t);
	text_char(t, ',');
	qdb_link_status(t);
	text_char(t, ',');
	qrexec_status(t);
	text_char(t, ',');
	framepool_status(t);
	text_char(t, ',');
	xenconsole_status(t);
	member(t, ",\"hypercalls\":", hypercall_count());
	member(t, ",\"grant_copy_calls\":", grants.copy_calls);
	member(t, ",\"grant_copies\":", grants.copies);
	member(t, ",\"grants_given\":", grants.given);
	member(t, ",\"grants_mapped\":", grants.mapped);
	member(t, ",\"pages_free\":", xenpage_free());
}

static _Noreturn void leave(int code)
{
	static const char line[] = "Xen is told to end this guest";
	uint32_t reason = code ? SHUTDOWN_crash : lifecycle_reboot() ? SHUTDOWN_reboot : SHUTDOWN_poweroff;
	xenconsole_last(line, sizeof(line) - 1);
	for (;;)
		(void)hypercall_sched(SCHEDOP_shutdown, &reason);
}

/* --- boot -------------------------------------------------------------------------------------- */

static bool uplink_up(void)
{
	return false;
}

static void devices_init(struct arena *arena)
{
	static const struct qrexec_host host = { .uplink_up = uplink_up, .set_wall = xenclock_set_wall };
	char home[HOME_BYTES];
	struct text t = text_on(home);
	uint16_t domid;
	if (!vchan_self(&domid))
		panic("xenstore does not answer");
	text_put(&t, "/local/domain/");
	text_u64(&t, domid);
	if (!netback_init(arena, home))
		panic("not enough memory for devices");
	/*
	 * One watch for all devices, since xenstored lets a domain have few: of
	 * every domain's nodes it brings those that we may read, which are our
	 * own and our clients' ends.
	 */
	if (xs_watch("/local/domain", DEVICES_TOKEN) != XS_RESULT_OK || !lifecycle_init())
		panic("xenstore refuses a watch");
	qdb_link_init();
	qrexec_init(&host);
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
		.tx = tx,
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
	self.arena = arena;
	framepool_init(arena);
	devices_init(arena);
	housekeeping();
	postern_main(&platform);
}
