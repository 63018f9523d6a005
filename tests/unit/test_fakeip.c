/* links: qubes-integration/fakeip.c qubes-integration/fakeip_frame.c netstack/rewrite.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/addr.c netstack/text.c */
// SPDX-License-Identifier: ISC
/* Mapped clients: frames against the same bytes patched plainly, checksums made from nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "craft.h"
#include "fakeip_frame.h"

enum { PORT = 7, IP = ETH_BYTES, SRC = IP + 12, DST = IP + 16 };

static const uint8_t fake[4] = { 192, 168, 1, 77 }, fake_router[4] = { 192, 168, 1, 1 };
static const struct fakeip_ours nobody;
static struct fakeip_ports ports;
static uint8_t buffer[FRAME_HEADROOM_BYTES + CRAFT_ROOM];
static struct frame frame;

static struct ip_addr fake_ip(void)
{
	return ip_v4(192, 168, 1, 77);
}

/* The port's client: real address as given, visible one 192.168.1.77. */
static void map(struct ip_addr real)
{
	struct fakeip table = { .count = 1 };
	table.entry[0].real = real;
	table.entry[0].visible = fake_ip();
	memset(&ports, 0, sizeof(ports));
	fakeip_attach(&ports, &table, PORT, real, &nobody);
	assert_int_equal(ports.mapped, 1);
}

/* The same, and it takes 192.168.1.1 for its gateway. */
static void map_both(struct ip_addr real, struct ip_addr gateway, struct ip_addr uplink)
{
	struct fakeip table = { .count = 1 };
	const struct fakeip_ours ours = { gateway, uplink };
	table.entry[0].real = real;
	table.entry[0].visible = fake_ip();
	table.entry[0].gateway = ip_v4(192, 168, 1, 1);
	memset(&ports, 0, sizeof(ports));
	fakeip_attach(&ports, &table, PORT, real, &ours);
	assert_int_equal(ports.mapped, 1);
}

static struct frame *load(const uint8_t *bytes, size_t len)
{
	frame = (struct frame){ .buffer = buffer, .room = sizeof(buffer), .port = PORT };
	assert_true(frame_reset(&frame, len));
	memcpy(frame.data, bytes, len);
	return &frame;
}

static void run(bool in)
{
	struct frame *burst[1] = { &frame };
	struct frame_queue q = { 0 };
	if (in)
		fakeip_in(&ports, burst, 1);
	frames_put(&q, &frame);
	if (!in)
		fakeip_out(&ports, &q);
}

/* The sample with 4 bytes at `at` replaced and its checksums made anew. */
static void patch(uint8_t *b, size_t len, size_t at, const uint8_t *ip)
{
	size_t header = (size_t)(b[IP] & 15) * 4;
	memcpy(b + at, ip, 4);
	naive_fix(b + IP, header, len - IP - header, b[IP + 9]);
}

static void test_plain(void **state)
{
	(void)state;
	static const enum sample samples[] = { S_TCP, S_UDP, S_ECHO, S_OPTIONS, S_OTHER };
	uint8_t real[CRAFT_ROOM], visible[CRAFT_ROOM];
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		size_t len = craft_sample(samples[i], real);
		/* it is the client's own: 10.137.0.5 */
		memcpy(visible, real, len);
		patch(visible, len, SRC, fake);
		map(ip_v4(10, 137, 0, 5));
		load(visible, len);
		run(true);
		assert_memory_equal(frame.data, real, len);
		/* and to the client: it is 192.0.2.9 */
		memcpy(visible, real, len);
		patch(visible, len, DST, fake);
		map(ip_v4(192, 0, 2, 9));
		load(real, len);
		run(false);
		assert_memory_equal(frame.data, visible, len);
		/* the other side's address is not the client's business */
		load(visible, len);
		run(true);
		assert_memory_equal(frame.data, visible, len);
	}
}

