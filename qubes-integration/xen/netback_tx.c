// SPDX-License-Identifier: ISC
/* To frontends: a burst's frames copied into the pages they posted, by one hypercall. */
#include "framepool.h"
#include "vif.h"

enum { BACKLOG_FRAMES_MAX = 128, AGAIN_MAX = 1024 };

/* Frames whose bytes are under way, and where the answer to each op stands. */
static struct {
	struct frame_queue frames;
	uint32_t ops;
	struct { uint16_t vif, id; uint32_t response; } slot[VIF_OPS];
} leaving;

/* What goes into one slot is what lies on one page of ours: copied to the same place in theirs, by one op. */
static uint32_t pages_of(const struct frame *f)
{
	uint32_t offset = (uint32_t)((uintptr_t)f->data % XEN_PAGE_BYTES);
	return (offset + f->len + XEN_PAGE_BYTES - 1) / XEN_PAGE_BYTES;
}

static uint32_t slots_of(const struct frame *f)
{
	return pages_of(f) + (f->offload.gso_type != GSO_NONE);
}

static void copy_now(void)
{
	if (leaving.ops) {
		grant_copy(netback.op, leaving.ops);
		netback.tx_bursts++;
	}
	for (uint32_t i = 0; i < leaving.ops; i++) {
		if (netback.op[i].status == 0)
			continue;
		netback.tx_copy_failed++;
		netrx_response_put(netback.vif[leaving.slot[i].vif].rx.page, leaving.slot[i].response,
				   (struct netrx_response){ .id = leaving.slot[i].id, .status = NETIF_ERROR });
	}
	leaving.ops = 0;
	for (struct frame *f; (f = frames_take(&leaving.frames));)
		framepool_give(f);
}

static uint16_t rx_flags(struct netmarks marks)
{
	return (uint16_t)((marks.csum_blank ? NETRX_CSUM_BLANK : 0) |
			  (marks.data_validated ? NETRX_DATA_VALIDATED : 0) |
			  (marks.gso_type ? NETRX_EXTRA_INFO : 0));
}

static void put(struct vif *v, struct frame *f)
{
	struct netmarks marks = netoffload_out(f);
	uint16_t flags = rx_flags(marks);
	uint8_t *from = f->data;
	for (uint32_t left = f->len; left;) {
		uint32_t offset = (uint32_t)((uintptr_t)from % XEN_PAGE_BYTES);
		uint32_t part = left < XEN_PAGE_BYTES - offset ? left : XEN_PAGE_BYTES - offset;
		struct netrx_request r = netrx_request_at(v->rx.page, v->rx.req_cons++);
		left -= part;
		leaving.slot[leaving.ops].vif = v->number;
		leaving.slot[leaving.ops].id = r.id;
		leaving.slot[leaving.ops].response = v->rx.rsp_prod;
		netback.op[leaving.ops++] = (struct grant_copy_op){
			.ref = r.ref, .domid = v->domid, .offset = (uint16_t)offset, .len = (uint16_t)part,
			.to_foreign = true, .local = from,
		};
		netrx_response_put(v->rx.page, v->rx.rsp_prod++, (struct netrx_response){
			.id = r.id, .offset = (uint16_t)offset, .status = (int16_t)part,
			.flags = (uint16_t)(flags | (left ? NETRX_MORE_DATA : 0)),
		});
		if (flags & NETRX_EXTRA_INFO) {
			netextra_put(v->rx.page, v->rx.rsp_prod++, NETRING_RX_WORDS, (struct netextra){
				.type = NETEXTRA_GSO, .gso_size = marks.gso_size, .gso_type = marks.gso_type });
			v->rx.req_cons++;
		}
		flags = 0;
		from += part;
	}
	v->rx_pushed = true;
	netback.tx_packets++;
	netback.tx_bytes += f->len;
	netback.tx_super += marks.gso_type != 0;
	frames_put(&leaving.frames, f);
}

static void send_backlog(struct vif *v)
{
	uint32_t again = 0;
	while (v->backlog.head) {
		uint32_t slots = slots_of(v->backlog.head);
		int32_t avail = netring_requests(&v->rx);
		if (avail == NETRING_BAD) {
			vif_break(v, "broken: its rx ring's index jumped");
			return;
		}
		if ((uint32_t)avail < slots && !netring_want_requests(&v->rx, slots))
			return;
		if ((uint32_t)avail < slots && ++again < AGAIN_MAX)
			continue; /* they came just now */
		if ((uint32_t)avail < slots) {
			vif_break(v, "broken: its rx ring's index flickers");
			return;
		}
		if (leaving.ops + slots > VIF_OPS)
			copy_now();
		put(v, frames_take(&v->backlog));
	}
}

/* Does it hold a frame of a kind that is short? Not the first alone: what stands behind a small one may be large. */
static bool hogs(const struct vif *v)
{
	bool small = framepool_left(0) < netback.small_kept;
	bool large = framepool_left(FRAMEPOOL_SMALL_BYTES) < netback.large_kept;
	for (const struct frame *f = v->backlog.head; f && (small || large); f = f->next)
		if (f->room > FRAMEPOOL_SMALL_BYTES ? large : small)
			return true;
	return false;
}

/* A frontend that posts no buffers may hold some frames, but not those that others need. */
static void trim(struct vif *v)
{
	while (v->backlog.count > BACKLOG_FRAMES_MAX || hogs(v)) {
		netback.tx_dropped++;
		framepool_give(frames_take(&v->backlog));
	}
}

void vif_drop_backlog(struct vif *v)
{
	netback.tx_dropped += v->backlog.count;
	for (struct frame *f; (f = frames_take(&v->backlog));)
		framepool_give(f);
}

void vif_flush(void)
{
	for (uint32_t i = 0; (i = vif_bit_next(netback.tx_ready, i)) < NETBACK_VIFS_MAX; i++) {
		vif_bit_clear(netback.tx_ready, i);
		send_backlog(&netback.vif[i]);
	}
	copy_now();
	for (uint32_t i = 0; i < netback.live_count; i++) {
		struct vif *v = &netback.vif[netback.live[i]];
		vif_notify(v);
		if (v->backlog.count)
			trim(v);
	}
}

static struct vif *way_to(uint16_t port)
{
	if (port >= PORT_COUNT || netback.port[port].vifs == 0)
		return NULL;
	struct vif *v = &netback.vif[netback.port[port].via];
	return v->broken ? NULL : v;
}

void netback_tx(struct frame_queue *q)
{
	for (struct frame *f; (f = frames_take(q));) {
		struct vif *v = way_to(f->port);
		if (!v) {
			netback.tx_dropped++;
			framepool_give(f);
			continue;
		}
		if (!netoffload_fit(f, &v->caps, &v->backlog))
			netback.tx_unfit++;
		if (v->backlog.count)
			vif_bit_set(netback.tx_ready, v->number);
		if (v->backlog.count < VIF_BACKLOG_BURST)
			continue;
		send_backlog(v); /* pieces of super-frames must not empty the pool */
		if (leaving.frames.count >= VIF_BACKLOG_BURST)
			copy_now();
		trim(v);
	}
	vif_flush();
}
