// SPDX-License-Identifier: ISC
/*
 * XDP ports: a NIC by AF_XDP, whose rings hold the guest's own small buffers.
 * There are no offloads here: every frame is as on the wire, both ways.
 */
#include "port_xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "nic.h"
#include "sandbox.h"

enum { KICKS_MAX = XDP_TX_ENTRIES / 16 }; /* the kernel copies 32 frames a call, or fewer */

static struct xdp_port *opened[PORT_COUNT];
static uint32_t opened_count;

static bool xdp_open(struct driver_port *p, const struct option_port *about)
{
	if (about->kind != OPTION_XDP && about->kind != OPTION_ANY)
		return false;
	struct xdp_port *x = calloc(1, sizeof(*x));
	if (!x)
		die_errno("xdp port ", about->iface);
	int home = nic_enter(about->netns);
	const char *why = xdp_setup(p, x, about, about->kind == OPTION_ANY);
	int error = errno;
	nic_leave(home);
	if (why) {
		char line[128];
		struct text t = text_on(line);
		text_put(&t, about->iface);
		text_put(&t, ": ");
		text_put(&t, why);
		errno = error;
		if (about->kind == OPTION_XDP && error)
			die_errno("xdp on ", line);
		if (about->kind == OPTION_XDP)
			die(EXIT_SETUP, "xdp on ", line);
		free(x);
		return false;
	}
	p->own = x;
	opened[opened_count++] = x;
	return true;
}

/* --- sending --- */

/* Buffers that were sent come home. */
static void reap(struct xdp_port *x)
{
	uint32_t at, n = xsk_ring_cons__peek(&x->comp, XDP_ENTRIES, &at);
	for (uint32_t i = 0; i < n; i++)
		buffers_back((uint32_t)(*xsk_ring_cons__comp_addr(&x->comp, at + i) / ABI_BUFFER_BYTES));
	xsk_ring_cons__release(&x->comp, n);
	x->in_tx -= n;
}

static bool pending(struct xdp_port *x)
{
	return xsk_prod_nb_free(&x->tx, XDP_TX_ENTRIES) < XDP_TX_ENTRIES;
}

