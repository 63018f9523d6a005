/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_explain.c: what is explained is what happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"

enum { ANSWER_BYTES = 8192 };

static const char *const rules[] = {
	"action=drop dst4=198.51.100.7/32",
	"action=accept proto=tcp dstports=80-90",
	"action=accept proto=icmp icmptype=8",
	NULL,
};

static struct lab *lab_with_rules(void)
{
	struct lab *l = lab_new(256);
	lab_rules(l, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	return l;
}

static void test_answers(void **state)
{
	static const struct { const char *question, *parts[4]; } cases[] = {
		{ "10.137.0.5 tcp 10.137.0.5 40000 192.0.2.1 85",
		  { "\"number\":0,", "\"trial\":\"dst\"",
		    "\"number\":1,\"text\":\"action=accept proto=tcp dstports=80-90\",\"trial\":\"hit\"",
		    "\"verdict\":\"accept\",\"rule\":1,\"route\":\"uplink\",\"next_hop\":\"10.0.0.1\"" } },
		{ "10.137.0.5 tcp 10.137.0.5 40000 198.51.100.7 85",
		  { "\"trial\":\"hit\"", "\"verdict\":\"drop\",\"reason\":\"rule\"", "\"rule\":0,\"told\":\"icmp 3/13\"" } },
		{ "10.137.0.5 udp 10.137.0.5 40000 192.0.2.1 85",
		  { "\"trial\":\"proto\"", "\"reason\":\"policy\"", "\"rule\":\"policy\"" } },
		{ "10.137.0.5 icmp 10.137.0.5 7 192.0.2.1 8",
		  { "\"icmptype\":8", "\"number\":2,", "\"verdict\":\"accept\"", "\"nat_port\":7" } },
		{ "10.137.0.5 icmp 10.137.0.5 7 192.0.2.1 13", { "\"trial\":\"icmptype\"", "\"verdict\":\"drop\"" } },
		{ "10.137.0.5 tcp 10.137.0.9 40000 192.0.2.1 85", { "\"reason\":\"spoofed\"" } },
		{ "10.137.0.5 tcp 10.137.0.5 40000 10.137.0.6 85", { "\"reason\":\"inter-client\"" } },
		{ "10.137.0.5 tcp 10.137.0.5 40000 10.0.0.2 85", { "\"reason\":\"local-refused\"", "icmp 3/10" } },
		{ "10.137.0.6 tcp 10.137.0.6 40000 192.0.2.1 85", { "\"state\":\"closed\"", "\"reason\":\"closed\"" } },
		{ "10.9.9.9 tcp 10.9.9.9 40000 192.0.2.1 85", { "\"attached\":false", "\"reason\":\"port-gone\"" } },
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct lab *l = lab_with_rules();
		char request[160], all[ANSWER_BYTES];
		struct text t = text_on(request);
		text_put(&t, "explain ");
		text_put(&t, cases[i].question);
		lab_answer(l, request, all, sizeof(all));
		for (size_t k = 0; k < 4 && cases[i].parts[k]; k++)
			if (!strstr(all, cases[i].parts[k]))
				fail_msg("%s: no %s in\n%s", cases[i].question, cases[i].parts[k], all);
		assert_string_equal(all + strlen(all) - 2, ".\n");
		lab_free(l);
	}
}

/* Before the rules are asked, as of packets; to the firewall and between clients it needs none. */
static void test_no_uplink(void **state)
{
	static const struct { const char *question, *part; } cases[] = {
		{ "10.137.0.5 tcp 10.137.0.5 40000 192.0.2.1 85", "\"reason\":\"no-route\"" },
		{ "10.137.0.5 tcp 10.137.0.5 40000 192.0.2.1 85", "\"told\":\"icmp 3/0\"" },
		{ "10.137.0.5 udp 10.137.0.5 40000 192.0.2.1 85", "\"told\":\"icmp 3/0\"" },
		{ "10.137.0.5 tcp 10.137.0.9 40000 192.0.2.1 85", "\"reason\":\"spoofed\"" },
		{ "10.137.0.5 tcp 10.137.0.5 40000 10.137.0.6 85", "\"reason\":\"inter-client\"" },
		{ "10.137.0.5 tcp 10.137.0.5 40000 10.0.0.2 85", "icmp 3/10" },
	};
	struct lab *l = lab_with_rules();
	(void)state;
	fw_link(&l->fw, PORT_UPLINK, false);
	for (size_t i = 0; i < array_len(cases); i++) {
		char request[160], all[ANSWER_BYTES];
		struct text t = text_on(request);
		text_put(&t, "explain ");
		text_put(&t, cases[i].question);
		lab_answer(l, request, all, sizeof(all));
		if (!strstr(all, cases[i].part) || strstr(all, "\"rule\""))
			fail_msg("%s: no %s in, or a rule\n%s", cases[i].question, cases[i].part, all);
	}
	lab_free(l);
}

static void test_crossing(void **state)
{
	static const char *const inbound[] = {
		"action=drop src4=192.0.2.99",
		"action=accept proto=tcp dstports=2222 to=10.137.0.5:22 label=shell",
		"action=accept dstports=80 to=10.137.0.9", NULL,
	};
	static const char *const between[] = {
		"action=drop dst4=10.137.0.6 proto=udp dstports=9",
		"action=accept src4=10.137.0.5 dst4=10.137.0.6 label=ok", NULL,
	};
	static const struct { const char *question, *parts[4]; } cases[] = {
		{ "uplink tcp 192.0.2.1 40000 10.0.0.2 2222",
		  { "\"client\":\"uplink\",\"rules_of\":\"inbound\",\"state\":\"open\"", "\"number\":0,", "\"trial\":\"src\"",
		    "\"verdict\":\"accept\",\"rule\":1,\"route\":\"client\",\"to_ip\":\"10.137.0.5\",\"to_port\":22" } },
		{ "uplink tcp 192.0.2.99 1 10.0.0.2 2222", { "\"trial\":\"hit\"", "\"reason\":\"rule\"", "\"rule\":0" } },
		{ "uplink tcp 192.0.2.1 1 10.0.0.2 23", { "\"trial\":\"dstports\"", "\"reason\":\"new-from-uplink\"" } },
		{ "uplink tcp 192.0.2.1 1 10.0.0.2 80", { "\"reason\":\"port-gone\"" } },
		{ "uplink tcp 192.0.2.1 1 10.0.0.3 2222", { "\"reason\":\"new-from-uplink\"" } },
		{ "uplink tcp 10.137.0.5 1 10.0.0.2 2222", { "\"reason\":\"client-address\"" } },
		{ "10.137.0.5 tcp 10.137.0.5 1 10.137.0.6 22",
		  { "\"rules_of\":\"between\"", "\"trial\":\"proto\"", "\"verdict\":\"accept\",\"rule\":1,\"route\":\"client\"" } },
		{ "10.137.0.5 udp 10.137.0.5 1 10.137.0.6 9", { "\"reason\":\"rule\"", "\"told\":\"icmp 3/13\"" } },
		{ "10.137.0.6 tcp 10.137.0.6 1 10.137.0.5 22",
		  { "\"trial\":\"dst\"", "\"reason\":\"inter-client\"", "\"text\":\"traffic" } },
	};
	struct lab *l = lab_with_rules();
	lab_cross_rules(l, RULE_INBOUND, inbound);
	lab_cross_rules(l, RULE_BETWEEN, between);
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		char request[160], all[ANSWER_BYTES];
		struct text t = text_on(request);
		text_put(&t, "explain ");
		text_put(&t, cases[i].question);
		lab_answer(l, request, all, sizeof(all));
		for (size_t k = 0; k < 4 && cases[i].parts[k]; k++)
			if (!strstr(all, cases[i].parts[k]))
				fail_msg("%s: no %s in\n%s", cases[i].question, cases[i].parts[k], all);
		bool told = strstr(all, "told"), should = strstr(cases[i].question, " 9") != NULL && strstr(all, "icmp 3/13");
		assert_int_equal(told, should);
	}
	/* flows say who opened them */
	struct frame_queue none = { 0 };
	char all[ANSWER_BYTES];
	neigh_set(l->fw.neigh, 1, ip_v4(10, 137, 0, 5), LAB_C1_MAC, &none);
	struct lab_packet syn = { .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = ip_v4(192, 0, 2, 1),
				  .to = ip_v4(10, 0, 0, 2), .proto = PROTO_TCP, .sport = 40000, .dport = 2222,
				  .flags = TCP_SYN, .seq = 1 };
	lab_give(l, lab_send(l, &syn));
	lab_answer(l, "flows", all, sizeof(all));
	assert_non_null(strstr(all, "\"src\":\"192.0.2.1\",\"sport\":40000,\"dst\":\"10.0.0.2\",\"dport\":2222,"
				    "\"nat_ip\":\"10.137.0.5\",\"nat_port\":22,\"kind\":\"inbound\""));
	assert_non_null(strstr(all, "\"client\":\"10.137.0.5\",\"rule\":1"));
	lab_answer(l, "rules inbound", all, sizeof(all));
	assert_non_null(strstr(all, "\"client\":\"inbound\""));
	assert_null(strstr(all, "10.137.0.5\",\"number"));
	lab_answer(l, "kill tcp 192.0.2.1 40000 10.0.0.2 2222", all, sizeof(all));
	assert_non_null(strstr(all, "\"count\":1"));
	lab_free(l);
}

