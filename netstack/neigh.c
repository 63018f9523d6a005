/* SPDX-License-Identifier: ISC */
/*
 * neigh.c: entries found by keyed hash, each standing in one line that says
 * what it waits for, and each non-permanent one in the order of last use.
 *
 * Full: the entry least recently resolved makes room, permanent ones never
 * do; the frames it held go to `evicted` and leave with the next neigh_poll.
 * The clock is kept monotone here, so that every line is in order of due_ns.
 */
#include "neigh.h"

#define SECOND_NS UINT64_C(1000000000)

enum state {
	ASKING,    /* no MAC yet; frames wait */
	REACHABLE, /* stale once due */
	PROBING,   /* stale and in use: asked again, the old MAC serves meanwhile */
	FAILED,    /* did not answer */
	PERMANENT,
};

enum line {
	LINE_FREE,
	LINE_QUIET,  /* waits for nothing: REACHABLE, PERMANENT */
	LINE_ASK,    /* a request is due */
	LINE_ASKED,  /* an answer, or at due_ns the next request */
	LINE_FAILED, /* to be forgotten at due_ns */
	LINE_COUNT
};

struct entry {
	struct ip_addr addr; /* fixed at creation */
	uint16_t port;
	struct mac mac;
	uint8_t state, line;
	uint8_t tries; /* requests sent */
	uint64_t due_ns;
	struct frame_queue waiting;
};

struct neigh {
	struct secret *secret;
	uint32_t capacity;
	struct entry *entry;
	struct table index;
	struct link *line_links, *use_links;
	struct queue line[LINE_COUNT];
	struct queue used; /* every entry that is not permanent, least recent first */
	struct frame_queue evicted;
	uint32_t held; /* frames in all `waiting` */
	uint64_t clock_ns;
};

size_t neigh_bytes(uint32_t capacity)
{
	size_t each = sizeof(struct entry) + 2 * sizeof(struct link);
	return sizeof(struct neigh) + capacity * each + table_bytes(capacity) + 4 * 64;
}

struct neigh *neigh_new(struct arena *a, uint32_t capacity, struct secret *secret)
{
	struct neigh *n = arena_take(a, 1, sizeof(*n));
	if (!n)
		return NULL;
	n->secret = secret;
	n->capacity = capacity;
	n->entry = arena_take(a, capacity, sizeof(*n->entry));
	n->line_links = arena_take(a, capacity, sizeof(*n->line_links));
	n->use_links = arena_take(a, capacity, sizeof(*n->use_links));
	if (!n->entry || !n->line_links || !n->use_links || !table_init(&n->index, a, capacity))
		return NULL;
	for (size_t l = 0; l < LINE_COUNT; l++)
		queue_init(&n->line[l]);
	queue_init(&n->used);
	for (uint32_t i = 0; i < capacity; i++)
		queue_push(&n->line[LINE_FREE], n->line_links, i);
	return n;
}

static void tick(struct neigh *n, uint64_t now_ns)
{
	if (now_ns > n->clock_ns)
		n->clock_ns = now_ns;
}

static uint64_t hash(const struct neigh *n, uint16_t port, struct ip_addr addr)
{
	uint8_t key[sizeof(addr) + sizeof(port)];
	memcpy(key, addr.b, sizeof(addr));
	memcpy(key + sizeof(addr), &port, sizeof(port));
	return siphash13(n->secret->key, key, sizeof(key));
}

static uint32_t find(const struct neigh *n, uint16_t port, struct ip_addr addr)
{
	uint32_t i = table_first(&n->index, hash(n, port, addr));
	while (i != NONE && !(n->entry[i].port == port && ip_eq(n->entry[i].addr, addr)))
		i = table_next(&n->index, i);
	return i;
}

static void move(struct neigh *n, uint32_t i, enum line to)
{
	struct entry *e = &n->entry[i];
	queue_remove(&n->line[e->line], n->line_links, i);
	queue_push(&n->line[to], n->line_links, i);
	e->line = (uint8_t)to;
}

static void release(struct neigh *n, uint32_t i, struct frame_queue *to)
{
	struct frame *f;
	while ((f = frames_take(&n->entry[i].waiting))) {
		n->held--;
		frames_put(to, f);
	}
}

static void forget(struct neigh *n, uint32_t i, struct frame_queue *to)
{
	release(n, i, to);
	table_remove(&n->index, i);
	if (n->entry[i].state != PERMANENT)
		queue_remove(&n->used, n->use_links, i);
	move(n, i, LINE_FREE);
}

