// SPDX-License-Identifier: ISC
/* control/shutdown: read, acknowledged with an empty value, told. */
#include "lifecycle.h"
#include "xenstore.h"

enum { VALUE_BYTES = 16 };

static const char request[] = "control/shutdown";

static struct {
	bool look;
	bool shutdown, told;
	bool reboot, suspend;
	const char *note;
} self;

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool lifecycle_init(void)
{
	memset(&self, 0, sizeof(self));
	xs_write(XS_NO_TX, "control/feature-poweroff", "1");
	xs_write(XS_NO_TX, "control/feature-reboot", "1");
	xs_write(XS_NO_TX, "control/feature-suspend", "1");
	return xs_watch(request, LIFECYCLE_TOKEN) == XS_RESULT_OK;
}

void lifecycle_look(void)
{
	self.look = true;
}

static void obey(const char *value)
{
	self.reboot = same(value, "reboot");
	if (self.reboot || same(value, "poweroff") || same(value, "halt")) {
		xs_write(XS_NO_TX, request, "");
		self.shutdown = true;
		self.note = self.reboot ? "dom0 asks for a reboot" : "dom0 asks to power off";
	} else if (same(value, "suspend")) {
		/* an acknowledgement that did not arrive: dom0 gives up, and so do we */
		self.suspend = xs_write(XS_NO_TX, request, "") == XS_RESULT_OK;
		self.note = self.suspend ? "dom0 asks to suspend" : "dom0 asks to suspend: not acknowledged, ignored";
	} else {
		self.note = "dom0 writes an unknown word to control/shutdown: ignored";
	}
}

void lifecycle_poll(void)
{
	char value[VALUE_BYTES];
	if (!self.look || self.shutdown)
		return;
	enum xs_result result = xs_read(XS_NO_TX, request, value, sizeof(value));
	/* after a limit was hit it is asked again, once a round: such calls fail at once */
	self.look = result == XS_RESULT_TIMEOUT;
	if (result == XS_RESULT_OK && value[0])
		obey(value);
	else if (result == XS_RESULT_TOO_LONG)
		obey("?");
}

bool lifecycle_event(struct platform_event *e)
{
	if (!self.shutdown || self.told)
		return false;
	*e = (struct platform_event){ .kind = EVENT_SHUTDOWN };
	self.told = true;
	return true;
}

bool lifecycle_suspend(void)
{
	bool suspend = self.suspend;
	self.suspend = false;
	return suspend;
}

bool lifecycle_reboot(void)
{
	return self.reboot;
}

const char *lifecycle_note(void)
{
	const char *note = self.note;
	self.note = NULL;
	return note;
}
