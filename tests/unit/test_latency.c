/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_latency.c: a clock that the test turns, and what the firewall makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "hash.h"
#include "lab.h"
#include "latencyby.h"

enum { ANSWER_BYTES = 64 << 10, TICKS_NS = 2, LATENCY_MEMORY = 1 << 20 }; /* two ticks a nanosecond */

/* What the clock has gained when it is read next, and after that: taken, parsed, looked up, done. */
enum { READINGS = 4 };
static uint64_t at, gain[READINGS];
static uint32_t readings;

static uint64_t ticks(void)
{
	at += gain[readings++ % READINGS];
	return at;
}

/* A seventh of the time in parsing, two in looking up. */
static void takes(uint64_t ns)
{
	uint64_t parse = ns / 7, lookup = 2 * (ns / 7);
	readings = 0;
	gain[1] = parse * TICKS_NS;
	gain[2] = lookup * TICKS_NS;
	gain[3] = (ns - parse - lookup) * TICKS_NS;
}

static const char *const rules[] = { "action=accept proto=udp", NULL };

static struct lab *measured_lab(void)
{
	static uint8_t memory[LATENCY_MEMORY];
	struct lab *l = lab_new(256);
	struct arena a = { memory, sizeof(memory) };
	assert_non_null(l->fw.latency = latency_new(&a, ticks));
	lab_rules(l, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	at = 1000;
	takes(0);
	latency_calibrate(l->fw.latency, 5000);
	assert_false(latency_runs(l->fw.latency));
	at += UINT64_C(2000000000) * TICKS_NS;
	latency_calibrate(l->fw.latency, 5000 + UINT64_C(2000000000));
	assert_true(latency_runs(l->fw.latency));
	return l;
}

static void send(struct lab *l, uint8_t proto, uint64_t ns)
{
	struct lab_packet p = {
		.port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = ip_v4(10, 137, 0, 5),
		.to = ip_v4(192, 0, 2, 1), .proto = proto, .ttl = 64, .sport = 4000, .dport = 53, .flags = TCP_SYN,
	};
	takes(ns);
	struct frame *f = lab_send(l, &p);
	if (f)
		lab_give(l, f);
	takes(0);
}

static char *answer(struct lab *l, const char *request)
{
	static char all[ANSWER_BYTES];
	lab_answer(l, request, all, sizeof(all));
	return all;
}

static void counts_by_kind(void **state)
{
	struct lab *l = measured_lab();
	(void)state;
	for (int i = 0; i < 10; i++)
		send(l, PROTO_UDP, 700);
	for (int i = 0; i < 3; i++)
		send(l, PROTO_TCP, 5000);
	const struct latency *lat = l->fw.latency;
	assert_int_equal(lat->kind[LATENCY_UP].count, 10);
	assert_int_equal(lat->kind[LATENCY_DOWN].count, 0);
	assert_int_equal(lat->kind[LATENCY_UP].min_ns, 700);
	assert_int_equal(lat->kind[LATENCY_DROP].count, 3); /* answered by ICMP, and yet not forwarded */
	assert_non_null(strstr(answer(l, "latency"), "\"direction\":\"up\",\"stage\":\"residence\",\"count\":1"));
	assert_non_null(strstr(answer(l, "latency"), "\"type\":\"slow\",\"ns\":5000,\"parse_ns\":714,"
				"\"lookup_ns\":1428,\"forward_ns\":2858"));
	assert_int_equal(lat->kind[LATENCY_PARSE].sum_ns, 10 * 100 + 3 * 714);
	assert_int_equal(lat->kind[LATENCY_LOOKUP].sum_ns, 10 * 200 + 3 * 1428);
	assert_int_equal(lat->kind[LATENCY_FORWARD].sum_ns, 10 * 400 + 3 * 2858);
	assert_string_equal(answer(l, "latency reset"), ".\n");
	assert_string_equal(answer(l, "latency"), ".\n");
	assert_string_equal(answer(l, "latency off"), ".\n");
	send(l, PROTO_UDP, 700);
	assert_string_equal(answer(l, "latency"), ".\n");
	assert_non_null(strstr(answer(l, "latency sideways"), "\"error\""));
	lab_free(l);
}

/* However many buckets: every one is told once, and no line is cut. */
static void long_answers_go_on(void **state)
{
	struct lab *l = measured_lab();
	uint32_t told = 0, lines = 0;
	(void)state;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram_record(&l->fw.latency->kind[LATENCY_DOWN], histogram_low(i));
	for (char *s = answer(l, "latency"); (s = strpbrk(s, "[\n")); s++) {
		told += s[0] == '[' && s[1] >= '0' && s[1] <= '9';
		lines += s[0] == '\n';
	}
	assert_int_equal(told, HISTOGRAM_BUCKETS);
	assert_true(lines > 10);
	lab_free(l);
}

static void keeps_the_slowest(void **state)
{
	struct lab *l = measured_lab();
	const struct latency *lat = l->fw.latency;
	uint64_t least = UINT64_MAX;
	(void)state;
	for (uint64_t i = 0; i < 4 * LATENCY_SLOW_MAX; i++)
		send(l, PROTO_UDP, 1000 + (i * 37) % (4 * LATENCY_SLOW_MAX)); /* each time once */
	assert_int_equal(lat->slow_count, LATENCY_SLOW_MAX);
	for (uint32_t i = 0; i < LATENCY_SLOW_MAX; i++)
		least = lat->slow[i].ns < least ? lat->slow[i].ns : least;
	assert_int_equal(least, 1000 + 3 * LATENCY_SLOW_MAX);
	assert_int_equal(lat->slow[0].tuple.dport, 53);
	lab_free(l);
}

/* Every packet is told once by client and once by rule, whatever became of it. */
static void by_client_and_rule(void **state)
{
	struct lab *l = measured_lab();
	const char *all;
	(void)state;
	for (int i = 0; i < 10; i++)
		send(l, PROTO_UDP, 700);
	for (int i = 0; i < 3; i++)
		send(l, PROTO_TCP, 5000);
	all = answer(l, "latency clients");
	assert_non_null(strstr(all, "\"direction\":\"up\",\"stage\":\"residence\",\"of\":\"10.137.0.5\","
				    "\"client\":\"10.137.0.5\",\"count\":10,\"sum_ns\":7000,"));
	assert_non_null(strstr(all, "\"stage\":\"drop\",\"of\":\"10.137.0.5\",\"client\":\"10.137.0.5\",\"count\":3,"));
	assert_null(strstr(all, "10.137.0.6"));
	assert_non_null(strstr(answer(l, "latency client 10.137.0.5"), "\"count\":10,"));
	assert_string_equal(answer(l, "latency client 10.137.0.6"), ".\n");
	assert_non_null(strstr(answer(l, "latency client 10.137.0.7"), "\"error\""));
	assert_non_null(strstr(answer(l, "latency client one"), "\"error\""));
	all = answer(l, "latency rules");
	assert_non_null(strstr(all, "\"stage\":\"residence\",\"of\":\"10.137.0.5 rule 0 g3\",\"client\":\"10.137.0.5\","));
	assert_non_null(strstr(all, "\"rule\":0,\"generation\":3,\"weight\":10,\"count\":10,"));
	assert_non_null(strstr(all, "\"stage\":\"drop\",\"of\":\"10.137.0.5 policy g3\","));
	assert_non_null(strstr(all, "\"rule\":\"policy\",\"generation\":3,\"weight\":3,\"count\":3,"));
	/* four steps to a power of two: 700 ns are in [640, 768), 5000 in [4096, 5120) */
	assert_string_equal(answer(l, "latency heat"), "{\"type\":\"heat\",\"count\":13,\"sum_ns\":22000,"
						       "\"rows\":[[640,10],[4096,3]]}\n.\n");
	assert_non_null(strstr(answer(l, "latency state"), "\"on\":true,\"stages\":true,\"histograms\":"));
	assert_true(fw_detach(&l->fw, 1));
	assert_string_equal(answer(l, "latency clients"), ".\n");
	lab_free(l);
}

/*
 * Bursts of more kinds of packets than there are places for: no packet is lost, and none is another's. Ways: through
 * one of RULES, or dropped by the policy; of each client.
 */
static void mixed_bursts(void **state)
{
	enum { RULES = 14, CLIENTS = 2, ROUNDS = 600 };
	static char line[RULES][64];
	const char *lines[RULES + 1] = { NULL };
	static const struct mac *const mac[CLIENTS] = { &LAB_C1_MAC, &LAB_C2_MAC };
	uint64_t sent[CLIENTS][RULES + 1] = { { 0 } }, of_kind[LATENCY_WAYS] = { 0 };
	struct secret dice = { { 7, 8 }, 0 };
	struct lab *l = measured_lab();
	(void)state;
	for (int i = 0; i < RULES; i++) {
		snprintf(line[i], sizeof(line[i]), "action=accept proto=udp dstports=%d-%d", 1000 + i, 1000 + i);
		lines[i] = line[i];
	}
	for (uint8_t c = 0; c < CLIENTS; c++)
		lab_rules(l, ip_v4(10, 137, 0, (uint8_t)(5 + c)), VERDICT_DROP, lines);
	for (int round = 0; round < ROUNDS; round++) {
		struct frame *burst[FW_BURST];
		uint32_t n = 1 + random_below(&dice, FW_BURST);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t c = random_below(&dice, CLIENTS), rule = random_below(&dice, RULES + 1);
			struct lab_packet p = {
				.port = (uint16_t)(1 + c), .src = *mac[c], .dst = LAB_FW_MAC,
				.from = ip_v4(10, 137, 0, (uint8_t)(5 + c)), .to = ip_v4(192, 0, 2, 1), .proto = PROTO_UDP,
				.ttl = 64, .sport = (uint16_t)(4000 + random_below(&dice, 2)), .dport = (uint16_t)(1000 + rule),
			};
			burst[i] = lab_frame(l, &p);
			sent[c][rule]++;
			of_kind[rule < RULES ? LATENCY_UP : LATENCY_DROP]++;
		}
		fw_input(&l->fw, burst, n, l->now_ns);
		for (struct frame *f; (f = lab_take(l));)
			lab_give(l, f);
	}
	const struct latency *lat = l->fw.latency;
	assert_int_equal(lat->kind[LATENCY_UP].count, of_kind[LATENCY_UP]);
	assert_int_equal(lat->kind[LATENCY_DROP].count, of_kind[LATENCY_DROP]);
	assert_int_equal(lat->by->unkept + lat->by->rules_unkept, 0);
	for (uint16_t c = 0; c < CLIENTS; c++) {
		uint64_t passed = 0;
		for (int i = 0; i < RULES; i++)
			passed += sent[c][i];
		assert_int_equal(latency_by_client(lat->by, (uint16_t)(1 + c), LATENCY_UP)->count, passed);
		assert_int_equal(latency_by_client(lat->by, (uint16_t)(1 + c), LATENCY_DROP)->count, sent[c][RULES]);
	}
	uint32_t found = 0;
	for (const struct latency_rule *r = lat->by->rule; r < lat->by->rule + LATENCY_RULES_MAX; r++) {
		uint32_t number = rule_ref_number((uint32_t)r->rule);
		if (!r->weight)
			continue;
		found++;
		assert_int_equal(r->stay.count, sent[r->client.b[15] - 5][number == RULE_POLICY ? RULES : number]);
	}
	assert_int_equal(found, CLIENTS * (RULES + 1));
	lab_free(l);
}

