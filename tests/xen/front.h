/* SPDX-License-Identifier: ISC */
/*
 * front.h: a frontend of a guest's netback in dom0's user space, by real grants and event channels, with
 * the folders that the toolstack makes for it: as many as are wanted, with none of a kernel's
 * devices and none of xl's seconds. The program that includes it links xengnttab, xenevtchn and xenstore.
 */
#ifndef FRONT_H
#define FRONT_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "netring.h"

/* Paths in here are far shorter than their buffers. */
#pragma GCC diagnostic ignored "-Wformat-truncation"

enum {
	FRONT_RX = 32,       /* buffers, a page each */
	FRONT_TX_PAGES = 4,  /* a slot's frame is at most */
	FRONT_FRAME = FRONT_TX_PAGES * 4096 / NETRING_SLOTS,
	FRONT_PAGES = 2 + FRONT_TX_PAGES + FRONT_RX,
	FRONT_LIMIT_S = 300, /* an emulated machine, perhaps on a busy host */
};
enum { FRONT_INITIALISING = 1, FRONT_INITWAIT = 2, FRONT_CONNECTED = 4, FRONT_CLOSING = 5, FRONT_CLOSED = 6, FRONT_GONE = -1 };

static struct xs_handle *front_xs;
static xengntshr_handle *front_share;
static xenevtchn_handle *front_channels;
static unsigned front_backend; /* the guest's domain */

struct front {
	char back[96], front[96], ip[16];
	unsigned handle;
	uint8_t *pages;
	uint32_t refs[FRONT_PAGES];
	int channel;
	struct netring_front tx, rx;
	uint64_t sent, answered, failed;
};

static inline double front_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int front_open(unsigned backend)
{
	front_backend = backend;
	front_xs = xs_open(0);
	front_share = xengntshr_open(NULL, 0);
	front_channels = xenevtchn_open(NULL, 0);
	return front_xs && front_share && front_channels;
}

/* --- folders ------------------------------------------------------------------------------- */

static inline void front_write(const char *dir, const char *key, const char *value)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", dir, key);
	xs_write(front_xs, XBT_NULL, path, value, (unsigned)strlen(value));
}

/* Its keys will be the owner's, and the reader's to read, as the folder is. */
static inline void front_dir(const char *dir, unsigned owner, unsigned reader)
{
	struct xs_permissions perms[] = { { owner, XS_PERM_NONE }, { reader, XS_PERM_READ } };
	xs_mkdir(front_xs, XBT_NULL, dir);
	xs_set_permissions(front_xs, XBT_NULL, dir, perms, 2);
}

/* What xl network-attach writes: both folders, in state 1. The frontend's is where `front` says. */
static inline void front_make(struct front *f, unsigned handle, const char *ip, const char *front)
{
	char number[16], self[16], mac[24], parent[64];
	static int have_parent;
	*f = (struct front){ .handle = handle, .channel = -1 };
	snprintf(f->ip, sizeof(f->ip), "%s", ip);
	snprintf(f->front, sizeof(f->front), "%s", front);
	snprintf(f->back, sizeof(f->back), "/local/domain/%u/backend/vif/0/%u", front_backend, handle);
	snprintf(parent, sizeof(parent), "/local/domain/%u/backend/vif/0", front_backend);
	snprintf(number, sizeof(number), "%u", handle);
	snprintf(self, sizeof(self), "%u", front_backend);
	snprintf(mac, sizeof(mac), "00:16:3e:5e:%02x:%02x", handle >> 8 & 0xff, handle & 0xff);
	const struct { const char *key, *value; } back[] = {
		{ "frontend", f->front }, { "frontend-id", "0" }, { "online", "1" }, { "script", "/etc/xen/scripts/vif-none" },
		{ "mac", mac }, { "ip", ip }, { "bridge", "xenbr0" }, { "handle", number }, { "type", "vif" },
		{ "hotplug-status", "" }, { "state", "1" },
	}, ours[] = {
		{ "backend", f->back }, { "backend-id", self }, { "handle", number }, { "mac", mac }, { "state", "1" },
	};
	if (!have_parent) /* its permissions, set anew, would be news of all that are in it */
		front_dir(parent, 0, front_backend);
	have_parent = 1;
	front_dir(f->back, front_backend, 0);
	front_dir(f->front, 0, front_backend);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		front_write(f->front, ours[i].key, ours[i].value);
	for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
		front_write(f->back, back[i].key, back[i].value);
}

static inline void front_put(const struct front *f, const char *key, unsigned value)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", value);
	front_write(f->front, key, text);
}

static inline int front_state(const char *dir) /* FRONT_GONE: no such folder */
{
	char path[256];
	unsigned len;
	snprintf(path, sizeof(path), "%s/state", dir);
	char *value = xs_read(front_xs, XBT_NULL, path, &len);
	int n = value ? atoi(value) : FRONT_GONE;
	free(value);
	return n;
}

