// SPDX-License-Identifier: ISC
/* A client's frontend and its toolstack, for tests of netback. */
#include "xen_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "framepool.h"
#include "headers.h"
#include "netbus.h"

enum { WORLD_BYTES = 24 << 20, TOKEN = 1 };

uint64_t guest_now_ns;
static uint8_t *world;

void guest_world(void)
{
	static struct arena arena;
	fake_reset();
	if (!world) {
		world = aligned_alloc(FAKE_PAGE, WORLD_BYTES);
		ensure(world);
		arena = (struct arena){ world, WORLD_BYTES };
		framepool_init(&arena); /* once: frames are never unmade */
	}
	struct arena rest = arena;
	guest_now_ns = UINT64_C(1000000000);
	ensure(netback_init(&rest, FAKE_HOME));
	ensure(xs_watch("/local/domain", TOKEN) == XS_RESULT_OK);
}

static void settle(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	bool again = true;
	for (uint32_t i = 0; again; i++) {
		ensure(i < 100000);
		again = false;
		while (xs_event(path, &token)) {
			netback_changed(path);
			again = true;
		}
		again |= netback_step(guest_now_ns);
	}
}

void guest_settle(uint64_t ns)
{
	uint64_t end = guest_now_ns + ns;
	settle();
	while (netback_deadline() <= end) {
		guest_now_ns = netback_deadline() > guest_now_ns ? netback_deadline() : guest_now_ns;
		settle();
	}
	guest_now_ns = end;
}

static const char *dir(const struct guest *g, bool backend)
{
	static char path[2][XS_PATH_BYTES];
	if (backend)
		snprintf(path[1], XS_PATH_BYTES, FAKE_HOME "/backend/vif/%u/%u", g->domid, g->handle);
	else
		snprintf(path[0], XS_PATH_BYTES, "/local/domain/%u/device/vif/%u", g->domid, g->handle);
	return path[backend];
}

static void put(const struct guest *g, bool backend, const char *key, const char *value)
{
	fake_writef(value, "%s/%s", dir(g, backend), key);
}

static void put_number(const struct guest *g, bool backend, const char *key, uint32_t value)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", value);
	put(g, backend, key, text);
}

void guest_create(struct guest *g, uint16_t domid, const char *ip, const char *mac)
{
	g->domid = domid;
	put(g, true, "frontend", dir(g, false));
	put_number(g, true, "frontend-id", domid);
	put(g, true, "online", "1");
	put(g, true, "state", "1");
	put(g, true, "script", "/etc/xen/scripts/vif-route-qubes");
	if (mac)
		put(g, true, "mac", mac);
	if (ip)
		put(g, true, "ip", ip);
	put(g, false, "backend", dir(g, true));
	put_number(g, false, "backend-id", FAKE_SELF);
	put(g, false, "state", "1");
}

void guest_detach(struct guest *g)
{
	put(g, true, "online", "0");
	put(g, true, "state", "5");
}

void guest_vanish(struct guest *g)
{
	fake_rm(dir(g, true));
	fake_rm(dir(g, false));
}

const char *guest_state(const struct guest *g, bool backend)
{
	char path[XS_PATH_BYTES + 8];
	snprintf(path, sizeof(path), "%s/state", dir(g, backend));
	return fake_read(path);
}

void guest_front_state(struct guest *g, int state)
{
	put_number(g, false, "state", (uint32_t)state);
}

void guest_offer(struct guest *g)
{
	g->tx = netring_front_new(fake_page(g->domid, &g->tx_ref));
	g->rx = netring_front_new(fake_page(g->domid, &g->rx_ref));
	g->channel = fake_channel(g->domid);
	g->tx_pages = g->rx_pages = 0;
	memset(g->rx_page, 0, sizeof(g->rx_page));
	memset(g->tx_page, 0, sizeof(g->tx_page));
	put_number(g, false, "tx-ring-ref", g->tx_ref);
	put_number(g, false, "rx-ring-ref", g->rx_ref);
	put_number(g, false, "event-channel", g->channel);
	put(g, false, "request-rx-copy", "1");
	put_number(g, false, "feature-sg", g->sg);
	put_number(g, false, "feature-gso-tcpv4", g->gso4);
	put_number(g, false, "feature-gso-tcpv6", g->gso6);
	put_number(g, false, "feature-no-csum-offload", g->no_csum);
	put_number(g, false, "feature-ipv6-csum-offload", g->csum6);
	guest_front_state(g, XENBUS_CONNECTED);
}

void guest_connect(struct guest *g)
{
	guest_settle(0);
	ensure(strcmp(guest_state(g, true), "2") == 0);
	guest_offer(g);
	guest_settle(0);
	ensure(strcmp(guest_state(g, true), "4") == 0);
}

uint32_t guest_port(const struct guest *g)
{
	return fake_bound(g->channel);
}

static uint8_t *tx_page(struct guest *g, uint32_t *ref)
{
	uint32_t i = g->tx_pages++ % GUEST_PAGES;
	if (!g->tx_page[i])
		g->tx_page[i] = fake_page(g->domid, &g->tx_page_ref[i]);
	*ref = g->tx_page_ref[i];
	return g->tx_page[i];
}

