/* links: qubes-integration/xen/netfront.c qubes-integration/xen/netfront_tx.c qubes-integration/xen/netfront_bus.c qubes-integration/xen/netfront_pages.c qubes-integration/xen/netbus.c qubes-integration/xen/netoffload.c qubes-integration/xen/framepool.c netstack/segment.c netstack/checksum.c netstack/text.c netstack/addr.c netstack/arena.c tests/unit/xen_fake.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_xen_netfront.c: backends of every manner under the uplink: frames both
 * ways, netvms that come, go, restart and are others, liars, and what is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "netfront_nic.h"
#include "xen_frames.h"

#define DEV FAKE_HOME "/device/vif/0"

static const struct xen_device DEVICE = { netfront_event, netfront_poll, netfront_rx, netfront_tx };

enum { TOKEN = 1, WORLD_BYTES = 16 << 20, SLOTS = NETRING_SLOTS };

/* The backend: its domain, and its end of the rings. */
struct upstream {
	uint16_t domid;
	struct netring_back tx, rx;
	uint32_t channel; /* ours that it notifies */
};

static uint64_t now_ns;

static int world(void **state)
{
	static struct arena arena;
	static uint8_t *memory;
	(void)state;
	fake_reset();
	if (!memory) {
		memory = aligned_alloc(FAKE_PAGE, WORLD_BYTES);
		assert_non_null(memory);
		arena = (struct arena){ memory, WORLD_BYTES };
		framepool_init(&arena);
	}
	struct arena rest = arena;
	now_ns = UINT64_C(1000000000);
	assert_true(netfront_init(&rest, FAKE_HOME));
	assert_int_equal(xs_watch("/local/domain", TOKEN), XS_RESULT_OK);
	return 0;
}

static void step(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	bool again = true;
	for (uint32_t i = 0; again; i++) {
		assert_true(i < 10000);
		again = false;
		while (xs_event(path, &token)) {
			netfront_changed(path);
			again = true;
		}
		again |= netfront_step(now_ns);
	}
}

static void settle(uint64_t ns)
{
	uint64_t end = now_ns + ns;
	step();
	while (netfront_deadline() <= end) {
		now_ns = netfront_deadline() > now_ns ? netfront_deadline() : now_ns;
		step();
	}
	now_ns = end;
}

static void back_key(const struct upstream *u, const char *key, const char *value)
{
	fake_writef(value, "/local/domain/%u/backend/vif/7/0/%s", u->domid, key);
}

/* The toolstack's nodes of a new device, and the backend's features. */
static void create(struct upstream *u, uint16_t domid)
{
	char text[64];
	*u = (struct upstream){ .domid = domid };
	back_key(u, "state", "1");
	back_key(u, "online", "1");
	back_key(u, "script", "/etc/xen/scripts/vif-route-qubes");
	snprintf(text, sizeof(text), "/local/domain/%u/backend/vif/7/0", domid);
	fake_write(DEV "/backend", text);
	snprintf(text, sizeof(text), "%u", domid);
	fake_write(DEV "/backend-id", text);
	fake_write(DEV "/mac", "00:16:3e:5e:6c:00");
	fake_write(DEV "/handle", "0");
	fake_write(DEV "/state", "1");
}

static void want(struct upstream *u, bool offloads)
{
	const char *yes = offloads ? "1" : "0";
	back_key(u, "feature-sg", "1");
	back_key(u, "feature-gso-tcpv4", yes);
	back_key(u, "feature-gso-tcpv6", yes);
	back_key(u, "feature-ipv6-csum-offload", yes);
	back_key(u, "feature-no-csum-offload", offloads ? "0" : "1");
	back_key(u, "state", "2");
	settle(0);
}

static uint32_t key(const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), DEV "/%s", name);
	return (uint32_t)strtoul(fake_read(path), NULL, 10);
}

static void take_rings(struct upstream *u)
{
	assert_int_equal(key("state"), XENBUS_CONNECTED);
	u->tx.page = fake_given(u->domid, key("tx-ring-ref"), NULL);
	u->rx.page = fake_given(u->domid, key("rx-ring-ref"), NULL);
	assert_non_null(u->tx.page);
	assert_non_null(u->rx.page);
	fake_use(key("tx-ring-ref"), true);
	fake_use(key("rx-ring-ref"), true);
	u->channel = key("event-channel");
	back_key(u, "state", "4");
	settle(0);
}

