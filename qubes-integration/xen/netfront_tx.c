// SPDX-License-Identifier: ISC
/* The uplink's frames on their way out, into the pages lent to its backend. */
#include "evtchn.h"
#include "framepool.h"
#include "netfront_nic.h"

enum { BACKLOG_MAX = 128 };

static void reap(void)
{
	int32_t n = netring_responses(&nic.tx);
	if (n == NETRING_BAD) {
		nic_break("broken: its tx ring's index jumped");
		return;
	}
	for (; n > 0; n--) {
		uint16_t id;
		int16_t status;
		nettx_response_at(nic.tx.page, nic.tx.rsp_cons++, &id, &status);
		if (status == NETIF_NULL)
			continue; /* an extra slot's */
		if (id >= NIC_PAGES || !nic.tx_pages.busy[id]) {
			nic_break("broken: it answers what it was not asked");
			return;
		}
		nic.tx_errors += status < 0;
		nic.tx_pages.busy[id] = false;
		nic.tx_pages.idle[nic.tx_pages.idle_count++] = id;
	}
}

static uint16_t tx_flags(struct netmarks marks)
{
	return (uint16_t)((marks.csum_blank ? NETTX_CSUM_BLANK : 0) |
			  (marks.data_validated ? NETTX_DATA_VALIDATED : 0) |
			  (marks.gso_type ? NETTX_EXTRA_INFO : 0));
}

static void put(struct frame *f)
{
	struct netmarks marks = netoffload_out(f);
	uint16_t flags = tx_flags(marks);
	uint32_t done = 0;
	while (done < f->len) {
		uint32_t part = f->len - done < XEN_PAGE_BYTES ? f->len - done : XEN_PAGE_BYTES;
		uint16_t page = nic.tx_pages.idle[--nic.tx_pages.idle_count];
		nic.tx_pages.busy[page] = true;
		memcpy(nic.tx_pages.base + (size_t)page * XEN_PAGE_BYTES, f->data + done, part);
		nettx_request_put(nic.tx.page, nic.tx.req_prod++, (struct nettx_request){
			.ref = nic.tx_pages.ref[page], .id = page,
			.size = (uint16_t)(done ? part : f->len), /* the first one's is the whole packet's */
			.flags = (uint16_t)(flags | (done + part < f->len ? NETTX_MORE_DATA : 0)),
		});
		if (flags & NETTX_EXTRA_INFO)
			netextra_put(nic.tx.page, nic.tx.req_prod++, NETRING_TX_WORDS, (struct netextra){
				.type = NETEXTRA_GSO, .gso_size = marks.gso_size, .gso_type = marks.gso_type });
		flags = 0;
		done += part;
	}
	nic.tx_packets++;
	nic.tx_super += marks.gso_type != 0;
}

static bool room_for(const struct frame *f)
{
	uint32_t pages = (f->len + XEN_PAGE_BYTES - 1) / XEN_PAGE_BYTES;
	uint32_t slots = pages + (f->offload.gso_type != GSO_NONE);
	if (nic.tx_pages.idle_count >= pages && netring_room(&nic.tx) >= slots)
		return true;
	reap();
	if (nic.tx_pages.idle_count >= pages && netring_room(&nic.tx) >= slots)
		return true;
	if (!netring_want_responses(&nic.tx, 1))
		return false;
	reap(); /* some came just now */
	return nic.tx_pages.idle_count >= pages && netring_room(&nic.tx) >= slots;
}

static void flush(void)
{
	while (nic_usable() && nic.backlog.head && room_for(nic.backlog.head) && !nic.broken) {
		struct frame *f = frames_take(&nic.backlog);
		put(f);
		framepool_give(f);
	}
}

static void push(void)
{
	if (nic_usable() && nic.tx.req_prod != nic.tx.pushed && netring_push_requests(&nic.tx))
		nic_notify();
}

void nic_drop_backlog(void)
{
	nic.tx_dropped += nic.backlog.count;
	for (struct frame *f; (f = frames_take(&nic.backlog));)
		framepool_give(f);
}

void netfront_tx(struct frame_queue *q)
{
	for (struct frame *f; (f = frames_take(q));) {
		/* a backend that takes nothing may not keep what the clients' super-frames need */
		bool hogs = nic.backlog.count && f->room > FRAMEPOOL_SMALL_BYTES &&
			    framepool_left(FRAMEPOOL_SMALL_BYTES) < nic.large_kept;
		if (!nic_usable() || nic.backlog.count >= BACKLOG_MAX || hogs) {
			nic.tx_dropped++;
			framepool_give(f);
			continue;
		}
		if (!netoffload_fit(f, &nic.caps, &nic.backlog))
			nic.tx_unfit++;
		flush();
	}
	push();
}

bool netfront_poll(void)
{
	if (nic.evtchn && evtchn_pending(nic.evtchn)) {
		nic.rx_ready = true;
		if (nic_usable())
			reap();
		flush();
		push();
	}
	return nic_usable() && nic.rx_ready;
}