/* In ASKING, a request due at once; NONE when all entries are permanent. */
static uint32_t create(struct neigh *n, uint16_t port, struct ip_addr addr)
{
	if (n->line[LINE_FREE].count == 0) {
		if (n->used.count == 0)
			return NONE;
		forget(n, n->used.head, &n->evicted);
	}
	uint32_t i = n->line[LINE_FREE].head;
	n->entry[i] = (struct entry){
		.addr = addr,
		.port = port,
		.state = ASKING,
		.line = LINE_FREE,
		.due_ns = n->clock_ns,
	};
	move(n, i, LINE_ASK);
	queue_push(&n->used, n->use_links, i);
	table_insert(&n->index, hash(n, port, addr), i);
	return i;
}

static void ask(struct neigh *n, uint32_t i, enum state state)
{
	struct entry *e = &n->entry[i];
	e->state = (uint8_t)state;
	e->tries = 0;
	e->due_ns = n->clock_ns;
	move(n, i, LINE_ASK);
}

enum neigh_answer neigh_resolve(struct neigh *n, uint16_t port, struct ip_addr addr,
                                struct frame *f, uint64_t now_ns, struct mac *mac)
{
	tick(n, now_ns);
	uint32_t i = find(n, port, addr);
	if (i == NONE)
		i = create(n, port, addr);
	if (i == NONE)
		return NEIGH_FULL;
	struct entry *e = &n->entry[i];
	if (e->state != PERMANENT) {
		queue_remove(&n->used, n->use_links, i);
		queue_push(&n->used, n->use_links, i);
	}
	switch ((enum state)e->state) {
	case REACHABLE:
		if (n->clock_ns >= e->due_ns)
			ask(n, i, PROBING);
		*mac = e->mac;
		return NEIGH_FOUND;
	case PROBING:
	case PERMANENT:
		*mac = e->mac;
		return NEIGH_FOUND;
	case FAILED:
		if (n->clock_ns < e->due_ns)
			return NEIGH_FAILED;
		ask(n, i, ASKING);
		break;
	case ASKING:
		break;
	}
	if (e->waiting.count == NEIGH_WAITING_MAX || n->held == NEIGH_HELD_MAX || f->room > FRAME_HELD_ROOM_MAX)
		return NEIGH_FULL;
	frames_put(&e->waiting, f);
	n->held++;
	return NEIGH_WAIT;
}

static bool has_mac(const struct entry *e)
{
	return e->state == REACHABLE || e->state == PROBING || e->state == PERMANENT;
}

bool neigh_lookup(const struct neigh *n, uint16_t port, struct ip_addr addr, struct mac *mac)
{
	uint32_t i = find(n, port, addr);
	if (i == NONE || !has_mac(&n->entry[i]))
		return false;
	*mac = n->entry[i].mac;
	return true;
}

bool neigh_learn(struct neigh *n, uint16_t port, struct ip_addr addr, struct mac mac,
                 uint64_t now_ns, struct frame_queue *released)
{
	tick(n, now_ns);
	uint32_t i = find(n, port, addr);
	/* A group address would turn unicast traffic into a flood (RFC 1812 3.3.2). */
	if (i == NONE || mac_is_group(mac))
		return false;
	struct entry *e = &n->entry[i];
	if (e->state == PERMANENT)
		return true;
	e->state = REACHABLE;
	e->mac = mac;
	e->due_ns = n->clock_ns + NEIGH_REACHABLE_S * SECOND_NS;
	move(n, i, LINE_QUIET);
	release(n, i, released);
	return true;
}

bool neigh_set(struct neigh *n, uint16_t port, struct ip_addr addr, struct mac mac,
               struct frame_queue *released)
{
	uint32_t i = find(n, port, addr);
	if (i == NONE)
		i = create(n, port, addr);
	if (i == NONE)
		return false;
	struct entry *e = &n->entry[i];
	if (e->state != PERMANENT)
		queue_remove(&n->used, n->use_links, i);
	e->state = PERMANENT;
	e->mac = mac;
	move(n, i, LINE_QUIET);
	release(n, i, released);
	return true;
}

void neigh_flush(struct neigh *n, uint16_t port, struct frame_queue *dropped)
{
	for (uint32_t i = 0; i < n->capacity; i++)
		if (n->entry[i].line != LINE_FREE && n->entry[i].port == port)
			forget(n, i, dropped);
}

