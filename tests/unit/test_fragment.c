/* links: netstack/fragment.c netstack/hash.c netstack/table.c netstack/queue.c netstack/arena.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_fragment.c: scenarios piece by piece, and random pieces against one bit
 * per 8 bytes. Every frame is counted: with the caller or held, never both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fragment.h"

#define S UINT64_C(1000000000)

enum { FRAMES = 400, CAPACITY = 16 };

static _Alignas(64) uint8_t memory[64 * 1024];
static struct secret secret = { { 1, 2 }, 0 };

struct piece {
	uint32_t offset, len;
	bool more;
	enum fragment_next want;
	enum drop reason;
	uint32_t dropped; /* held frames that die with it, or come back when it is judged */
};

struct bench {
	struct fragments *f;
	struct frame frame[FRAMES];
	struct packet packet[FRAMES];
	bool away[FRAMES];
	uint32_t frames_away;
	uint16_t port, id;
	uint8_t proto;
	uint32_t handle;
	struct fragment_way way;
};

static void set_up(struct bench *b, uint32_t capacity)
{
	struct arena a = { memory, fragments_bytes(capacity) };
	assert_true(a.left <= sizeof(memory));
	memset(b, 0, sizeof(*b));
	b->f = fragments_new(&a, capacity, &secret);
	assert_non_null(b->f);
	b->port = 1;
	b->proto = PROTO_UDP;
	b->way = (struct fragment_way){ .pass = true, .port = 7, .flow = 5 };
}

/* Frames that came back. */
static void back(struct bench *b, struct frame_queue *q)
{
	struct frame *f;
	while ((f = frames_take(q))) {
		assert_true(b->away[f->handle]);
		b->away[f->handle] = false;
		b->frames_away--;
	}
}

static enum fragment_next take_again(struct bench *b, uint32_t n, uint64_t now, enum drop *reason,
                                     struct frame_queue *dropped)
{
	struct fragment_way way = { 0 };
	enum fragment_next next = fragments_take(b->f, &b->packet[n], now, &b->handle, &way, reason, dropped);
	assert_true(fragments_valid(b->f));
	if (next == FRAGMENT_HELD) {
		b->away[n] = true;
		b->frames_away++;
	}
	if (next == FRAGMENT_FOLLOW)
		assert_memory_equal(&way, &b->way, sizeof(way));
	return next;
}

static uint32_t room_of_frames; /* that send() sends */

static enum fragment_next send(struct bench *b, const struct piece *p, uint64_t now, enum drop *reason,
                               uint32_t *dropped)
{
	struct frame_queue dead = { 0 };
	uint32_t n = 0;
	while (b->away[n])
		n++;
	b->frame[n] = (struct frame){ .handle = n, .port = b->port, .room = room_of_frames };
	b->packet[n] = (struct packet){
		.frame = &b->frame[n],
		.l3 = 14,
		.l4 = 34,
		.has_fragments = true,
		.more_fragments = p->more,
		.id = b->id,
		.fragment_offset = p->offset,
		.data_len = p->len,
		.tuple = { .src = ip_v4(10, 137, 0, 5), .dst = ip_v4(1, 2, 3, 4), .proto = b->proto },
	};
	enum fragment_next next = take_again(b, n, now, reason, &dead);
	*dropped = dead.count;
	back(b, &dead);
	return next;
}

static void expect(struct bench *b, const struct piece *p, uint64_t now)
{
	enum drop reason = DROP_NONE;
	uint32_t dropped;
	enum fragment_next next = send(b, p, now, &reason, &dropped);
	assert_int_equal(next, p->want);
	if (next == FRAGMENT_DROP)
		assert_int_equal(reason, p->reason);
	if (next != FRAGMENT_JUDGE) {
		assert_int_equal(dropped, p->dropped);
		return;
	}
	assert_int_equal(dropped, 0);
	struct frame_queue released = { 0 }, dead = { 0 };
	fragments_decide(b->f, b->handle, &b->way, &released);
	assert_true(fragments_valid(b->f));
	assert_int_equal(released.count, p->dropped);
	struct frame *f;
	while ((f = frames_take(&released))) {
		b->away[f->handle] = false;
		b->frames_away--;
		next = take_again(b, f->handle, now, &reason, &dead);
		assert_int_equal(next, b->way.pass ? FRAGMENT_FOLLOW : FRAGMENT_DROP);
		if (!b->way.pass)
			assert_int_equal(reason, b->way.reason);
		assert_int_equal(dead.count, 0);
	}
}

