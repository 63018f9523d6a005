/* links: rules/cross_rule.c rules/cross_line.c rules/qvm_rule.c rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cross_line.h"
#include "headers.h"

#define I RULE_INBOUND
#define B RULE_BETWEEN

static void text_of_rule(const struct parsed_rule *p, char line[RULE_TEXT])
{
	struct text t = text_of(line, RULE_TEXT);
	rule_text(&t, p);
	assert_false(t.cut);
}

static void text_of_error(const struct rule_error *e, char line[RULE_ERROR_TEXT])
{
	struct text t = text_of(line, RULE_ERROR_TEXT);
	rule_error_text(&t, e);
	assert_false(t.cut);
}

/* store line or operator's line -> canonical; NULL: already canonical */
static const struct { enum rule_kind kind; const char *in, *canonical; } store_good[] = {
	{ I, "action=accept src4=198.51.100.0/24 proto=tcp dstports=2222 to=10.137.0.5:22",
	  "action=accept src4=198.51.100.0/24 proto=tcp dstports=2222-2222 to=10.137.0.5:22" },
	{ I, "action=accept dstports=53-53 to=10.137.0.5", NULL },
	{ I, "to=10.137.0.5:8000-8010 action=accept dstports=100-110 proto=udp",
	  "action=accept proto=udp dstports=100-110 to=10.137.0.5:8000-8010" },
	{ I, "action=accept proto=tcp dstports=1000-2000 to=10.137.0.5:80", NULL },
	{ I, "action=accept dstports=7 to=10.137.0.5:9-9", "action=accept dstports=7-7 to=10.137.0.5:9" },
	{ I, "action=drop", NULL },
	{ I, "action=drop src4=192.0.2.1", "action=drop src4=192.0.2.1/32" },
	{ I, "action=drop proto=tcp dstports=22-22", NULL },
	{ I, "action=accept src4=0.0.0.0/0 dstports=1-65535 to=10.0.0.1 expire=1700000000 label=ssh", NULL },
	{ B, "action=accept src4=10.137.0.5 dst4=10.137.0.6 proto=tcp dstports=22",
	  "action=accept src4=10.137.0.5/32 dst4=10.137.0.6/32 proto=tcp dstports=22-22" },
	{ B, "action=drop", NULL },
	{ B, "action=accept src4=1.2.3.4/0 dst4=10.137.0.6", "action=accept dst4=10.137.0.6/32" },
	{ B, "icmptype=8 proto=icmp src4=10.137.0.0/16 action=accept",
	  "action=accept src4=10.137.0.0/16 proto=icmp icmptype=8" },
};

static const struct { enum rule_kind kind; const char *in, *canonical; } line_good[] = {
	{ I, "accept tcp 2222 to 10.137.0.5:22 from 198.51.100.0/24",
	  "action=accept src4=198.51.100.0/24 proto=tcp dstports=2222-2222 to=10.137.0.5:22" },
	{ I, "\taccept\tto 10.137.0.5 tcp 80-90  # web", "action=accept proto=tcp dstports=80-90 to=10.137.0.5" },
	{ I, "accept - 53 to 10.137.0.6", "action=accept dstports=53-53 to=10.137.0.6" },
	{ I, "drop from 192.0.2.0/24", "action=drop src4=192.0.2.0/24" },
	{ I, "drop udp - from 192.0.2.1", "action=drop src4=192.0.2.1/32 proto=udp" },
	{ I, "accept dstports=2222 to=10.137.0.5 comment=to the shell of x",
	  "action=accept dstports=2222-2222 to=10.137.0.5" },
	{ B, "accept 10.137.0.5 10.137.0.6 tcp 22",
	  "action=accept src4=10.137.0.5/32 dst4=10.137.0.6/32 proto=tcp dstports=22-22" },
	{ B, "drop - 10.137.0.6 icmp 8", "action=drop dst4=10.137.0.6/32 proto=icmp icmptype=8" },
	{ B, "accept 10.137.0.5 - label=to-all", "action=accept src4=10.137.0.5/32 label=to-all" },
	{ B, "accept", "action=accept" },
};