/* The head of the line, when its time has come. */
static uint32_t due(const struct neigh *n, enum line line)
{
	uint32_t i = n->line[line].head;
	return i != NONE && n->entry[i].due_ns <= n->clock_ns ? i : NONE;
}

size_t neigh_poll(struct neigh *n, uint64_t now_ns, struct neigh_request *requests, size_t max,
                  struct frame_queue *dropped)
{
	uint32_t i;
	struct frame *f;
	size_t sent = 0;
	tick(n, now_ns);
	while ((f = frames_take(&n->evicted)))
		frames_put(dropped, f);
	while ((i = due(n, LINE_FAILED)) != NONE)
		forget(n, i, dropped);
	while ((i = due(n, LINE_ASKED)) != NONE) {
		struct entry *e = &n->entry[i];
		if (e->tries < NEIGH_TRIES_MAX) {
			move(n, i, LINE_ASK);
			continue;
		}
		e->state = FAILED;
		e->due_ns = n->clock_ns + NEIGH_FAILED_S * SECOND_NS;
		move(n, i, LINE_FAILED);
		release(n, i, dropped);
	}
	while (sent < max && (i = due(n, LINE_ASK)) != NONE) {
		struct entry *e = &n->entry[i];
		requests[sent++] = (struct neigh_request){ e->port, e->addr };
		e->tries++;
		e->due_ns = n->clock_ns + SECOND_NS;
		move(n, i, LINE_ASKED);
	}
	return sent;
}

uint64_t neigh_deadline(const struct neigh *n)
{
	static const enum line TIMED[] = { LINE_ASK, LINE_ASKED, LINE_FAILED };
	uint64_t deadline = n->evicted.count ? n->clock_ns : UINT64_MAX;
	for (size_t l = 0; l < array_len(TIMED); l++) {
		uint32_t i = n->line[TIMED[l]].head;
		if (i != NONE && n->entry[i].due_ns < deadline)
			deadline = n->entry[i].due_ns;
	}
	return deadline;
}

uint32_t neigh_count(const struct neigh *n)
{
	return n->index.count;
}

/* One line: ends, in order of due_ns where that matters, its entries in the right state. */
static bool line_valid(const struct neigh *n, enum line line)
{
	static const uint8_t STATES[LINE_COUNT] = {
		[LINE_FREE] = 0xff,
		[LINE_QUIET] = 1 << REACHABLE | 1 << PERMANENT,
		[LINE_ASK] = 1 << ASKING | 1 << PROBING,
		[LINE_ASKED] = 1 << ASKING | 1 << PROBING,
		[LINE_FAILED] = 1 << FAILED,
	};
	bool sorted = line == LINE_ASKED || line == LINE_FAILED;
	uint32_t count = 0;
	uint64_t before = 0;
	for (uint32_t i = n->line[line].head; i != NONE; i = queue_after(n->line_links, i)) {
		const struct entry *e = &n->entry[i];
		if (e->line != line || !(STATES[line] >> e->state & 1) || count++ == n->capacity)
			return false;
		if (sorted && e->due_ns < before)
			return false;
		if (line == LINE_ASK && e->due_ns > n->clock_ns)
			return false;
		before = e->due_ns;
	}
	return count == n->line[line].count;
}

bool neigh_valid(const struct neigh *n)
{
	uint32_t standing = 0, held = 0, used = 0, uses = 0;
	for (size_t l = 0; l < LINE_COUNT; l++) {
		if (!line_valid(n, (enum line)l))
			return false;
		standing += n->line[l].count;
	}
	for (uint32_t i = n->used.head; i != NONE; i = queue_after(n->use_links, i))
		if (n->entry[i].state == PERMANENT || uses++ == n->capacity)
			return false;
	for (uint32_t i = 0; i < n->capacity; i++) {
		const struct entry *e = &n->entry[i];
		if (e->waiting.count > (e->state == ASKING ? NEIGH_WAITING_MAX : 0))
			return false;
		held += e->waiting.count;
		if (e->line == LINE_FREE)
			continue;
		used += e->state != PERMANENT;
		if (find(n, e->port, e->addr) != i || e->tries > NEIGH_TRIES_MAX)
			return false;
	}
	return standing == n->capacity && held == n->held && held <= NEIGH_HELD_MAX
		&& used == uses && used == n->used.count && table_valid(&n->index)
		&& n->index.count == n->capacity - n->line[LINE_FREE].count;
}