#define JUDGE FRAGMENT_JUDGE, DROP_NONE
#define FOLLOW FRAGMENT_FOLLOW, DROP_NONE, 0
#define HELD FRAGMENT_HELD, DROP_NONE, 0
#define DIES(why, n) FRAGMENT_DROP, DROP_FRAGMENT_##why, n

static const struct {
	const char *name;
	uint8_t proto;
	uint32_t left; /* datagrams still followed at the end */
	struct piece piece[5];
} SCENARIOS[] = {
	{ "in order", PROTO_TCP, 0,
	  { { 0, 1480, true, JUDGE, 0 }, { 1480, 1480, true, FOLLOW }, { 2960, 1, false, FOLLOW } } },
	{ "last first", PROTO_TCP, 0,
	  { { 2960, 1, false, HELD }, { 1480, 1480, true, HELD }, { 0, 1480, true, JUDGE, 2 } } },
	{ "gap stays open", PROTO_UDP, 1,
	  { { 0, 8, true, JUDGE, 0 }, { 16, 9, false, FOLLOW } } },
	{ "gap closes", PROTO_UDP, 0,
	  { { 0, 8, true, JUDGE, 0 }, { 16, 9, false, FOLLOW }, { 8, 8, true, FOLLOW } } },
	{ "atomic", PROTO_UDP, 0, { { 0, 99, false, JUDGE, 0 } } },
	{ "first twice", PROTO_UDP, 1,
	  { { 0, 64, true, JUDGE, 0 }, { 0, 64, true, DIES(OVERLAP, 0) },
	    { 64, 8, false, DIES(OVERLAP, 0) } } },
	{ "later piece twice", PROTO_UDP, 1,
	  { { 0, 64, true, JUDGE, 0 }, { 64, 8, true, FOLLOW }, { 64, 8, true, DIES(OVERLAP, 0) },
	    { 72, 8, false, DIES(OVERLAP, 0) } } },
	{ "held piece twice", PROTO_UDP, 1,
	  { { 64, 8, true, HELD }, { 80, 8, true, HELD }, { 64, 8, true, DIES(OVERLAP, 2) },
	    { 0, 64, true, DIES(OVERLAP, 0) } } },
	{ "first over held", PROTO_UDP, 1,
	  { { 64, 8, true, HELD }, { 0, 72, true, DIES(OVERLAP, 1) } } },
	{ "around a held one", PROTO_UDP, 1,
	  { { 64, 8, true, HELD }, { 56, 24, true, DIES(OVERLAP, 1) } } },
	{ "inside a held one", PROTO_UDP, 1,
	  { { 64, 24, true, HELD }, { 72, 8, true, DIES(OVERLAP, 1) } } },
	{ "tail over head", PROTO_UDP, 1,
	  { { 64, 24, true, HELD }, { 56, 16, true, DIES(OVERLAP, 1) } } },
	{ "head over tail", PROTO_UDP, 1,
	  { { 64, 24, true, HELD }, { 80, 16, true, DIES(OVERLAP, 1) } } },
	{ "two lasts, further", PROTO_UDP, 1,
	  { { 64, 8, false, HELD }, { 72, 8, false, DIES(OVERLAP, 1) } } },
	{ "two lasts, nearer", PROTO_UDP, 1,
	  { { 64, 8, false, HELD }, { 56, 8, false, DIES(OVERLAP, 1) } } },
	{ "past the end", PROTO_UDP, 1,
	  { { 64, 8, false, HELD }, { 72, 8, true, DIES(OVERLAP, 1) } } },
	{ "past an odd end", PROTO_UDP, 1,
	  { { 64, 3, false, HELD }, { 72, 8, true, DIES(OVERLAP, 1) } } },
	{ "end before what was seen", PROTO_UDP, 1,
	  { { 80, 8, true, HELD }, { 64, 8, false, DIES(OVERLAP, 1) } } },
	{ "empty", PROTO_UDP, 1, { { 64, 0, true, DIES(SIZE, 0) }, { 0, 64, true, DIES(SIZE, 0) } } },
	{ "not in eights", PROTO_UDP, 1, { { 64, 8, true, HELD }, { 80, 7, true, DIES(SIZE, 1) } } },
	{ "up to 65535", PROTO_UDP, 1, { { 65512, 3, false, HELD } } },
	{ "past 65535", PROTO_UDP, 1, { { 65512, 4, false, DIES(SIZE, 0) } } },
	{ "far past 65535", PROTO_UDP, 1, { { 65528, 65528, true, DIES(SIZE, 0) } } },
	{ "tiny tcp", PROTO_TCP, 1,
	  { { 0, 16, true, DIES(TINY, 0) }, { 16, 8, false, DIES(TINY, 0) } } },
	{ "tcp flags in the second", PROTO_TCP, 1, { { 8, 64, true, DIES(TINY, 0) } } },
	{ "tcp urgent pointer in the third", PROTO_TCP, 1, { { 16, 64, true, DIES(TINY, 0) } } },
	{ "smallest tcp", PROTO_TCP, 0, { { 0, 24, true, JUDGE, 0 }, { 24, 1, false, FOLLOW } } },
	{ "smallest udp", PROTO_UDP, 0, { { 0, 8, true, JUDGE, 0 }, { 8, 1, false, FOLLOW } } },
	{ "short udp", PROTO_UDP, 1, { { 0, 7, false, DIES(TINY, 0) } } },
};

