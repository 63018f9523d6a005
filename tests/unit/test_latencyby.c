/* links: firewall/latencyby.c netstack/histogram.c netstack/arena.c netstack/hash.c */
// SPDX-License-Identifier: ISC
/*
 * test_latencyby.c: random stretches of packets beside an oracle that keeps every value: by client all of
 * it must be there, by rule all as long as they have places, and the heavy ones always.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hash.h"
#include "latencyby.h"

enum { MEMORY = 24 << 20, PORTS = 40, ROUNDS = 20000 };

static struct secret dice = { { 5, 6 }, 0 };
static struct ip_addr ip;

static uint32_t rnd(uint32_t bound)
{
	return random_below(&dice, bound);
}

static struct latency_by *by_new(void **memory, size_t bytes)
{
	*memory = calloc(1, bytes);
	struct arena a = { *memory, bytes };
	return latency_by_new(&a);
}

static void add(struct latency_by *by, struct latency_stretch s[], uint32_t n, uint64_t ns)
{
	struct latency_stretch *of[8];
	assert_true(n <= array_len(of));
	for (uint32_t i = 0; i < n; i++) {
		s[i].place = rnd(LATENCY_RULES_MAX); /* a hint, that may be wrong */
		of[i] = &s[i];
	}
	latency_by_add(by, of, n, ns);
}

static uint64_t rule_of(uint32_t generation, uint32_t number)
{
	return (uint64_t)generation << 32 | number;
}

static void clients_are_exact(void **state)
{
	static struct histogram oracle[PORTS][LATENCY_WAYS];
	void *memory;
	struct latency_by *by = by_new(&memory, MEMORY);
	(void)state;
	assert_non_null(by);
	assert_true(by->pool_size >= PORTS * LATENCY_WAYS);
	memset(oracle, 0, sizeof(oracle));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct latency_stretch s[3];
		uint32_t n = 1 + rnd(3);
		uint64_t ns = rnd(2) ? rnd(3000) : (uint64_t)rnd(1u << 31) << rnd(12);
		for (uint32_t j = 0; j < n; j++) {
			uint16_t port = (uint16_t)rnd(PORTS);
			enum latency_kind way = (enum latency_kind)rnd(LATENCY_WAYS);
			s[j] = (struct latency_stretch){ LATENCY_NO_RULE, latency_whose(port, way, 0), 1 + rnd(8), 0, NULL };
			for (uint32_t k = 0; k < s[j].count; k++)
				histogram_record(&oracle[port][way], ns);
		}
		add(by, s, n, ns);
		if (rnd(4000) == 0) { /* another client now */
			uint16_t port = (uint16_t)rnd(PORTS);
			latency_by_release(by, port);
			memset(oracle[port], 0, sizeof(oracle[port]));
		}
	}
	for (uint16_t port = 0; port < PORTS; port++)
		for (uint32_t way = 0; way < LATENCY_WAYS; way++) {
			const struct histogram *h = latency_by_client(by, port, (enum latency_kind)way);
			if (oracle[port][way].count)
				assert_memory_equal(h, &oracle[port][way], sizeof(*h));
			else
				assert_null(h);
		}
	assert_int_equal(by->unkept, 0);
	free(memory);
}

/* Where the pool ends nothing is lost without being counted, and what is given back is empty when it is taken again. */
static void no_room(void **state)
{
	void *memory;
	struct latency_by *by = by_new(&memory, 512 << 10);
	(void)state;
	assert_int_equal(by->pool_size, 16);
	for (uint32_t turn = 0; turn < 3; turn++) {
		for (uint16_t port = 1; port <= 20; port++) {
			struct latency_stretch s = { LATENCY_NO_RULE, latency_whose(port, LATENCY_UP, 0), 5, 0, NULL };
			add(by, &s, 1, 100 + turn);
		}
		assert_int_equal(by->unkept, (turn + 1) * 4 * 5);
		for (uint16_t port = 1; port <= 16; port++) {
			assert_int_equal(latency_by_client(by, port, LATENCY_UP)->count, 5);
			assert_int_equal(latency_by_client(by, port, LATENCY_UP)->min_ns, 100 + turn);
			latency_by_release(by, port);
		}
	}
	free(memory);
	assert_null(by_new(&memory, 64 << 10));
	free(memory);
}

static const struct latency_rule *find_rule(const struct latency_by *by, uint64_t rule, uint64_t whose)
{
	const struct latency_rule *found = NULL;
	for (uint32_t i = 0; i < LATENCY_RULES_MAX; i++)
		if (by->rule[i].weight && by->rule[i].rule == rule && by->rule[i].whose >> 16 == whose >> 16) {
			assert_null(found); /* no rule stands twice */
			found = &by->rule[i];
		}
	return found;
}

static void few_rules_are_exact(void **state)
{
	enum { RULES = LATENCY_RULES_MAX / LATENCY_WAYS };
	static struct histogram oracle[RULES][LATENCY_WAYS];
	void *memory;
	struct latency_by *by = by_new(&memory, MEMORY);
	(void)state;
	memset(oracle, 0, sizeof(oracle));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t rule = rnd(RULES), way = rnd(LATENCY_WAYS), ns = rnd(100000);
		struct latency_stretch s = { rule_of(7, rule), latency_whose((uint16_t)rnd(9), (enum latency_kind)way, 3), 2, 0, &ip };
		add(by, &s, 1, ns);
		histogram_record_many(&oracle[rule][way], ns, 2);
	}
	for (uint32_t rule = 0; rule < RULES; rule++)
		for (uint32_t way = 0; way < LATENCY_WAYS; way++) {
			const struct latency_rule *r =
				find_rule(by, rule_of(7, rule), latency_whose(0, (enum latency_kind)way, 3));
			assert_non_null(r);
			assert_memory_equal(&r->stay, &oracle[rule][way], sizeof(r->stay));
			assert_int_equal(r->weight, r->stay.count);
		}
	assert_int_equal(by->rules_unkept, 0);
	free(memory);
}

/* Four rules decide a third of the packets, a thousand others the rest: the four stay, with nearly all of theirs. */
static void heavy_rules_stay(void **state)
{
	void *memory;
	struct latency_by *by = by_new(&memory, MEMORY);
	uint64_t sent[4] = { 0 }, all = 0, weight = 0;
	(void)state;
	for (uint32_t i = 0; i < 10 * ROUNDS; i++) {
		uint32_t rule = rnd(3) ? 100 + rnd(1000) : rnd(4);
		struct latency_stretch s = { rule_of(1, rule), latency_whose(1, LATENCY_UP, 2), 1, 0, &ip };
		add(by, &s, 1, 500);
		all++;
		if (rule < 4)
			sent[rule]++;
	}
	for (uint32_t rule = 0; rule < 4; rule++) {
		const struct latency_rule *r = find_rule(by, rule_of(1, rule), latency_whose(0, LATENCY_UP, 2));
		assert_non_null(r);
		assert_true(r->stay.count > sent[rule] * 9 / 10 && r->stay.count <= sent[rule]);
	}
	for (uint32_t i = 0; i < LATENCY_RULES_MAX; i++) {
		assert_true(by->rule[i].weight >= by->rule[i].stay.count);
		weight += by->rule[i].weight;
	}
	assert_true(weight + by->rules_unkept == all); /* every packet is in a weight or was turned away */
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_exact),
		cmocka_unit_test(no_room),
		cmocka_unit_test(few_rules_are_exact),
		cmocka_unit_test(heavy_rules_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