static void stages_apart(void **state)
{
	struct lab *l = measured_lab();
	(void)state;
	l->fw.latency->stages = false;
	send(l, PROTO_UDP, 700);
	assert_int_equal(l->fw.latency->kind[LATENCY_UP].count, 1);
	assert_int_equal(l->fw.latency->kind[LATENCY_PARSE].count, 0);
	assert_null(strstr(answer(l, "latency"), "parse"));
	assert_string_equal(answer(l, "latency stages"), ".\n");
	assert_true(l->fw.latency->on && l->fw.latency->stages);
	assert_string_equal(answer(l, "latency on"), ".\n");
	assert_true(l->fw.latency->on && !l->fw.latency->stages);
	lab_free(l);
}

/* The host's stamps: of the same counter, and no older than seconds; all else is no stamp. */
static void what_the_host_says(void **state)
{
	struct lab *l = measured_lab();
	struct latency *lat = l->fw.latency;
	(void)state;
	lat->began = at;
	latency_arrived(lat, at - 3000 * TICKS_NS, 5);
	latency_arrived(lat, 0, 5);
	latency_arrived(lat, at + 1, 5);
	latency_arrived(lat, at - (UINT64_C(1) << 37), 5);
	assert_int_equal(lat->kind[LATENCY_HOST_IN].count, 5);
	assert_int_equal(lat->kind[LATENCY_HOST_IN].max_ns, 3000);
	latency_written(lat, UINT64_C(1) << 37, 5);
	assert_null(strstr(answer(l, "latency"), "host-out"));
	latency_written(lat, 40 * TICKS_NS, 1);
	assert_non_null(strstr(answer(l, "latency"), "\"stage\":\"host-out\",\"count\":1,"));
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_by_kind),
		cmocka_unit_test(long_answers_go_on),
		cmocka_unit_test(keeps_the_slowest),
		cmocka_unit_test(by_client_and_rule),
		cmocka_unit_test(mixed_bursts),
		cmocka_unit_test(stages_apart),
		cmocka_unit_test(what_the_host_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