static void let_go_of_rings(const struct upstream *u, uint32_t tx_ref, uint32_t rx_ref)
{
	(void)u;
	fake_use(tx_ref, false);
	fake_use(rx_ref, false);
}

static void attach(struct upstream *u, uint16_t domid, bool offloads)
{
	create(u, domid);
	want(u, offloads);
	take_rings(u);
}

static void assert_attached(void)
{
	struct platform_event e = next_event();
	assert_int_equal(e.kind, EVENT_PORT_ATTACHED);
	assert_int_equal(e.port, PORT_UPLINK);
	assert_int_equal(e.mtu, 1500);
	assert_int_equal(e.ours.b[1], 0x16);
	assert_int_equal(e.theirs.b[0], 0xfe);
	assert_int_equal(next_event().kind, EVENT_NONE);
}

/* The backend puts bytes into posted buffers, parts of part_bytes, as netback does. */
static void deliver(struct upstream *u, const uint8_t *bytes, size_t len, size_t part_bytes, uint16_t flags,
		    const struct netextra *gso)
{
	for (size_t done = 0; done < len;) {
		size_t part = len - done < part_bytes ? len - done : part_bytes;
		struct netrx_request r = netrx_request_at(u->rx.page, u->rx.req_cons++);
		bool readonly;
		uint8_t *page = fake_given(u->domid, r.ref, &readonly);
		assert_non_null(page);
		assert_false(readonly);
		uint16_t offset = (uint16_t)((FAKE_PAGE - part) / 3);
		memcpy(page + offset, bytes + done, part);
		netrx_response_put(u->rx.page, u->rx.rsp_prod++, (struct netrx_response){
			.id = r.id, .offset = offset, .status = (int16_t)part,
			.flags = (uint16_t)((done ? 0 : flags | (gso ? NETRX_EXTRA_INFO : 0)) |
					    (done + part < len ? NETRX_MORE_DATA : 0)) });
		if (gso && !done) {
			netextra_put(u->rx.page, u->rx.rsp_prod++, NETRING_RX_WORDS, *gso);
			u->rx.req_cons++;
		}
		done += part;
	}
	(void)netring_push_responses(&u->rx);
	fake_notify(u->channel);
}

struct sent { uint8_t bytes[70000]; uint32_t len, slots; uint16_t flags; struct netextra gso; };

/* The next packet that we sent, answered; false: none. */
static bool collect(struct upstream *u, struct sent *s)
{
	struct nettx_request r = { .flags = NETTX_MORE_DATA };
	uint32_t total = 0;
	s->len = s->slots = 0;
	s->gso = (struct netextra){ 0 };
	if (netring_requests(&u->tx) == 0) {
		(void)netring_want_requests(&u->tx, 1);
		return false;
	}
	for (bool first = true; r.flags & NETTX_MORE_DATA; first = false) {
		assert_true(netring_requests(&u->tx) > 0);
		r = nettx_request_at(u->tx.page, u->tx.req_cons++);
		bool readonly;
		const uint8_t *page = fake_given(u->domid, r.ref, &readonly);
		assert_non_null(page);
		assert_true(readonly);
		nettx_response_put(u->tx.page, u->tx.rsp_prod++, r.id, NETIF_OKAY);
		if (first) {
			s->flags = r.flags;
			total = r.size;
			if (r.flags & NETTX_EXTRA_INFO) {
				s->gso = netextra_at(u->tx.page, u->tx.req_cons++, NETRING_TX_WORDS);
				nettx_response_put(u->tx.page, u->tx.rsp_prod++, 0xffff, NETIF_NULL);
			}
			r.size = (uint16_t)(total < FAKE_PAGE ? total : FAKE_PAGE);
		}
		memcpy(s->bytes + s->len, page + r.offset, r.size);
		s->len += r.size;
		s->slots++;
	}
	assert_int_equal(s->len, total);
	(void)netring_push_responses(&u->tx);
	return true;
}

static void fill(uint8_t *bytes, size_t len, uint32_t mark)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + mark);
	memcpy(bytes + 12, "\x08\x00\x45", 3);
}

