/* links: netstack/neigh.c netstack/hash.c netstack/table.c netstack/queue.c netstack/arena.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_neigh.c: the life of an entry step by step, and random steps against a
 * plain array. Every frame is counted: with the caller or held, never both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "neigh.h"

#define S UINT64_C(1000000000)

enum { FRAMES = 600 };

static _Alignas(64) uint8_t memory[64 * 1024];
static struct secret secret = { { 1, 2 }, 0 };

struct bench {
	struct neigh *n;
	struct frame frame[FRAMES];
	bool away[FRAMES];
	uint32_t frames_away;
	struct frame_queue out; /* released or dropped by the last step */
};

static void set_up(struct bench *b, uint32_t capacity)
{
	struct arena a = { memory, neigh_bytes(capacity) };
	assert_true(a.left <= sizeof(memory));
	memset(b, 0, sizeof(*b));
	b->n = neigh_new(&a, capacity, &secret);
	assert_non_null(b->n);
}

static struct ip_addr ip(uint32_t host)
{
	return ip_v4(10, 0, (uint8_t)(host >> 8), (uint8_t)host);
}

static struct mac mac(uint8_t last)
{
	return (struct mac){ { 2, 0, 0, 0, 0, last } };
}

/* Takes back what the last step put out, and says how much. */
static uint32_t back(struct bench *b)
{
	uint32_t count = b->out.count, met = 0;
	struct frame *f;
	while ((f = frames_take(&b->out))) {
		assert_true(b->away[f->handle]);
		b->away[f->handle] = false;
		b->frames_away--;
		met++;
	}
	assert_int_equal(met, count);
	assert_true(neigh_valid(b->n));
	return count;
}

static uint32_t room_of_frames; /* that resolve() sends */

static enum neigh_answer resolve(struct bench *b, uint16_t port, uint32_t host, uint64_t now,
                                 uint8_t *last)
{
	struct mac m = { { 0 } };
	uint32_t n = 0;
	while (b->away[n])
		n++;
	b->frame[n] = (struct frame){ .handle = n, .port = 3, .room = room_of_frames };
	enum neigh_answer answer = neigh_resolve(b->n, port, ip(host), &b->frame[n], now, &m);
	if (answer == NEIGH_WAIT) {
		b->away[n] = true;
		b->frames_away++;
	}
	assert_true(neigh_valid(b->n));
	*last = m.b[5];
	return answer;
}

enum verb { RESOLVE, LOOKUP, LEARN, SET, POLL, FLUSH, DEADLINE };

struct step {
	uint64_t now; /* in tenths of a second */
	enum verb verb;
	uint8_t host, mac;   /* mac: given, or expected with FOUND */
	uint32_t want;       /* answer, bool, number of requests, or deadline in tenths */
	uint32_t out;        /* frames released or dropped */
};

#define NEVER UINT32_MAX

static void perform(struct bench *b, const struct step *s, uint16_t port)
{
	uint64_t now = s->now * (S / 10);
	struct neigh_request request[4];
	struct mac m = { { 0 } };
	uint8_t last;
	uint32_t got = 0;
	switch (s->verb) {
	case RESOLVE:
		got = resolve(b, port, s->host, now, &last);
		if (got == NEIGH_FOUND)
			assert_int_equal(last, s->mac);
		break;
	case LOOKUP:
		got = neigh_lookup(b->n, port, ip(s->host), &m);
		assert_int_equal(m.b[5], s->mac);
		break;
	case LEARN:
		got = neigh_learn(b->n, port, ip(s->host), mac(s->mac), now, &b->out);
		break;
	case SET:
		got = neigh_set(b->n, port, ip(s->host), mac(s->mac), &b->out);
		break;
	case POLL:
		got = (uint32_t)neigh_poll(b->n, now, request, array_len(request), &b->out);
		for (uint32_t i = 0; s->host && i < got; i++) {
			assert_int_equal(request[i].port, port);
			assert_true(ip_eq(request[i].target, ip(s->host)));
		}
		break;
	case FLUSH:
		neigh_flush(b->n, port, &b->out);
		break;
	case DEADLINE:
		got = neigh_deadline(b->n) == UINT64_MAX ? NEVER : (uint32_t)(neigh_deadline(b->n) / (S / 10));
		break;
	}
	assert_int_equal(got, s->want);
	assert_int_equal(back(b), s->out);
}

