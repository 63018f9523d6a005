// SPDX-License-Identifier: ISC
/* Uplink and clients as one: whose frames, whose turn. */
#include "netdev.h"

#include "netback.h"
#include "netbus.h"
#include "netfront.h"

#define WATCH_AGAIN_NS UINT64_C(1000000000)

static struct {
	bool watching;
	uint64_t watch_ns; /* try then */
} own;

bool netdev_init(struct arena *arena, void (*log)(const char *line, size_t len))
{
	char domid[16] = "", home[NETBUS_DIR_BYTES];
	struct text t = text_on(home);
	netbus_log_to(log);
	own.watching = false;
	own.watch_ns = 0;
	if (xs_read(XS_NO_TX, "domid", domid, sizeof(domid)) != XS_RESULT_OK)
		netbus_log("domid", "xenstore does not say who we are");
	text_put(&t, "/local/domain/");
	text_put(&t, domid);
	return netfront_init(arena, home) && netback_init(arena, home);
}

void netdev_changed(const char *path)
{
	netfront_changed(path);
	netback_changed(path);
}

bool netdev_step(uint64_t now_ns)
{
	if (!own.watching && now_ns >= own.watch_ns) {
		own.watching = xs_watch("/local/domain", NETDEV_TOKEN) == XS_RESULT_OK;
		own.watch_ns = now_ns + WATCH_AGAIN_NS;
	}
	bool again = netfront_step(now_ns);
	again |= netback_step(now_ns);
	return again;
}

uint64_t netdev_deadline(void)
{
	uint64_t front = netfront_deadline(), back = netback_deadline();
	uint64_t least = front < back ? front : back;
	return !own.watching && own.watch_ns < least ? own.watch_ns : least;
}

bool netdev_event(struct platform_event *e)
{
	return netfront_event(e) || netback_event(e);
}

/* Half a burst is the uplink's at least, when both have frames. */
size_t netdev_rx(struct frame *burst[], size_t max)
{
	bool front = netfront_poll(), back = netback_poll();
	size_t n = 0;
	if (front)
		n = netfront_rx(burst, back ? max / 2 : max);
	if (back)
		n += netback_rx(burst + n, max - n);
	return n;
}

bool netdev_ready(void)
{
	bool front = netfront_poll(), back = netback_poll();
	return front || back;
}

void netdev_tx(struct frame_queue *q)
{
	struct frame_queue up = { 0 }, down = { 0 };
	for (struct frame *f; (f = frames_take(q));)
		frames_put(f->port == PORT_UPLINK ? &up : &down, f);
	if (up.count)
		netfront_tx(&up);
	if (down.count)
		netback_tx(&down);
}

void netdev_status(struct text *t)
{
	netfront_status(t);
	text_char(t, ',');
	netback_status(t);
}