/* A TCP frame's headers: enough for who looks at offloads. */
static void fill_tcp(uint8_t *bytes, size_t len)
{
	fill(bytes, len, 1);
	memset(bytes + 14, 0, 40);
	bytes[14] = 0x45;
	bytes[16] = (uint8_t)((len - 14) >> 8);
	bytes[17] = (uint8_t)(len - 14);
	bytes[23] = 6;
	bytes[46] = 0x50;
	bytes[47] = 0x10;
}

static void assert_hears(struct upstream *u, size_t len, size_t part)
{
	static uint8_t bytes[9000];
	struct frame *burst[PLATFORM_BURST_MAX];
	fill(bytes, len, (uint32_t)len);
	deliver(u, bytes, len, part, 0, NULL);
	assert_int_equal(receive(burst), 1);
	assert_int_equal(burst[0]->port, PORT_UPLINK);
	assert_int_equal(burst[0]->len, len);
	assert_memory_equal(burst[0]->data, bytes, len);
	framepool_give(burst[0]);
}

static void assert_reaches(struct upstream *u, size_t len)
{
	static struct sent s;
	static uint8_t bytes[9000];
	fill(bytes, len, (uint32_t)len * 3);
	send(frame_of(PORT_UPLINK, bytes, len));
	assert_true(collect(u, &s));
	assert_int_equal(s.len, len);
	assert_memory_equal(s.bytes, bytes, len);
	assert_false(collect(u, &s));
}

static void assert_nothing_held(void)
{
	struct netfront_held held = netfront_held();
	assert_int_equal(held.pages, 0);
	assert_int_equal(held.channels, 0);
	assert_int_equal(held.frames, 0);
	assert_xen_has_all();
}

/* --- connecting ------------------------------------------------------------------------------ */

static void connects_when_the_backend_is_ready(void **state)
{
	(void)state;
	struct upstream u;
	settle(1000 * MS);
	assert_int_equal(next_event().kind, EVENT_NONE); /* no netvm at boot: nothing, and nothing wrong */
	fake_write(DEV "/state", "1"); /* keys come one after another */
	settle(0);
	create(&u, 2);
	fake_rm(DEV "/backend-id");
	settle(0);
	back_key(&u, "state", "2");
	settle(0);
	assert_int_equal(key("state"), 1);
	fake_write(DEV "/backend-id", "2");
	fake_again = 3; /* the transaction meets others */
	settle(0);
	assert_string_equal(fake_read(DEV "/request-rx-copy"), "1");
	assert_string_equal(fake_read(DEV "/feature-gso-tcpv4"), "1");
	assert_int_equal(next_event().kind, EVENT_NONE); /* offered, not answered */
	take_rings(&u);
	assert_attached();
	assert_hears(&u, 100, 4096);
	assert_reaches(&u, 100);
}

static void frames_pass_both_ways(void **state)
{
	(void)state;
	struct upstream u;
	attach(&u, 2, true);
	assert_attached();
	uint32_t frames = framepool_left(0);
	for (uint32_t round = 0; round < 600; round++) { /* more than twice around */
		assert_hears(&u, 60 + round * 2, round % 2 ? 4096 : 500);
		assert_reaches(&u, 60 + round * 2);
	}
	assert_hears(&u, 9000, 4096);
	assert_reaches(&u, 9000);
	assert_int_equal(framepool_left(0), frames);
	assert_int_equal(nic.broke, 0);
}

static void super_frames_pass_whole(void **state)
{
	(void)state;
	static uint8_t bytes[65000];
	static struct sent s;
	struct upstream u;
	struct frame *burst[PLATFORM_BURST_MAX];
	attach(&u, 2, true);
	fill_tcp(bytes, sizeof(bytes));
	for (uint32_t round = 0; round < 40; round++) {
		struct netextra gso = { .type = NETEXTRA_GSO, .gso_size = 1400, .gso_type = NETGSO_TCPV4 };
		deliver(&u, bytes, sizeof(bytes), 4096, NETRX_CSUM_BLANK | NETRX_DATA_VALIDATED, &gso);
		assert_int_equal(receive(burst), 1);
		assert_int_equal(burst[0]->len, sizeof(bytes));
		assert_memory_equal(burst[0]->data, bytes, sizeof(bytes));
		assert_int_equal(burst[0]->offload.gso_type, GSO_TCPV4);
		assert_int_equal(burst[0]->offload.gso_size, 1400);
		assert_int_equal(burst[0]->offload.flags, OFFLOAD_NEEDS_CSUM);
		send(burst[0]);
		assert_true(collect(&u, &s));
		assert_int_equal(s.len, sizeof(bytes));
		assert_memory_equal(s.bytes, bytes, sizeof(bytes));
		assert_int_equal(s.flags & NETTX_CSUM_BLANK, NETTX_CSUM_BLANK);
		assert_int_equal(s.gso.gso_size, 1400);
		assert_int_equal(s.slots, 16);
	}
}

