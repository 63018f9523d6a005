/* links: firewall/nat.c netstack/hash.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_nat.c: which port a source gets, when which others are taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "nat.h"

static uint8_t taken_ports[65536]; /* 1: taken */
static struct tuple pattern;       /* every candidate is this one, the port aside */
static uint32_t asked;

static bool taken(const void *owner, const struct tuple *reply)
{
	struct tuple t = *reply;
	assert_ptr_equal(owner, taken_ports);
	t.dport = 0;
	assert_memory_equal(&t, &pattern, sizeof(t));
	asked++;
	return taken_ports[reply->dport];
}

static struct tuple orig_of(uint8_t proto, uint16_t sport, uint16_t dport)
{
	bool icmp = proto == PROTO_ICMP;
	return (struct tuple){ ip_v4(10, 137, 0, 5), ip_v4(1, 2, 3, 4), sport, icmp ? 0 : dport, proto,
	                       icmp ? 8 : 0, 0 };
}

static bool bind(const struct tuple *orig, struct ip_addr nat, struct tuple *reply, bool *collision)
{
	static struct secret secret = { { 3, 4 }, 0 };
	pattern = tuple_reverse(orig);
	if (!ip_is_zero(nat))
		pattern.dst = nat;
	pattern.dport = 0;
	asked = 0;
	return nat_bind(orig, nat, taken, taken_ports, &secret, reply, collision);
}

static const struct ip_addr zero;

static void fill(int value, uint32_t from, uint32_t to)
{
	memset(taken_ports + from, value, to - from + 1);
}

static void test_preserves(void **state)
{
	(void)state;
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };
	static const uint16_t ports[] = { 0, 1, 1023, 1024, 40000, 65535 };
	for (size_t i = 0; i < array_len(protos) * array_len(ports); i++) {
		struct tuple orig = orig_of(protos[i % 3], ports[i / 3], 80), reply;
		bool collision = true;
		fill(1, 0, 65535);
		taken_ports[orig.sport] = 0;
		assert_true(bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision));
		assert_int_equal(reply.dport, orig.sport);
		assert_int_equal(reply.sport, orig.dport);
		assert_int_equal(asked, 1);
		assert_false(collision);
		assert_true(ip_eq(reply.dst, ip_v4(5, 6, 7, 8)));
		assert_true(ip_eq(reply.src, orig.dst));
	}
}

static void test_untranslated(void **state)
{
	(void)state;
	struct tuple orig = orig_of(PROTO_TCP, 1000, 80), reply, back = tuple_reverse(&orig);
	bool collision;
	fill(0, 0, 65535);
	assert_true(bind(&orig, zero, &reply, &collision));
	assert_true(tuple_eq(&reply, &back));
	taken_ports[1000] = 1;
	assert_false(bind(&orig, zero, &reply, &collision));
	assert_int_equal(asked, 1);
}

/* A taken port gives another in the range, not the same twice in a row, and over time all of it. */
static void test_random(void **state)
{
	(void)state;
	static const struct { uint8_t proto; uint16_t sport, first; } rows[] = {
		{ PROTO_TCP, 80, 1024 }, { PROTO_UDP, 50000, 1024 }, { PROTO_ICMP, 7, 0 },
	};
	for (size_t i = 0; i < array_len(rows); i++) {
		struct tuple orig = orig_of(rows[i].proto, rows[i].sport, 53), reply;
		bool collision;
		uint32_t tenths[10] = { 0 }, steps = 0, last = 0;
		fill(0, 0, 65535);
		taken_ports[orig.sport] = 1;
		for (uint32_t n = 0; n < 1000; n++) {
			assert_true(bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision));
			assert_true(collision);
			assert_true(reply.dport >= rows[i].first && reply.dport != orig.sport);
			tenths[(uint32_t)reply.dport * 10 / 65536]++;
			steps += reply.dport == last + 1;
			last = reply.dport;
		}
		for (uint32_t n = 0; n < 10; n++)
			assert_in_range(tenths[n], 50, 200);
		assert_in_range(steps, 0, 5); /* not one after the other */
	}
}

static void test_crowded(void **state)
{
	(void)state;
	struct tuple orig = orig_of(PROTO_TCP, 40000, 80), reply;
	bool collision;
	/* every 512th port is free: the scan meets two */
	fill(1, 0, 65535);
	for (uint32_t p = 1024; p < 65536; p += 512)
		taken_ports[p] = 0;
	for (uint32_t n = 0; n < 100; n++) {
		assert_true(bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision));
		assert_int_equal(taken_ports[reply.dport], 0);
	}
	/* none but low ones: those are not given */
	fill(1, 0, 65535);
	fill(0, 0, 1023);
	assert_false(bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision));
	assert_int_equal(asked, 1 + NAT_RANDOM_PROBES + NAT_LINEAR_PROBES);
}

/* The scan goes around the end of the range. */
static void test_wraps(void **state)
{
	(void)state;
	struct tuple orig = orig_of(PROTO_UDP, 40000, 80), reply;
	bool collision;
	uint32_t low = 0;
	fill(1, 0, 65535);
	fill(0, 1024, 2000);
	for (uint32_t n = 0; n < 200; n++) {
		if (bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision)) {
			assert_in_range(reply.dport, 1024, 2000);
			low++;
		}
	}
	assert_in_range(low, 150, 200); /* 977 of 64512 by 128 probes: 86 % */
}

static void test_other_protocols(void **state)
{
	(void)state;
	struct tuple orig = orig_of(47, 0, 0), reply;
	bool collision;
	fill(0, 0, 65535);
	assert_true(bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision));
	assert_int_equal(reply.dport, 0);
	taken_ports[0] = 1;
	assert_false(bind(&orig, ip_v4(5, 6, 7, 8), &reply, &collision));
	assert_int_equal(asked, 1);
	assert_true(collision);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preserves),
		cmocka_unit_test(test_untranslated),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_other_protocols),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
