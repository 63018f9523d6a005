// SPDX-License-Identifier: ISC
/* Keeps the probes under way, in bounded memory, and records each once all is known of it. */
#include <stdlib.h>

#include "latency_ring.h"

enum { SLOTS_MIN = 4096, SLOTS_MAX = 1 << 22 };

static struct latency_series *part(struct latency_run *run, const char *name, const char *what, enum latency_role role)
{
	char text[LATENCY_NAME_BYTES];
	snprintf(text, sizeof(text), "%.80s%s%s", name, *what ? " " : "", what);
	return latency_run_add(run, text, role, role == LATENCY_NOISE ? 0 : LATENCY_BLOCKS);
}

static const struct {
	const char *name;
	enum latency_role role;
} parts[] = { { "", LATENCY_MEASURED }, { "net", LATENCY_PART }, { "path", LATENCY_PART },
	      { "generator", LATENCY_NOISE }, { "out", LATENCY_PART }, { "back", LATENCY_PART } };

void latency_ring_init(struct latency_ring *r, const struct latency_trial *t, struct latency_run *run,
		       const char *name, uint64_t start)
{
	uint64_t slots = SLOTS_MIN, under_way = (uint64_t)(t->rate * (LATENCY_REPLY_WAIT_NS / 1e9));
	struct latency_series **series[] = { &r->measured, &r->net, &r->path, &r->generator, &r->out, &r->back };
	size_t n = t->one_way ? 6 : 4, first = run->count;
	while (slots < under_way && slots < SLOTS_MAX)
		slots *= 2;
	*r = (struct latency_ring){ .slot = calloc(slots, sizeof(*r->slot)), .mask = slots - 1, .start = start,
				    .warm = start + t->warmup_ns, .end = start + t->duration_ns,
				    .one_way = t->one_way };
	if (!r->slot) {
		fputs("postern: out of memory\n", stderr);
		exit(1);
	}
	for (size_t i = 0; i < n; i++)
		part(run, name, parts[i].name, parts[i].role);
	for (size_t i = 0; i < n; i++) /* only now do they stay where they are */
		*series[i] = &run->series[first + i];
}

void latency_ring_free(struct latency_ring *r)
{
	free(r->slot);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void record(struct latency_ring *r, const struct latency_probe_slot *s)
{
	uint64_t span = r->end - r->warm;
	uint32_t block = (uint32_t)((double)(s->due - r->warm) / (double)span * LATENCY_BLOCKS);
	uint64_t net = minus(s->came, s->left);
	latency_record(r->measured, block, minus(s->came, s->due));
	latency_record(r->net, block, net);
	latency_record(r->path, block, minus(net, minus(s->departure, s->arrival)));
	if (r->one_way && s->arrival) {
		latency_record(r->out, block, minus(s->arrival, s->left));
		latency_record(r->back, block, minus(s->came, s->departure));
	}
}

static void retire(struct latency_ring *r, struct latency_probe_slot *s)
{
	if (s->used && s->due >= r->warm) {
		if (s->came)
			record(r, s);
		else
			r->outcome.lost++;
		latency_record(r->generator, 0, minus(s->left, s->due));
	}
	s->used = false;
}

void latency_ring_sent(struct latency_ring *r, uint64_t due, uint64_t now)
{
	struct latency_probe_slot *s = &r->slot[r->sent & r->mask];
	retire(r, s);
	*s = (struct latency_probe_slot){ .due = due, .left = now, .used = true };
	r->sent++;
	r->outcome.sent++;
}

static struct latency_probe_slot *slot_of(struct latency_ring *r, uint64_t sequence)
{
	if (sequence >= r->sent || r->sent - sequence > r->mask + 1)
		return NULL;
	struct latency_probe_slot *s = &r->slot[sequence & r->mask];
	return s->used ? s : NULL;
}

void latency_ring_left(struct latency_ring *r, uint64_t sequence, uint64_t stamp)
{
	struct latency_probe_slot *s = slot_of(r, sequence);
	if (!s || s->stamped || stamp < s->left || stamp - s->left > LATENCY_REPLY_WAIT_NS ||
	    (s->came && stamp > s->came))
		return;
	s->left = stamp;
	s->stamped = true;
}

void latency_ring_came(struct latency_ring *r, uint64_t sequence, uint64_t stamp, uint64_t arrival,
		       uint64_t departure)
{
	struct latency_probe_slot *s = slot_of(r, sequence);
	if (!s || (!s->came && minus(stamp, s->due) > LATENCY_REPLY_WAIT_NS))
		return;
	if (s->came) {
		r->outcome.duplicated++;
		return;
	}
	s->came = stamp;
	s->arrival = arrival;
	s->departure = departure;
	r->outcome.received++;
	if (sequence < r->highest_came)
		r->outcome.reordered++;
	else
		r->highest_came = sequence;
}

bool latency_ring_complete(const struct latency_ring *r)
{
	return r->outcome.received >= r->sent;
}

void latency_ring_finish(struct latency_ring *r)
{
	const struct latency_outcome *o = &r->outcome;
	for (uint64_t i = r->sent > r->mask ? r->sent - r->mask - 1 : 0; i < r->sent; i++)
		retire(r, &r->slot[i & r->mask]);
	latency_count(r->measured, "sent", o->sent);
	latency_count(r->measured, "received", o->received);
	latency_count(r->measured, "lost", o->lost);
	latency_count(r->measured, "duplicated", o->duplicated);
	latency_count(r->measured, "reordered", o->reordered);
	latency_count(r->measured, "refused", o->refused);
	latency_count(r->measured, "overrun", o->overrun);
}