static void test_fragment(void **state)
{
	(void)state;
	uint8_t real[CRAFT_ROOM], visible[CRAFT_ROOM];
	size_t len = craft_sample(S_UDP, real);
	store16(real + IP + 6, 100); /* a later one: no transport header, no transport checksum */
	naive_fix(real + IP, 20, 0, 0);
	memcpy(visible, real, len);
	memcpy(visible + SRC, fake, 4);
	naive_fix(visible + IP, 20, 0, 0);
	map(ip_v4(10, 137, 0, 5));
	load(visible, len);
	run(true);
	assert_memory_equal(frame.data, real, len);
}

/* An error about what the client sent quotes the client as the client knows itself. */
static void test_errors(void **state)
{
	(void)state;
	static const enum sample samples[] = { S_ERROR, S_ERROR_ECHO };
	uint8_t real[CRAFT_ROOM], visible[CRAFT_ROOM];
	for (unsigned i = 0; i < 2; i++) {
		size_t len = craft_sample(samples[i], real), quote = IP + 28;
		memcpy(visible, real, len);
		memcpy(visible + quote + 12, fake, 4);
		naive_fix(visible + quote, 20, len - quote - 20, visible[quote + 9]);
		naive_fix(visible + IP, 20, len - IP - 20, PROTO_ICMP);
		map(ip_v4(10, 137, 0, 5));
		load(real, len);
		run(false);
		assert_memory_equal(frame.data, visible, len);
		/* the client's own error, about what came to it */
		map(ip_v4(192, 0, 2, 9));
		memcpy(visible, real, len);
		memcpy(visible + quote + 16, fake, 4);
		naive_fix(visible + quote, 20, len - quote - 20, visible[quote + 9]);
		naive_fix(visible + IP, 20, len - IP - 20, PROTO_ICMP);
		load(visible, len);
		run(true);
		assert_memory_equal(frame.data, real, len);
	}
}

static void test_arp(void **state)
{
	(void)state;
	uint8_t real[CRAFT_ROOM], visible[CRAFT_ROOM];
	size_t len = craft_sample(S_ARP, real);
	memcpy(visible, real, len);
	memcpy(visible + IP + 14, fake, 4);
	map(ip_v4(10, 137, 0, 5));
	load(visible, len);
	run(true);
	assert_memory_equal(frame.data, real, len);
	/* the answer goes to the address that it asked from */
	memcpy(real + IP + 24, real + IP + 14, 4);
	memcpy(real + IP + 14, "\x0a\x89\0\1", 4);
	memcpy(visible, real, len);
	memcpy(visible + IP + 24, fake, 4);
	load(real, len);
	run(false);
	assert_memory_equal(frame.data, visible, len);
}

static const uint8_t client_ip[4] = { 192, 0, 2, 9 }, gateway_ip[4] = { 10, 138, 0, 1 }, far_ip[4] = { 198, 51, 100, 1 };

/* What the client sends to its gateway, and what the gateway sends to it. */
static void test_gateway(void **state)
{
	(void)state;
	static const enum sample samples[] = { S_TCP, S_UDP, S_ECHO, S_OPTIONS, S_OTHER };
	uint8_t real[CRAFT_ROOM], visible[CRAFT_ROOM];
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		size_t len = craft_sample(samples[i], real);
		memcpy(visible, real, len);
		patch(visible, len, SRC, fake);
		patch(visible, len, DST, fake_router);
		map_both(ip_v4(10, 137, 0, 5), ip_v4(192, 0, 2, 9), ip_v4(10, 137, 0, 6));
		load(visible, len);
		run(true);
		assert_memory_equal(frame.data, real, len);
		memcpy(visible, real, len);
		patch(visible, len, DST, fake);
		patch(visible, len, SRC, fake_router);
		map_both(ip_v4(192, 0, 2, 9), ip_v4(10, 137, 0, 5), ip_v4(10, 137, 0, 6));
		load(real, len);
		run(false);
		assert_memory_equal(frame.data, visible, len);
		/* the uplink's address is one that it may ask for as well */
		map_both(ip_v4(198, 51, 100, 7), ip_v4(10, 138, 0, 1), ip_v4(10, 137, 0, 5));
		load(real, len);
		run(false);
		assert_memory_equal(frame.data, real, len);
	}
}

