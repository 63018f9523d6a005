// SPDX-License-Identifier: ISC
/* The store's channel: one vchan client that is connected anew for ever. */
#include "qdb_link.h"
#include "vchan.h"

enum { AGAIN_MS = 1000, NS_PER_MS = 1000000 };

static struct {
	struct vchan vchan;
	uint64_t again_ns;  /* when to ask for a watch again */
	uint64_t connects, lies;
	bool open;
	bool told;          /* the firewall was told that it is open */
	bool told_session;  /* and of this connection, not one before it */
} self;

void qdb_link_init(void)
{
	vchan_close(&self.vchan);
	memset(&self, 0, sizeof(self));
}

void qdb_link_look(void)
{
	vchan_look(&self.vchan);
}

static void reconnect(uint64_t now_ns)
{
	if (now_ns >= self.again_ns && !vchan_connect(&self.vchan, QDB_LINK_DOMAIN, QDB_LINK_PORT, QDB_LINK_TOKEN))
		self.again_ns = now_ns + (uint64_t)AGAIN_MS * NS_PER_MS;
}

void qdb_link_poll(uint64_t now_ns)
{
	if (self.vchan.state == VCHAN_OFF)
		reconnect(now_ns);
	enum vchan_state state = vchan_poll(&self.vchan, now_ns);
	if (state == VCHAN_OPEN && !self.open) {
		self.open = true;
		self.told_session = false;
		self.connects++;
	} else if (state == VCHAN_ENDED) {
		self.lies += self.vchan.lied;
		self.open = false;
		vchan_close(&self.vchan);
	}
}

uint64_t qdb_link_deadline(void)
{
	return self.vchan.state == VCHAN_OFF ? self.again_ns : vchan_deadline(&self.vchan);
}

bool qdb_link_event(struct platform_event *e)
{
	bool over = self.told && (!self.open || !self.told_session);
	if (!over && (self.told || !self.open))
		return false;
	*e = (struct platform_event){
		.kind = over ? EVENT_CHANNEL_CLOSED : EVENT_CHANNEL_OPEN, .channel = CHANNEL_STORE,
	};
	self.told = self.told_session = !over;
	return true;
}

size_t qdb_link_read(void *bytes, size_t len)
{
	return self.told_session ? vchan_read(&self.vchan, bytes, len) : 0;
}

size_t qdb_link_write(const void *bytes, size_t len)
{
	return self.told_session ? vchan_write(&self.vchan, bytes, len) : 0;
}

void qdb_link_reset(void)
{
	if (!self.open)
		return;
	self.open = false;
	vchan_close(&self.vchan);
}

void qdb_link_status(struct text *t)
{
	text_put(t, "\"store_connects\":");
	text_u64(t, self.connects);
	text_put(t, ",\"store_lies\":");
	text_u64(t, self.lies);
}
