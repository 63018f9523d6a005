/* links: tools/latency_pair.c tools/latency_bind.c tools/latency_key.c netstack/hash.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_latency_pair.c: random captures on both sides of a NAT, with loss, copies and reordering, made
 * by one who wrote down what each packet became; the matcher must find out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hash.h"
#include "latency_pair.h"

enum {
	PACKETS = 600, FLOWS = 8, SEEN_MAX = 3 * PACKETS, TURNS = 40, ENTRIES = 4096,
	STEP_NS = 20000, DELAY_NS = 30000, JITTER_NS = 200000, WINDOW_NS = 50000000,
};

static struct secret dice = { { 21, 4 }, 0 };

static uint32_t rnd(uint32_t bound)
{
	return random_below(&dice, bound);
}

/* What becomes of a packet; times are unique, so they name it. */
struct truth {
	uint64_t sent_ns, came_ns; /* came_ns 0: it was lost */
	enum latency_way way;
	uint32_t found;
};

struct sighting {
	uint64_t ns;
	enum latency_side side;
	struct latency_key key;
};

static struct world {
	struct truth packet[PACKETS];
	struct sighting seen[SEEN_MAX];
	uint32_t seen_count, packets, copies[LATENCY_WAYS], lost[LATENCY_WAYS];
	uint32_t wrong;
} w;

/* How hard it is made. */
struct kind {
	bool alike;   /* few different contents */
	bool numbered; /* IP identifications that the path leaves alone */
	bool told;    /* the translation is known beforehand */
	bool copies, late; /* late: packets overtake each other */
};

static struct latency_ends ends_of(uint32_t flow, bool up, bool inside)
{
	uint32_t client = inside ? 0x0a890005 : 0x0ac80002, server = 0xc000020a;
	uint16_t port = (uint16_t)(inside ? 40000 + flow : 50000 + 7 * flow);
	if (up)
		return (struct latency_ends){ .src = client, .dst = server, .sport = port, .dport = 80, .proto = 6 };
	return (struct latency_ends){ .src = server, .dst = client, .sport = 80, .dport = port, .proto = 6 };
}

static void see(uint64_t ns, enum latency_side side, const struct latency_key *key, uint32_t flow, bool up)
{
	struct sighting *s = &w.seen[w.seen_count++];
	*s = (struct sighting){ ns, side, *key };
	s->key.ends = ends_of(flow, up, side == LATENCY_A);
}

static int by_time(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;
	return (x->ns > y->ns) - (x->ns < y->ns);
}

static void make_world(const struct kind *k)
{
	memset(&w, 0, sizeof(w));
	for (uint32_t i = 0; i < PACKETS; i++) {
		uint32_t flow = rnd(FLOWS);
		bool up = rnd(2);
		struct truth *t = &w.packet[w.packets++];
		struct latency_key key = { .content = (uint64_t)(k->alike ? rnd(5) : i + 1) * UINT64_C(0x9e3779b97f4a7c15),
					   .ip_id = (uint16_t)(k->numbered ? i + 1 : 0) };
		/* steps of 4 ns, and a phase each for sight, arrival and copy: no two times are the same */
		uint64_t delay = DELAY_NS + (k->late ? rnd(JITTER_NS) : 0) / 4 * 4;
		t->way = up ? LATENCY_A_TO_B : LATENCY_B_TO_A;
		t->sent_ns = 1000000000 + (uint64_t)i * STEP_NS;
		enum latency_side from = up ? LATENCY_A : LATENCY_B, to = up ? LATENCY_B : LATENCY_A;
		see(t->sent_ns, from, &key, flow, up);
		if (rnd(20) == 0) {
			w.lost[t->way]++;
			continue;
		}
		t->came_ns = t->sent_ns + delay + 1 + (uint64_t)i % 997 * 4;
		see(t->came_ns, to, &key, flow, up);
		if (k->copies && rnd(20) == 0) {
			w.copies[t->way]++;
			see(t->came_ns + 10002, to, &key, flow, up);
		}
	}
	qsort(w.seen, w.seen_count, sizeof(w.seen[0]), by_time);
}

static void found(void *unused, enum latency_way way, uint64_t a_ns, uint64_t b_ns, bool sure)
{
	uint64_t sent = way == LATENCY_A_TO_B ? a_ns : b_ns, came = way == LATENCY_A_TO_B ? b_ns : a_ns;
	(void)unused;
	(void)sure;
	assert_true(sent >= 1000000000 && (sent - 1000000000) % STEP_NS == 0);
	uint64_t i = (sent - 1000000000) / STEP_NS;
	assert_true(i < w.packets);
	struct truth *t = &w.packet[i];
	t->found++;
	w.wrong += t->came_ns != came || t->way != way;
}

static void run(const struct kind *k)
{
	struct latency_pairer *p = latency_pair_new(WINDOW_NS, ENTRIES, found, NULL);
	assert_non_null(p);
	make_world(k);
	for (uint32_t flow = 0; k->told && flow < FLOWS; flow++) {
		struct latency_ends in = ends_of(flow, true, true), out = ends_of(flow, true, false);
		assert_true(latency_pair_flow(p, &in, &out));
	}
	for (uint32_t i = 0; i < w.seen_count; i++)
		latency_pair_put(p, w.seen[i].side, w.seen[i].ns, &w.seen[i].key);
	latency_pair_end(p);
	for (uint32_t i = 0; i < w.packets; i++)
		assert_true(w.packet[i].found <= 1);
	for (int way = 0; way < LATENCY_WAYS; way++) {
		const struct latency_way_count *n = latency_pair_count(p, (enum latency_way)way);
		uint64_t sent = 0, matched = 0;
		for (uint32_t i = 0; i < w.packets; i++) {
			sent += w.packet[i].way == (enum latency_way)way;
			matched += w.packet[i].way == (enum latency_way)way && w.packet[i].found;
		}
		assert_int_equal(n->matched, matched);
		assert_int_equal(n->early, 0);
		assert_true(n->matched + n->lost + n->edge >= sent); /* a copy that was not seen to be one waits, too */
	}
	latency_pair_free(p);
}

