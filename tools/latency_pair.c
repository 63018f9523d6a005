// SPDX-License-Identifier: ISC
/* Finds each packet of one capture again in the other, in bounded memory. */
#include <stdlib.h>
#include <string.h>

#include "latency_bind.h"
#include "latency_pair.h"

enum { CANDIDATES_MAX = 64, TYPICAL_OF = 32, IDS_KNOWN = 100, BIND_BITS = 16, NOWHERE = UINT32_MAX };
enum { SCORE_FLOW = 8, SCORE_ID = 4, SCORE_PORTS = 2 };

struct entry {
	uint64_t content, ns, flow;
	uint64_t order; /* of its side */
	struct latency_ends ends;
	uint32_t prev, next; /* in its chain, oldest first */
	uint16_t ip_id;
	uint8_t side, way; /* way: once it is matched */
	bool matched;
};

struct chain {
	uint32_t head, tail;
};

struct latency_pairer {
	uint64_t window;
	uint32_t mask; /* of entries and chains alike */
	struct entry *entry;
	struct chain *waiting, *met; /* by content */
	uint64_t first, last; /* those held, in order of coming */
	uint64_t order[2];
	uint64_t began[2], seen[2]; /* first and last time of each side */
	uint64_t longest[LATENCY_WAYS];
	int64_t typical[LATENCY_WAYS]; /* running mean of B less A */
	uint64_t ids_kept, ids_changed; /* whether the path leaves the IP identification alone */
	bool by_ports;
	struct latency_binds binds;
	struct latency_way_count count[LATENCY_WAYS];
	latency_pair_found *found;
	void *context;
};

struct latency_pairer *latency_pair_new(uint64_t window_ns, uint32_t entries, latency_pair_found *found, void *context)
{
	struct latency_pairer *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct latency_pairer){ .window = window_ns, .mask = entries - 1, .found = found, .context = context,
				      .entry = calloc(entries, sizeof(*p->entry)),
				      .waiting = malloc(entries * sizeof(struct chain)),
				      .met = malloc(entries * sizeof(struct chain)) };
	if (!p->entry || !p->waiting || !p->met || !latency_binds_init(&p->binds, BIND_BITS)) {
		latency_pair_free(p);
		return NULL;
	}
	memset(p->waiting, 0xff, entries * sizeof(struct chain)); /* NOWHERE, all of them */
	memset(p->met, 0xff, entries * sizeof(struct chain));
	return p;
}

void latency_pair_free(struct latency_pairer *p)
{
	if (!p)
		return;
	latency_binds_free(&p->binds);
	free(p->entry);
	free(p->waiting);
	free(p->met);
	free(p);
}

bool latency_pair_flow(struct latency_pairer *p, const struct latency_ends *inside, const struct latency_ends *outside)
{
	return latency_bind_keep(&p->binds, latency_flow_hash(inside), latency_flow_hash(outside));
}

void latency_pair_by_ports(struct latency_pairer *p)
{
	p->by_ports = true;
}

static uint32_t chain_number(const struct latency_pairer *p, uint64_t content)
{
	return (uint32_t)(content >> 20) & p->mask;
}

static struct chain *chain_of(struct latency_pairer *p, const struct entry *e)
{
	return &(e->matched ? p->met : p->waiting)[chain_number(p, e->content)];
}

static void link_last(struct latency_pairer *p, uint32_t i)
{
	struct entry *e = &p->entry[i];
	struct chain *c = chain_of(p, e);
	e->prev = c->tail;
	e->next = NOWHERE;
	*(c->tail == NOWHERE ? &c->head : &p->entry[c->tail].next) = i;
	c->tail = i;
}

static void unlink_entry(struct latency_pairer *p, const struct entry *e)
{
	struct chain *c = chain_of(p, e);
	*(e->prev == NOWHERE ? &c->head : &p->entry[e->prev].next) = e->next;
	*(e->next == NOWHERE ? &c->tail : &p->entry[e->next].prev) = e->prev;
}

static enum latency_way way_from(enum latency_side side)
{
	return side == LATENCY_A ? LATENCY_A_TO_B : LATENCY_B_TO_A;
}

