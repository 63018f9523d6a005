/* links: netstack/text.c netstack/addr.c */
/* SPDX-License-Identifier: ISC */
/* test_addr.c: address text against the C library's, and the kinds of addresses. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "addr.h"

static struct ip_addr ip(const char *text)
{
	struct cursor c = cursor_of(text, strlen(text));
	struct ip_addr result = { { 0 } };
	assert_true(parse_ip(&c, &result));
	assert_int_equal(c.left, 0);
	return result;
}

/* A whole string is an address exactly when inet_pton says so, mapped addresses aside. */
static void parses_as_inet_pton(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0", "255.255.255.255", "1.2.3.4", "1.2.3", "1.2.3.", "1.2.3.4.", "256.1.1.1", "01.2.3.4",
		"1.2.3.00", "1..3.4", "", " 1.2.3.4", "1.2.3.4 ", "::", "::1", "1::", "1:2:3:4:5:6:7:8", ":1",
		"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1::2::3", ":::", "1:::2", "1:", "::1:", "12345::", "fe80::1%eth0", "2001:DB8::A", "g::",
		"64:ff9b::192.0.2.1", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4", "::1.2.3",
		"::1.2.3.4:5", "1:2:3::4:5:6:7:8", "1:2:3:4::5:6:7:8", "0:0:0:0:0:0:0:0", "::01.2.3.4",
	};
	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		struct cursor c = cursor_of(texts[i], strlen(texts[i])), before = c;
		struct ip_addr got = { { 0 } };
		uint8_t want[16];
		bool read = parse_ip(&c, &got);
		bool ok = read && !c.left;
		if (!read)
			assert_int_equal(c.left, before.left);
		if (inet_pton(AF_INET6, texts[i], want) == 1) {
			assert_true(ok);
			assert_memory_equal(got.b, want, 16);
		} else if (inet_pton(AF_INET, texts[i], want) == 1) {
			assert_true(ok && ip_is_v4(got));
			assert_memory_equal(got.b + 12, want, 4);
		} else if (ok) {
			fail_msg("\"%s\" is no address", texts[i]);
		}
	}
}

static void refuses_mapped(void **state)
{
	static const char *const texts[] = { "::ffff:1.2.3.4", "::ffff:102:304", "0:0:0:0:0:ffff:1:2" };
	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		struct cursor c = cursor_of(texts[i], strlen(texts[i]));
		struct ip_addr got;
		assert_false(parse_ip(&c, &got));
	}
}

/* Groups out of few values give every pattern of zero runs. */
static void writes_as_inet_ntop_and_back(void **state)
{
	static const uint16_t groups[3] = { 0, 1, 0xab0 };
	(void)state;
	for (unsigned n = 0; n < 6561; n++) {
		struct ip_addr addr;
		for (unsigned i = 0, rest = n; i < 8; i++, rest /= 3) {
			addr.b[2 * i] = (uint8_t)(groups[rest % 3] >> 8);
			addr.b[2 * i + 1] = (uint8_t)groups[rest % 3];
		}
		char got[IP_TEXT], want[IP_TEXT];
		struct text t = text_on(got);
		text_ip(&t, addr);
		assert_false(t.cut);
		inet_ntop(AF_INET6, addr.b, want, sizeof(want));
		/* glibc writes the deprecated ::a.b.c.d form */
		if (!strchr(want, '.'))
			assert_string_equal(got, want);
		assert_true(ip_eq(ip(got), addr));
	}
	char got[IP_TEXT];
	struct text t = text_on(got);
	text_ip(&t, ip_v4(255, 0, 20, 3));
	assert_string_equal(got, "255.0.20.3");
}

