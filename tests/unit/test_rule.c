/* links: rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rule.h"

static bool parse(const char *line, bool v6, struct parsed_rule *r, char *error)
{
	struct rule_error err;
	/* exact size, so that the sanitizer sees a read past the end */
	size_t len = strlen(line);
	static char *kept;
	free(kept);
	kept = malloc(len + 1);
	char *exact = kept + 1;
	memcpy(exact, line, len);
	if (rule_parse(exact, len, v6, r, &err))
		return true;
	struct text t = text_of(error, RULE_ERROR_TEXT);
	rule_error_text(&t, &err);
	assert_false(t.cut);
	return false;
}

/* in -> canonical; NULL: already canonical */
static const struct { const char *in, *canonical; bool v6; } good[] = {
	{ "action=accept", NULL, false },
	{ "action=drop", NULL, true },
	{ "action=accept dst4=8.8.8.8 proto=udp dstports=53-53", "action=accept dst4=8.8.8.8/32 proto=udp dstports=53-53", false },
	{ "action=drop dst6=2a00:1450:4000::/37 proto=tcp", NULL, true },
	{ "action=accept dst4=127.0.0.1/8", NULL, false },
	{ "action=accept dst4=0.0.0.0/0", NULL, false },
	{ "action=accept dsthost=cyber.biz", NULL, false },
	{ "action=accept dsthost=1.2.3.4", "action=accept dst4=1.2.3.4/32", false },
	{ "action=accept dsthost=1.2.3.4", NULL, true },
	{ "action=accept dsthost=2001:db8::1", "action=accept dst6=2001:db8::1/128", true },
	{ "action=accept dsthost=443", NULL, false },
	{ "action=accept specialtarget=dns", NULL, false },
	{ "action=drop proto=tcp specialtarget=dns", NULL, false },
	{ "action=accept proto=tcp dstports=443-1024", NULL, false },
	{ "action=accept proto=tcp dstports=0-65535", NULL, false },
	{ "action=accept proto=tcp dstports=80", "action=accept proto=tcp dstports=80-80", false },
	{ "action=accept dstports=53-53", NULL, false },
	{ "action=accept proto=icmp icmptype=255", NULL, true },
	{ "icmptype=8 proto=icmp action=drop", "action=drop proto=icmp icmptype=8", false },
	{ "dstports=1-2 specialtarget=dns proto=udp dst4=1.1.1.1/24 action=accept",
	  "action=accept dst4=1.1.1.1/24 proto=udp specialtarget=dns dstports=1-2", false },
	{ "action=accept dstset=Office_1.a-b proto=tcp dstports=443-443", NULL, false },
	{ "action=drop dstset=o", NULL, true },
	{ "label=web-1 expire=1700000000 action=accept dsthost=a.example",
	  "action=accept dsthost=a.example expire=1700000000 label=web-1", false },
	{ "action=accept expire=4294967295 label=abcdefghijklmnopqrstuvwx", NULL, false },
	{ "dstset=abcdefghijklmnopqrstuvwx icmptype=8 label=A proto=icmp action=drop",
	  "action=drop dstset=abcdefghijklmnopqrstuvwx proto=icmp icmptype=8 label=A", true },
};

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		struct parsed_rule r;
		char error[RULE_ERROR_TEXT], out[RULE_TEXT], again[RULE_TEXT];
		if (!parse(good[i].in, good[i].v6, &r, error))
			fail_msg("'%s': %s", good[i].in, error);
		struct text t = text_on(out);
		rule_text(&t, &r);
		assert_string_equal(out, good[i].canonical ? good[i].canonical : good[i].in);
		assert_true(parse(out, good[i].v6, &r, error));
		t = text_on(again);
		rule_text(&t, &r);
		assert_string_equal(again, out);
	}
}

