/* links: qubes-integration/xen/netback.c qubes-integration/xen/netback_bus.c qubes-integration/xen/netback_rx.c qubes-integration/xen/netback_tx.c qubes-integration/xen/netport.c qubes-integration/xen/netbus.c qubes-integration/xen/netoffload.c qubes-integration/xen/framepool.c netstack/segment.c netstack/limit.c netstack/checksum.c netstack/text.c netstack/addr.c netstack/arena.c tests/unit/xen_fake.c tests/unit/xen_guest.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_xen_netback.c: frontends of every manner against the backend: frames
 * both ways, the states of xenbus, and what is left when all are gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "xen_client.h"

enum { SUPER_TCP_BYTES = 54, MSS = 1448 };

/* A TCP frame from ip of len bytes: the payload counts, the checksum is blank or (v6: no) pseudo. */
static size_t tcp_frame(uint8_t *at, size_t len)
{
	guest_frame_udp(at, len, IP1, 0);
	struct ipv4_hdr *v4 = (void *)(at + ETH_BYTES);
	struct tcp_hdr *tcp = (void *)(at + ETH_BYTES + IPV4_MIN_BYTES);
	v4->proto = PROTO_TCP;
	*tcp = (struct tcp_hdr){ .sport = be16_of(40000), .dport = be16_of(443), .seq = be32_of(1000), .offset = 0x50,
				 .flags = TCP_ACK | TCP_PSH, .window = be16_of(500) };
	for (size_t i = SUPER_TCP_BYTES; i < len; i++)
		at[i] = (uint8_t)(i * 7 >> 3);
	return len;
}

/* --- connecting ------------------------------------------------------------------------- */

static void connects_late_keys_and_says_who_it_is(void **state)
{
	(void)state;
	struct guest g = LINUX;
	guest_create(&g, 12, NULL, NULL);
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "2"); /* at once: the toolstack waits */
	assert_string_equal(fake_read(FAKE_HOME "/backend/vif/12/0/feature-sg"), "1");
	assert_string_equal(fake_read(FAKE_HOME "/backend/vif/12/0/feature-rx-copy"), "1");
	guest_offer(&g);
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "2"); /* no addresses yet */
	fake_write(FAKE_HOME "/backend/vif/12/0/mac", MAC1);
	guest_settle(0);
	fake_write(FAKE_HOME "/backend/vif/12/0/ip", IP1 " fd09:24ef:4179::a89:5");
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "4");
	struct platform_event e = next_event();
	assert_int_equal(e.kind, EVENT_PORT_ATTACHED);
	assert_string_equal(e.name, "vif12.0");
	assert_int_equal(e.mtu, 1500);
	assert_int_equal(e.addr_count, 2);
	struct ip_addr ip = ip_v4(10, 137, 0, 5);
	assert_memory_equal(&e.addr[0], &ip, sizeof(ip));
	assert_int_equal(e.ours.b[0], 0xfe);
	assert_int_equal(e.theirs.b[5], 5);
	assert_in_range(e.port, PORT_CLIENT_FIRST, PORT_COUNT - 1);
	assert_int_equal(next_event().kind, EVENT_NONE);
}

static char notes[1024];

static void keep_notes(const char *line, size_t len)
{
	size_t at = strlen(notes);
	snprintf(notes + at, sizeof(notes) - at, "%.*s\n", (int)len, line);
}

/* Nobody could tell otherwise why that client has no network. */
static void says_once_that_no_address_is_there(void **state)
{
	(void)state;
	static const char waits[] = "backend/vif/12/0: waits: its key ip in xenstore has no address\n";
	static const char *const unusable[] = { "", "fe80::/zz", "none" };
	struct guest g = LINUX;
	guest_create(&g, 12, NULL, MAC1);
	netbus_log_to(keep_notes);
	notes[0] = 0;
	guest_settle(2000 * MS);
	assert_string_equal(notes, ""); /* no frontend has asked for it */
	guest_offer(&g);
	guest_settle(2000 * MS);
	assert_non_null(strstr(notes, waits));
	for (size_t i = 0; i < array_len(unusable); i++) {
		fake_write(FAKE_HOME "/backend/vif/12/0/ip", unusable[i]);
		guest_settle(2000 * MS);
	}
	assert_string_equal(guest_state(&g, true), "2");
	assert_null(strstr(strstr(notes, waits) + strlen(waits), "waits"));
	fake_write(FAKE_HOME "/backend/vif/12/0/ip", IP1);
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "4");
	assert_int_equal(next_event().kind, EVENT_PORT_ATTACHED);
	assert_null(strstr(strstr(notes, waits) + strlen(waits), "waits"));
	netbus_log_to(NULL);
}