static void play(uint32_t capacity, const struct step *steps, size_t n)
{
	static struct bench b;
	set_up(&b, capacity);
	for (size_t i = 0; i < n; i++)
		perform(&b, &steps[i], 1);
}

static void asked_and_answered(void **state)
{
	(void)state;
	static const struct step STEPS[] = {
		{ 0, DEADLINE, 0, 0, NEVER, 0 },
		{ 0, LEARN, 9, 9, false, 0 }, /* nobody asked */
		{ 0, LOOKUP, 9, 0, false, 0 },
		{ 10, RESOLVE, 9, 0, NEIGH_WAIT, 0 },
		{ 10, RESOLVE, 9, 0, NEIGH_WAIT, 0 },
		{ 10, DEADLINE, 0, 0, 10, 0 },
		{ 10, POLL, 9, 0, 1, 0 },
		{ 10, POLL, 9, 0, 0, 0 },
		{ 10, LOOKUP, 9, 0, false, 0 },
		{ 12, LEARN, 9, 9, true, 2 },
		{ 12, DEADLINE, 0, 0, NEVER, 0 },
		{ 12, LOOKUP, 9, 9, true, 0 },
		{ 13, RESOLVE, 9, 9, NEIGH_FOUND, 0 },
		{ 14, LEARN, 9, 8, true, 0 }, /* moved */
		{ 14, RESOLVE, 9, 8, NEIGH_FOUND, 0 },
	};
	play(4, STEPS, array_len(STEPS));
}

static void asked_in_vain(void **state)
{
	(void)state;
	static const struct step STEPS[] = {
		{ 10, RESOLVE, 9, 0, NEIGH_WAIT, 0 },
		{ 10, POLL, 9, 0, 1, 0 }, { 10, DEADLINE, 0, 0, 20, 0 },
		{ 19, POLL, 9, 0, 0, 0 }, { 20, POLL, 9, 0, 1, 0 },
		{ 29, POLL, 9, 0, 0, 0 }, { 30, POLL, 9, 0, 1, 0 },
		{ 39, RESOLVE, 9, 0, NEIGH_WAIT, 0 },
		{ 39, POLL, 9, 0, 0, 0 }, { 40, POLL, 9, 0, 0, 2 },
		{ 40, DEADLINE, 0, 0, 70, 0 },
		{ 69, RESOLVE, 9, 0, NEIGH_FAILED, 0 },
		/* due, though poll was not there yet: asked again from the start */
		{ 70, RESOLVE, 9, 0, NEIGH_WAIT, 0 },
		{ 70, POLL, 9, 0, 1, 0 }, { 80, POLL, 9, 0, 1, 0 }, { 90, POLL, 9, 0, 1, 0 },
		{ 100, POLL, 9, 0, 0, 1 },
		{ 101, LEARN, 9, 9, true, 0 }, /* late, and welcome */
		{ 101, RESOLVE, 9, 9, NEIGH_FOUND, 0 },
	};
	play(4, STEPS, array_len(STEPS));
	static const struct step FORGOTTEN[] = {
		{ 0, RESOLVE, 9, 0, NEIGH_WAIT, 0 },
		{ 0, POLL, 9, 0, 1, 0 }, { 10, POLL, 9, 0, 1, 0 }, { 20, POLL, 9, 0, 1, 0 },
		{ 30, POLL, 9, 0, 0, 1 }, { 60, POLL, 9, 0, 0, 0 },
		{ 60, DEADLINE, 0, 0, NEVER, 0 },
		{ 60, LEARN, 9, 9, false, 0 },
	};
	play(4, FORGOTTEN, array_len(FORGOTTEN));
}