static const struct { const char *in, *error; bool v6; } bad[] = {
	{ "", "column 1: no action", false },
	{ "proto=tcp", "column 1: no action", false },
	{ "action=acept", "column 8: action is neither accept nor drop 'acept' (did you mean 'accept'?)", false },
	{ "action=reject", "column 8: action is neither accept nor drop 'reject'", false },
	{ "action=", "column 8: action is neither accept nor drop", false },
	{ "action", "column 1: not a key=value element 'action'", false },
	{ "action=accept  proto=tcp", "column 15: elements stand apart by exactly one space", false },
	{ " action=accept", "column 1: elements stand apart by exactly one space", false },
	{ "action=accept ", "column 15: elements stand apart by exactly one space", false },
	{ "action=accept\tproto=tcp", "column 8: action is neither accept nor drop 'accept?proto=tcp'", false },
	{ "action=accept action=drop", "column 15: given twice 'action'", false },
	{ "action=accept dst4=1.2.3.4/32 dsthost=a", "column 39: a second destination 'a'", false },
	{ "action=drop proto=tcp dstport=80-80", "column 23: unknown key 'dstport' (did you mean 'dstports'?)", false },
	{ "action=accept dst5=1.2.3.4/32", "column 15: unknown key 'dst5' (did you mean 'dst4'?)", false },
	{ "action=accept comment=x", "column 15: unknown key 'comment'", false },
	{ "action=accept =x", "column 15: unknown key", false },
	{ "action=accept dpi=NO", "column 15: not supported 'dpi'", false },
	{ "action=accept dst4=5.5.5.5.5", "column 20: not an IPv4 network '5.5.5.5.5'", false },
	{ "action=accept dst4=1.2.3.4/33", "column 20: not an IPv4 network '1.2.3.4/33'", false },
	{ "action=accept dst4=127/8", "column 20: not an IPv4 network '127/8'", false },
	{ "action=accept dst4=2001:db8::/32", "column 20: not an IPv4 network '2001:db8::/32'", false },
	{ "action=accept dst6=2001:db8::/32", "column 20: dst6 for an IPv4 client '2001:db8::/32'", false },
	{ "action=accept dst4=1.2.3.4/32", "column 20: dst4 for an IPv6 client '1.2.3.4/32'", true },
	{ "action=accept dst6=1.2.3.4/32", "column 20: not an IPv6 network '1.2.3.4/32'", true },
	{ "action=accept dst6=2001:db8::/129", "column 20: not an IPv6 network '2001:db8::/129'", true },
	{ "action=accept dsthost=", "column 23: not a host name (a-z 0-9 - . _)", false },
	{ "action=accept dsthost=Example.com", "column 23: not a host name (a-z 0-9 - . _) 'Example.com'", false },
	{ "action=accept proto=sctp", "column 21: proto is none of tcp, udp, icmp 'sctp' (did you mean 'tcp'?)", false },
	{ "action=accept specialtarget=ntp", "column 29: specialtarget is not dns 'ntp'", false },
	{ "action=accept proto=tcp dstports=90-80", "column 34: ports are reversed '90-80'", false },
	{ "action=accept proto=tcp dstports=1-65536", "column 34: not ports (LO-HI, 0 to 65535) '1-65536'", false },
	{ "action=accept proto=tcp dstports=80-", "column 34: not ports (LO-HI, 0 to 65535) '80-'", false },
	{ "action=accept proto=tcp dstports=-80", "column 34: not ports (LO-HI, 0 to 65535) '-80'", false },
	{ "action=accept proto=tcp dstports=80-90-99", "column 34: not ports (LO-HI, 0 to 65535) '80-90-99'", false },
	{ "action=accept proto=icmp dstports=80-80", "column 35: ports with proto=icmp", false },
	{ "action=accept proto=icmp icmptype=256", "column 35: not an ICMP type (0 to 255) '256'", false },
	{ "action=accept proto=icmp icmptype=8x", "column 35: not an ICMP type (0 to 255) '8x'", false },
	{ "action=accept icmptype=8", "column 24: icmptype without proto=icmp", false },
	{ "action=accept icmptype=8 proto=tcp", "column 24: icmptype without proto=icmp", false },
	{ "action=accept dstset=office dst4=1.2.3.4", "column 34: a second destination '1.2.3.4'", false },
	{ "action=accept dsthost=a dstset=office", "column 32: a second destination 'office'", false },
	{ "action=accept dstset=", "column 22: not the name of a set (A-Z a-z 0-9 _ . -)", false },
	{ "action=accept dstset=a/b", "column 22: not the name of a set (A-Z a-z 0-9 _ . -) 'a/b'", false },
	{ "action=accept label=", "column 21: not a label (A-Z a-z 0-9 _ . -)", false },
	{ "action=accept label=abcdefghijklmnopqrstuvwxy", "column 21: not a label (A-Z a-z 0-9 _ . -) 'abcdefghijklmnopqrst'", false },
	{ "action=accept label=a\xe4", "column 21: not a label (A-Z a-z 0-9 _ . -) 'a?'", false },
	{ "action=accept label=a label=b", "column 23: given twice 'label'", false },
	{ "action=accept lable=a", "column 15: unknown key 'lable' (did you mean 'label'?)", false },
	{ "action=accept expire=0", "column 22: expire is no number of seconds '0'", false },
	{ "action=accept expire=+5", "column 22: expire is no number of seconds '+5'", false },
	{ "action=accept expire=4294967296", "column 22: expire is no number of seconds '4294967296'", false },
	{ "action=accept proto=tcp\n", "column 21: proto is none of tcp, udp, icmp 'tcp?' (did you mean 'tcp'?)", false },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct parsed_rule r, before;
		char error[RULE_ERROR_TEXT];
		memset(&r, 0x5a, sizeof(r));
		before = r;
		if (parse(bad[i].in, bad[i].v6, &r, error))
			fail_msg("'%s' was taken", bad[i].in);
		assert_string_equal(error, bad[i].error);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

static void test_numbers(void **state)
{
	(void)state;
	struct parsed_rule r;
	char error[RULE_ERROR_TEXT];
	assert_true(parse("action=accept dst4=10.1.2.3/8 proto=udp dstports=15-2000", false, &r, error));
	assert_int_equal(r.rule.action, VERDICT_ACCEPT);
	assert_int_equal(r.rule.flags, RULE_HAS_DST | RULE_HAS_PROTO | RULE_HAS_PORTS);
	assert_true(ip_eq(r.rule.dst.addr, ip_v4(10, 1, 2, 3)));
	assert_int_equal(r.rule.dst.len, 8);
	assert_int_equal(r.rule.proto, 17);
	assert_int_equal(r.rule.port_lo, 15);
	assert_int_equal(r.rule.port_hi, 2000);
	assert_true(r.rule.host == NONE);
	assert_true(parse("action=drop proto=icmp icmptype=128", true, &r, error));
	assert_int_equal(r.rule.proto, 58);
	assert_int_equal(r.rule.icmp_type, 128);
	assert_true(parse("action=drop proto=icmp", false, &r, error));
	assert_int_equal(r.rule.proto, 1);
	assert_true(parse("action=drop dsthost=a.b_c-d", false, &r, error));
	assert_int_equal(r.host_len, 7);
	assert_memory_equal(r.host, "a.b_c-d", 7);
	assert_null(r.label);
	assert_int_equal(r.rule.expire, 0);
	assert_true(parse("expire=12 action=drop label=why dstset=office", false, &r, error));
	assert_int_equal(r.rule.flags, RULE_HAS_SET);
	assert_true(r.rule.host == NONE);
	assert_int_equal(r.rule.expire, 12);
	assert_int_equal(r.label_len, 3);
	assert_memory_equal(r.label, "why", 3);
	assert_int_equal(r.set_len, 6);
	assert_memory_equal(r.set, "office", 6);
}

/* Every key at its longest, in one line. */
static void test_longest(void **state)
{
	(void)state;
	struct parsed_rule r;
	char error[RULE_ERROR_TEXT], line[RULE_TEXT] = "action=accept dsthost=", out[RULE_TEXT];
	memset(line + strlen(line), 'a', RULE_HOST_MAX);
	strcat(line, " proto=tcp specialtarget=dns dstports=65535-65535 expire=4294967295 label=abcdefghijklmnopqrstuvwx");
	assert_true(parse(line, false, &r, error));
	struct text t = text_on(out);
	rule_text(&t, &r);
	assert_false(t.cut);
	assert_string_equal(out, line);
}

static void test_host_length(void **state)
{
	(void)state;
	struct parsed_rule r;
	char error[RULE_ERROR_TEXT], line[400] = "action=accept dsthost=", out[RULE_TEXT];
	size_t at = strlen(line);
	memset(line + at, 'a', RULE_HOST_MAX);
	assert_true(parse(line, false, &r, error));
	struct text t = text_on(out);
	rule_text(&t, &r);
	assert_string_equal(out, line);
	line[at + RULE_HOST_MAX] = 'a';
	assert_false(parse(line, false, &r, error));
	assert_string_equal(error, "column 23: not a host name (a-z 0-9 - . _) 'aaaaaaaaaaaaaaaaaaaa'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_host_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
