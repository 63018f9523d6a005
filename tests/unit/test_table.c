/* links: netstack/table.c netstack/arena.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_table.c: random inserts and removes against a plain array of hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table.h"

enum { ITEMS_MAX = 100 };
static uint8_t memory[64 * 1024];

static uint64_t random_of(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* The oracle: what each item's hash is, and which are in. */
struct naive {
	uint64_t hash[ITEMS_MAX];
	bool in[ITEMS_MAX];
};

/* Every item of this hash is met, none twice, and none that is out or of another bucket. */
static void compare(const struct table *t, const struct naive *n, uint64_t hash)
{
	bool met[ITEMS_MAX] = { false };
	for (uint32_t i = table_first(t, hash); i != NONE; i = table_next(t, i)) {
		assert_true(i < ITEMS_MAX && n->in[i] && !met[i]);
		assert_int_equal((n->hash[i] ^ hash) & t->mask, 0);
		met[i] = true;
	}
	for (uint32_t i = 0; i < ITEMS_MAX; i++)
		assert_true(met[i] || !n->in[i] || (uint32_t)n->hash[i] != (uint32_t)hash);
}

static void against_array(uint32_t capacity, uint64_t hashes)
{
	struct arena a = { memory, table_bytes(capacity) };
	struct table t;
	struct naive n = { 0 };
	uint64_t seed = capacity * 31 + hashes;
	uint32_t count = 0;
	assert_true(table_init(&t, &a, capacity));
	for (uint32_t step = 1; step < 4000; step++) {
		uint32_t item = (uint32_t)(random_of(&seed) % capacity);
		/* spread over the word: low bits choose the bucket, the top 32 are ignored */
		uint64_t hash = random_of(&seed) % hashes * 0x100000001000081;
		/* long runs of filling and of emptying, so that both ends are reached */
		bool fill = step / 300 % 2 == 0;
		if (!n.in[item] && fill) {
			table_insert(&t, hash, item);
			n.hash[item] = hash;
			n.in[item] = true;
			count++;
		} else if (n.in[item] && (!fill || step % 3 == 0)) {
			table_remove(&t, item);
			n.in[item] = false;
			count--;
		}
		assert_int_equal(t.count, count);
		compare(&t, &n, hash);
		compare(&t, &n, n.hash[item]);
		if (step % 16 == 0)
			assert_true(table_valid(&t));
	}
}

static void random_operations(void **state)
{
	(void)state;
	static const uint32_t CAPACITIES[] = { 1, 2, 3, 64, 65, ITEMS_MAX };
	static const uint64_t HASHES[] = { 1, 3, 200 };
	for (size_t c = 0; c < array_len(CAPACITIES); c++)
		for (size_t h = 0; h < array_len(HASHES); h++)
			against_array(CAPACITIES[c], HASHES[h]);
}

static void arena_too_small(void **state)
{
	(void)state;
	struct table t;
	struct arena a = { memory, 100 };
	assert_false(table_init(&t, &a, 64));
	assert_ptr_equal(a.at, memory);
	assert_int_equal(a.left, 100);
	/* what table_bytes says is enough wherever the arena begins */
	for (uint32_t shift = 0; shift < 64; shift++) {
		a = (struct arena){ memory + shift, table_bytes(ITEMS_MAX) };
		assert_true(table_init(&t, &a, ITEMS_MAX));
	}
}

static void damage_is_seen(void **state)
{
	(void)state;
	struct arena a = { memory, sizeof(memory) };
	struct table t;
	assert_true(table_init(&t, &a, 16));
	for (uint32_t i = 0; i < TABLE_SLOTS + 4; i++)
		table_insert(&t, 5, i);
	assert_true(table_valid(&t));
	t.count++;
	assert_false(table_valid(&t));
	t.count--;
	t.item[2].hash ^= 1u << 20; /* no longer its tag */
	assert_false(table_valid(&t));
	t.item[2].hash ^= 1u << 20;
	uint32_t end = t.item[TABLE_SLOTS].next;
	t.item[TABLE_SLOTS].next = t.item[TABLE_SLOTS + 1].next; /* itself: a circle */
	assert_false(table_valid(&t));
	t.item[TABLE_SLOTS].next = end;
	assert_true(table_valid(&t));
	t.bucket[5 & t.mask].tag[1] = 0;
	assert_false(table_valid(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(arena_too_small),
		cmocka_unit_test(damage_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