static void frames_pass_both_ways(void **state)
{
	(void)state;
	static const size_t sizes[][2] = { { 60, 4096 }, { 1514, 4096 }, { 1514, 700 }, { 1514, 100 }, { 42, 42 } };
	struct guest g;
	uint16_t port = attach(&g, 3, IP1, MAC1);
	for (uint32_t round = 0; round < 300; round++) /* more than once around the rings */
		for (size_t i = 0; i < array_len(sizes); i++)
			assert_hears(&g, port, IP1, sizes[i][0], sizes[i][1]);
	for (uint32_t round = 0; round < 300; round++)
		assert_reaches(&g, port, 60 + round * 4);
}

static void a_burst_is_one_copy_and_one_event(void **state)
{
	(void)state;
	static struct guest_frame got;
	struct guest g;
	uint8_t bytes[1514];
	struct frame *burst[PLATFORM_BURST_MAX];
	uint16_t port = attach(&g, 3, IP1, MAC1);
	uint32_t p = guest_port(&g);
	guest_frame_udp(bytes, sizeof(bytes), IP1, 1);
	(void)receive(burst);
	guest_reap(&g);
	(void)fake_notified(p);
	uint64_t before = grant_counts().copy_calls;
	for (uint32_t i = 0; i < 32; i++)
		guest_send(&g, bytes, sizeof(bytes), sizeof(bytes), 0, NULL);
	guest_push(&g);
	assert_int_equal(receive(burst), 32);
	assert_int_equal(grant_counts().copy_calls - before, 1);
	assert_int_equal(fake_notified(p), 1);
	guest_post(&g, 64);
	struct frame_queue q = { 0 };
	for (uint32_t i = 0; i < 32; i++)
		frames_put(&q, burst[i]);
	netback_tx(&q);
	assert_int_equal(grant_counts().copy_calls - before, 2);
	assert_int_equal(fake_notified(p), 1);
	for (uint32_t i = 0; i < 32; i++)
		assert_true(guest_receive(&g, &got));
	assert_int_equal(burst[0]->port, port);
}

/* --- super-frames -------------------------------------------------------------------------- */

static void a_super_frame_comes_and_goes_whole(void **state)
{
	(void)state;
	static struct guest_frame got;
	static uint8_t bytes[65535];
	struct guest g;
	struct frame *burst[PLATFORM_BURST_MAX];
	uint16_t port = attach(&g, 3, IP1, MAC1);
	size_t len = tcp_frame(bytes, 65000);
	struct netextra gso = { .type = NETEXTRA_GSO, .gso_size = MSS, .gso_type = NETGSO_TCPV4 };
	guest_send(&g, bytes, len, FAKE_PAGE, NETTX_CSUM_BLANK, &gso);
	guest_push(&g);
	uint64_t before = grant_counts().copy_calls;
	assert_int_equal(receive(burst), 1);
	assert_int_equal(grant_counts().copy_calls - before, 1);
	struct frame *f = burst[0];
	assert_int_equal(f->len, len);
	assert_memory_equal(f->data, bytes, len);
	assert_int_equal(f->offload.flags, OFFLOAD_NEEDS_CSUM);
	assert_int_equal(f->offload.gso_type, GSO_TCPV4);
	assert_int_equal(f->offload.gso_size, MSS);
	assert_int_equal(f->offload.csum_start, 34);
	assert_int_equal(f->offload.csum_offset, 16);
	assert_int_equal(f->offload.hdr_len, SUPER_TCP_BYTES);
	guest_reap(&g);
	assert_int_equal(g.answered_ok, 16);
	guest_post(&g, 40);
	f->port = port;
	before = grant_counts().copy_calls;
	send(f);
	assert_int_equal(grant_counts().copy_calls - before, 1);
	assert_true(guest_receive(&g, &got));
	assert_int_equal(got.len, len);
	assert_memory_equal(got.bytes, bytes, len);
	assert_int_equal(got.flags & (NETRX_CSUM_BLANK | NETRX_DATA_VALIDATED), NETRX_CSUM_BLANK | NETRX_DATA_VALIDATED);
	assert_int_equal(got.gso.type, NETEXTRA_GSO);
	assert_int_equal(got.gso.gso_size, MSS);
	assert_int_equal(got.gso.gso_type, NETGSO_TCPV4);
	assert_in_range(got.slots, 16, 17);
}

