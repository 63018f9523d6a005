// SPDX-License-Identifier: ISC
/* The ring of events, and the gates that keep drops from filling it. */
#include "events.h"

enum {
	WINDOW_SHIFT = 30, /* nanoseconds to what is nearly a second */
	WINDOW_MASK = (1 << 24) - 1,
	GATES = PORT_COUNT * DROP_COUNT,
};

struct events *events_new(struct arena *arena, uint64_t boot, uint64_t now_ns)
{
	struct events *e = arena_take(arena, 1, sizeof(*e));
	if (!e)
		return NULL;
	e->boot = boot;
	e->next = 1;
	e->event = arena_take_raw(arena, EVENTS_KEPT, sizeof(*e->event));
	e->gate = arena_take(arena, GATES, sizeof(*e->gate));
	e->limit = limit_of(EVENTS_RATE, EVENTS_BURST, now_ns);
	e->sweep_ns = UINT64_MAX;
	e->client = arena_take(arena, POLICY_CLIENTS_MAX, sizeof(*e->client));
	e->store = "";
	return e->event && e->gate && e->client ? e : NULL;
}

static void kind_only(struct text *t, const char *kind)
{
	text_put(t, "\"kind\":\"");
	text_put(t, kind);
	text_char(t, '"');
}

struct text events_begin(struct events *e, const char *kind, uint64_t now_ns)
{
	struct event *at = &e->event[e->next % EVENTS_KEPT];
	struct text t = text_on(at->text);
	at->ns = now_ns;
	kind_only(&t, kind);
	at->len = (uint32_t)t.len;
	return t;
}

void events_end(struct events *e, const struct text *t)
{
	struct event *at = &e->event[e->next % EVENTS_KEPT];
	if (!t->cut)
		at->len = (uint32_t)t->len;
	e->next++;
}

/* --- drops ----------------------------------------------------------------------------- */

static uint32_t window_of(uint64_t now_ns)
{
	return (uint32_t)(now_ns >> WINDOW_SHIFT) & WINDOW_MASK;
}

static bool suppress(struct events *e, struct event_gate *g, uint64_t now_ns)
{
	if (g->suppressed == 0)
		e->behind++;
	if (e->sweep_ns == UINT64_MAX)
		e->sweep_ns = now_ns + (UINT64_C(1) << WINDOW_SHIFT);
	g->suppressed += g->suppressed != UINT32_MAX;
	return false;
}

bool events_allow(struct events *e, uint16_t port, enum drop reason, uint64_t now_ns, uint32_t *suppressed)
{
	struct event_gate *g = &e->gate[(port < PORT_COUNT ? port : 0u) * DROP_COUNT + (uint32_t)reason];
	uint32_t window = window_of(now_ns);
	if (g->window != window) {
		g->window = window & WINDOW_MASK;
		g->told = 0;
	}
	if (g->told >= EVENTS_A_SECOND || !limit_allows(&e->limit, now_ns))
		return suppress(e, g, now_ns);
	g->told++;
	*suppressed = g->suppressed;
	if (g->suppressed)
		e->behind--;
	g->suppressed = 0;
	return true;
}

bool events_suppressed(struct events *e, uint64_t now_ns, uint32_t *at, uint16_t *port, enum drop *reason,
		       uint32_t *count)
{
	uint32_t window = window_of(now_ns);
	for (uint32_t i = *at; e->behind && i < GATES; i++) {
		struct event_gate *g = &e->gate[i];
		if (!g->suppressed || g->window == window)
			continue;
		if (!limit_allows(&e->limit, now_ns))
			break;
		*port = (uint16_t)(i / DROP_COUNT);
		*reason = (enum drop)(i % DROP_COUNT);
		*count = g->suppressed;
		g->suppressed = 0;
		e->behind--;
		*at = i + 1;
		return true;
	}
	e->sweep_ns = e->behind ? now_ns + (UINT64_C(1) << WINDOW_SHIFT) : UINT64_MAX;
	return false;
}