/* Makes the kernel look at the tx ring; what it leaves there goes with the next frames. */
static void kick(struct driver_port *p, struct driver_result *r)
{
	struct xdp_port *x = p->own;
	for (int i = 0; i < KICKS_MAX && pending(x) && xsk_ring_prod__needs_wakeup(&x->tx); i++) {
		if (sendto(p->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EBUSY || errno == ENOBUFS)
			continue;
		r->error = errno;
		break;
	}
	reap(x);
}

/* A frame in a small buffer, which is the kernel's then; false: no room. */
static bool queue(struct xdp_port *x, uint32_t number, const uint8_t *data, uint32_t len)
{
	uint32_t at;
	if (!xsk_ring_prod__reserve(&x->tx, 1, &at))
		return false;
	*xsk_ring_prod__tx_desc(&x->tx, at) = (struct xdp_desc){
		.addr = (uint64_t)number * ABI_BUFFER_BYTES + (uint64_t)(data - buffers_at(number)),
		.len = len,
	};
	xsk_ring_prod__submit(&x->tx, 1);
	x->in_tx++;
	return true;
}

static void queued(bool ok, uint32_t len, struct driver_result *r)
{
	if (ok) {
		r->frames++;
		r->bytes += len;
	} else {
		r->lost++;
	}
}

static void xdp_put(struct driver_port *p, struct iovec *part, int count, struct driver_result *r)
{
	struct xdp_port *x = p->own;
	uint32_t number, len = 0;
	if (!buffers_take(BUFFER_SMALL, &number)) {
		r->lost++;
		return;
	}
	uint8_t *data = buffers_at(number);
	for (int i = 0; i < count; i++) {
		if (part[i].iov_len > ABI_BUFFER_BYTES - len) {
			buffers_back(number);
			r->lost++;
			return;
		}
		memcpy(data + len, part[i].iov_base, part[i].iov_len);
		len += (uint32_t)part[i].iov_len;
	}
	bool ok = queue(x, number, data, len);
	if (!ok)
		buffers_back(number);
	queued(ok, len, r);
	if (xsk_prod_nb_free(&x->tx, XDP_TX_ENTRIES) <= XDP_TX_ENTRIES / 2)
		kick(p, r);
}

static void xdp_flush(struct driver_port *p, struct driver_result *r)
{
	kick(p, r);
}

static void xdp_send(struct driver_port *p, const struct driver_frame frames[], uint32_t count,
	struct driver_result *r)
{
	struct xdp_port *x = p->own;
	for (uint32_t i = 0; i < count; i++) {
		const struct driver_frame *f = &frames[i];
		if (f->buffer >= tender.memory.buffer_count) { /* a large one: not the kernel's memory */
			struct iovec part[] = { { 0 }, { f->data, f->len } };
			xdp_put(p, &part[1], 1, r);
			buffers_back(f->buffer);
			continue;
		}
		bool ok = queue(x, f->buffer, f->data, f->len);
		if (!ok)
			buffers_back(f->buffer);
		queued(ok, f->len, r);
	}
	kick(p, r);
}

/* --- receiving --- */

static void xdp_receive(struct driver_port *p, struct driver_frame out[], uint32_t max,
	struct driver_result *r)
{
	struct xdp_port *x = p->own;
	uint32_t at, to, fresh, took = 0, n = xsk_ring_cons__peek(&x->rx, max, &at);
	if (x->in_tx)
		reap(x);
	for (; took < n && r->bytes < DRIVER_BURST_BYTES; took++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&x->rx, at + took);
		if (!buffers_take(BUFFER_SMALL, &fresh))
			break;
		if (!xsk_ring_prod__reserve(&x->fill, 1, &to)) {
			buffers_back(fresh); /* cannot be: they are one share */
			break;
		}
		*xsk_ring_prod__fill_addr(&x->fill, to) = (uint64_t)fresh * ABI_BUFFER_BYTES;
		struct driver_frame *f = &out[r->frames++];
		f->buffer = (uint32_t)(d->addr / ABI_BUFFER_BYTES);
		f->data = buffers_at(f->buffer) + d->addr % ABI_BUFFER_BYTES;
		f->len = d->len;
		f->offload = (struct offload){ 0 };
		r->bytes += f->len;
	}
	xsk_ring_cons__cancel(&x->rx, n - took);
	xsk_ring_cons__release(&x->rx, took);
	xsk_ring_prod__submit(&x->fill, took);
	if (took && xsk_ring_prod__needs_wakeup(&x->fill))
		(void)recvfrom(p->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* --- the rest --- */

/* The buffers in its rings stay there: the kernel lets go of them some time later, unsaid. */
static void xdp_close(struct driver_port *p)
{
	struct xdp_port *x = p->own;
	reap(x);
	for (uint32_t i = 0; i < XDP_MAPPINGS; i++) /* a mapping would hold the socket */
		(void)munmap((void *)x->mapping[i].at, x->mapping[i].bytes);
	const int kept[] = { x->link, x->promiscuous };
	for (size_t i = 0; i < array_len(kept); i++) {
		if (kept[i] < 0)
			continue;
		(void)broker_bury(kept[i]);
		close(kept[i]);
	}
}

static void xdp_allow(void)
{
	if (opened_count == 0)
		return;
	SANDBOX_ALLOW(sendto, SANDBOX_PORT(0), SANDBOX_EQ(1, 0), SANDBOX_EQ(4, 0));
	SANDBOX_ALLOW(recvfrom, SANDBOX_PORT(0));
	SANDBOX_ALLOW(getsockopt, SANDBOX_PORT(0), SANDBOX_EQ(1, SOL_XDP), SANDBOX_EQ(2, XDP_STATISTICS));
	for (uint32_t i = 0; i < opened_count; i++)
		for (uint32_t j = 0; j < XDP_MAPPINGS; j++)
			SANDBOX_ALLOW(munmap, SANDBOX_EQ(0, opened[i]->mapping[j].at),
				SANDBOX_EQ(1, opened[i]->mapping[j].bytes));
}

static void xdp_status(const struct driver_port *p, struct text *t)
{
	const struct xdp_port *x = p->own;
	struct xdp_statistics s = { 0 };
	socklen_t len = sizeof(s);
	(void)getsockopt(p->fd, SOL_XDP, XDP_STATISTICS, &s, &len);
	text_put(t, x->zero_copy ? ",\"xdp\":\"zero-copy\"" : x->generic ? ",\"xdp\":\"generic\"" :
		",\"xdp\":\"copy\"");
	text_put(t, ",\"ring_full\":");
	text_u64(t, s.rx_ring_full + s.rx_fill_ring_empty_descs);
}

const struct driver driver_xdp = {
	.name = "xdp",
	.open = xdp_open,
	.receive = xdp_receive,
	.send = xdp_send,
	.put = xdp_put,
	.flush = xdp_flush,
	.close = xdp_close,
	.allow = xdp_allow,
	.status = xdp_status,
};