static void a_backend_without_offloads_gets_plain_packets(void **state)
{
	(void)state;
	static uint8_t bytes[10000];
	static struct sent s;
	struct upstream u;
	attach(&u, 2, false);
	fill_tcp(bytes, sizeof(bytes));
	struct frame *f = frame_of(PORT_UPLINK, bytes, sizeof(bytes));
	f->offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM, .gso_type = GSO_TCPV4, .gso_size = 1000, .hdr_len = 54,
				       .csum_start = 34, .csum_offset = 16 };
	send(f);
	size_t have = 0;
	while (collect(&u, &s)) {
		assert_int_equal(s.flags & (NETTX_CSUM_BLANK | NETTX_EXTRA_INFO), 0);
		assert_memory_equal(s.bytes + 54, bytes + 54 + have, s.len - 54);
		have += s.len - 54;
	}
	assert_int_equal(have, sizeof(bytes) - 54);
}

static void a_full_ring_keeps_frames_a_while(void **state)
{
	(void)state;
	static struct sent s;
	struct upstream u;
	uint8_t bytes[100];
	uint32_t frames = framepool_left(0), got = 0;
	attach(&u, 2, true);
	fill(bytes, sizeof(bytes), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		bytes[50] = (uint8_t)i;
		send(frame_of(PORT_UPLINK, bytes, sizeof(bytes)));
	}
	assert_in_range(netfront_held().frames, 1, 200);
	while (collect(&u, &s)) {
		assert_int_equal(s.bytes[50], (uint8_t)got++);
		if (got % 64 == 0) { /* it tells of its answers, as asked */
			fake_notify(u.channel);
			(void)netfront_poll();
		}
	}
	assert_in_range(got, SLOTS + 1, 999);
	assert_int_equal(netfront_held().frames, 0);
	assert_int_equal(framepool_left(0), frames);
}

/* Frames that wait for the backend are not all the large ones: clients' super-frames need some, too. */
static void a_stuck_backend_leaves_large_frames_to_others(void **state)
{
	(void)state;
	static uint8_t bytes[20000];
	static struct sent s;
	struct upstream u;
	uint32_t large = framepool_left(FRAMEPOOL_SMALL_BYTES), small = framepool_left(0), least = large;
	attach(&u, 2, true);
	fill(bytes, sizeof(bytes), 0);
	for (uint32_t i = 0; i < 4 * large + SLOTS; i++) {
		send(frame_of(PORT_UPLINK, bytes, 9000));
		uint32_t left = framepool_left(FRAMEPOOL_SMALL_BYTES);
		assert_true(left > 0);
		least = left < least ? left : least;
	}
	assert_in_range(least, large / 4 - 1, large - 1); /* it does hold some */
	assert_true(nic.tx_dropped > 0);
	for (uint32_t got = 0; collect(&u, &s); got++)
		if (got % 16 == 0) {
			fake_notify(u.channel);
			(void)netfront_poll();
		}
	assert_int_equal(framepool_left(FRAMEPOOL_SMALL_BYTES), large);
	assert_int_equal(framepool_left(0), small);
	assert_reaches(&u, 9000);
}

/* --- backends that come and go ------------------------------------------------------------------- */