static void stale_while_used(void **state)
{
	(void)state;
	static const struct step STEPS[] = {
		{ 0, RESOLVE, 9, 0, NEIGH_WAIT, 0 }, { 0, LEARN, 9, 9, true, 1 },
		{ 599, RESOLVE, 9, 9, NEIGH_FOUND, 0 }, { 599, POLL, 9, 0, 0, 0 },
		{ 600, POLL, 9, 0, 0, 0 }, /* not used: not asked */
		{ 700, RESOLVE, 9, 9, NEIGH_FOUND, 0 },
		{ 700, POLL, 9, 0, 1, 0 }, { 705, RESOLVE, 9, 9, NEIGH_FOUND, 0 },
		{ 705, POLL, 9, 0, 0, 0 }, { 710, POLL, 9, 0, 1, 0 },
		{ 711, LEARN, 9, 7, true, 0 },
		{ 1310, RESOLVE, 9, 7, NEIGH_FOUND, 0 }, { 1310, POLL, 9, 0, 0, 0 },
		{ 1311, RESOLVE, 9, 7, NEIGH_FOUND, 0 },
		{ 1311, POLL, 9, 0, 1, 0 }, { 1321, POLL, 9, 0, 1, 0 }, { 1331, POLL, 9, 0, 1, 0 },
		{ 1340, RESOLVE, 9, 7, NEIGH_FOUND, 0 },
		{ 1341, POLL, 9, 0, 0, 0 },
		{ 1341, RESOLVE, 9, 0, NEIGH_FAILED, 0 }, { 1341, LOOKUP, 9, 0, false, 0 },
	};
	play(4, STEPS, array_len(STEPS));
}

static void permanent(void **state)
{
	(void)state;
	static const struct step STEPS[] = {
		{ 0, RESOLVE, 1, 0, NEIGH_WAIT, 0 }, { 0, RESOLVE, 1, 0, NEIGH_WAIT, 0 },
		{ 0, SET, 1, 5, true, 2 },
		{ 0, DEADLINE, 0, 0, NEVER, 0 },
		{ 0, LEARN, 1, 6, true, 0 }, /* known, and not believed */
		{ 99999, RESOLVE, 1, 5, NEIGH_FOUND, 0 }, { 99999, POLL, 0, 0, 0, 0 },
		{ 99999, SET, 1, 7, true, 0 }, { 99999, LOOKUP, 1, 7, true, 0 },
		{ 99999, RESOLVE, 2, 0, NEIGH_WAIT, 0 },
		/* no room but that of 2, whose frame waits for the poll */
		{ 99999, SET, 3, 3, true, 0 },
		{ 99999, DEADLINE, 0, 0, 99999, 0 },
		{ 99999, POLL, 0, 0, 0, 1 },
		{ 99999, SET, 4, 4, false, 0 },
		{ 99999, RESOLVE, 4, 0, NEIGH_FULL, 0 },
		{ 99999, FLUSH, 0, 0, 0, 0 },
		{ 99999, LOOKUP, 1, 0, false, 0 }, { 99999, SET, 4, 4, true, 0 },
	};
	play(2, STEPS, array_len(STEPS));
}

static void group_address_is_not_learnt(void **state)
{
	(void)state;
	static struct bench b;
	uint8_t last;
	set_up(&b, 2);
	resolve(&b, 1, 1, 0, &last);
	struct mac all = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	assert_false(neigh_learn(b.n, 1, ip(1), all, 0, &b.out));
	assert_int_equal(back(&b), 0);
	assert_int_equal(resolve(&b, 1, 1, 0, &last), NEIGH_WAIT);
}

static void bounds_of_waiting(void **state)
{
	(void)state;
	static struct bench b;
	struct neigh_request r[64];
	uint8_t last;
	set_up(&b, 64);
	uint32_t host;
	for (host = 0; host < NEIGH_HELD_MAX / NEIGH_WAITING_MAX; host++) {
		for (uint32_t i = 0; i < NEIGH_WAITING_MAX; i++)
			assert_int_equal(resolve(&b, 1, host, 0, &last), NEIGH_WAIT);
		assert_int_equal(resolve(&b, 1, host, 0, &last), NEIGH_FULL);
	}
	/* too many frames over all: this one is not held, but its next hop is asked for */
	assert_int_equal(resolve(&b, 1, host, 0, &last), NEIGH_FULL);
	assert_int_equal(neigh_poll(b.n, 0, r, array_len(r), &b.out), host + 1);
	assert_true(neigh_learn(b.n, 1, ip(host), mac(1), 0, &b.out));
	assert_int_equal(resolve(&b, 1, host, 0, &last), NEIGH_FOUND);
	/* first come, first out */
	assert_true(neigh_learn(b.n, 1, ip(1), mac(1), 0, &b.out));
	uint32_t i = NEIGH_WAITING_MAX;
	for (const struct frame *f = b.out.head; f; f = f->next)
		assert_int_equal(f->handle, i++);
	assert_int_equal(back(&b), NEIGH_WAITING_MAX);
	assert_int_equal(resolve(&b, 1, host + 1, 0, &last), NEIGH_WAIT);
	/* a large buffer does not wait, but its next hop is asked for */
	room_of_frames = FRAME_HELD_ROOM_MAX + 1;
	assert_int_equal(resolve(&b, 1, host + 2, 0, &last), NEIGH_FULL);
	room_of_frames = FRAME_HELD_ROOM_MAX;
	assert_int_equal(neigh_poll(b.n, 0, r, array_len(r), &b.out), 2);
	assert_int_equal(resolve(&b, 1, host + 2, 0, &last), NEIGH_WAIT);
}

