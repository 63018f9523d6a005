// SPDX-License-Identifier: ISC
/* Hands each call on to the link it concerns. */
#include "xenlinks.h"
#include "lifecycle.h"
#include "qdb_link.h"
#include "qrexec.h"
#include "xenclock.h"

static const uint64_t AGAIN_NS = 1000000000;

static struct {
	bool uplink_attached, uplink_link;
	bool watched; /* control/shutdown */
	uint64_t again_ns;
	int64_t wall_shift_ns;
} self;

static bool uplink_up(void)
{
	return self.uplink_attached && self.uplink_link;
}

static void set_wall(uint64_t seconds)
{
	self.wall_shift_ns = (int64_t)(seconds * 1000000000 - xenclock_wall_ns());
}

void xenlinks_init(void)
{
	static const struct qrexec_host host = { uplink_up, set_wall };
	qdb_link_init();
	qrexec_init(&host);
	self.watched = lifecycle_init();
}

void xenlinks_look(uint32_t token)
{
	if (token == QDB_LINK_TOKEN)
		qdb_link_look();
	else if (token == LIFECYCLE_TOKEN)
		lifecycle_look();
	else
		qrexec_look(token);
}

void xenlinks_look_all(void)
{
	qdb_link_look();
	lifecycle_look();
	for (uint32_t i = 0; i < QREXEC_CALLS; i++)
		qrexec_look(QREXEC_TOKEN + i);
}

void xenlinks_poll(uint64_t now_ns)
{
	if (!self.watched && now_ns >= self.again_ns) {
		self.watched = lifecycle_init();
		self.again_ns = now_ns + AGAIN_NS;
	}
	lifecycle_poll();
	qdb_link_poll(now_ns);
	qrexec_poll(now_ns);
}

uint64_t xenlinks_deadline(void)
{
	uint64_t store = qdb_link_deadline(), qrexec = qrexec_deadline();
	return store < qrexec ? store : qrexec;
}

bool xenlinks_event(struct platform_event *e)
{
	return lifecycle_event(e) || qdb_link_event(e) || qrexec_event(e);
}

void xenlinks_saw(const struct platform_event *e)
{
	if (e->port != PORT_UPLINK)
		return;
	if (e->kind == EVENT_PORT_ATTACHED)
		self.uplink_attached = self.uplink_link = true;
	else if (e->kind == EVENT_PORT_DETACHED)
		self.uplink_attached = false;
	else if (e->kind == EVENT_LINK_UP || e->kind == EVENT_LINK_DOWN)
		self.uplink_link = e->kind == EVENT_LINK_UP;
}

size_t xenlinks_read(enum platform_channel channel, void *bytes, size_t len)
{
	return channel == CHANNEL_STORE ? qdb_link_read(bytes, len) : qrexec_read(bytes, len);
}

size_t xenlinks_write(enum platform_channel channel, const void *bytes, size_t len)
{
	return channel == CHANNEL_STORE ? qdb_link_write(bytes, len) : qrexec_write(bytes, len);
}

const char *xenlinks_note(void)
{
	return lifecycle_note();
}

int64_t xenlinks_wall_shift_ns(void)
{
	return self.wall_shift_ns;
}

bool xenlinks_suspend(void)
{
	return lifecycle_suspend();
}

bool xenlinks_reboot(void)
{
	return lifecycle_reboot();
}

void xenlinks_status(struct text *t)
{
	qdb_link_status(t);
	text_char(t, ',');
	qrexec_status(t);
}