static const char *playing; /* left behind by a scenario that failed */

static int name_failed(void **state)
{
	(void)state;
	if (playing)
		print_message("in scenario: %s\n", playing);
	return 0;
}

static void scenarios(void **state)
{
	(void)state;
	static struct bench b;
	for (size_t s = 0; s < array_len(SCENARIOS); s++) {
		set_up(&b, CAPACITY);
		b.proto = SCENARIOS[s].proto;
		playing = SCENARIOS[s].name;
		for (size_t i = 0; i < 5; i++) {
			const struct piece *p = &SCENARIOS[s].piece[i];
			if (p->offset == 0 && p->len == 0)
				break;
			expect(&b, p, S);
		}
		assert_int_equal(fragments_count(b.f), SCENARIOS[s].left);
	}
	playing = NULL;
}

static void limits_of_a_datagram(void **state)
{
	(void)state;
	static struct bench b;
	/* disjoint ranges: the first one and 15 more */
	set_up(&b, CAPACITY);
	expect(&b, &(struct piece){ 0, 8, true, JUDGE, 0 }, 0);
	for (uint32_t i = 1; i < 16; i++)
		expect(&b, &(struct piece){ i * 16, 8, true, FOLLOW }, 0);
	expect(&b, &(struct piece){ 8, 8, true, FOLLOW }, 0); /* joins two: room for another */
	expect(&b, &(struct piece){ 1600, 8, true, FOLLOW }, 0);
	expect(&b, &(struct piece){ 3200, 8, true, DIES(LIMIT, 0) }, 0);
	/* pieces */
	b.id++;
	expect(&b, &(struct piece){ 0, 8, true, JUDGE, 0 }, 0);
	for (uint32_t i = 1; i < FRAGMENT_PIECES_MAX; i++)
		expect(&b, &(struct piece){ i * 8, 8, true, FOLLOW }, 0);
	expect(&b, &(struct piece){ FRAGMENT_PIECES_MAX * 8, 8, false, DIES(LIMIT, 0) }, 0);
	/* held frames */
	b.id++;
	for (uint32_t i = 1; i <= FRAGMENT_HELD_MAX; i++)
		expect(&b, &(struct piece){ i * 8, 8, true, HELD }, 0);
	expect(&b, &(struct piece){ 800, 8, true, DIES(LIMIT, FRAGMENT_HELD_MAX) }, 0);
	assert_int_equal(b.frames_away, 0);
	/* a large buffer is never one of them, but may follow */
	room_of_frames = FRAME_HELD_ROOM_MAX + 1;
	b.id++;
	expect(&b, &(struct piece){ 8, 8, true, DIES(LIMIT, 0) }, 0);
	b.id++;
	expect(&b, &(struct piece){ 0, 8, true, JUDGE, 0 }, 0);
	expect(&b, &(struct piece){ 8, 8, true, FOLLOW }, 0);
	room_of_frames = 0;
}

