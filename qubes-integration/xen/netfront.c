// SPDX-License-Identifier: ISC
/* The uplink: its events and status, and the frames that come in through the pages lent to its backend. */
#include "evtchn.h"
#include "framepool.h"
#include "headers.h"
#include "netfront_nic.h"

struct nic nic;

static const char home_device[] = "/device";
static char home[NETBUS_DIR_BYTES]; /* with home_device */

bool netfront_init(struct arena *arena, const char *our_home)
{
	size_t pages = 2 * NIC_PAGES;
	uint8_t *at = arena_take_raw(arena, pages + 1, XEN_PAGE_BYTES); /* one more, to start on a page */
	struct text t = text_on(home);
	text_put(&t, our_home);
	text_put(&t, home_device);
	memset(&nic, 0, sizeof(nic));
	nic.dirty = true;
	nic.large_kept = framepool_left(FRAMEPOOL_SMALL_BYTES) / 4;
	if (!at || t.cut)
		return false;
	at += -(uintptr_t)at % XEN_PAGE_BYTES;
	nic.tx_pages.base = at;
	nic.rx_pages.base = at + (size_t)NIC_PAGES * XEN_PAGE_BYTES;
	return true;
}

void netfront_changed(const char *path)
{
	if (!path || netbus_below(path, home) || netbus_below(home, path) ||
	    (nic.backend[0] && (netbus_below(path, nic.backend) || netbus_below(nic.backend, path))))
		nic.dirty = true;
}

bool netfront_step(uint64_t now_ns)
{
	if (!nic.dirty && now_ns < nic.timer_ns)
		return false;
	nic.dirty = false;
	nic.dirty |= nic_step(now_ns);
	return nic.dirty;
}

uint64_t netfront_deadline(void)
{
	return nic.timer_ns;
}

bool netfront_event(struct platform_event *e)
{
	bool up = nic.stage == NIC_CONNECTED;
	*e = (struct platform_event){ .port = PORT_UPLINK };
	if (nic.told_up && (!up || nic.told_connects != nic.connects)) { /* down, if only between two looks */
		nic.told_up = false;
		e->kind = EVENT_LINK_DOWN;
		return true;
	}
	if (!up || nic.told_up)
		return false;
	nic.told_connects = nic.connects;
	if (nic.attached && mac_eq(nic.mac, nic.told_mac) && nic.mtu == nic.told_mtu) {
		nic.told_up = true;
		e->kind = EVENT_LINK_UP;
		return true;
	}
	if (nic.attached) {
		nic.attached = false;
		e->kind = EVENT_PORT_DETACHED;
		return true;
	}
	struct text t = text_on(e->name);
	text_put(&t, "uplink");
	e->kind = EVENT_PORT_ATTACHED;
	e->mtu = nic.told_mtu = nic.mtu;
	e->ours = nic.told_mac = nic.mac;
	e->theirs = nic.theirs;
	nic.attached = nic.told_up = true;
	return true;
}

void nic_break(const char *why)
{
	if (nic.broken)
		return;
	nic.broken = nic.dirty = true;
	nic.broke++;
	netbus_log(nic.dir, why);
}

bool nic_usable(void)
{
	return nic.stage == NIC_CONNECTED && !nic.broken;
}

/* --- from the backend ----------------------------------------------------------------- */

struct parts {
	struct { uint16_t page, offset, len; } at[NIC_SLOTS_MAX];
	uint32_t count, used, total;
	bool failed; /* the backend says so, or it cannot be a frame */
	struct netmarks marks;
};

static bool take_extras(uint32_t avail, struct parts *p)
{
	struct netextra e;
	do {
		if (p->used == avail || p->used == NIC_SLOTS_MAX)
			return false;
		e = netextra_at(nic.rx.page, nic.rx.rsp_cons + p->used, NETRING_RX_WORDS);
		p->used++;
		if (e.type != NETEXTRA_GSO)
			continue;
		p->marks.gso_type = e.gso_type;
		p->marks.gso_size = e.gso_size;
		if ((e.gso_type != NETGSO_TCPV4 && e.gso_type != NETGSO_TCPV6) || e.gso_size == 0)
			p->failed = true;
	} while (e.flags & NETEXTRA_MORE);
	return true;
}