static uint32_t word_sum(uint32_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* By the byte, as RFC 9293 says it: is the packet's TCP checksum right? */
static bool tcp_sum_right(const uint8_t *frame, uint32_t len)
{
	uint32_t tcp = len - 34;
	return word_sum(word_sum(PROTO_TCP + tcp, frame + 26, 8), frame + 34, tcp) == 0xffff;
}

static void a_frontend_without_offloads_gets_plain_packets(void **state)
{
	(void)state;
	static struct guest_frame got;
	static uint8_t bytes[20000], whole[20000];
	struct guest g = { .sg = true, .no_csum = true };
	guest_create(&g, 3, IP1, MAC1);
	guest_connect(&g);
	uint16_t port = next_event().port;
	size_t len = tcp_frame(bytes, 20000), have = 0;
	/* the partial sum that the stack would have left there */
	uint32_t tcp = (uint32_t)len - 34, pseudo = word_sum(PROTO_TCP + tcp, bytes + 26, 8);
	bytes[50] = (uint8_t)(pseudo >> 8);
	bytes[51] = (uint8_t)pseudo;
	struct frame *f = frame_of(port, bytes, len);
	f->offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM, .gso_type = GSO_TCPV4, .gso_size = MSS,
				       .hdr_len = SUPER_TCP_BYTES, .csum_start = 34, .csum_offset = 16 };
	guest_post(&g, 100);
	uint32_t frames = framepool_left(0) + framepool_left(FRAMEPOOL_SMALL_BYTES) + 1;
	send(f);
	while (guest_receive(&g, &got)) {
		assert_int_equal(got.flags & NETRX_CSUM_BLANK, 0);
		assert_int_equal(got.gso.type, 0);
		assert_in_range(got.len, SUPER_TCP_BYTES + 1, SUPER_TCP_BYTES + MSS);
		assert_true(tcp_sum_right(got.bytes, got.len));
		memcpy(whole + SUPER_TCP_BYTES + have, got.bytes + SUPER_TCP_BYTES, got.len - SUPER_TCP_BYTES);
		have += got.len - SUPER_TCP_BYTES;
	}
	assert_int_equal(have, len - SUPER_TCP_BYTES);
	assert_memory_equal(whole + SUPER_TCP_BYTES, bytes + SUPER_TCP_BYTES, have);
	assert_int_equal(framepool_left(0) + framepool_left(FRAMEPOOL_SMALL_BYTES), frames);
}

static void checksum_flags_become_metadata(void **state)
{
	(void)state;
	static uint8_t bytes[3000];
	static const struct {
		uint16_t flags, gso_size;
		uint8_t proto;
		size_t arrive; /* frames */
		uint8_t offload_flags;
		uint16_t csum_offset;
	} rows[] = {
		{ 0, 0, PROTO_TCP, 1, 0, 0 },
		{ NETTX_DATA_VALIDATED, 0, PROTO_TCP, 1, OFFLOAD_DATA_VALID, 0 },
		{ NETTX_CSUM_BLANK | NETTX_DATA_VALIDATED, 0, PROTO_TCP, 1, OFFLOAD_NEEDS_CSUM, 16 },
		{ NETTX_CSUM_BLANK, 0, PROTO_UDP, 1, OFFLOAD_NEEDS_CSUM, 6 },
		{ NETTX_CSUM_BLANK, 0, PROTO_ICMP, 0, 0, 0 }, /* has none that could be blank */
		{ 0, 500, PROTO_TCP, 1, OFFLOAD_NEEDS_CSUM, 16 },
		{ NETTX_CSUM_BLANK, 500, PROTO_UDP, 0, 0, 0 },
	};
	struct guest g;
	struct frame *burst[PLATFORM_BURST_MAX];
	attach(&g, 3, IP1, MAC1);
	for (size_t i = 0; i < array_len(rows); i++) {
		size_t len = tcp_frame(bytes, rows[i].gso_size ? 3000 : 600);
		bytes[ETH_BYTES + 9] = rows[i].proto;
		struct netextra gso = { .type = NETEXTRA_GSO, .gso_size = rows[i].gso_size, .gso_type = NETGSO_TCPV4 };
		guest_send(&g, bytes, len, FAKE_PAGE, rows[i].flags, rows[i].gso_size ? &gso : NULL);
		guest_push(&g);
		size_t n = receive(burst);
		assert_int_equal(n, rows[i].arrive);
		if (n) {
			assert_int_equal(burst[0]->offload.flags, rows[i].offload_flags);
			assert_int_equal(burst[0]->offload.csum_offset, rows[i].csum_offset);
		}
		if (n && rows[i].gso_size && !(rows[i].flags & NETTX_CSUM_BLANK)) { /* made partial */
			uint32_t pseudo = word_sum(PROTO_TCP + (uint32_t)len - 34, bytes + 26, 8);
			assert_int_equal(burst[0]->data[50] << 8 | burst[0]->data[51], pseudo);
		}
		give_all(burst, n);
		guest_reap(&g);
	}
}