/* The outer addresses of an error and those that it quotes. */
static size_t error_of(uint8_t *b, const uint8_t *src, const uint8_t *dst, const uint8_t *inner_src, const uint8_t *inner_dst)
{
	size_t len = craft_sample(S_ERROR, b), quote = IP + 28;
	memcpy(b + SRC, src, 4);
	memcpy(b + DST, dst, 4);
	memcpy(b + quote + 12, inner_src, 4);
	memcpy(b + quote + 16, inner_dst, 4);
	naive_fix(b + quote, 20, len - quote - 20, b[quote + 9]);
	naive_fix(b + IP, 20, len - IP - 20, PROTO_ICMP);
	return len;
}

/* Errors of ours come from the gateway, whichever of our addresses they have; those of others do not. */
static void test_gateway_errors(void **state)
{
	(void)state;
	static const uint8_t uplink_ip[4] = { 10, 137, 0, 6 };
	static const struct { const uint8_t *from, *about, *seen_from, *seen_about; } cases[] = {
		{ gateway_ip, gateway_ip, fake_router, fake_router },
		{ uplink_ip, far_ip, fake_router, far_ip },
		{ uplink_ip, uplink_ip, fake_router, uplink_ip },
		{ far_ip, far_ip, far_ip, far_ip },
	};
	uint8_t real[CRAFT_ROOM], visible[CRAFT_ROOM];
	map_both(ip_v4(192, 0, 2, 9), ip_v4(10, 138, 0, 1), ip_v4(10, 137, 0, 6));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = error_of(real, cases[i].from, client_ip, client_ip, cases[i].about);
		(void)error_of(visible, cases[i].seen_from, fake, fake, cases[i].seen_about);
		load(real, len);
		run(false);
		assert_memory_equal(frame.data, visible, len);
	}
	/* and the client's own, about what its gateway sent */
	size_t len = error_of(real, client_ip, gateway_ip, gateway_ip, client_ip);
	(void)error_of(visible, fake, fake_router, fake_router, fake);
	load(visible, len);
	run(true);
	assert_memory_equal(frame.data, real, len);
}

static size_t arp_of(uint8_t *b, uint8_t operation, const uint8_t *sender, const uint8_t *target)
{
	size_t len = craft_sample(S_ARP, b);
	b[IP + 7] = operation;
	memcpy(b + IP + 14, sender, 4);
	memcpy(b + IP + 24, target, 4);
	return len;
}

/* What we ask is asked by the gateway. What is asked of us is answered as it was asked. */
static void test_gateway_arp(void **state)
{
	(void)state;
	enum { REQUEST = 1, REPLY };
	static const uint8_t uplink_ip[4] = { 10, 137, 0, 6 };
	static const struct { bool in; uint8_t operation; const uint8_t *sender, *target, *to_sender, *to_target; } cases[] = {
		{ false, REQUEST, uplink_ip, client_ip, fake_router, fake },
		{ false, REQUEST, uplink_ip, uplink_ip, fake_router, fake_router },
		{ true, REQUEST, fake, fake_router, client_ip, fake_router },
		{ false, REPLY, fake_router, client_ip, fake_router, fake },
		{ false, REPLY, uplink_ip, client_ip, uplink_ip, fake },
	};
	uint8_t before[CRAFT_ROOM], after[CRAFT_ROOM];
	map_both(ip_v4(192, 0, 2, 9), ip_v4(10, 138, 0, 1), ip_v4(10, 137, 0, 6));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = arp_of(before, cases[i].operation, cases[i].sender, cases[i].target);
		(void)arp_of(after, cases[i].operation, cases[i].to_sender, cases[i].to_target);
		load(before, len);
		run(cases[i].in);
		assert_memory_equal(frame.data, after, len);
	}
}