/* What the counts must be when nothing is left to guess. */
static void run_exact(const struct kind *k)
{
	struct latency_pairer *p = latency_pair_new(WINDOW_NS, ENTRIES, found, NULL);
	make_world(k);
	for (uint32_t i = 0; i < w.seen_count; i++)
		latency_pair_put(p, w.seen[i].side, w.seen[i].ns, &w.seen[i].key);
	latency_pair_end(p);
	assert_int_equal(w.wrong, 0);
	for (uint32_t i = 0; i < w.packets; i++)
		assert_int_equal(w.packet[i].found, w.packet[i].came_ns != 0);
	for (int way = 0; way < LATENCY_WAYS; way++) {
		const struct latency_way_count *n = latency_pair_count(p, (enum latency_way)way);
		assert_int_equal(n->lost + n->edge, w.lost[way]);
		assert_int_equal(n->duplicated, w.copies[way]);
		assert_int_equal(n->ambiguous, 0);
		if (!k->late)
			assert_int_equal(n->reordered, 0);
	}
	latency_pair_free(p);
}

static void each_content_once(void **state)
{
	(void)state;
	for (int turn = 0; turn < TURNS; turn++)
		run_exact(&(struct kind){ .numbered = turn % 2, .copies = turn % 4 / 2, .late = turn % 8 / 4 });
}

/* The same bytes again and again: the identification tells them apart. */
static void alike_but_numbered(void **state)
{
	(void)state;
	for (int turn = 0; turn < TURNS; turn++)
		run_exact(&(struct kind){ .alike = true, .numbered = true, .copies = turn % 2, .late = turn % 4 / 2 });
}

/* Nothing tells them apart but time and flow: no packet is matched twice, and hardly one with a wrong one. */
static void alike_and_unnumbered(void **state)
{
	uint32_t wrong = 0, all = 0;
	(void)state;
	for (int turn = 0; turn < TURNS; turn++) {
		run(&(struct kind){ .alike = true, .told = true, .copies = turn % 2 });
		wrong += w.wrong;
		all += w.packets;
	}
	if (wrong * 20 > all)
		fail_msg("%u of %u were taken for another", wrong, all);
}

/* RFC 4737: a packet is reordered that arrives after one of its flow that was sent later. */
static void reordering(void **state)
{
	static uint64_t latest[LATENCY_WAYS][FLOWS];
	(void)state;
	for (int turn = 0; turn < TURNS; turn++) {
		uint64_t expected[LATENCY_WAYS] = { 0 };
		run_exact(&(struct kind){ .numbered = true, .late = true });
		memset(latest, 0, sizeof(latest));
		struct latency_pairer *p = latency_pair_new(WINDOW_NS, ENTRIES, found, NULL);
		for (uint32_t i = 0; i < w.seen_count; i++) {
			const struct sighting *s = &w.seen[i];
			bool up = s->key.ends.dport == 80, arrival = up != (s->side == LATENCY_A);
			uint32_t flow = s->side == LATENCY_A ? (up ? s->key.ends.sport : s->key.ends.dport) - 40000u
							     : ((up ? s->key.ends.sport : s->key.ends.dport) - 50000u) / 7;
			enum latency_way way = up ? LATENCY_A_TO_B : LATENCY_B_TO_A;
			uint64_t *last = &latest[way][flow];
			if (arrival && s->key.ip_id < *last)
				expected[way]++;
			else if (arrival)
				*last = s->key.ip_id;
			latency_pair_put(p, s->side, s->ns, &s->key);
		}
		latency_pair_end(p);
		for (int way = 0; way < LATENCY_WAYS; way++)
			assert_int_equal(latency_pair_count(p, (enum latency_way)way)->reordered, expected[way]);
		latency_pair_free(p);
	}
}

/* A table that is too small gives up the oldest, and says so. */
static void small_table(void **state)
{
	struct latency_pairer *p = latency_pair_new(WINDOW_NS, 64, found, NULL);
	(void)state;
	make_world(&(struct kind){ .numbered = true });
	uint64_t put = 0;
	for (uint32_t i = 0; i < w.seen_count; i++)
		if (w.seen[i].side == LATENCY_A && w.seen[i].key.ends.dport == 80) { /* nothing ever arrives */
			latency_pair_put(p, LATENCY_A, w.seen[i].ns, &w.seen[i].key);
			put++;
		}
	latency_pair_end(p);
	const struct latency_way_count *n = latency_pair_count(p, LATENCY_A_TO_B);
	assert_true(n->matched == 0 && n->lost + n->edge == 64 && n->early == put - 64);
	latency_pair_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_content_once),  cmocka_unit_test(alike_but_numbered),
		cmocka_unit_test(alike_and_unnumbered), cmocka_unit_test(reordering),
		cmocka_unit_test(small_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