/* --- a frontend that lags ------------------------------------------------------------------- */

static void frames_wait_for_buffers_and_not_for_ever(void **state)
{
	(void)state;
	static struct guest_frame got;
	struct guest g, other;
	uint8_t bytes[200];
	uint16_t port = attach(&g, 3, IP1, MAC1), second = attach(&other, 4, IP2, MAC2);
	guest_frame_udp(bytes, sizeof(bytes), "192.0.2.1", 1);
	uint32_t frames = framepool_left(0);
	for (uint32_t i = 0; i < 10; i++) {
		bytes[100] = (uint8_t)i;
		send(frame_of(port, bytes, sizeof(bytes)));
	}
	assert_int_equal(netback_held().frames, 10);
	guest_post(&g, 64);
	(void)netback_poll();
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(guest_receive(&g, &got));
		assert_int_equal(got.bytes[100], i); /* in order */
	}
	for (uint32_t i = 0; i < 3000; i++) /* more than there are frames: none is lost for the other */
		send(frame_of(port, bytes, sizeof(bytes)));
	assert_true(framepool_left(0) > frames / 8);
	assert_reaches(&other, second, 300);
	assert_hears(&other, second, IP2, 300, 300);
	guest_vanish(&g);
	guest_settle(0);
	assert_int_equal(framepool_left(0), frames);
}

static void a_copy_that_fails_is_answered_so(void **state)
{
	(void)state;
	static struct guest_frame got;
	struct guest g;
	uint8_t bytes[300];
	struct frame *burst[PLATFORM_BURST_MAX];
	uint16_t port = attach(&g, 3, IP1, MAC1);
	guest_frame_udp(bytes, sizeof(bytes), IP1, 1);
	guest_send(&g, bytes, sizeof(bytes), 100, 0, NULL);
	struct nettx_request r = nettx_request_at(g.tx.page, 1);
	r.ref = 5; /* lent by nobody */
	nettx_request_put(g.tx.page, 1, r);
	guest_send(&g, bytes, sizeof(bytes), 300, 0, NULL);
	guest_push(&g);
	assert_int_equal(receive(burst), 1);
	give_all(burst, 1);
	guest_reap(&g);
	assert_int_equal(g.answered_error, 3);
	assert_int_equal(g.answered_ok, 1);
	netrx_request_put(g.rx.page, g.rx.req_prod++, (struct netrx_request){ .id = 0, .ref = 5 });
	guest_push(&g);
	send(frame_of(port, bytes, sizeof(bytes)));
	assert_true(guest_receive(&g, &got));
	assert_true(got.failed);
	assert_reaches(&g, port, 300); /* and the vif stands */
}

/* --- xenbus --------------------------------------------------------------------------------------- */