static void knows_kinds(void **state)
{
	static const struct { const char *text; bool zero, loop, multi, broad, uni; } rows[] = {
		{ "0.0.0.0", true, false, false, false, false },
		{ "0.0.0.1", false, false, false, false, false },
		{ "1.0.0.0", false, false, false, false, true },
		{ "126.255.255.255", false, false, false, false, true },
		{ "127.0.0.1", false, true, false, false, false },
		{ "128.0.0.0", false, false, false, false, true },
		{ "223.255.255.255", false, false, false, false, true },
		{ "224.0.0.1", false, false, true, false, false },
		{ "239.255.255.255", false, false, true, false, false },
		{ "240.0.0.1", false, false, false, false, false },
		{ "255.255.255.255", false, false, false, true, false },
		{ "::", true, false, false, false, false },
		{ "::1", false, true, false, false, false },
		{ "2001:db8::1", false, false, false, false, true },
		{ "fe80::1", false, false, false, false, true },
		{ "ff02::1", false, false, true, false, false },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct ip_addr a = ip(rows[i].text);
		assert_int_equal(ip_is_zero(a), rows[i].zero);
		assert_int_equal(ip_is_loopback(a), rows[i].loop);
		assert_int_equal(ip_is_multicast(a), rows[i].multi);
		assert_int_equal(ip_is_broadcast(a), rows[i].broad);
		assert_int_equal(ip_is_unicast(a), rows[i].uni);
	}
}

/* Bit by bit: the oracle of ip_in_prefix(). */
static bool same_bits(struct ip_addr a, struct ip_addr b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if ((a.b[i / 8] ^ b.b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void prefixes_hold_their_addresses(void **state)
{
	(void)state;
	for (unsigned family = 0; family < 2; family++) {
		struct ip_addr base = ip(family ? "2001:db8:55:aa:ff::9" : "10.137.85.170");
		for (unsigned len = 0; len <= (family ? 128u : 32u); len++)
			for (unsigned flip = family ? 0 : 96; flip < 128; flip++) {
				struct ip_addr other = base;
				other.b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
				struct ip_prefix prefix = { base, (uint8_t)len };
				assert_true(ip_in_prefix(base, prefix));
				assert_int_equal(ip_in_prefix(other, prefix),
				                 same_bits(base, other, len + (family ? 0 : 96)));
			}
	}
	assert_false(ip_in_prefix(ip("1.2.3.4"), (struct ip_prefix){ ip("::"), 0 }));
	assert_false(ip_in_prefix(ip("2001::"), (struct ip_prefix){ ip("0.0.0.0"), 0 }));
}

static void reads_and_writes_prefixes(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "10.0.0.7/8", "10.0.0.7/8" }, { "1.2.3.4", "1.2.3.4/32" }, { "::/0", "::/0" },
		{ "2001:db8::1", "2001:db8::1/128" }, { "1.2.3.4/32", "1.2.3.4/32" },
		{ "1.2.3.4/33", NULL }, { "::/129", NULL }, { "1.2.3.4/", NULL }, { "1.2.3.4/-1", NULL },
		{ "1.2.3/8", NULL }, { "/8", NULL },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct cursor c = cursor_of(rows[i].text, strlen(rows[i].text));
		struct ip_prefix prefix;
		char got[IP_PREFIX_TEXT];
		struct text t = text_on(got);
		size_t left = c.left;
		assert_int_equal(parse_prefix(&c, &prefix), rows[i].want != NULL);
		assert_int_equal(c.left, rows[i].want ? 0 : left);
		if (!rows[i].want)
			continue;
		text_prefix(&t, prefix);
		assert_string_equal(got, rows[i].want);
	}
}

static void reads_and_writes_macs(void **state)
{
	static const struct { const char *text; bool ok; } rows[] = {
		{ "00:16:3e:5e:6c:00", true }, { "aA:bB:cC:dD:eE:fF", true }, { "0:16:3e:5e:6c:0", false },
		{ "00:16:3e:5e:6c", false }, { "00:16:3e:5e:6c:", false }, { "00-16-3e-5e-6c-00", false },
		{ "00:16:3e:5e:6c:001", false }, { "", false },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct cursor c = cursor_of(rows[i].text, strlen(rows[i].text));
		struct mac mac;
		char got[MAC_TEXT];
		struct text t = text_on(got);
		assert_int_equal(parse_mac(&c, &mac), rows[i].ok);
		if (!rows[i].ok)
			continue;
		text_mac(&t, mac);
		assert_int_equal(strcasecmp(got, rows[i].text), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_as_inet_pton),
		cmocka_unit_test(refuses_mapped),
		cmocka_unit_test(writes_as_inet_ntop_and_back),
		cmocka_unit_test(knows_kinds),
		cmocka_unit_test(prefixes_hold_their_addresses),
		cmocka_unit_test(reads_and_writes_prefixes),
		cmocka_unit_test(reads_and_writes_macs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
