/* links: netstack/queue.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_queue.c: random pushes, removes and pops of two queues that share their
 * links, against two plain arrays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue.h"

enum { ITEMS = 12 };

struct naive { uint32_t item[ITEMS], count; };

static void naive_remove(struct naive *n, uint32_t item)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n->count; i++)
		if (n->item[i] != item)
			n->item[kept++] = n->item[i];
	n->count = kept;
}

static bool naive_has(const struct naive *n, uint32_t item)
{
	for (uint32_t i = 0; i < n->count; i++)
		if (n->item[i] == item)
			return true;
	return false;
}

static void compare(const struct queue *q, const struct link *links, const struct naive *n)
{
	assert_int_equal(q->count, n->count);
	uint32_t item = q->head, before = NONE;
	for (uint32_t i = 0; i < n->count; i++) {
		assert_int_equal(item, n->item[i]);
		assert_int_equal(links[item].prev, before);
		before = item;
		item = queue_after(links, item);
	}
	assert_int_equal(item, NONE);
	assert_int_equal(q->tail, before);
}

static void random_operations(void **state)
{
	(void)state;
	struct link links[ITEMS];
	struct queue q[2];
	struct naive n[2] = { 0 };
	uint64_t seed = 1;
	queue_init(&q[0]);
	queue_init(&q[1]);
	for (int step = 0; step < 20000; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint32_t item = (uint32_t)(seed >> 33) % ITEMS;
		uint32_t side = (uint32_t)(seed >> 50) & 1;
		if (naive_has(&n[0], item) || naive_has(&n[1], item)) {
			side = naive_has(&n[1], item);
			queue_remove(&q[side], links, item);
			naive_remove(&n[side], item);
		} else if (seed >> 60 < 3) {
			uint32_t head = n[side].count ? n[side].item[0] : NONE;
			assert_int_equal(queue_pop(&q[side], links), head);
			naive_remove(&n[side], head);
		} else {
			queue_push(&q[side], links, item);
			n[side].item[n[side].count++] = item;
		}
		compare(&q[0], links, &n[0]);
		compare(&q[1], links, &n[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
