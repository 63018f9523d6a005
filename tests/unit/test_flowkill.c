/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_flowkill.c: the flow that is named ends, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"

static const char *const rules[] = { "action=accept", NULL };

static void send(struct lab *l, uint8_t proto, uint16_t sport, uint16_t dport, uint8_t type)
{
	struct lab_packet p = { .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = ip_v4(10, 137, 0, 5),
				.to = ip_v4(192, 0, 2, 1), .proto = proto, .ttl = 64, .sport = sport,
				.dport = dport, .flags = 0x02, .type = type };
	struct frame *f = lab_send(l, &p);
	if (f)
		lab_give(l, f);
}

static struct lab *busy_lab(void)
{
	struct lab *l = lab_new(256);
	lab_rules(l, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	send(l, PROTO_TCP, 4000, 80, 0);
	send(l, PROTO_TCP, 4001, 80, 0);
	send(l, PROTO_UDP, 4000, 80, 0);
	send(l, PROTO_ICMP, 7, 0, 8);
	send(l, PROTO_ICMP, 7, 0, 13);
	assert_int_equal(ct_count(l->fw.ct), 5);
	return l;
}

static void test_kills(void **state)
{
	static const struct { const char *request; uint32_t count; } cases[] = {
		{ "kill tcp 10.137.0.5 4000 192.0.2.1 80", 1 },
		{ "kill 6 10.137.0.5 4001 192.0.2.1 80", 1 },
		{ "kill udp 10.137.0.5 4000 192.0.2.1 80", 1 },
		{ "kill icmp 10.137.0.5 7 192.0.2.1 0", 2 }, /* of two types */
		{ "kill icmp 10.137.0.5 8 192.0.2.1 0", 0 },
		{ "kill tcp 10.137.0.5 4002 192.0.2.1 80", 0 },
		{ "kill tcp 10.137.0.6 4000 192.0.2.1 80", 0 },
		{ "kill tcp 192.0.2.1 80 10.0.0.2 4000", 0 }, /* its answers' side */
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct lab *l = busy_lab();
		char all[1024], expected[64];
		lab_answer(l, cases[i].request, all, sizeof(all));
		snprintf(expected, sizeof(expected), "{\"type\":\"killed\",\"count\":%u}\n.\n", cases[i].count);
		assert_string_equal(all, expected);
		assert_int_equal(ct_count(l->fw.ct), 5 - cases[i].count);
		assert_true(lab_conserved(l));
		lab_answer(l, cases[i].request, all, sizeof(all));
		assert_non_null(strstr(all, "\"count\":0"));
		lab_free(l);
	}
}

static void test_nonsense(void **state)
{
	static const char *const words[] = {
		"kill ", "kill tcp", "kill tcp ", "kill sctp 10.137.0.5 1 192.0.2.1 2", "kill 256 10.137.0.5 1 192.0.2.1 2",
		"kill tcp 10.137.0.5 4000 192.0.2.1 80 ", "kill tcp 10.137.0.5 4000 192.0.2.1", "kill tcp 10.137.0.5",
		"kill tcp 10.137.0.5 65536 192.0.2.1 80", "kill tcp 10.137.0 4000 192.0.2.1 80", "kill",
	};
	(void)state;
	struct lab *l = busy_lab();
	for (size_t i = 0; i < array_len(words); i++) {
		char all[1024];
		lab_answer(l, words[i], all, sizeof(all));
		assert_non_null(strstr(all, "\"type\":\"error\""));
	}
	assert_int_equal(ct_count(l->fw.ct), 5);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