static const struct { enum rule_kind kind; const char *in, *error; } store_bad[] = {
	{ I, "", "column 1: no action" },
	{ I, "proto=tcp dstports=1 to=10.0.0.1", "column 1: no action" },
	{ I, "action=accept dstports=22", "column 1: where does it lead? to=ADDRESS[:PORT] is missing" },
	{ I, "action=accept to=10.0.0.1", "column 1: which ports? dstports is missing" },
	{ I, "action=drop to=10.0.0.1", "column 16: a rule that drops leads nowhere" },
	{ I, "action=accept dstports=1-2 to=10.0.0.1:5-7", "column 31: not as many ports there as here" },
	{ I, "action=accept dstports=1 to=10.0.0.1:0", "column 29: not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client '10.0.0.1:0'" },
	{ I, "action=accept dstports=1 to=10.0.0.1:", "column 29: not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client '10.0.0.1:'" },
	{ I, "action=accept dstports=1 to=10.0.0.1:9-8",
	  "column 29: not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client '10.0.0.1:9-8'" },
	{ I, "action=accept dstports=1 to=10.0.0.1:65536",
	  "column 29: not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client '10.0.0.1:65536'" },
	{ I, "action=accept dstports=1 to=224.0.0.1", "column 29: not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client '224.0.0.1'" },
	{ I, "action=accept dstports=1 to=10.0.0.1 to=10.0.0.1", "column 38: given twice 'to'" },
	{ I, "action=accept proto=icmp to=10.0.0.1", "column 21: proto is neither tcp nor udp" },
	{ I, "action=drop proto=icmp", "column 19: proto is neither tcp nor udp" },
	{ I, "action=accept dst4=10.0.0.1", "column 15: unknown key 'dst4'" },
	{ I, "action=drop src4=2001:db8::1", "column 18: not an IPv4 network '2001:db8::1'" },
	{ I, "action=drop src4=1.2.3.4/33", "column 18: not an IPv4 network '1.2.3.4/33'" },
	{ I, "action=drop  src4=1.2.3.4", "column 13: elements stand apart by exactly one space" },
	{ I, "action=drop ", "column 13: elements stand apart by exactly one space" },
	{ I, "action=drop dstport=5", "column 13: unknown key 'dstport' (did you mean 'dstports'?)" },
	{ I, "action=drop specialtarget=dns", "column 13: unknown key 'specialtarget'" },
	{ B, "action=accept to=10.0.0.1", "column 15: unknown key 'to'" },
	{ B, "action=accept dsthost=a.example", "column 15: unknown key 'dsthost'" },
	{ B, "action=accept srcc4=10.0.0.1", "column 15: unknown key 'srcc4' (did you mean 'src4'?)" },
	{ B, "action=accept proto=icmp dstports=1", "column 35: ports with proto=icmp" },
	{ B, "action=accept dst4=10.0.0.1 dst4=10.0.0.1", "column 29: given twice 'dst4'" },
	{ B, "action=acept", "column 8: action is neither accept nor drop 'acept' (did you mean 'accept'?)" },
};

static const struct { enum rule_kind kind; const char *in, *error; } line_bad[] = {
	{ I, "accept tcp 22", "column 1: where does it lead? to=ADDRESS[:PORT] is missing" },
	{ I, "accept tcp 22 to", "column 17: not ADDRESS, ADDRESS:PORT or ADDRESS:LO-HI of a client" },
	{ I, "accept tpc 22 to 10.0.0.1", "column 8: proto is none of tcp, udp, icmp 'tpc' (did you mean 'tcp'?)" },
	{ I, "accept tcp 22 23 to 10.0.0.1", "column 15: one word too many '23'" },
	{ I, "accept tcp 22 to 10.0.0.1 to 10.0.0.2", "column 30: given twice '10.0.0.2'" },
	{ B, "accept 10.0.0.1 host tcp", "column 17: not an IPv4 network 'host'" },
	{ B, "accept 10.0.0.1 to tcp", "column 17: not an IPv4 network 'to'" },
	{ B, "accept - - tcp 1-2 x", "column 20: one word too many 'x'" },
};