static void leave(struct upstream *u, bool cleanly)
{
	uint32_t tx_ref = key("tx-ring-ref"), rx_ref = key("rx-ring-ref");
	if (cleanly) {
		back_key(u, "state", "5");
		settle(0);
		assert_int_equal(key("state"), XENBUS_CLOSED);
		let_go_of_rings(u, tx_ref, rx_ref);
		back_key(u, "state", "6");
		settle(0);
	} else {
		char path[64];
		fake_domain_dies(u->domid);
		snprintf(path, sizeof(path), "/local/domain/%u", u->domid);
		fake_rm(path);
		settle(0);
	}
}

static void netvms_are_switched_restarted_killed(void **state)
{
	(void)state;
	struct upstream u;
	for (uint32_t i = 0; i < 200; i++) {
		uint16_t domid = (uint16_t)(i % 3 ? 2 + i : 2); /* the same one again, or another */
		attach(&u, domid, i % 2);
		struct platform_event e = next_event();
		assert_int_equal(e.kind, i ? EVENT_LINK_UP : EVENT_PORT_ATTACHED);
		assert_hears(&u, 100, 4096);
		assert_reaches(&u, 100);
		leave(&u, i % 4 < 2);
		assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
		if (i % 5 < 3)
			fake_rm(FAKE_HOME "/device"); /* detached */
		settle(600 * MS);
		assert_nothing_held();
	}
}

static void a_new_mac_is_a_new_port(void **state)
{
	(void)state;
	struct upstream u;
	attach(&u, 2, true);
	assert_attached();
	leave(&u, true);
	assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
	fake_rm(FAKE_HOME "/device");
	settle(0);
	create(&u, 3);
	fake_write(DEV "/mac", "00:16:3e:00:00:77");
	want(&u, true);
	take_rings(&u);
	assert_int_equal(next_event().kind, EVENT_PORT_DETACHED);
	struct platform_event e = next_event();
	assert_int_equal(e.kind, EVENT_PORT_ATTACHED);
	assert_int_equal(e.ours.b[5], 0x77);
}

static void a_backend_that_closes_is_asked_to_begin_again(void **state)
{
	(void)state;
	struct upstream u;
	attach(&u, 2, true);
	assert_attached();
	leave(&u, true);
	settle(6000 * MS);
	assert_int_equal(key("state"), XENBUS_INITIALISING);
	want(&u, true);
	u.tx = u.rx = (struct netring_back){ 0 };
	take_rings(&u);
	assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
	assert_int_equal(next_event().kind, EVENT_LINK_UP);
	assert_reaches(&u, 100);
}

static void pages_that_an_old_backend_keeps_are_not_lent_again(void **state)
{
	(void)state;
	struct upstream old, new;
	attach(&old, 2, true);
	uint32_t tx_ref = key("tx-ring-ref"), rx_ref = key("rx-ring-ref");
	uint32_t kept[100];
	uint8_t *page[100];
	for (uint32_t i = 0; i < array_len(kept); i++) { /* posted buffers that it maps and keeps */
		kept[i] = netrx_request_at(old.rx.page, i).ref;
		page[i] = fake_given(2, kept[i], NULL);
		fake_use(kept[i], true);
	}
	back_key(&old, "state", "6");
	fake_rm(FAKE_HOME "/device");
	settle(0);
	attach(&new, 9, true);
	for (uint32_t i = 0; i < 2 * SLOTS; i++) {
		assert_hears(&new, 100, 4096);
		assert_reaches(&new, 100);
	}
	for (uint32_t ref = 0; ref < 1024; ref++)
		for (uint32_t i = 0; i < array_len(page); i++)
			assert_true(!fake_given(9, ref, NULL) || fake_given(9, ref, NULL) != page[i]);
	for (uint32_t i = 0; i < array_len(kept); i++)
		fake_use(kept[i], false);
	let_go_of_rings(&old, tx_ref, rx_ref);
	leave(&new, true);
	fake_rm(FAKE_HOME "/device");
	settle(600 * MS);
	assert_nothing_held();
}

static void a_silent_xenstore_only_delays(void **state)
{
	(void)state;
	for (uint32_t deny = 1; deny < 40; deny++) {
		struct upstream u;
		create(&u, (uint16_t)(10 + deny));
		back_key(&u, "state", "2");
		fake_deny = deny;
		settle(40000 * MS);
		assert_int_equal(key("state"), XENBUS_CONNECTED);
		take_rings(&u);
		settle(31000 * MS);
		assert_reaches(&u, 100);
		leave(&u, false);
		fake_rm(FAKE_HOME "/device");
		fake_deny = deny % 5;
		settle(31000 * MS);
		assert_nothing_held();
	}
}