static void shares(void **state)
{
	(void)state;
	static struct bench b;
	const struct piece held = { 64, 8, true, HELD };
	const struct piece first = { 0, 64, true, JUDGE, 0 };
	const struct piece refused = { 64, 8, true, DIES(LIMIT, 0) };
	set_up(&b, CAPACITY);
	for (b.port = 0; b.port < 4; b.port++) {
		for (b.id = 0; b.id < CAPACITY / 4; b.id++)
			expect(&b, &first, 0);
		expect(&b, &refused, 0);
	}
	expect(&b, &refused, 30 * S - 1);
	assert_int_equal(fragments_count(b.f), CAPACITY);
	expect(&b, &held, 30 * S);
	assert_int_equal(fragments_count(b.f), 1);
	/* what timed out makes room, and comes back from poll alone */
	struct frame_queue dropped = { 0 };
	expect(&b, &held, 60 * S);
	assert_int_equal(fragments_deadline(b.f), 60 * S);
	fragments_poll(b.f, 60 * S, &dropped);
	assert_int_equal(dropped.count, 1);
	back(&b, &dropped);
	assert_int_equal(fragments_deadline(b.f), 90 * S);
	/* held frames: a quarter of them for one port */
	set_up(&b, 64);
	for (b.id = 0; b.frames_away < FRAGMENTS_HELD_MAX / 4; b.id++)
		for (uint32_t i = 1; i <= FRAGMENT_HELD_MAX; i++)
			expect(&b, &(struct piece){ i * 8, 8, true, HELD }, 0);
	expect(&b, &refused, 0);
	b.port++;
	expect(&b, &held, 0);
}

/* Of a port at its share, the oldest datagram of which nothing passed makes room: waiting, refused or dead. */
static void strangers_make_room(void **state)
{
	(void)state;
	static struct bench b;
	const struct piece held = { 64, 8, true, HELD }, first = { 0, 64, true, JUDGE, 0 };
	const struct piece follows = { 64, 8, true, FOLLOW };
	struct frame_queue dropped = { 0 };
	set_up(&b, CAPACITY);
	expect(&b, &first, 0); /* id 0 passes, and stays whoever comes */
	b.id = 1;
	expect(&b, &held, 0);
	b.id = 2;
	expect(&b, &held, 0);
	expect(&b, &(struct piece){ 64, 8, true, DIES(OVERLAP, 1) }, 0);
	b.way = (struct fragment_way){ .reason = DROP_RULE };
	for (b.id = 3; b.id < CAPACITY / 4; b.id++)
		expect(&b, &first, 0);
	b.way = (struct fragment_way){ .pass = true, .port = 3 };
	for (b.id = 1000; b.id < 1000 + 3 * CAPACITY; b.id++) {
		expect(&b, &held, 1);
		assert_int_equal(fragments_count(b.f), CAPACITY / 4);
		fragments_poll(b.f, 1, &dropped);
		back(&b, &dropped);
		assert_true(b.frames_away < CAPACITY / 4);
	}
	/* a first piece finds its way between them */
	b.id = 5000;
	expect(&b, &first, 1);
	expect(&b, &follows, 1);
	fragments_poll(b.f, 30 * S + 1, &dropped);
	back(&b, &dropped);
	assert_int_equal(b.frames_away, 0);
}