static void closes_and_opens_again(void **state)
{
	(void)state;
	struct guest g;
	uint16_t port = attach(&g, 3, IP1, MAC1);
	for (uint32_t i = 0; i < 5; i++) {
		guest_front_state(&g, XENBUS_CLOSING);
		guest_settle(0);
		assert_string_equal(guest_state(&g, true), "5"); /* not skipped */
		assert_int_equal(fake_held().mapped, 0);
		assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
		if (i % 2)
			guest_front_state(&g, XENBUS_CLOSED);
		guest_settle(i % 2 ? 0 : 600 * MS); /* also when it waits for us to go first */
		assert_string_equal(guest_state(&g, true), "6");
		assert_true(fake_exists(FAKE_HOME "/backend/vif/3/0")); /* online: it stays */
		guest_front_state(&g, XENBUS_INITIALISING);
		guest_connect(&g);
		struct platform_event e = next_event();
		assert_int_equal(e.kind, EVENT_LINK_UP);
		assert_int_equal(e.port, port);
		assert_hears(&g, port, IP1, 100, 100);
		assert_reaches(&g, port, 100);
	}
}

static void a_full_close_before_the_first_connection(void **state)
{
	(void)state;
	struct guest g = LINUX;
	guest_create(&g, 3, IP1, MAC1);
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "2");
	guest_front_state(&g, XENBUS_CLOSING);
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "5");
	guest_front_state(&g, XENBUS_CLOSED);
	guest_settle(0);
	assert_string_equal(guest_state(&g, true), "6");
	guest_front_state(&g, XENBUS_INITIALISING);
	guest_connect(&g);
	assert_int_equal(next_event().kind, EVENT_PORT_ATTACHED);
}

/* How a client can go: each leaves nothing behind. */
enum { DETACH_FRONT_FOLLOWS, DETACH_FRONT_SILENT, DETACH_DURING_CLOSE, FOLDERS_GONE, BACK_GONE_FIRST, FRONT_GONE_THEN_DETACH,
       NEVER_CONNECTED, WAYS };

static void go(struct guest *g, uint32_t way)
{
	switch (way) {
	case DETACH_FRONT_FOLLOWS:
	case DETACH_FRONT_SILENT:
	case NEVER_CONNECTED:
		guest_detach(g);
		guest_settle(0);
		assert_string_equal(guest_state(g, true), "6");
		if (way == DETACH_FRONT_FOLLOWS)
			guest_front_state(g, XENBUS_CLOSED);
		break;
	case DETACH_DURING_CLOSE:
		guest_front_state(g, XENBUS_CLOSING);
		guest_settle(0);
		guest_detach(g);
		break;
	case FOLDERS_GONE:
		fake_domain_dies(g->domid);
		guest_vanish(g);
		break;
	case BACK_GONE_FIRST:
		fake_rm(FAKE_HOME "/backend");
		break;
	case FRONT_GONE_THEN_DETACH: {
		char front[64];
		snprintf(front, sizeof(front), "/local/domain/%u", g->domid);
		fake_rm(front);
		guest_settle(0);
		guest_detach(g);
		break;
	}
	}
	guest_settle(1100 * MS);
	assert_false(fake_exists(FAKE_HOME "/backend/vif"));
	guest_vanish(g);
	guest_settle(0);
}

static void a_thousand_come_and_go(void **state)
{
	(void)state;
	struct platform_event e;
	uint32_t frames = framepool_left(0);
	for (uint32_t i = 0; i < 1001; i++) {
		struct guest g = LINUX;
		uint32_t way = i % WAYS;
		guest_create(&g, (uint16_t)(10 + i), IP1, MAC1);
		if (way != NEVER_CONNECTED) {
			guest_connect(&g);
			e = next_event();
			assert_int_equal(e.kind, EVENT_PORT_ATTACHED);
			if (i % 3)
				assert_hears(&g, e.port, IP1, 100, 100);
			if (i % 5 == 0)
				send(frame_of(e.port, "0123456789abcdefghijklmnopqrstuvwxyz0123456789", 46)); /* no room */
		} else {
			guest_settle(0);
		}
		go(&g, way);
		while (netback_event(&e))
			assert_true(e.kind == EVENT_LINK_DOWN || e.kind == EVENT_PORT_DETACHED);
		assert_nothing_held();
		assert_int_equal(framepool_left(0), frames);
	}
}