static enum latency_side source_of(uint8_t way)
{
	return way == LATENCY_A_TO_B ? LATENCY_A : LATENCY_B;
}

/* The oldest entry goes. */
static void retire(struct latency_pairer *p, bool full)
{
	struct entry *e = &p->entry[p->first & p->mask];
	unlink_entry(p, e);
	p->first++;
	if (e->matched)
		return;
	struct latency_way_count *n = &p->count[way_from(e->side)];
	enum latency_side other = e->side == LATENCY_A ? LATENCY_B : LATENCY_A;
	uint64_t reach = p->longest[way_from(e->side)];
	if (full)
		n->early++;
	else if (!p->order[other] || e->ns + reach < p->began[other] || e->ns + reach > p->seen[other])
		n->edge++;
	else
		n->lost++;
}

/* How well it fits, or -1. Both of its ends changed is no translation known here. */
static int score(struct latency_pairer *p, const struct entry *e, enum latency_side side, uint64_t ns,
		 const struct latency_key *k, uint64_t flow)
{
	const struct latency_ends *x = &e->ends, *y = &k->ends;
	bool same_dst = x->dst == y->dst && x->dport == y->dport, same_src = x->src == y->src && x->sport == y->sport;
	if (e->content != k->content || e->side == side || (!same_dst && !same_src))
		return -1;
	uint64_t a = side == LATENCY_A ? flow : e->flow, b = side == LATENCY_A ? e->flow : flow;
	int s = 0;
	switch (latency_bind_ask(&p->binds, a, b, ns)) {
	case LATENCY_BIND_OTHER:
		return -1;
	case LATENCY_BIND_SAME:
		s += SCORE_FLOW;
		break;
	case LATENCY_BIND_UNKNOWN:
		break;
	}
	if (e->ip_id == k->ip_id && k->ip_id)
		s += SCORE_ID;
	else if (e->ip_id && k->ip_id && p->ids_kept > IDS_KNOWN && p->ids_changed * 100 < p->ids_kept)
		return -1;
	if (x->sport == y->sport && x->dport == y->dport)
		s += SCORE_PORTS;
	return s;
}

static enum latency_way way_of(const struct latency_pairer *p, const struct latency_ends *a,
			       const struct latency_ends *b, uint64_t a_ns, uint64_t b_ns)
{
	bool same_dst = a->dst == b->dst && a->dport == b->dport, same_src = a->src == b->src && a->sport == b->sport;
	if (!same_dst)
		return LATENCY_B_TO_A;
	if (!same_src)
		return LATENCY_A_TO_B;
	if (p->by_ports && a->sport != a->dport)
		return a->sport > a->dport ? LATENCY_A_TO_B : LATENCY_B_TO_A;
	return a_ns <= b_ns ? LATENCY_A_TO_B : LATENCY_B_TO_A;
}

/* How far a match of the two would be from what packets that way take. */
static uint64_t oddity(const struct latency_pairer *p, const struct entry *e, enum latency_side side, uint64_t ns,
		       const struct latency_key *k)
{
	bool here = side == LATENCY_A;
	const struct latency_ends *a = here ? &k->ends : &e->ends, *b = here ? &e->ends : &k->ends;
	uint64_t a_ns = here ? ns : e->ns, b_ns = here ? e->ns : ns;
	int64_t off = (int64_t)(b_ns - a_ns) - p->typical[way_of(p, a, b, a_ns, b_ns)];
	return off < 0 ? -(uint64_t)off : (uint64_t)off;
}

struct choice {
	uint32_t best;
	int score;
	uint64_t oddity;
	bool tie;
};

static struct choice choose(struct latency_pairer *p, enum latency_side side, uint64_t ns, const struct latency_key *k,
			    uint64_t flow)
{
	struct choice c = { NOWHERE, -1, 0, false };
	int looked = 0;
	for (uint32_t i = p->waiting[chain_number(p, k->content)].head; i != NOWHERE && looked++ < CANDIDATES_MAX;
	     i = p->entry[i].next) {
		int s = score(p, &p->entry[i], side, ns, k, flow);
		if (s < 0 || s < c.score)
			continue;
		uint64_t odd = oddity(p, &p->entry[i], side, ns, k);
		c.tie = s == c.score;
		if (s > c.score || odd < c.oddity) {
			c.best = i;
			c.oddity = odd;
		}
		c.score = s;
	}
	return c;
}