static void time_out_and_flush(void **state)
{
	(void)state;
	static struct bench b;
	struct frame_queue dropped = { 0 };
	set_up(&b, CAPACITY);
	assert_true(fragments_deadline(b.f) == UINT64_MAX);
	expect(&b, &(struct piece){ 64, 8, true, HELD }, 5 * S);
	expect(&b, &(struct piece){ 72, 8, true, HELD }, 20 * S); /* does not live longer for it */
	assert_int_equal(fragments_deadline(b.f), 35 * S);
	fragments_poll(b.f, 35 * S - 1, &dropped);
	assert_int_equal(dropped.count, 0);
	fragments_poll(b.f, 35 * S, &dropped);
	assert_int_equal(dropped.count, 2);
	back(&b, &dropped);
	/* the same id is a new datagram now */
	expect(&b, &(struct piece){ 64, 8, true, HELD }, 36 * S);
	b.port = 2; /* and another one on another port */
	expect(&b, &(struct piece){ 64, 8, true, HELD }, 36 * S);
	fragments_flush(b.f, 1, &dropped);
	assert_true(fragments_valid(b.f));
	assert_int_equal(dropped.count, 1);
	assert_int_equal(dropped.head->port, 1);
	back(&b, &dropped);
	assert_int_equal(fragments_count(b.f), 1);
	/* a clock that steps back makes nothing older or younger */
	expect(&b, &(struct piece){ 80, 8, true, HELD }, 1 * S);
	assert_int_equal(fragments_deadline(b.f), 66 * S);
}

static void verdict_and_handle(void **state)
{
	(void)state;
	static struct bench b;
	enum drop reason;
	uint32_t dropped;
	struct frame_queue released = { 0 };
	set_up(&b, CAPACITY);
	b.way = (struct fragment_way){ .pass = false, .reason = DROP_RULE };
	expect(&b, &(struct piece){ 64, 8, true, HELD }, 0);
	expect(&b, &(struct piece){ 0, 64, true, JUDGE, 1 }, 0);
	expect(&b, &(struct piece){ 72, 8, true, FRAGMENT_DROP, DROP_RULE, 0 }, 0);
	/* between first piece and verdict the others wait */
	b.id = 1;
	assert_int_equal(send(&b, &(struct piece){ .len = 64, .more = true }, 0, &reason, &dropped),
	                 FRAGMENT_JUDGE);
	expect(&b, &(struct piece){ 64, 8, true, HELD }, 0);
	/* a verdict that comes after the datagram died, or for its successor's slot, changes nothing */
	expect(&b, &(struct piece){ 64, 8, true, DIES(OVERLAP, 1) }, 0);
	uint32_t late = b.handle;
	fragments_decide(b.f, late, &b.way, &released);
	expect(&b, &(struct piece){ 72, 8, true, DIES(OVERLAP, 0) }, 0);
	fragments_flush(b.f, b.port, &released);
	for (uint32_t round = 0; round < 4; round++) { /* every slot is used once */
		for (b.id = 2; b.id < 2 + CAPACITY / 4; b.id++)
			assert_int_equal(send(&b, &(struct piece){ .len = 64, .more = true }, 0, &reason,
			                      &dropped), FRAGMENT_JUDGE);
		fragments_decide(b.f, late, &b.way, &released);
		assert_int_equal(released.count, 0);
		for (b.id = 2; b.id < 2 + CAPACITY / 4; b.id++)
			expect(&b, &(struct piece){ 64, 8, true, HELD }, 0);
		fragments_flush(b.f, b.port, &released);
		assert_int_equal(released.count, CAPACITY / 4);
		back(&b, &released);
	}
}

