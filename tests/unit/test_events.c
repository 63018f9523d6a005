/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* test_events.c: what happened is told in order; what is left out of drops is counted exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jsonline.h"
#include "lab_assert.h"
#include "events.h"
#include "told.h"

static const uint64_t SECOND = 1000000000, BOOT = 0x1234;

static struct lab_bench *bench_new(void)
{
	struct lab_bench *b = lab_bench_new();
	b->lab->fw.events = events_new(&b->arena, BOOT, b->lab->now_ns);
	assert_non_null(b->lab->fw.events);
	return b;
}

static uint64_t sum_of(const char *all, const char *member)
{
	uint64_t sum = 0;
	for (const char *at = all; (at = strstr(at, member)); at += strlen(member))
		sum += strtoull(at + strlen(member), NULL, 10);
	return sum;
}

static uint64_t count_of(const char *all, const char *part)
{
	uint64_t n = 0;
	for (const char *at = all; (at = strstr(at, part)); at++)
		n++;
	return n;
}

static void refuse_one(struct lab_bench *b, uint8_t client, uint16_t dport)
{
	const struct lab_packet p = {
		.port = client, .src = client == 1 ? LAB_C1_MAC : LAB_C2_MAC, .dst = LAB_FW_MAC, .proto = PROTO_UDP,
		.from = ip_v4(10, 137, 0, (uint8_t)(4 + client)), .to = ip_v4(192, 0, 2, 1), .sport = 40000, .dport = dport,
	};
	lab_give(b->lab, lab_send(b->lab, &p));
}

static const char *const rules[] = { "action=drop proto=udp dstports=5000-6000", NULL };