static void test_store_lines(void **state)
{
	(void)state;
	char line[RULE_TEXT], error[RULE_ERROR_TEXT];
	struct parsed_rule p, q;
	struct rule_error e;
	for (size_t i = 0; i < array_len(store_good); i++) {
		const char *want = store_good[i].canonical ? store_good[i].canonical : store_good[i].in;
		assert_true(cross_rule_parse(store_good[i].kind, store_good[i].in, strlen(store_good[i].in), &p, &e));
		text_of_rule(&p, line);
		assert_string_equal(line, want);
		assert_true(cross_rule_parse(store_good[i].kind, line, strlen(line), &q, &e));
		assert_memory_equal(&p.rule, &q.rule, sizeof(p.rule));
	}
	for (size_t i = 0; i < array_len(store_bad); i++) {
		assert_false(cross_rule_parse(store_bad[i].kind, store_bad[i].in, strlen(store_bad[i].in), &p, &e));
		text_of_error(&e, error);
		assert_string_equal(error, store_bad[i].error);
	}
}

static void test_operators_lines(void **state)
{
	(void)state;
	char line[RULE_TEXT], error[RULE_ERROR_TEXT];
	struct parsed_rule p;
	struct rule_error e;
	for (size_t i = 0; i < array_len(line_good); i++) {
		const char *in = line_good[i].in;
		assert_int_equal(cross_line_parse(line_good[i].kind, in, strlen(in), &p, &e), CROSS_RULE);
		text_of_rule(&p, line);
		assert_string_equal(line, line_good[i].canonical);
	}
	for (size_t i = 0; i < array_len(line_bad); i++) {
		const char *in = line_bad[i].in;
		assert_int_equal(cross_line_parse(line_bad[i].kind, in, strlen(in), &p, &e), CROSS_BAD);
		text_of_error(&e, error);
		assert_string_equal(error, line_bad[i].error);
	}
	assert_int_equal(cross_line_parse(I, " # nothing", 10, &p, &e), CROSS_BLANK);
}

/* Where a port leads, at every boundary. */
static void test_to(void **state)
{
	(void)state;
	static const struct { const char *line; uint16_t at, to; } table[] = {
		{ "action=accept dstports=2222 to=10.137.0.5:22", 2222, 22 },
		{ "action=accept dstports=100-200 to=10.137.0.5", 100, 100 },
		{ "action=accept dstports=100-200 to=10.137.0.5", 200, 200 },
		{ "action=accept dstports=100-200 to=10.137.0.5:80", 100, 80 },
		{ "action=accept dstports=100-200 to=10.137.0.5:80", 200, 80 },
		{ "action=accept dstports=100-200 to=10.137.0.5:1100-1200", 100, 1100 },
		{ "action=accept dstports=100-200 to=10.137.0.5:1100-1200", 200, 1200 },
		{ "action=accept dstports=0-65534 to=10.137.0.5:1-65535", 0, 1 },
		{ "action=accept dstports=0-65534 to=10.137.0.5:1-65535", 65534, 65535 },
		{ "action=accept dstports=0-65535 to=10.137.0.5", 0, 0 },
	};
	for (size_t i = 0; i < array_len(table); i++) {
		struct parsed_rule p;
		struct rule_error e;
		uint16_t port;
		assert_true(cross_rule_parse(I, table[i].line, strlen(table[i].line), &p, &e));
		assert_true(ip_eq(cross_rule_to(&p.rule, table[i].at, &port), ip_v4(10, 137, 0, 5)));
		assert_int_equal(port, table[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_lines),
		cmocka_unit_test(test_operators_lines),
		cmocka_unit_test(test_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