/* One packet's responses. False: they do not end. */
static bool gather(uint32_t avail, struct parts *p)
{
	struct netrx_response r;
	*p = (struct parts){ 0 };
	do {
		if (p->used == avail || p->used == NIC_SLOTS_MAX)
			return false;
		uint32_t slot = nic.rx.rsp_cons + p->used++;
		r = netrx_response_at(nic.rx.page, slot);
		bool first = p->count == 0;
		if (r.status < 0 || r.offset > XEN_PAGE_BYTES ||
		    r.status > (int32_t)(XEN_PAGE_BYTES - r.offset)) {
			p->failed = true;
			r.status = 0;
		}
		p->at[p->count].page = nic.posted[slot % NETRING_SLOTS];
		p->at[p->count].offset = r.offset;
		p->at[p->count++].len = (uint16_t)r.status;
		p->total += (uint16_t)r.status;
		if (!first)
			continue;
		p->marks.csum_blank = r.flags & NETRX_CSUM_BLANK;
		p->marks.data_validated = r.flags & NETRX_DATA_VALIDATED;
		if (r.flags & NETRX_EXTRA_INFO && !take_extras(avail, p))
			return false;
	} while (r.flags & NETRX_MORE_DATA);
	p->failed = p->failed || p->total < ETH_BYTES || p->total > UINT16_MAX;
	return true;
}

static void release(const struct parts *p)
{
	for (uint32_t i = 0; i < p->used; i++) {
		uint16_t page = nic.posted[(nic.rx.rsp_cons + i) % NETRING_SLOTS];
		nic.rx_pages.busy[page] = false;
		nic.rx_pages.idle[nic.rx_pages.idle_count++] = page;
	}
	nic.rx.rsp_cons += p->used;
}

static bool fill(struct frame *f, const struct parts *p)
{
	f->len = p->total;
	uint8_t *to = f->data;
	for (uint32_t i = 0; i < p->count; i++) {
		const uint8_t *page = nic.rx_pages.base + (size_t)p->at[i].page * XEN_PAGE_BYTES;
		memcpy(to, page + p->at[i].offset, p->at[i].len);
		to += p->at[i].len;
	}
	f->port = PORT_UPLINK;
	return netoffload_in(f, p->marks);
}

/* The next packet: a frame; NULL with *more: it was dropped; NULL without: no more now. */
static struct frame *take_packet(uint32_t avail, bool *more)
{
	struct parts p;
	*more = false;
	if (!gather(avail, &p)) {
		nic_break("broken: a packet does not end");
		return NULL;
	}
	struct frame *f = p.failed ? NULL : framepool_take(p.total);
	if (!f && !p.failed) {
		nic.frames_short++;
		return NULL;
	}
	*more = true;
	if (f && !fill(f, &p)) {
		framepool_give(f);
		f = NULL;
	}
	release(&p);
	if (!f) {
		nic.rx_bad++;
		return NULL;
	}
	nic.rx_packets++;
	nic.rx_super += f->offload.gso_type != GSO_NONE;
	return f;
}

void nic_notify(void)
{
	nic.notifies++;
	evtchn_notify(nic.evtchn);
}

size_t netfront_rx(struct frame *burst[], size_t max)
{
	size_t n = 0;
	bool more = true;
	while (nic_usable() && nic.rx_ready && more && n < max) {
		int32_t avail = netring_responses(&nic.rx);
		if (avail == NETRING_BAD) {
			nic_break("broken: its rx ring's index jumped");
			return n;
		}
		if (avail == 0 && !netring_want_responses(&nic.rx, 1)) {
			nic.rx_ready = false;
			break;
		}
		struct frame *f = avail ? take_packet((uint32_t)avail, &more) : NULL;
		if (f)
			burst[n++] = f;
	}
	if (nic_usable() && nic.rx_pages.idle_count) {
		nic_post();
		if (netring_push_requests(&nic.rx))
			nic_notify();
	}
	return n;
}

void netfront_status(struct text *t)
{
	const struct { const char *name; uint64_t value; } members[] = {
		{ "\"up_connected\":", nic.stage == NIC_CONNECTED },
		{ ",\"up_connects\":", nic.connects },
		{ ",\"up_broken\":", nic.broke },
		{ ",\"up_rx\":", nic.rx_packets },
		{ ",\"up_rx_super\":", nic.rx_super },
		{ ",\"up_rx_bad\":", nic.rx_bad },
		{ ",\"up_tx\":", nic.tx_packets },
		{ ",\"up_tx_super\":", nic.tx_super },
		{ ",\"up_tx_dropped\":", nic.tx_dropped + nic.tx_unfit + nic.tx_errors },
		{ ",\"up_notifies\":", nic.notifies },
	};
	for (size_t i = 0; i < array_len(members); i++) {
		text_put(t, members[i].name);
		text_u64(t, members[i].value);
	}
}