static void test_drop(void **state)
{
	struct lab_bench *b = bench_new();
	(void)state;
	lab_rules(b->lab, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	refuse_one(b, 1, 5001);
	assert_says(b, "events 1", "\"boot\":\"0000000000001234\",\"next\":2,\"newest\":1,\"oldest\":1,\"lost\":0");
	assert_non_null(strstr(b->all, "\"seq\":1,\"unix_ns\":1000000000,\"kind\":\"drop\",\"reason\":\"rule\""));
	assert_non_null(strstr(b->all, "\"client\":\"10.137.0.5\",\"proto\":\"udp\",\"src\":\"10.137.0.5\",\"sport\":40000,"
					"\"dst\":\"192.0.2.1\",\"dport\":5001,\"rule\":0"));
	refuse_one(b, 1, 53);
	assert_says(b, "events 2", "\"reason\":\"policy\"");
	assert_non_null(strstr(b->all, "\"rule\":\"policy\""));
	refuse_one(b, 2, 53);
	assert_says(b, "events 3", "\"reason\":\"closed\"");
	lab_bench_free(b);
}

/* Whatever the times and ports: told + left out = dropped, and never more than the rate. */
static void test_limiter(void **state)
{
	struct lab_bench *b = bench_new();
	uint64_t sent[3] = { 0 }, told = 0;
	(void)state;
	srandom(5);
	for (int round = 0; round < 60; round++) {
		uint64_t from = b->lab->fw.events->next;
		char request[40];
		for (int n = (int)random() % 40; n > 0; n--) {
			uint8_t client = (uint8_t)(1 + random() % 2);
			refuse_one(b, client, 53);
			sent[client]++;
		}
		lab_after(b->lab, (uint64_t)random() % (2 * SECOND));
		snprintf(request, sizeof(request), "events %llu", (unsigned long long)from);
		lab_ask(b, request);
		assert_true(count_of(b->all, "\"kind\":\"drop\"") <= 2 * EVENTS_A_SECOND);
		told += count_of(b->all, "\"kind\":\"drop\"") + sum_of(b->all, "\"suppressed\":") + sum_of(b->all, "\"count\":");
	}
	for (int i = 0; i < 3; i++) {
		uint64_t from = b->lab->fw.events->next;
		char request[40];
		lab_after(b->lab, 2 * SECOND);
		snprintf(request, sizeof(request), "events %llu", (unsigned long long)from);
		lab_ask(b, request);
		told += sum_of(b->all, "\"count\":");
	}
	assert_true(sent[1] + sent[2] > 500);
	assert_int_equal(told, sent[1] + sent[2]);
	assert_int_equal(b->lab->fw.events->behind, 0);
	assert_true(b->lab->fw.events->sweep_ns == UINT64_MAX);
	lab_bench_free(b);
}

/* Many ports and reasons at once: the rate of all holds, and nothing is forgotten. */
static void test_rate_of_all(void **state)
{
	struct lab_bench *b = bench_new();
	struct events *e = b->lab->fw.events;
	uint64_t told = 0, all = 0, now = 7 * SECOND;
	uint32_t left_out, at, count;
	uint16_t port;
	enum drop reason;
	(void)state;
	for (uint16_t p = 0; p < PORT_COUNT; p++) {
		for (uint32_t r = 1; r < DROP_COUNT; r++, all++) {
			bool tell = events_allow(e, p, (enum drop)r, now, &left_out);
			assert_true(!tell || left_out == 0);
			told += tell;
		}
	}
	assert_int_equal(told, EVENTS_BURST);
	for (int i = 0; i < 300 && e->behind; i++) {
		uint64_t before = told;
		now += 2 * SECOND;
		for (at = 0; events_suppressed(e, now, &at, &port, &reason, &count); told += count)
			assert_true(port < PORT_COUNT && reason > DROP_NONE && reason < DROP_COUNT);
		assert_true(told - before <= EVENTS_BURST);
	}
	assert_int_equal(told, all);
	lab_bench_free(b);
}

static void put(struct lab_bench *b, uint64_t number)
{
	struct text t = events_begin(b->lab->fw.events, "test", number);
	json_u64(&t, "n", number);
	events_end(b->lab->fw.events, &t);
}

static void test_wrap(void **state)
{
	struct lab_bench *b = bench_new();
	(void)state;
	for (uint64_t i = 1; i <= EVENTS_KEPT + 10; i++)
		put(b, i);
	assert_says(b, "events 1", "\"oldest\":11,\"lost\":10");
	assert_null(strstr(b->all, "\"seq\":10,"));
	assert_int_equal(count_of(b->all, "\"type\":\"event\""), EVENTS_KEPT);
	assert_int_equal(sum_of(b->all, "\"n\":"), sum_of(b->all, "\"seq\":"));
	assert_says(b, "events 0 2", "\"next\":13,\"newest\":522");
	assert_int_equal(count_of(b->all, "\"type\":\"event\""), 2);
	assert_says(b, "events 522", "\"next\":523");
	assert_says(b, "events 523", "\"next\":523");
	assert_int_equal(count_of(b->all, "\"type\":\"event\""), 0);
	assert_says(b, "events 99999", "\"next\":523"); /* of another start, perhaps: it is told where this one is */
	lab_bench_free(b);
}

/* One that does not fit keeps its kind, and its line is whole. */
static void test_long(void **state)
{
	struct lab_bench *b = bench_new();
	char line[600];
	(void)state;
	memset(line, '"', sizeof(line));
	memcpy(line, "name x:", 7);
	told_line(&b->lab->fw, line, sizeof(line), "name", 1);
	assert_says(b, "events 1", "\"kind\":\"name\"}\n");
	told_line(&b->lab->fw, "name example.org: no answer", 27, "name", 1);
	assert_says(b, "events 2", "\"kind\":\"name\",\"name\":\"example.org\",\"text\":\"no answer\"}\n");
	told_line(&b->lab->fw, "nothing of it", 13, "name", 1);
	assert_says(b, "events 3", "\"next\":3");
	lab_bench_free(b);
}

static void test_changes(void **state)
{
	struct lab_bench *b = bench_new();
	(void)state;
	lab_rules(b->lab, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	told_clients(&b->lab->fw, 1);
	assert_says(b, "events 1", "\"client\":\"10.137.0.5\",\"state\":\"open\",\"rules\":1");
	uint64_t next = b->lab->fw.events->next;
	told_clients(&b->lab->fw, 1);
	assert_int_equal(b->lab->fw.events->next, next);
	policy_close(b->lab->policy, ip_v4(10, 137, 0, 5), "a bad rule");
	told_clients(&b->lab->fw, 1);
	assert_int_equal(b->lab->fw.events->next, next + 1);
	assert_says(b, "events 1", "\"state\":\"closed\",\"rules\":0");
	assert_non_null(strstr(b->all, "\"error\":\"a bad rule\""));
	told_store(&b->lab->fw, "down", 1);
	told_store(&b->lab->fw, "down", 1);
	assert_int_equal(b->lab->fw.events->next, next + 2);
	told_port(&b->lab->fw, 1, "attached", 1);
	assert_says(b, "events 1", "\"what\":\"attached\",\"port\":1");
	lab_bench_free(b);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = { "events ", "events x", "events 1 x", "events 1 2 3", "events -1",
					   "events 12345678901234567890", "events 1x" };
	struct lab_bench *b = bench_new();
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		if (strncmp(lab_ask(b, bad[i]), "{\"type\":\"error\"", 15))
			fail_msg("%s: %s", bad[i], b->all);
	b->lab->fw.events = NULL;
	assert_says(b, "events 1", "no room");
	refuse_one(b, 1, 53);
	told_clients(&b->lab->fw, 1);
	lab_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop), cmocka_unit_test(test_limiter), cmocka_unit_test(test_rate_of_all),
		cmocka_unit_test(test_wrap), cmocka_unit_test(test_long), cmocka_unit_test(test_changes),
		cmocka_unit_test(test_bad_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