static uint32_t late_at;

static void one_is_late(void)
{
	fake_deny = late_at-- == 0;
}

/* One answer that does not come in time, whichever it is, ends no connection and costs no offload. */
static void a_late_answer_changes_nothing(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < 60; at++) {
		struct upstream u;
		(void)world(NULL);
		create(&u, 3);
		late_at = at;
		fake_between = one_is_late;
		want(&u, true);
		settle(1000 * MS);
		assert_true(nic.caps.csum6 && nic.caps.csum4 && nic.caps.gso6);
		take_rings(&u);
		fake_between = NULL;
		settle(1000 * MS);
		assert_attached();
		late_at = at;
		fake_between = one_is_late;
		netfront_changed(NULL);
		settle(1000 * MS);
		fake_between = NULL;
		assert_int_equal(next_event().kind, EVENT_NONE);
		assert_int_equal(nic.connects, 1);
		assert_reaches(&u, 100);
	}
}

/* --- liars ---------------------------------------------------------------------------------------------- */

static void lie(struct upstream *u, uint32_t kind)
{
	struct netrx_response r = { .status = 100 };
	uint8_t bytes[100];
	fill(bytes, sizeof(bytes), 0);
	switch (kind) {
	case 0:
		shared_set32(&u->rx.page->rsp_prod, u->rx.rsp_prod + 300);
		break;
	case 1:
		shared_set32(&u->rx.page->rsp_prod, u->rx.rsp_prod - 1);
		break;
	case 2: /* it has nothing to answer */
		shared_set32(&u->tx.page->rsp_prod, u->tx.rsp_prod + 1);
		break;
	case 3: /* an answer to what was not asked */
	case 4:
		send(frame_of(PORT_UPLINK, bytes, sizeof(bytes)));
		nettx_response_put(u->tx.page, u->tx.rsp_prod++, kind == 3 ? 256 : (uint16_t)(netring_word(u->tx.page,
				   u->tx.req_cons, 3, 2) ^ 1), NETIF_OKAY);
		(void)netring_push_responses(&u->tx);
		break;
	case 5: /* more to come that does not */
		r.flags = NETRX_MORE_DATA;
		netrx_response_put(u->rx.page, u->rx.rsp_prod++, r);
		(void)netring_push_responses(&u->rx);
		break;
	case 6: /* or only extras */
		r.flags = NETRX_EXTRA_INFO;
		netrx_response_put(u->rx.page, u->rx.rsp_prod++, r);
		(void)netring_push_responses(&u->rx);
		break;
	}
	fake_notify(u->channel);
}

static void a_liar_is_let_go_and_may_come_again(void **state)
{
	(void)state;
	enum { LIES = 7 };
	struct upstream u;
	struct frame *burst[PLATFORM_BURST_MAX];
	attach(&u, 2, true);
	assert_attached();
	for (uint32_t kind = 0; kind < LIES; kind++) {
		uint32_t tx_ref = key("tx-ring-ref"), rx_ref = key("rx-ring-ref");
		lie(&u, kind);
		assert_int_equal(receive(burst), 0);
		assert_int_equal(nic.broke, kind + 1);
		settle(0);
		assert_int_equal(key("state"), XENBUS_CLOSED);
		assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
		let_go_of_rings(&u, tx_ref, rx_ref);
		back_key(&u, "state", "2");
		settle(500 * MS);
		assert_int_equal(key("state"), XENBUS_CLOSED); /* not at once */
		settle(1000 * MS);
		u.tx = u.rx = (struct netring_back){ 0 };
		take_rings(&u);
		assert_int_equal(next_event().kind, EVENT_LINK_UP);
		assert_hears(&u, 100, 4096);
		assert_reaches(&u, 100);
	}
}