/* The oracle: a list in order of last use, oldest first; every answer comes at once or never. */
struct naive { uint16_t port; uint32_t host; uint32_t held; bool known; };
enum { NAIVE_CAPACITY = 6 };

struct model {
	struct naive at[NAIVE_CAPACITY];
	uint32_t count, evicted;
};

static uint32_t naive_find(const struct model *m, uint16_t port, uint32_t host)
{
	uint32_t i = 0;
	while (i < m->count && !(m->at[i].port == port && m->at[i].host == host))
		i++;
	return i;
}

static struct naive naive_out(struct model *m, uint32_t i)
{
	struct naive was = m->at[i];
	m->count--;
	memmove(&m->at[i], &m->at[i + 1], (m->count - i) * sizeof(was));
	return was;
}

static enum neigh_answer naive_resolve(struct model *m, uint16_t port, uint32_t host)
{
	struct naive e = { port, host, 0, false };
	uint32_t i = naive_find(m, port, host);
	if (i < m->count)
		e = naive_out(m, i);
	else if (m->count == NAIVE_CAPACITY)
		m->evicted += naive_out(m, 0).held;
	enum neigh_answer answer = e.known ? NEIGH_FOUND
		: e.held == NEIGH_WAITING_MAX ? NEIGH_FULL : NEIGH_WAIT;
	e.held += answer == NEIGH_WAIT;
	m->at[m->count++] = e;
	return answer;
}

static void against_list(void **state)
{
	(void)state;
	static struct bench b;
	struct model m = { 0 };
	uint64_t seed = 1;
	uint8_t last;
	struct neigh_request r[NAIVE_CAPACITY];
	set_up(&b, NAIVE_CAPACITY);
	for (uint32_t step = 0; step < 20000; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint16_t port = (uint16_t)(seed >> 62);
		uint32_t host = (uint32_t)(seed >> 40) % 3, i = naive_find(&m, port, host);
		uint32_t verb = (uint32_t)(seed >> 33) % 64;
		if (verb < 56) {
			assert_int_equal(resolve(&b, port, host, 0, &last), naive_resolve(&m, port, host));
		} else if (verb < 60) {
			assert_int_equal(neigh_learn(b.n, port, ip(host), mac(1), 0, &b.out), i < m.count);
			assert_int_equal(back(&b), i < m.count ? m.at[i].held : 0);
			if (i < m.count) {
				m.at[i].held = 0;
				m.at[i].known = true;
			}
		} else if (verb < 63) {
			neigh_poll(b.n, 0, r, array_len(r), &b.out);
			assert_int_equal(back(&b), m.evicted);
			m.evicted = 0;
		} else {
			uint32_t held = 0;
			for (i = m.count; i-- > 0;)
				if (m.at[i].port == port)
					held += naive_out(&m, i).held;
			neigh_flush(b.n, port, &b.out);
			assert_int_equal(back(&b), held);
		}
		assert_int_equal(neigh_count(b.n), m.count);
		uint32_t away = m.evicted;
		for (i = 0; i < m.count; i++)
			away += m.at[i].held;
		assert_int_equal(b.frames_away, away);
		/* the oracle has no bound over all frames: stay clear of it */
		if (away > NEIGH_HELD_MAX - 64) {
			neigh_poll(b.n, 0, r, array_len(r), &b.out);
			assert_int_equal(back(&b), m.evicted);
			m.evicted = 0;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_and_answered),
		cmocka_unit_test(asked_in_vain),
		cmocka_unit_test(stale_while_used),
		cmocka_unit_test(permanent),
		cmocka_unit_test(group_address_is_not_learnt),
		cmocka_unit_test(bounds_of_waiting),
		cmocka_unit_test(against_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
