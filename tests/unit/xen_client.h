/* SPDX-License-Identifier: ISC */
/*
 * xen_client.h: what the tests of netback say of a client again and again; to
 * be included after cmocka.h.
 */
#ifndef XEN_CLIENT_H
#define XEN_CLIENT_H

#include "headers.h"
#include "netbus.h"
#include "vif.h"
#include "xen_frames.h"
#include "xen_guest.h"

static const struct xen_device DEVICE = { netback_event, netback_poll, netback_rx, netback_tx };

#define IP1 "10.137.0.5"
#define MAC1 "00:16:3e:5e:6c:05"
#define IP2 "10.137.0.9"
#define MAC2 "00:16:3e:5e:6c:09"

static const struct guest LINUX = { .sg = true, .gso4 = true, .gso6 = true, .csum6 = true };

static inline int world(void **state)
{
	(void)state;
	guest_world();
	return 0;
}

static inline uint16_t attach(struct guest *g, uint16_t domid, const char *ip, const char *mac)
{
	*g = LINUX;
	guest_create(g, domid, ip, mac);
	guest_connect(g);
	struct platform_event e = next_event();
	assert_int_equal(e.kind, EVENT_PORT_ATTACHED);
	assert_int_equal(next_event().kind, EVENT_NONE);
	return e.port;
}

/* Does one frame of the guest arrive on the port, whole? */
static inline void assert_hears(struct guest *g, uint16_t port, const char *ip, size_t len, size_t part)
{
	uint8_t bytes[4096];
	struct frame *burst[PLATFORM_BURST_MAX];
	guest_frame_udp(bytes, len, ip, (uint8_t)len);
	guest_send(g, bytes, len, part, 0, NULL);
	guest_push(g);
	assert_int_equal(receive(burst), 1);
	assert_int_equal(burst[0]->port, port);
	assert_int_equal(burst[0]->len, len);
	assert_memory_equal(burst[0]->data, bytes, len);
	assert_int_equal(burst[0]->offload.flags, 0);
	give_all(burst, 1);
	guest_reap(g);
	assert_int_equal(g->tx.rsp_cons, g->tx.req_prod);
}

static inline void assert_reaches(struct guest *g, uint16_t port, size_t len)
{
	static struct guest_frame got;
	uint8_t bytes[4096];
	guest_frame_udp(bytes, len, "192.0.2.1", (uint8_t)(len * 3));
	guest_post(g, 4);
	send(frame_of(port, bytes, len));
	assert_true(guest_receive(g, &got));
	assert_int_equal(got.len, len);
	assert_memory_equal(got.bytes, bytes, len);
	assert_false(guest_receive(g, &got));
}

static inline void assert_nothing_held(void)
{
	struct netback_held held = netback_held();
	assert_int_equal(held.vifs, 0);
	assert_int_equal(held.ports, 0);
	assert_int_equal(held.rings, 0);
	assert_int_equal(held.channels, 0);
	assert_int_equal(held.frames, 0);
	assert_xen_has_all();
}

#endif