static void two_vifs_of_one_client(void **state)
{
	(void)state;
	struct guest stub, hvm;
	struct guest_frame *got = malloc(sizeof(*got));
	uint16_t port = attach(&stub, 8, IP1, MAC1);
	hvm = LINUX;
	guest_create(&hvm, 7, IP1, MAC1);
	guest_connect(&hvm);
	assert_int_equal(next_event().kind, EVENT_NONE); /* the same client, still there */
	assert_hears(&stub, port, IP1, 100, 100);
	assert_reaches(&stub, port, 100); /* answers go where it spoke last */
	assert_hears(&hvm, port, IP1, 100, 100);
	assert_reaches(&hvm, port, 100);
	assert_hears(&stub, port, "10.99.99.99", 100, 100); /* not its address: shows nothing */
	assert_reaches(&hvm, port, 100);
	netback_told(port, ip_v4(10, 99, 99, 99)); /* it is the one that it was told of */
	assert_hears(&stub, port, "10.99.99.99", 100, 100);
	assert_reaches(&stub, port, 100);
	assert_hears(&hvm, port, IP1, 100, 100);
	assert_reaches(&hvm, port, 100);
	netback_told(port, (struct ip_addr){ { 0 } });
	assert_hears(&stub, port, "10.99.99.99", 100, 100);
	assert_reaches(&hvm, port, 100);
	assert_hears(&stub, port, "0.0.0.0", 100, 100); /* nobody's, mapped or not */
	assert_reaches(&hvm, port, 100);
	netback_told(PORT_NONE, ip_v4(10, 99, 99, 99)); /* and nobody's port */
	guest_detach(&stub);
	guest_settle(2000 * MS);
	assert_int_equal(next_event().kind, EVENT_NONE);
	assert_reaches(&hvm, port, 100);
	guest_detach(&hvm);
	guest_settle(2000 * MS);
	assert_int_equal(next_event().kind, EVENT_PORT_DETACHED);
	assert_nothing_held();
	free(got);
}

static void the_next_domain_with_its_address_is_another_client(void **state)
{
	(void)state;
	struct guest old, new;
	attach(&old, 8, IP1, MAC1);
	fake_domain_dies(8);
	fake_rm("/local/domain/8"); /* its backend folder lingers */
	guest_settle(0);
	assert_int_equal(next_event().kind, EVENT_LINK_DOWN);
	new = LINUX;
	guest_create(&new, 9, IP1, MAC1);
	guest_connect(&new);
	assert_int_equal(next_event().kind, EVENT_PORT_DETACHED); /* its flows are not the new one's */
	struct platform_event e = next_event();
	assert_int_equal(e.kind, EVENT_PORT_ATTACHED);
	assert_reaches(&new, e.port, 100);
}

static void a_silent_xenstore_delays_and_breaks_nothing(void **state)
{
	(void)state;
	for (uint32_t deny = 1; deny < 60; deny++) { /* each request of a connection once */
		struct guest g = LINUX;
		guest_create(&g, (uint16_t)(20 + deny), IP1, MAC1);
		guest_offer(&g);
		fake_write("/local/domain/0/before", "1");
		for (uint32_t i = 0; i < 3; i++) {
			fake_deny = deny % 7 + i;
			guest_settle(50 * MS);
		}
		guest_settle(35000 * MS);
		assert_string_equal(guest_state(&g, true), "4");
		guest_detach(&g);
		fake_deny = deny % 5;
		guest_settle(7000 * MS);
		guest_vanish(&g);
		guest_settle(0);
		while (next_event().kind != EVENT_NONE)
			;
		assert_nothing_held();
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world)
	const struct CMUnitTest tests[] = {
		TEST(connects_late_keys_and_says_who_it_is), TEST(says_once_that_no_address_is_there),
		TEST(frames_pass_both_ways),
		TEST(a_burst_is_one_copy_and_one_event), TEST(a_super_frame_comes_and_goes_whole),
		TEST(a_frontend_without_offloads_gets_plain_packets), TEST(checksum_flags_become_metadata),
		TEST(frames_wait_for_buffers_and_not_for_ever), TEST(a_copy_that_fails_is_answered_so),
		TEST(closes_and_opens_again), TEST(a_full_close_before_the_first_connection),
		TEST(a_thousand_come_and_go), TEST(two_vifs_of_one_client),
		TEST(the_next_domain_with_its_address_is_another_client),
		TEST(a_silent_xenstore_delays_and_breaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