static void test_bad_questions(void **state)
{
	static const char *const bad[] = {
		"explain ", "explain 10.137.0.5", "explain 10.137.0.5 tcp", "explain x tcp 1.2.3.4 1 1.2.3.4 1",
		"explain 10.137.0.5 tpc 10.137.0.5 1 192.0.2.1 1", "explain 10.137.0.5 tcp 10.137.0.5 65536 192.0.2.1 1",
		"explain 10.137.0.5 tcp 10.137.0.5 1 192.0.2.1 1 ", "explain 10.137.0.5 icmp 10.137.0.5 1 192.0.2.1 256",
		"explain 10.137.0.5 47 10.137.0.5 1 192.0.2.1 0", "explain fd00::1 tcp fd00::1 1 fd00::2 1",
		"explain 10.137.0.5  tcp 10.137.0.5 1 192.0.2.1 1",
	};
	struct lab *l = lab_with_rules();
	char all[ANSWER_BYTES];
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		lab_answer(l, bad[i], all, sizeof(all));
		if (strncmp(all, "{\"type\":\"error\"", 15))
			fail_msg("%s: %s", bad[i], all);
	}
	lab_free(l);
}

/* The naive oracle is the pipeline: for many packets, what is said is what comes out. */
static void test_agrees_with_the_pipeline(void **state)
{
	static const uint8_t last[] = { 1, 7 };
	(void)state;
	for (uint16_t port = 78; port < 93; port++) {
		for (int i = 0; i < 4; i++) {
			struct lab *l = lab_with_rules();
			struct lab_packet p = {
				.port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = ip_v4(10, 137, 0, 5),
				.to = ip_v4(198, 51, 100, last[i % 2]), .proto = i < 2 ? PROTO_TCP : PROTO_UDP,
				.ttl = 64, .sport = 40000, .dport = port, .flags = TCP_SYN,
			};
			char request[160], to[IP_TEXT], all[ANSWER_BYTES];
			struct text t = text_on(request), ip = text_on(to);
			text_ip(&ip, p.to);
			text_put(&t, "explain 10.137.0.5 ");
			text_put(&t, i < 2 ? "tcp" : "udp");
			text_put(&t, " 10.137.0.5 40000 ");
			text_put(&t, to);
			text_char(&t, ' ');
			text_u64(&t, port);
			lab_answer(l, request, all, sizeof(all));
			bool accepted = strstr(all, "\"verdict\":\"accept\"") != NULL;
			uint64_t flows = ct_count(l->fw.ct);
			struct frame *out = lab_send(l, &p);
			assert_int_equal(ct_count(l->fw.ct) - flows, accepted);
			if (out)
				lab_give(l, out);
			lab_free(l);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_no_uplink),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_bad_questions),
		cmocka_unit_test(test_agrees_with_the_pipeline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