uint32_t guest_send(struct guest *g, const void *bytes, size_t len, size_t part_bytes, uint16_t flags, struct netextra *gso)
{
	uint32_t first = g->tx.req_prod;
	for (size_t done = 0; done < len;) {
		size_t part = len - done < part_bytes ? len - done : part_bytes;
		uint32_t ref;
		uint16_t offset = (uint16_t)((FAKE_PAGE - part) / 2);
		memcpy(tx_page(g, &ref) + offset, (const uint8_t *)bytes + done, part);
		bool more = done + part < len;
		nettx_request_put(g->tx.page, g->tx.req_prod, (struct nettx_request){
			.ref = ref, .offset = offset, .id = (uint16_t)(g->tx.req_prod + 1000),
			.size = (uint16_t)(done ? part : len),
			.flags = (uint16_t)((more ? NETTX_MORE_DATA : 0) |
					    (done ? 0 : flags | (gso ? NETTX_EXTRA_INFO : 0))) });
		g->tx.req_prod++;
		if (gso && !done)
			netextra_put(g->tx.page, g->tx.req_prod++, NETRING_TX_WORDS, *gso);
		done += part;
	}
	return g->tx.req_prod - first;
}

void guest_push(struct guest *g)
{
	bool tx = netring_push_requests(&g->tx), rx = netring_push_requests(&g->rx);
	if (tx || rx)
		fake_notify(guest_port(g));
}

void guest_reap(struct guest *g)
{
	for (int32_t n = netring_responses(&g->tx); n > 0; n--) {
		uint16_t id;
		int16_t status;
		nettx_response_at(g->tx.page, g->tx.rsp_cons, &id, &status);
		if (status != NETIF_NULL) {
			ensure(id == (uint16_t)(g->tx.rsp_cons + 1000)); /* each answer is its request's */
			g->answered_ok += status == NETIF_OKAY;
			g->answered_error += status != NETIF_OKAY;
		}
		g->tx.rsp_cons++;
	}
	(void)netring_want_responses(&g->tx, 1);
}

void guest_post(struct guest *g, uint32_t n)
{
	for (; n && netring_room(&g->rx); n--) {
		uint32_t slot = g->rx.req_prod % NETRING_SLOTS, ref;
		uint8_t *page = fake_page(g->domid, &ref);
		memset(page, 0xee, FAKE_PAGE);
		g->rx_page[slot] = page;
		netrx_request_put(g->rx.page, g->rx.req_prod++, (struct netrx_request){ .id = (uint16_t)slot, .ref = ref });
	}
	guest_push(g);
}

bool guest_receive(struct guest *g, struct guest_frame *f)
{
	int32_t n = netring_responses(&g->rx);
	ensure(n >= 0);
	f->len = f->slots = 0;
	f->failed = false;
	f->gso = (struct netextra){ 0 };
	struct netrx_response r = { .flags = NETRX_MORE_DATA };
	if (n == 0) {
		(void)netring_want_responses(&g->rx, 1);
		return false;
	}
	for (bool first = true; r.flags & NETRX_MORE_DATA; first = false) {
		ensure(n-- > 0); /* a frame is shown whole */
		uint32_t slot = g->rx.rsp_cons++ % NETRING_SLOTS;
		r = netrx_response_at(g->rx.page, slot);
		ensure(r.id == slot);
		f->slots++;
		if (first)
			f->flags = r.flags;
		f->failed = f->failed || r.status < 0;
		if (r.status > 0) {
			ensure(r.offset + r.status <= FAKE_PAGE);
			memcpy(f->bytes + f->len, g->rx_page[slot] + r.offset, (size_t)r.status);
			f->len += (uint16_t)r.status;
		}
		if (first && r.flags & NETRX_EXTRA_INFO) {
			ensure(n-- > 0);
			f->gso = netextra_at(g->rx.page, g->rx.rsp_cons++, NETRING_RX_WORDS);
		}
	}
	return true;
}

size_t guest_frame_udp(uint8_t *frame, size_t len, const char *ip, uint8_t mark)
{
	struct eth_hdr *eth = (void *)frame;
	struct ipv4_hdr *v4 = (void *)(frame + ETH_BYTES);
	struct cursor c = cursor_of(ip, strlen(ip));
	struct ip_addr src;
	ensure(parse_ip(&c, &src) && len >= ETH_BYTES + IPV4_MIN_BYTES + UDP_BYTES);
	memset(frame, mark, len);
	*eth = (struct eth_hdr){ .type = be16_of(ETHERTYPE_IPV4) };
	*v4 = (struct ipv4_hdr){ .version_ihl = 0x45, .total_len = be16_of((uint16_t)(len - ETH_BYTES)), .ttl = 64,
				 .proto = PROTO_UDP, .src = ip_to_v4(src), .dst = { { 192, 0, 2, 1 } } };
	v4->checksum = be16_of(sum_finish(sum_bytes(0, v4, IPV4_MIN_BYTES)));
	struct udp_hdr *udp = (void *)(frame + ETH_BYTES + IPV4_MIN_BYTES);
	*udp = (struct udp_hdr){ .sport = be16_of(4000), .dport = be16_of(53),
				 .len = be16_of((uint16_t)(len - ETH_BYTES - IPV4_MIN_BYTES)) };
	return len;
}