static inline int front_await(const struct front *f, int wanted)
{
	double end = front_now() + FRONT_LIMIT_S;
	while (front_state(f->back) != wanted) {
		if (front_now() > end) {
			printf("%s is in state %d, not %d\n", f->back, front_state(f->back), wanted);
			return 0;
		}
		usleep(10000);
	}
	return 1;
}

/* --- rings ------------------------------------------------------------------------------------ */

static inline uint8_t *front_page(const struct front *f, unsigned i)
{
	return f->pages + (size_t)i * 4096;
}

static inline void front_post(struct front *f, uint16_t buffer)
{
	netrx_request_put(f->rx.page, f->rx.req_prod++,
			  (struct netrx_request){ .id = buffer, .ref = f->refs[2 + FRONT_TX_PAGES + buffer] });
}

/* Rings, buffers and keys; the backend is in InitWait. */
static inline int front_offer(struct front *f)
{
	f->pages = xengntshr_share_pages(front_share, front_backend, FRONT_PAGES, f->refs, 1);
	f->channel = xenevtchn_bind_unbound_port(front_channels, front_backend);
	if (!f->pages || f->channel < 0) {
		printf("%s: no pages or channel\n", f->front);
		return 0;
	}
	memset(f->pages, 0, FRONT_PAGES * 4096);
	f->tx = netring_front_new((struct netring_page *)(void *)front_page(f, 0));
	f->rx = netring_front_new((struct netring_page *)(void *)front_page(f, 1));
	for (uint16_t i = 0; i < FRONT_RX; i++)
		front_post(f, i);
	(void)netring_push_requests(&f->rx);
	front_put(f, "tx-ring-ref", f->refs[0]);
	front_put(f, "rx-ring-ref", f->refs[1]);
	front_put(f, "event-channel", (unsigned)f->channel);
	front_put(f, "request-rx-copy", 1);
	front_put(f, "state", FRONT_CONNECTED);
	return 1;
}

/* Puts a frame on the ring; front_push shows it. */
static inline void front_send(struct front *f, const void *frame, size_t len)
{
	uint32_t slot = f->tx.req_prod % NETRING_SLOTS, at = slot * FRONT_FRAME;
	memcpy(front_page(f, 2) + at, frame, len);
	nettx_request_put(f->tx.page, f->tx.req_prod++, (struct nettx_request){
		.ref = f->refs[2 + at / 4096], .offset = (uint16_t)(at % 4096), .id = (uint16_t)slot, .size = (uint16_t)len });
	f->sent++;
}

static inline void front_push(struct front *f)
{
	int tell = netring_push_requests(&f->tx);
	tell |= netring_push_requests(&f->rx);
	if (tell)
		xenevtchn_notify(front_channels, (evtchn_port_t)f->channel);
}

/* Takes the backend's answers to what was sent. 0: the ring makes no sense. */
static inline int front_reap(struct front *f)
{
	int32_t n = netring_responses(&f->tx);
	for (int32_t i = 0; i < n; i++) {
		uint16_t id;
		int16_t status;
		nettx_response_at(f->tx.page, f->tx.rsp_cons++, &id, &status);
		f->answered += status == NETIF_OKAY;
		f->failed += status != NETIF_OKAY;
	}
	(void)netring_want_responses(&f->tx, 1);
	return n >= 0;
}

/* The next frame that came, valid until front_post(f, *buffer); NULL: none. */
static inline const uint8_t *front_receive(struct front *f, uint16_t *buffer, uint32_t *len)
{
	if (netring_responses(&f->rx) <= 0 && !netring_want_responses(&f->rx, 1))
		return NULL;
	struct netrx_response r = netrx_response_at(f->rx.page, f->rx.rsp_cons++);
	*buffer = r.id % FRONT_RX;
	*len = r.status > 0 ? (uint32_t)r.status : 0;
	return front_page(f, 2 + FRONT_TX_PAGES + *buffer) + r.offset % 4096;
}

/* Waits for an event of any, at most ms. */
static inline void front_wait(int ms)
{
	struct pollfd fd = { .fd = xenevtchn_fd(front_channels), .events = POLLIN };
	while (poll(&fd, 1, ms) > 0) {
		xenevtchn_port_or_error_t port = xenevtchn_pending(front_channels);
		if (port >= 0)
			xenevtchn_unmask(front_channels, (evtchn_port_t)port);
		ms = 0;
	}
}

/* --- the end ---------------------------------------------------------------------------------- */

/* What xl network-detach writes; the guest then closes and removes its folder. */
static inline void front_detach(const struct front *f)
{
	front_write(f->back, "online", "0");
	front_write(f->back, "state", "5");
}

/* The guest holds nothing of it any more: pages and channel go back, the folder too. */
static inline void front_free(struct front *f)
{
	if (f->channel >= 0)
		xenevtchn_unbind(front_channels, (evtchn_port_t)f->channel);
	if (f->pages)
		xengntshr_unshare(front_share, f->pages, FRONT_PAGES);
	xs_rm(front_xs, XBT_NULL, f->front);
	f->pages = NULL;
	f->channel = -1;
}

#endif