static void bad_packets_are_counted_and_passed_by(void **state)
{
	(void)state;
	static const struct { int16_t status; uint16_t offset, flags; struct netextra extra; } rows[] = {
		{ -1, 0, 0, { 0 } }, { 4096, 1, 0, { 0 } }, { 100, 4000, 0, { 0 } }, { 100, 65535, 0, { 0 } }, { 13, 0, 0, { 0 } },
		{ 0, 0, 0, { 0 } }, { 100, 0, NETRX_CSUM_BLANK, { 0 } },
		{ 100, 0, NETRX_EXTRA_INFO, { .type = NETEXTRA_GSO, .gso_type = 9, .gso_size = 100 } },
		{ 100, 0, NETRX_EXTRA_INFO, { .type = NETEXTRA_GSO, .gso_type = NETGSO_TCPV4, .gso_size = 0 } },
	};
	struct upstream u;
	struct frame *burst[PLATFORM_BURST_MAX];
	attach(&u, 2, true);
	for (size_t i = 0; i < array_len(rows); i++) {
		uint64_t bad = nic.rx_bad;
		struct netrx_request r = netrx_request_at(u.rx.page, u.rx.req_cons++);
		netrx_response_put(u.rx.page, u.rx.rsp_prod++, (struct netrx_response){
			.id = r.id, .offset = rows[i].offset, .flags = rows[i].flags, .status = rows[i].status });
		if (rows[i].flags & NETRX_EXTRA_INFO) {
			netextra_put(u.rx.page, u.rx.rsp_prod++, NETRING_RX_WORDS, rows[i].extra);
			u.rx.req_cons++;
		}
		(void)netring_push_responses(&u.rx);
		fake_notify(u.channel);
		assert_int_equal(receive(burst), 0);
		assert_int_equal(nic.rx_bad, bad + 1);
		assert_hears(&u, 100, 4096);
	}
	assert_int_equal(nic.broke, 0);
}

static void a_random_backend(void **state)
{
	(void)state;
	struct upstream u;
	struct frame *burst[PLATFORM_BURST_MAX];
	uint8_t bytes[100];
	uint32_t small = framepool_left(0), large = framepool_left(FRAMEPOOL_SMALL_BYTES);
	attach(&u, 2, true);
	fill(bytes, sizeof(bytes), 0);
	srandom(21);
	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t *words = (uint32_t *)(void *)(random() % 2 ? u.tx.page : u.rx.page);
		for (uint32_t i = 0; i < 100; i++) {
			uint32_t value = (uint32_t)random() ^ (uint32_t)random() << 16;
			words[16 + random() % 800] = random() % 2 ? value : value & 0x003f000f;
		}
		words[2] = random() % 8 ? words[2] + (uint32_t)random() % 20 : (uint32_t)random();
		fake_notify(u.channel);
		send(frame_of(PORT_UPLINK, bytes, sizeof(bytes)));
		size_t n = receive(burst);
		for (size_t i = 0; i < n; i++)
			framepool_give(burst[i]);
		uint32_t tx_ref = key("tx-ring-ref"), rx_ref = key("rx-ring-ref");
		settle(0);
		if (key("state") == XENBUS_CLOSED) {
			let_go_of_rings(&u, tx_ref, rx_ref);
			back_key(&u, "state", "2");
			settle(1100 * MS);
			take_rings(&u);
		}
	}
	leave(&u, true);
	fake_rm(FAKE_HOME "/device");
	settle(600 * MS);
	assert_nothing_held();
	assert_int_equal(framepool_left(0), small);
	assert_int_equal(framepool_left(FRAMEPOOL_SMALL_BYTES), large);
	assert_true(nic.broke > 100); /* it was tried */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world)
	const struct CMUnitTest tests[] = {
		TEST(connects_when_the_backend_is_ready), TEST(frames_pass_both_ways), TEST(super_frames_pass_whole),
		TEST(a_backend_without_offloads_gets_plain_packets), TEST(a_full_ring_keeps_frames_a_while),
		TEST(a_stuck_backend_leaves_large_frames_to_others),
		TEST(netvms_are_switched_restarted_killed), TEST(a_new_mac_is_a_new_port),
		TEST(a_backend_that_closes_is_asked_to_begin_again),
		TEST(pages_that_an_old_backend_keeps_are_not_lent_again), TEST(a_silent_xenstore_only_delays),
		TEST(a_late_answer_changes_nothing),
		TEST(a_liar_is_let_go_and_may_come_again), TEST(bad_packets_are_counted_and_passed_by),
		TEST(a_random_backend),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