/* Whether it has been here already, on its way to somebody else than us: then it is a copy. */
static bool is_copy(struct latency_pairer *p, enum latency_side side, const struct latency_key *k,
		    enum latency_way *way)
{
	int looked = 0;
	for (uint32_t i = p->met[chain_number(p, k->content)].tail; i != NOWHERE && looked++ < CANDIDATES_MAX;
	     i = p->entry[i].prev) {
		const struct entry *e = &p->entry[i];
		if (e->content != k->content || e->side != side || source_of(e->way) == side || e->ip_id != k->ip_id ||
		    memcmp(&e->ends, &k->ends, sizeof(e->ends)))
			continue;
		*way = (enum latency_way)e->way;
		return true;
	}
	return false;
}

static void match(struct latency_pairer *p, const struct choice *c, struct entry *now)
{
	struct entry *then = &p->entry[c->best];
	struct entry *a = now->side == LATENCY_A ? now : then, *b = now->side == LATENCY_A ? then : now;
	enum latency_way way = way_of(p, &a->ends, &b->ends, a->ns, b->ns);
	struct latency_way_count *n = &p->count[way];
	uint64_t sent = way == LATENCY_A_TO_B ? a->order : b->order;
	uint64_t took = way == LATENCY_A_TO_B ? b->ns - a->ns : a->ns - b->ns;
	unlink_entry(p, then);
	then->matched = now->matched = true;
	link_last(p, c->best);
	then->way = now->way = (uint8_t)way;
	n->matched++;
	if (then->ip_id && now->ip_id)
		++*(then->ip_id == now->ip_id ? &p->ids_kept : &p->ids_changed);
	n->ambiguous += c->tie;
	if ((int64_t)took > 0 && took > p->longest[way])
		p->longest[way] = took;
	struct latency_bind *bind = latency_bind_learn(&p->binds, a->flow, b->flow, now->ns, !c->tie);
	if (bind && bind->sent[way] > sent)
		n->reordered++;
	else if (bind)
		bind->sent[way] = sent;
	int64_t of = n->matched < TYPICAL_OF ? (int64_t)n->matched : TYPICAL_OF;
	if (!c->tie)
		p->typical[way] += ((int64_t)(b->ns - a->ns) - p->typical[way]) / of;
	p->found(p->context, way, a->ns, b->ns, !c->tie);
}

void latency_pair_put(struct latency_pairer *p, enum latency_side side, uint64_t ns, const struct latency_key *k)
{
	while (p->first < p->last) {
		bool full = p->last - p->first > p->mask;
		const struct entry *oldest = &p->entry[p->first & p->mask];
		if (!full && (ns < oldest->ns || ns - oldest->ns <= p->window))
			break;
		retire(p, full && (ns < oldest->ns || ns - oldest->ns <= p->window));
	}
	uint64_t flow = latency_flow_hash(&k->ends);
	if (!p->order[side]++)
		p->began[side] = ns;
	p->seen[side] = ns;
	if (k->opens)
		latency_bind_forget(&p->binds, flow, side == LATENCY_A, ns);
	struct choice c = choose(p, side, ns, k, flow);
	enum latency_way way;
	/* The same number twice is a copy, unless one with that number still waits. */
	bool again = c.best == NOWHERE || (k->ip_id && p->entry[c.best].ip_id != k->ip_id);
	if (again && is_copy(p, side, k, &way)) {
		p->count[way].duplicated++;
		return;
	}
	uint32_t i = (uint32_t)(p->last++ & p->mask);
	struct entry *e = &p->entry[i];
	*e = (struct entry){ .content = k->content, .ns = ns, .flow = flow, .order = p->order[side], .ends = k->ends,
			     .ip_id = k->ip_id, .side = (uint8_t)side };
	if (c.best != NOWHERE)
		match(p, &c, e);
	link_last(p, i);
}

void latency_pair_end(struct latency_pairer *p)
{
	while (p->first < p->last)
		retire(p, false);
}

const struct latency_way_count *latency_pair_count(const struct latency_pairer *p, enum latency_way way)
{
	return &p->count[way];
}