/* When is there a gateway to be translated? */
static void test_gateway_or_not(void **state)
{
	(void)state;
	const struct ip_addr real = ip_v4(10, 137, 0, 5), seen = ip_v4(192, 168, 1, 1), none = { { 0 } };
	const struct ip_addr gateway = ip_v4(10, 138, 0, 1), uplink = ip_v4(10, 137, 0, 6);
	const struct { struct ip_addr seen, gateway, uplink; bool on; struct ip_addr target; } cases[] = {
		{ seen, gateway, uplink, true, gateway }, { seen, none, uplink, true, uplink },
		{ seen, none, none, false, none },        { none, gateway, uplink, false, none },
		{ gateway, gateway, uplink, false, none }, { uplink, gateway, uplink, false, none },
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fakeip table = { .count = 1 };
		const struct fakeip_ours ours = { cases[i].gateway, cases[i].uplink };
		table.entry[0] = (struct fakeip_entry){ real, real, cases[i].seen };
		memset(&ports, 0, sizeof(ports));
		fakeip_attach(&ports, &table, PORT, real, &ours);
		assert_int_equal(ports.mapped, cases[i].on);
		if (cases[i].on)
			assert_true(ip_eq(ports.port[PORT].ours.gateway, cases[i].target));
	}
}

/* A port without a mapping, IPv6, and what does not parse stay as they are. */
static void test_left_alone(void **state)
{
	(void)state;
	uint8_t b[CRAFT_ROOM];
	map_both(ip_v4(10, 137, 0, 5), ip_v4(10, 138, 0, 1), ip_v4(10, 137, 0, 6));
	for (unsigned s = S_TCP6; s < SAMPLE_COUNT; s++) {
		size_t len = craft_sample((enum sample)s, b);
		load(b, len);
		run(true);
		run(false);
		assert_memory_equal(frame.data, b, len);
	}
	size_t len = craft_sample(S_TCP, b);
	load(b, len);
	frame.port = PORT + 1;
	run(false);
	run(true);
	assert_memory_equal(frame.data, b, len);
	memcpy(b + SRC, fake, 4); /* the header's checksum is wrong now */
	load(b, len);
	run(true);
	assert_memory_equal(frame.data, b, len);
}

static struct cursor text(const char *s)
{
	return cursor_of(s, strlen(s));
}

static const struct ip_addr our_gateway = { { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = 138, [14] = 0, [15] = 1 } };

static enum fakeip_outcome put(struct fakeip *f, const char *key, const char *value)
{
	return fakeip_write(f, text(key), text(value), our_gateway);
}

static bool take_away(struct fakeip *f, const char *key)
{
	return fakeip_remove(f, text(key), our_gateway);
}

static void test_table(void **state)
{
	(void)state;
	static struct fakeip f;
	char key[64];
	assert_int_equal(put(&f, "10.137.0.5/visible-ip", "192.168.1.77"), FAKEIP_TAKEN);
	assert_int_equal(put(&f, "10.137.0.5/visible-ip", "192.168.1.77"), FAKEIP_SAME);
	assert_int_equal(put(&f, "10.137.0.6/visible-ip", "10.137.0.6"), FAKEIP_SAME);
	assert_int_equal(put(&f, "10.137.0.6/visible-ip", "10.137.0"), FAKEIP_MALFORMED);
	assert_int_equal(put(&f, "10.137.0.6/visible-ip6", "10.137.0.9"), FAKEIP_SAME);
	assert_int_equal(put(&f, "10.137.0.6/", "10.137.0.9"), FAKEIP_SAME);
	assert_int_equal(put(&f, "fd09::5/visible-ip", "fd09::5"), FAKEIP_SAME);
	assert_int_equal(f.count, 1);
	assert_true(ip_eq(fakeip_visible(&f, ip_v4(10, 137, 0, 5)), fake_ip()));
	assert_true(ip_eq(fakeip_visible(&f, ip_v4(10, 137, 0, 6)), ip_v4(10, 137, 0, 6)));
	/* back to normal by a write, by its key, by its folder, by all */
	assert_int_equal(put(&f, "10.137.0.5/visible-ip", "10.137.0.5"), FAKEIP_TAKEN);
	static const char *const ways[] = { "10.137.0.5/visible-ip", "10.137.0.5/", "" };
	for (unsigned i = 0; i < 3; i++) {
		put(&f, "10.137.0.5/visible-ip", "192.168.1.77");
		assert_false(take_away(&f, "10.137.0.6/"));
		assert_false(take_away(&f, "10.137.0.5/visible-gateway"));
		assert_true(take_away(&f, ways[i]));
		assert_int_equal(f.count, 0);
	}
	for (int i = 0; i < FAKEIP_MAX + 5; i++) {
		snprintf(key, sizeof(key), "10.137.%d.%d/visible-ip", i / 100, i % 100);
		assert_int_equal(put(&f, key, "192.168.1.77"), i < FAKEIP_MAX ? FAKEIP_TAKEN : FAKEIP_FULL);
	}
	assert_int_equal(f.count, FAKEIP_MAX);
}

