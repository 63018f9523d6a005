/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_latency.c: a clock that the test turns, and what the firewall makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"

enum { ANSWER_BYTES = 64 << 10, TICKS_NS = 2 }; /* two ticks a nanosecond */

static uint64_t at, step;

static uint64_t ticks(void)
{
	at += step;
	return at;
}

static const char *const rules[] = { "action=accept proto=udp", NULL };

static struct lab *measured_lab(void)
{
	static uint8_t memory[sizeof(struct latency) + 64];
	struct lab *l = lab_new(256);
	struct arena a = { memory, sizeof(memory) };
	assert_non_null(l->fw.latency = latency_new(&a, ticks));
	lab_rules(l, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	at = 1000;
	step = 0;
	latency_calibrate(l->fw.latency, 5000);
	assert_false(latency_runs(l->fw.latency));
	at += UINT64_C(2000000000) * TICKS_NS;
	latency_calibrate(l->fw.latency, 5000 + UINT64_C(2000000000));
	assert_true(latency_runs(l->fw.latency));
	return l;
}

static void send(struct lab *l, uint8_t proto, uint64_t takes_ns)
{
	struct lab_packet p = {
		.port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = ip_v4(10, 137, 0, 5),
		.to = ip_v4(192, 0, 2, 1), .proto = proto, .ttl = 64, .sport = 4000, .dport = 53, .flags = TCP_SYN,
	};
	step = takes_ns * TICKS_NS;
	struct frame *f = lab_send(l, &p);
	if (f)
		lab_give(l, f);
	step = 0;
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
	assert_non_null(strstr(answer(l, "latency"), "\"type\":\"slow\",\"ns\":5000"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_by_kind),
		cmocka_unit_test(long_answers_go_on),
		cmocka_unit_test(keeps_the_slowest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
