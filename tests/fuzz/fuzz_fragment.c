/* links: netstack/fragment.c netstack/hash.c netstack/table.c netstack/queue.c netstack/arena.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_fragment.c: four bytes are one step: a piece, a verdict, time, a flush.
 * Whatever the order, no 8 bytes of a datagram pass twice, nothing passes of a
 * dead one, and every frame is with the caller or held, never both. An input
 * of odd length gets a table so small that datagrams make room for others;
 * which ones is not followed here, so that only tables and frames are checked.
 */
#include "fragment.h"

#define STEP_NS UINT64_C(3000000000)

enum { FRAMES = 512, CAPACITY = 16, CAPACITY_SMALL = 8, PORTS = 3, IDS = 4, UNITS = 8192 + 64, OTHER_MARK = 0xf };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What passed of a datagram since it was first heard of. */
struct passed {
	bool live, dead, seen_last;
	uint64_t born_ns;
	uint32_t count, end; /* units */
	bool unit[UNITS];
};

struct run {
	struct fragments *f;
	struct frame frame[FRAMES];
	struct packet packet[FRAMES];
	bool held[FRAMES];
	uint64_t now_ns;
	uint32_t open; /* the handle of a verdict put off */
	bool has_open;
	bool small;
	struct passed passed[PORTS][IDS];
};

static _Alignas(64) uint8_t memory[16 * 1024];
static struct run run;
static struct secret secret = { { 1, 2 }, 0 };

static void back(struct run *r, struct frame_queue *q)
{
	struct frame *f;
	while ((f = frames_take(q))) {
		ensure(r->held[f->handle]);
		r->held[f->handle] = false;
	}
	ensure(q->count == 0 && !q->tail);
}

static struct passed *passed_of(struct run *r, const struct packet *p)
{
	return &r->passed[p->frame->port][p->id];
}

static void pass(struct passed *s, const struct packet *p)
{
	uint32_t start = p->fragment_offset / 8, end = (p->fragment_offset + p->data_len + 7) / 8;
	ensure(!s->dead && end <= UNITS);
	for (uint32_t u = start; u < end; u++) {
		ensure(!s->unit[u]);
		s->unit[u] = true;
		s->count++;
	}
	if (!p->more_fragments) {
		ensure(!s->seen_last);
		s->seen_last = true;
		s->end = end;
	}
	if (s->seen_last && s->count == s->end)
		memset(s, 0, sizeof(*s)); /* whole: followed no more */
}

static enum fragment_next take_piece(struct run *r, uint32_t n, uint32_t *handle)
{
	struct packet *p = &r->packet[n];
	struct passed *s = passed_of(r, p);
	struct frame_queue dropped = { 0 };
	struct fragment_way way = { 0 };
	enum drop why = DROP_COUNT;
	if (s->live && s->born_ns + FRAGMENT_TIMEOUT_S * UINT64_C(1000000000) <= r->now_ns)
		memset(s, 0, sizeof(*s));
	enum fragment_next next = fragments_take(r->f, p, r->now_ns, handle, &way, &why, &dropped);
	ensure(fragments_valid(r->f));
	ensure(next == FRAGMENT_DROP || dropped.count == 0);
	back(r, &dropped);
	if (!s->live && next != FRAGMENT_DROP) {
		s->live = true;
		s->born_ns = r->now_ns;
	}
	switch (next) {
	case FRAGMENT_DROP:
		ensure(why > DROP_NONE && why < DROP_COUNT);
		s->dead |= s->live && why == DROP_FRAGMENT_OVERLAP;
		break;
	case FRAGMENT_HELD:
		ensure((!s->dead || r->small) && !r->held[n]);
		r->held[n] = true;
		break;
	case FRAGMENT_FOLLOW:
		ensure(way.pass && way.flow == 5u);
		if (!r->small)
			pass(s, p);
		break;
	case FRAGMENT_JUDGE:
		ensure((!s->dead || r->small) && p->fragment_offset == 0);
		break;
	}
	return next;
}

static void decide(struct run *r, uint32_t handle, bool yes)
{
	struct fragment_way way = { .pass = yes, .reason = yes ? DROP_NONE : DROP_RULE, .flow = 5 };
	struct frame_queue released = { 0 };
	struct frame *f;
	fragments_decide(r->f, handle, &way, &released);
	ensure(fragments_valid(r->f));
	while ((f = frames_take(&released))) {
		uint32_t other;
		ensure(r->held[f->handle]);
		r->held[f->handle] = false;
		enum fragment_next next = take_piece(r, f->handle, &other);
		ensure(next == (yes ? FRAGMENT_FOLLOW : FRAGMENT_DROP));
	}
}

static void piece(struct run *r, const uint8_t b[4])
{
	uint32_t n = 0, handle;
	while (n < FRAMES && r->held[n])
		n++;
	if (n == FRAMES)
		return; /* all wait for a poll */
	bool more = b[3] & 1, far = b[3] & 2;
	r->frame[n] = (struct frame){ .handle = n, .port = b[0] % PORTS };
	r->packet[n] = (struct packet){
		.frame = &r->frame[n],
		.l3 = 14,
		.l4 = 34,
		.has_fragments = true,
		.more_fragments = more,
		.id = b[0] / PORTS % IDS,
		.fragment_offset = (b[1] + (far ? 8000u : 0)) * 8 % 65536,
		.data_len = more ? b[2] % 32 * 8u : b[2],
		.tuple = { .src = ip_v4(10, 137, 0, 5), .dst = ip_v4(1, 2, 3, 4), .proto = PROTO_UDP },
	};
	/* one protocol per id: the oracle has no other key */
	if (r->packet[n].id == 0)
		r->packet[n].tuple.proto = PROTO_TCP;
	if (take_piece(r, n, &handle) != FRAGMENT_JUDGE)
		return;
	if (!r->small)
		pass(passed_of(r, &r->packet[n]), &r->packet[n]);
	if (b[3] & 8 && !r->has_open) {
		r->has_open = true;
		r->open = handle;
		return;
	}
	decide(r, handle, !(b[3] & 16));
}

static void other(struct run *r, const uint8_t b[4])
{
	struct frame_queue dropped = { 0 };
	switch (b[1] % 4) {
	case 0:
		r->now_ns += b[2] % 16 * STEP_NS;
		break;
	case 1:
		fragments_poll(r->f, r->now_ns, &dropped);
		ensure(fragments_deadline(r->f) > r->now_ns);
		break;
	case 2:
		fragments_flush(r->f, b[2] % PORTS, &dropped);
		memset(r->passed[b[2] % PORTS], 0, sizeof(r->passed[0]));
		break;
	case 3:
		if (r->has_open)
			decide(r, r->open, b[2] & 1);
		r->has_open = false;
		break;
	}
	ensure(fragments_valid(r->f));
	back(r, &dropped);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena a = { memory, sizeof(memory) };
	struct frame_queue dropped = { 0 };
	memset(&run, 0, sizeof(run));
	run.small = len % 2;
	run.f = fragments_new(&a, run.small ? CAPACITY_SMALL : CAPACITY, &secret);
	ensure(run.f);
	for (; len >= 4; bytes += 4, len -= 4) {
		if (bytes[0] >> 4 == OTHER_MARK)
			other(&run, bytes);
		else
			piece(&run, bytes);
	}
	fragments_poll(run.f, UINT64_MAX / 2, &dropped);
	back(&run, &dropped);
	ensure(fragments_count(run.f) == 0 && fragments_deadline(run.f) == UINT64_MAX);
	for (uint32_t n = 0; n < FRAMES; n++)
		ensure(!run.held[n]);
	return 0;
}
