/* SPDX-License-Identifier: ISC */
/*
 * lab_assert.h: what cmocka's tests say about frames of lab.h. Include cmocka.h first.
 */
#ifndef LAB_ASSERT_H
#define LAB_ASSERT_H

#include <string.h>
#include "lab.h"

/* the lab's two clients, and we at the uplink */
#define C1 ip_v4(10, 137, 0, 5)
#define C2 ip_v4(10, 137, 0, 6)
#define UP ip_v4(10, 0, 0, 2)

/* Of a test whose state is the lab: no frame went lost. */
static inline int lab_teardown(void **state)
{
	struct lab *l = *state;
	assert_true(lab_conserved(l));
	lab_free(l);
	return 0;
}

/* The view of a frame that came out; its buffer is given back, its bytes stay until the next one is sent. */
static inline struct packet parsed(struct lab *l, struct frame *f)
{
	struct packet p;
	assert_non_null(f);
	assert_int_equal(pkt_parse(f, &p), DROP_NONE);
	lab_give(l, f);
	return p;
}

/* Nothing came out, and it is counted under its reason. */
static inline void assert_dropped(struct lab *l, const struct lab_packet *in, enum drop reason)
{
	uint64_t before = l->fw.drops[reason];
	assert_null(lab_send(l, in));
	assert_int_equal(l->fw.drops[reason], before + 1);
}

static inline void assert_says(struct lab_bench *b, const char *request, const char *part)
{
	if (!strstr(lab_ask(b, request), part))
		fail_msg("%s: no %s in\n%s", request, part, b->all);
}

#endif