/* Of every client the store says both keys; only those that see something else take room. */
static void test_gateways(void **state)
{
	(void)state;
	static struct fakeip f;
	const struct ip_addr five = ip_v4(10, 137, 0, 5), router = ip_v4(192, 168, 1, 1);
	assert_int_equal(put(&f, "10.137.0.5/visible-gateway", "10.138.0.1"), FAKEIP_SAME);
	assert_int_equal(f.count, 0);
	assert_int_equal(put(&f, "10.137.0.5/visible-gateway", "192.168.1.x"), FAKEIP_MALFORMED);
	assert_int_equal(put(&f, "10.137.0.5/visible-gateway", "192.168.1.1"), FAKEIP_TAKEN);
	assert_int_equal(put(&f, "10.137.0.5/visible-gateway", "192.168.1.1"), FAKEIP_SAME);
	assert_int_equal(put(&f, "10.137.0.5/visible-ip", "192.168.1.77"), FAKEIP_TAKEN);
	assert_int_equal(f.count, 1);
	assert_true(ip_eq(fakeip_visible(&f, five), fake_ip()));
	assert_true(ip_eq(fakeip_gateway(&f, five), router));
	assert_true(ip_is_zero(fakeip_gateway(&f, ip_v4(10, 137, 0, 6))));
	/* each of both goes alone; with the last one, the entry */
	assert_true(take_away(&f, "10.137.0.5/visible-ip"));
	assert_true(ip_eq(fakeip_visible(&f, five), five));
	assert_true(ip_eq(fakeip_gateway(&f, five), router));
	assert_int_equal(put(&f, "10.137.0.5/visible-ip", "192.168.1.77"), FAKEIP_TAKEN);
	assert_true(take_away(&f, "10.137.0.5/visible-gateway"));
	assert_true(ip_eq(fakeip_visible(&f, five), fake_ip()));
	assert_true(ip_is_zero(fakeip_gateway(&f, five)));
	assert_int_equal(put(&f, "10.137.0.5/visible-gateway", "192.168.1.1"), FAKEIP_TAKEN);
	assert_int_equal(put(&f, "10.137.0.5/visible-ip", "10.137.0.5"), FAKEIP_TAKEN);
	assert_int_equal(f.count, 1);
	assert_int_equal(put(&f, "10.137.0.5/visible-gateway", "10.138.0.1"), FAKEIP_TAKEN);
	assert_int_equal(f.count, 0);
}

/* The table changes under an attached port. */
static void test_ports(void **state)
{
	(void)state;
	struct fakeip none = { 0 };
	map(ip_v4(10, 137, 0, 5));
	fakeip_attach(&ports, &none, PORT, ip_v4(10, 137, 0, 5), &nobody);
	assert_int_equal(ports.mapped, 0);
	map(ip_v4(10, 137, 0, 5));
	fakeip_attach(&ports, &none, PORT, (struct ip_addr){ { 0 } }, &nobody);
	fakeip_attach(&ports, &none, PORT_COUNT, ip_v4(10, 137, 0, 5), &nobody);
	assert_int_equal(ports.mapped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_fragment), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_arp), cmocka_unit_test(test_gateway), cmocka_unit_test(test_gateway_errors),
		cmocka_unit_test(test_gateway_arp), cmocka_unit_test(test_gateway_or_not),
		cmocka_unit_test(test_left_alone), cmocka_unit_test(test_table), cmocka_unit_test(test_gateways),
		cmocka_unit_test(test_ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
