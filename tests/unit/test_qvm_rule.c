/* links: rules/qvm_rule.c rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "qvm_rule.h"

static const struct { const char *in, *out; enum qvm_family family; } good[] = {
	{ "accept", "action=accept", QVM_BOTH },
	{ "accept example.com tcp 80-90", "action=accept dsthost=example.com proto=tcp dstports=80-90", QVM_BOTH },
	{ "accept example.com tcp 80", "action=accept dsthost=example.com proto=tcp dstports=80-80", QVM_BOTH },
	{ "drop - icmp 8", "action=drop proto=icmp icmptype=8", QVM_BOTH },
	{ "accept dns", "action=accept specialtarget=dns", QVM_BOTH },
	{ "accept - dns", "action=accept specialtarget=dns", QVM_BOTH },
	{ "accept dns udp", "action=accept proto=udp specialtarget=dns", QVM_BOTH },
	{ "accept 10.0.0.1 udp 53", "action=accept dst4=10.0.0.1/32 proto=udp dstports=53-53", QVM_V4_ONLY },
	{ "accept 10.0.0.0/8", "action=accept dst4=10.0.0.0/8", QVM_V4_ONLY },
	{ "drop 2001:db8::/32 icmp", "action=drop dst6=2001:db8::/32 proto=icmp", QVM_V6_ONLY },
	{ "accept 10.0.0.1 - 22", "action=accept dst4=10.0.0.1/32 dstports=22-22", QVM_V4_ONLY },
	{ "action=accept dsthost=10.0.0.1 proto=tcp", "action=accept dst4=10.0.0.1/32 proto=tcp", QVM_V4_ONLY },
	{ "action=accept dsthost=fd00::1", "action=accept dst6=fd00::1/128", QVM_V6_ONLY },
	{ "action=accept dst6=fd00::1", "action=accept dst6=fd00::1/128", QVM_V6_ONLY },
	{ "accept dst4=10.0.0.0/8 tcp 443", "action=accept dst4=10.0.0.0/8 proto=tcp dstports=443-443", QVM_V4_ONLY },
	{ "action=accept specialtarget=dns", "action=accept specialtarget=dns", QVM_BOTH },
	{ "\t accept  -\tudp  1-2  # why", "action=accept proto=udp dstports=1-2", QVM_BOTH },
	{ "accept proto=icmp icmptype=0 dsthost=a", "action=accept dsthost=a proto=icmp icmptype=0", QVM_BOTH },
	{ "accept @office tcp 443", "action=accept dstset=office proto=tcp dstports=443-443", QVM_BOTH },
	{ "drop dstset=office label=no", "action=drop dstset=office label=no", QVM_BOTH },
	{ "accept dsthost=@Lab - 22 expire=1700000000", "action=accept dstset=Lab dstports=22-22 expire=1700000000", QVM_BOTH },
	{ "accept\r", "action=accept", QVM_BOTH },
};

static enum qvm_line parse(const char *line, struct qvm_rule *r, struct rule_error *err)
{
	static char *kept;
	size_t len = strlen(line);
	free(kept);
	kept = malloc(len + 1);
	memcpy(kept + 1, line, len);
	return qvm_rule_parse(kept + 1, len, r, err);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		struct qvm_rule r;
		struct rule_error err;
		char out[RULE_TEXT];
		if (parse(good[i].in, &r, &err) != QVM_RULE)
			fail_msg("'%s' refused: fault %d column %d", good[i].in, err.fault, err.column);
		struct text t = text_on(out);
		rule_text(&t, &r.parsed);
		assert_string_equal(out, good[i].out);
		assert_int_equal(r.family, good[i].family);
		/* what comes out is a store line */
		struct parsed_rule p;
		assert_true(rule_parse(out, strlen(out), r.family == QVM_V6_ONLY, &p, &err));
		assert_memory_equal(&p.rule, &r.parsed.rule, sizeof(p.rule));
	}
}

static void test_blank(void **state)
{
	(void)state;
	static const char *const blank[] = { "", " ", "# accept", "  \t# x", "\r" };
	struct qvm_rule r;
	struct rule_error err;
	for (size_t i = 0; i < array_len(blank); i++)
		assert_int_equal(parse(blank[i], &r, &err), QVM_BLANK);
}

static const struct { const char *in, *error; } bad[] = {
	{ "allow", "column 1: action is neither accept nor drop 'allow'" },
	{ "proto=tcp", "column 1: no action" },
	{ "accept tcp 80", "column 8: the destination comes first ('-' for any) 'tcp'" },
	{ "accept proto=tcp 80", "column 18: a number is no destination ('-' for any) '80'" },
	{ "accept - tpc 80", "column 10: proto is none of tcp, udp, icmp 'tpc' (did you mean 'tcp'?)" },
	{ "accept - tcp 80 81", "column 17: one word too many '81'" },
	{ "accept - icmp 8-9", "column 15: not an ICMP type (0 to 255) '8-9'" },
	{ "accept - tcp http", "column 14: not ports (LO-HI, 0 to 65535) 'http'" },
	{ "  accept 10.0.0.0/33", "column 10: not a host name (a-z 0-9 - . _) '10.0.0.0/33'" },
	{ "accept dst=1.2.3.4", "column 8: unknown key 'dst' (did you mean 'dst4'?)" },
	{ "accept dst4=1.2.3.4 dsthost=fd00::1", "column 29: a second destination 'fd00::1'" },
	{ "accept action=drop", "column 8: given twice 'action'" },
	{ "accept @ tcp", "column 9: not the name of a set (A-Z a-z 0-9 _ . -)" },
	{ "accept @a @b", "column 11: proto is none of tcp, udp, icmp '@b'" },
	{ "accept 10.0.0.1 dstset=b", "column 24: a second destination 'b'" },
	{ "accept label=a,b", "column 14: not a label (A-Z a-z 0-9 _ . -) 'a,b'" },
	{ "accept expire=soon", "column 15: expire is no number of seconds 'soon'" },
	{ "accept expire=1 expire=2", "column 24: given twice '2'" },
	{ "accept - icmp dstports=80", "column 24: ports with proto=icmp" },
	{ "accept dst6=1.2.3.4", "column 13: not an IPv6 network '1.2.3.4'" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct qvm_rule r;
		struct rule_error err;
		char error[RULE_ERROR_TEXT];
		assert_int_equal(parse(bad[i].in, &r, &err), QVM_BAD);
		struct text t = text_on(error);
		rule_error_text(&t, &err);
		assert_string_equal(error, bad[i].error);
	}
}

static void test_expire_and_comment(void **state)
{
	(void)state;
	struct qvm_rule r;
	struct rule_error err;
	assert_int_equal(parse("accept expire=+300 comment=until noon # today", &r, &err), QVM_RULE);
	assert_true(r.has_expire && r.expire_relative);
	assert_int_equal(r.expire, 300);
	assert_int_equal(r.parsed.rule.expire, 0);
	assert_int_equal(r.comment_len, strlen("until noon # today"));
	assert_memory_equal(r.comment, "until noon # today", r.comment_len);
	assert_int_equal(parse("accept expire=1700000000", &r, &err), QVM_RULE);
	assert_true(r.has_expire && !r.expire_relative);
	assert_int_equal(r.expire, 1700000000);
	assert_int_equal(r.parsed.rule.expire, 1700000000);
	assert_null(r.comment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_blank),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_expire_and_comment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