enum { UNITS = 40 };

/* The oracle for one datagram: a bit for each 8 bytes seen. */
struct naive {
	bool unit[UNITS];
	uint32_t end; /* units, 0: unknown */
	uint32_t held;
	bool judged;
	enum drop dead;
};

static uint32_t naive_ranges(const struct naive *n)
{
	uint32_t ranges = 0;
	for (uint32_t u = 0; u < UNITS; u++)
		ranges += n->unit[u] && (u == 0 || !n->unit[u - 1]);
	return ranges;
}

static struct piece naive_take(struct naive *n, uint32_t start, uint32_t end, bool more)
{
	struct piece p = { start * 8, (end - start) * 8, more, FRAGMENT_DROP, n->dead, 0 };
	struct naive after = *n;
	if (n->dead)
		return p;
	if (n->end && (!more || end > n->end))
		p.reason = DROP_FRAGMENT_OVERLAP;
	for (uint32_t u = start; u < UNITS; u++) {
		if (n->unit[u] && (u < end || !more))
			p.reason = DROP_FRAGMENT_OVERLAP;
		after.unit[u] |= u < end;
	}
	if (!more)
		after.end = end;
	bool wait = start > 0 && !n->judged;
	if (!p.reason && (naive_ranges(&after) > 16 || (wait && n->held == FRAGMENT_HELD_MAX)))
		p.reason = DROP_FRAGMENT_LIMIT;
	if (p.reason) {
		p.dropped = n->held;
		n->held = 0;
		n->dead = p.reason;
		return p;
	}
	*n = after;
	p.want = start == 0 ? FRAGMENT_JUDGE : wait ? FRAGMENT_HELD : FRAGMENT_FOLLOW;
	n->held += wait;
	if (start == 0) {
		p.dropped = n->held;
		n->held = 0;
		n->judged = true;
	}
	return p;
}

static void against_bitmap(void **state)
{
	(void)state;
	static struct bench b;
	uint64_t seed = 1;
	uint32_t wholes = 0;
	for (uint32_t trial = 0; trial < 1500; trial++) {
		struct naive n = { 0 };
		uint32_t longest = 1 + trial % 4;
		if (trial % 4 == 0)
			set_up(&b, CAPACITY);
		b.id = (uint16_t)trial;
		for (uint32_t i = 0; i < 60; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			uint32_t start = (uint32_t)(seed >> 33) % UNITS;
			/* mostly what is still missing, so that datagrams grow up */
			while (seed >> 61 && start < UNITS && n.unit[start])
				start++;
			uint32_t end = start + 1;
			while (end < UNITS && end < start + longest && !(n.unit[end] && seed >> 61))
				end++;
			if (start >= UNITS || (n.end && seed >> 61 && end > n.end))
				continue;
			bool more = (seed >> 40) % 16 != 0 && !(end == UNITS && !n.end);
			struct piece p = naive_take(&n, start, end, more);
			expect(&b, &p, 0);
			assert_int_equal(b.frames_away, n.held);
			uint32_t seen = 0;
			while (seen < UNITS && n.unit[seen])
				seen++;
			if (!n.dead && n.judged && n.end && seen == n.end) {
				wholes++;
				break; /* followed no more: the next piece would be a stranger */
			}
		}
		struct frame_queue dropped = { 0 };
		fragments_flush(b.f, b.port, &dropped);
		back(&b, &dropped);
		assert_int_equal(b.frames_away, 0);
		assert_int_equal(fragments_count(b.f), 0);
	}
	assert_true(wholes > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(scenarios, name_failed),
		cmocka_unit_test(limits_of_a_datagram),
		cmocka_unit_test(shares),
		cmocka_unit_test(strangers_make_room),
		cmocka_unit_test(time_out_and_flush),
		cmocka_unit_test(verdict_and_handle),
		cmocka_unit_test(against_bitmap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
