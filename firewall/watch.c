// SPDX-License-Identifier: ISC
/* The watches: who looks, until when, and the rings that records wait in. */
#include "watch.h"

static const uint64_t SECOND_NS = 1000000000;

struct watch *watch_new(struct arena *arena)
{
	struct watch *w = arena_take(arena, 1, sizeof(*w));
	if (!w)
		return NULL;
	size_t bytes = arena->left / 128;
	bytes = bytes < WATCH_RING_BYTES ? WATCH_RING_BYTES : bytes > WATCH_RING_MAX ? WATCH_RING_MAX : bytes;
	w->head = arena_take_raw(arena, 1, WATCH_SNAP_MAX);
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++) {
		w->session[i].ring_bytes = (uint32_t)bytes;
		w->session[i].ring = arena_take_raw(arena, 1, bytes);
		if (!w->session[i].ring)
			return NULL;
	}
	return w->head ? w : NULL;
}

struct watch_session *watch_start(struct watch *w, const struct watch_wish *wish, uint64_t now_ns, uint64_t wall_offset)
{
	struct watch_session *s = NULL;
	watch_tick(w, now_ns);
	for (uint32_t i = 0; i < WATCH_SESSIONS && !s; i++)
		if (w->session[i].state == WATCH_FREE)
			s = &w->session[i];
	if (!s)
		return NULL;
	*s = (struct watch_session){
		.id = ++w->last_id, .match = wish->match, .snaplen = wish->snaplen, .wall_offset = wall_offset,
		.until_ns = wish->seconds ? now_ns + wish->seconds * SECOND_NS : UINT64_MAX,
		.state = WATCH_RUNS, .ended = "", .left = wish->count ? wish->count : UINT64_MAX,
		.heard_ns = now_ns, .ring = s->ring, .ring_bytes = s->ring_bytes,
	};
	w->running++;
	return s;
}

struct watch_session *watch_find(struct watch *w, uint32_t id)
{
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++)
		if (w->session[i].state != WATCH_FREE && w->session[i].id == id)
			return &w->session[i];
	return NULL;
}

void watch_end_session(struct watch *w, struct watch_session *s, const char *why)
{
	if (s->state != WATCH_RUNS)
		return;
	s->state = WATCH_ENDED;
	s->ended = why;
	w->running--;
}

void watch_free(struct watch *w, struct watch_session *s)
{
	watch_end_session(w, s, "stopped");
	s->state = WATCH_FREE;
}

static uint64_t silent_at(const struct watch_session *s)
{
	return s->heard_ns + WATCH_SILENCE_S * SECOND_NS;
}

void watch_tick(struct watch *w, uint64_t now_ns)
{
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++) {
		struct watch_session *s = &w->session[i];
		if (s->state == WATCH_FREE)
			continue;
		if (now_ns >= s->until_ns)
			watch_end_session(w, s, "seconds");
		if (s->left == 0)
			watch_end_session(w, s, "count");
		if (now_ns >= silent_at(s)) {
			watch_end_session(w, s, "silence");
			watch_free(w, s);
		}
	}
}

uint64_t watch_deadline(const struct watch *w)
{
	uint64_t deadline = UINT64_MAX;
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++) {
		const struct watch_session *s = &w->session[i];
		if (s->state == WATCH_FREE)
			continue;
		if (s->state == WATCH_RUNS && s->until_ns < deadline)
			deadline = s->until_ns;
		if (silent_at(s) < deadline)
			deadline = silent_at(s);
	}
	return deadline;
}

/* --- the ring ----------------------------------------------------------------------- */

static void ring_put(struct watch_session *s, const void *from, uint32_t n)
{
	uint32_t at = (uint32_t)(s->tail % s->ring_bytes), first = s->ring_bytes - at;
	first = n < first ? n : first;
	if (n == 0)
		return;
	memcpy(s->ring + at, from, first);
	memcpy(s->ring, (const uint8_t *)from + first, n - first);
	s->tail += n;
}

static void ring_get(const struct watch_session *s, uint64_t from, void *to, uint32_t n)
{
	uint32_t at = (uint32_t)(from % s->ring_bytes), first = s->ring_bytes - at;
	first = n < first ? n : first;
	memcpy(to, s->ring + at, first);
	memcpy((uint8_t *)to + first, s->ring, n - first);
}

static void count_ports(uint32_t at[PORT_COUNT], const struct watch_record *r)
{
	if (r->in_port < PORT_COUNT)
		at[r->in_port]++;
	if (r->out_port < PORT_COUNT)
		at[r->out_port]++;
}

void watch_put(struct watch_session *s, const struct watch_record *record, const uint8_t *in, const uint8_t *out)
{
	struct watch_record r = *record;
	if (s->state != WATCH_RUNS || s->left == 0)
		return;
	r.in_bytes = r.in_len < s->snaplen ? r.in_len : s->snaplen;
	r.out_bytes = r.out_len < s->snaplen ? r.out_len : s->snaplen;
	r.number = ++s->matched;
	count_ports(s->seen_at, &r);
	if (sizeof(r) + r.in_bytes + r.out_bytes > s->ring_bytes - (s->tail - s->head)) {
		s->lost++;
		count_ports(s->lost_at, &r);
		return;
	}
	ring_put(s, &r, sizeof(r));
	ring_put(s, in, r.in_bytes);
	ring_put(s, out, r.out_bytes);
	s->left--;
}

bool watch_peek(const struct watch_session *s, struct watch_record *r)
{
	if (s->head == s->tail)
		return false;
	ring_get(s, s->head, r, sizeof(*r));
	return true;
}

void watch_bytes(const struct watch_session *s, uint32_t at, uint8_t *to, uint32_t n)
{
	ring_get(s, s->head + sizeof(struct watch_record) + at, to, n);
}

void watch_pop(struct watch_session *s)
{
	struct watch_record r;
	if (watch_peek(s, &r))
		s->head += sizeof(r) + r.in_bytes + r.out_bytes;
}
