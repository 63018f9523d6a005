/* links: qubes-integration/xen/netback.c qubes-integration/xen/netback_bus.c qubes-integration/xen/netback_rx.c qubes-integration/xen/netback_tx.c qubes-integration/xen/netfront.c qubes-integration/xen/netfront_tx.c qubes-integration/xen/netfront_bus.c qubes-integration/xen/netfront_pages.c qubes-integration/xen/netport.c qubes-integration/xen/netbus.c qubes-integration/xen/netoffload.c qubes-integration/xen/framepool.c netstack/segment.c netstack/limit.c netstack/checksum.c netstack/text.c netstack/addr.c netstack/arena.c tests/unit/xen_fake.c tests/unit/xen_guest.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_xen_net.c: a client's frontend and the uplink's backend write into
 * their rings what the input says, six bytes a step. Every frame that comes
 * out lies inside its buffer, and when both are gone nothing is held.
 */
#include <string.h>

#include "framepool.h"
#include "netfront_nic.h"
#include "vif.h"
#include "xen_guest.h"

enum { STEPS_MAX = 512, TOKEN = 2, FRONT_BYTES = 2 * NIC_PAGES * FAKE_PAGE + 3 * FAKE_PAGE, UPSTREAM = 2, CLIENT = 3 };
#define UP_DIR "/local/domain/2/backend/vif/7/0"
#define DEV FAKE_HOME "/device/vif/0"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static _Alignas(64) uint8_t front_memory[FRONT_BYTES];
static struct guest client;
static struct netring_page *up_tx, *up_rx;

static void settle(uint64_t ns)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	guest_now_ns += ns;
	for (bool again = true; again;) {
		again = false;
		while (xs_event(path, &token)) {
			netback_changed(path);
			netfront_changed(path);
			again = true;
		}
		again |= netback_step(guest_now_ns);
		again |= netfront_step(guest_now_ns);
	}
}

static uint32_t key(const char *path)
{
	uint32_t n = 0;
	for (const char *at = fake_read(path); *at; at++)
		n = n * 10 + (uint32_t)(*at - '0');
	return n;
}

static void connect_client(void)
{
	fake_write("/local/domain/3/device/vif/0/state", "1");
	settle(UINT64_C(1100000000));
	settle(0);
	guest_offer(&client);
	settle(0);
	guest_post(&client, 20);
}

static void connect_uplink(void)
{
	fake_use(key(DEV "/tx-ring-ref"), false);
	fake_use(key(DEV "/rx-ring-ref"), false);
	fake_write(UP_DIR "/state", "2");
	settle(UINT64_C(1100000000));
	settle(0);
	up_tx = fake_given(UPSTREAM, key(DEV "/tx-ring-ref"), NULL);
	up_rx = fake_given(UPSTREAM, key(DEV "/rx-ring-ref"), NULL);
	fake_write(UP_DIR "/state", "4");
	settle(0);
}

static void create(void)
{
	client = (struct guest){ .sg = true, .gso4 = true };
	guest_create(&client, CLIENT, "10.137.0.5", "00:16:3e:5e:6c:05");
	fake_write(UP_DIR "/state", "1");
	fake_write(UP_DIR "/feature-sg", "1");
	fake_write(UP_DIR "/feature-gso-tcpv4", "1");
	fake_write(DEV "/backend", UP_DIR);
	fake_write(DEV "/backend-id", "2");
	fake_write(DEV "/mac", "00:16:3e:5e:6c:00");
	fake_write(DEV "/state", "1");
	connect_uplink();
	connect_client();
}

/* Every frame goes on to the other side, as the firewall would send it. */
static void move(void)
{
	struct frame *burst[PLATFORM_BURST_MAX];
	struct frame_queue up = { 0 }, down = { 0 };
	struct platform_event e;
	(void)netback_poll();
	(void)netfront_poll();
	size_t n = netback_rx(burst, PLATFORM_BURST_MAX / 2);
	n += netfront_rx(burst + n, PLATFORM_BURST_MAX - n);
	for (size_t i = 0; i < n; i++) {
		struct frame *f = burst[i];
		ensure(f->data >= f->buffer && f->len <= frame_room(f) && f->len >= 14);
		ensure(f->port == PORT_UPLINK || (f->port >= PORT_CLIENT_FIRST && f->port < PORT_COUNT));
		bool from_up = f->port == PORT_UPLINK;
		f->port = from_up ? PORT_CLIENT_FIRST : PORT_UPLINK;
		frames_put(from_up ? &down : &up, f);
	}
	netfront_tx(&up);
	netback_tx(&down);
	while (netback_event(&e) || netfront_event(&e))
		;
	settle(0);
}

static uint32_t *word(uint8_t where, uint16_t i)
{
	struct netring_page *pages[] = { client.tx.page, client.rx.page, up_tx, up_rx };
	struct netring_page *page = pages[where & 3];
	return page ? (uint32_t *)(void *)page + i % 784 : NULL; /* as far as the slots reach */
}

static void step(const uint8_t *b)
{
	uint16_t at = (uint16_t)(b[1] | b[2] << 8);
	uint32_t value;
	memcpy(&value, b + 2, sizeof(value));
	uint32_t *to = word(b[0] >> 3, at);
	switch (b[0] & 7) {
	case 0:
		if (to)
			*to = value;
		return;
	case 1: /* small numbers hit more */
		if (to)
			*to = (uint32_t)b[4] << 16 | b[5];
		return;
	case 2: /* an index of the peer's goes on a little: rsp_prod of the uplink's, req_prod of the client's */
		to = word(b[0] >> 3, b[0] >> 3 & 2);
		if (to)
			*to += b[1];
		return;
	case 3: /* a page that it lent for a slot of its tx ring */
		if (client.tx.page)
			netring_put(client.tx.page, at, NETRING_TX_WORDS, 0, client.rx_ref);
		return;
	case 4:
		fake_notify(guest_port(&client));
		fake_notify(key(DEV "/event-channel"));
		move();
		return;
	case 5:
		if (strcmp(guest_state(&client, true), "4") != 0)
			connect_client();
		if (nic.stage != NIC_CONNECTED)
			connect_uplink();
		return;
	case 6:
		guest_front_state(&client, b[1] % 8);
		settle(b[2] * UINT64_C(10000000));
		return;
	case 7:
		fake_deny = b[1] % 4;
		settle(b[2] * UINT64_C(10000000));
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena arena = { front_memory, sizeof(front_memory) };
	struct platform_event e;
	guest_world();
	uint32_t small = framepool_left(0), large = framepool_left(FRAMEPOOL_SMALL_BYTES);
	ensure(netfront_init(&arena, FAKE_HOME));
	create();
	for (uint32_t i = 0; i < STEPS_MAX && len >= 6; i++, bytes += 6, len -= 6)
		step(bytes);
	fake_deny = 0;
	fake_domain_dies(UPSTREAM);
	fake_domain_dies(CLIENT);
	fake_rm("/local/domain/2");
	fake_rm(FAKE_HOME);
	guest_vanish(&client);
	for (uint32_t i = 0; i < 4; i++)
		settle(UINT64_C(40000000000));
	while (netback_event(&e) || netfront_event(&e))
		;
	struct fake_held held = fake_held();
	ensure(held.given == 0 && held.mapped == 0 && held.channels == 0 && held.pages == 0 && held.watches == 1);
	ensure(netback_held().vifs == 0 && netback_held().ports == 0);
	ensure(framepool_left(0) == small && framepool_left(FRAMEPOOL_SMALL_BYTES) == large);
	return 0;
}
