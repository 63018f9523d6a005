/* SPDX-License-Identifier: ISC */
/*
 * fragment.c: per datagram the sorted ranges seen so far, in units of 8 bytes,
 * and the frames that wait for the first piece.
 *
 * A range is noted once, when its piece arrives, and a piece passes only if
 * its range was free: so no two pieces that overlap ever pass. Pieces that
 * come back from being held pass through fragments_take a second time;
 * fragments_decide therefore clears all ranges but the first piece's.
 *
 * Full, or a port at its quarter of the entries: the port's oldest datagram of
 * which nothing has passed makes room, so that strangers' pieces do not keep
 * out those that belong to flows; it may begin anew, as nothing of it is on its
 * way. One of which a piece has passed goes by age only. Frames of datagrams
 * forgotten so wait in `late` for fragments_poll, so that what fragments_take
 * drops always has the reason it returns.
 */
#include "fragment.h"

#define TIMEOUT_NS (FRAGMENT_TIMEOUT_S * UINT64_C(1000000000))

enum { RANGES_MAX = 16, UNIT_BYTES = 8, PORT_SHARE = 4, SLOT_BITS = 16 };

enum state {
	FREE,
	OPEN,    /* the first piece has not come */
	JUDGING, /* it has, and fragments_decide has not */
	DECIDED, /* the others follow `way` */
	DEAD,    /* nothing passes any more, for `reason` */
};

/* Hashed and compared as bytes: `zero` is zero. */
struct key {
	struct ip_addr src, dst;
	uint16_t port, id;
	uint8_t proto, zero[3];
};
_Static_assert(sizeof(struct key) == 40, "no padding to leak into hashes");

struct range { uint16_t start, end; }; /* in units, end not included */

struct datagram {
	struct key key;  /* fixed at creation */
	uint64_t due_ns;
	uint16_t serial; /* of this use of the slot */
	uint8_t state;
	uint8_t reason;
	uint8_t pieces, ranges;
	bool passed; /* something of it; else it stands in its port's `loose` */
	uint16_t first_end; /* of the first piece, in units */
	uint32_t total;     /* bytes, 0 until the last piece was seen */
	struct range range[RANGES_MAX]; /* sorted, apart from each other */
	struct frame_queue held;
	struct fragment_way way;
};
_Static_assert(sizeof(struct datagram) <= 256, "four cache lines");
_Static_assert(DROP_COUNT <= UINT8_MAX, "reason is a byte");
_Static_assert(FRAGMENTS_MAX == 1 << SLOT_BITS, "a handle has room for a slot");

struct fragments {
	struct secret *secret;
	uint32_t capacity;
	struct datagram *datagram;
	struct table index;
	struct link *links, *loose_links;
	struct queue free, order; /* order: oldest first */
	struct queue loose[PORT_COUNT]; /* oldest first */
	struct frame_queue late;
	uint16_t serial;
	uint32_t held; /* frames in all `held` */
	uint64_t clock_ns;
	uint32_t port_count[PORT_COUNT]; /* datagrams and held frames by port */
	uint32_t port_held[PORT_COUNT];
};

static uint32_t clamp(uint32_t datagrams)
{
	return datagrams < FRAGMENTS_MAX ? datagrams : FRAGMENTS_MAX;
}

size_t fragments_bytes(uint32_t datagrams)
{
	uint32_t n = clamp(datagrams);
	size_t each = sizeof(struct datagram) + 2 * sizeof(struct link);
	return sizeof(struct fragments) + n * each + table_bytes(n) + 4 * 64;
}

struct fragments *fragments_new(struct arena *a, uint32_t datagrams, struct secret *secret)
{
	struct fragments *f = arena_take(a, 1, sizeof(*f));
	if (!f)
		return NULL;
	f->secret = secret;
	f->capacity = clamp(datagrams);
	f->datagram = arena_take(a, f->capacity, sizeof(*f->datagram));
	f->links = arena_take(a, f->capacity, sizeof(*f->links));
	f->loose_links = arena_take(a, f->capacity, sizeof(*f->loose_links));
	if (!f->datagram || !f->links || !f->loose_links || !table_init(&f->index, a, f->capacity))
		return NULL;
	queue_init(&f->free);
	queue_init(&f->order);
	for (size_t port = 0; port < PORT_COUNT; port++)
		queue_init(&f->loose[port]);
	for (uint32_t i = 0; i < f->capacity; i++)
		queue_push(&f->free, f->links, i);
	return f;
}

static struct key key_of(const struct packet *p)
{
	return (struct key){
		.src = p->tuple.src,
		.dst = p->tuple.dst,
		.port = p->frame->port,
		.id = p->id,
		.proto = p->tuple.proto,
	};
}

static uint64_t hash(const struct fragments *f, const struct key *k)
{
	return siphash13(f->secret->key, k, sizeof(*k));
}

static uint32_t find(const struct fragments *f, const struct key *k)
{
	uint32_t i = table_first(&f->index, hash(f, k));
	while (i != NONE && memcmp(&f->datagram[i].key, k, sizeof(*k)) != 0)
		i = table_next(&f->index, i);
	return i;
}

static void release(struct fragments *f, struct datagram *d, struct frame_queue *to)
{
	struct frame *frame;
	while ((frame = frames_take(&d->held))) {
		f->held--;
		f->port_held[d->key.port]--;
		frames_put(to, frame);
	}
}

static void forget(struct fragments *f, uint32_t i, struct frame_queue *to)
{
	struct datagram *d = &f->datagram[i];
	release(f, d, to);
	if (!d->passed)
		queue_remove(&f->loose[d->key.port], f->loose_links, i);
	d->state = FREE;
	f->port_count[d->key.port]--;
	table_remove(&f->index, i);
	queue_remove(&f->order, f->links, i);
	queue_push(&f->free, f->links, i);
}

/* Takes the time, and makes room of what has timed out. */
static void tick(struct fragments *f, uint64_t now_ns)
{
	if (now_ns > f->clock_ns)
		f->clock_ns = now_ns;
	while (f->order.count && f->datagram[f->order.head].due_ns <= f->clock_ns)
		forget(f, f->order.head, &f->late);
}

static uint32_t share(uint32_t of)
{
	return of < PORT_SHARE ? 1 : of / PORT_SHARE;
}

static uint32_t create(struct fragments *f, const struct key *k)
{
	if (f->free.count == 0 || f->port_count[k->port] >= share(f->capacity)) {
		if (f->loose[k->port].count == 0)
			return NONE;
		forget(f, f->loose[k->port].head, &f->late);
	}
	uint32_t i = queue_pop(&f->free, f->links);
	f->datagram[i] = (struct datagram){
		.key = *k,
		.due_ns = f->clock_ns + TIMEOUT_NS,
		.serial = f->serial++,
		.state = OPEN,
	};
	f->port_count[k->port]++;
	table_insert(&f->index, hash(f, k), i);
	queue_push(&f->order, f->links, i);
	queue_push(&f->loose[k->port], f->loose_links, i);
	return i;
}

static uint32_t units(uint32_t bytes)
{
	return (bytes + UNIT_BYTES - 1) / UNIT_BYTES;
}

/* What is wrong with the piece by itself. */
static enum drop piece_fault(const struct packet *p)
{
	/* The first piece shows all that rules look at, and no other reaches there (RFC 3128). */
	uint32_t shown = p->tuple.proto == PROTO_TCP ? TCP_MIN_BYTES : 0;
	if (p->tuple.proto == PROTO_UDP || p->tuple.proto == PROTO_ICMP
	    || p->tuple.proto == PROTO_ICMPV6)
		shown = UDP_BYTES;
	/* IPv4's total length counts the header too. */
	uint32_t room = IP_MAX_BYTES - (p->v6 ? 0 : (uint32_t)(p->l4 - p->l3));
	if (p->data_len == 0 || p->fragment_offset % UNIT_BYTES != 0
	    || (p->more_fragments && p->data_len % UNIT_BYTES != 0)
	    || p->fragment_offset > room || p->data_len > room - p->fragment_offset)
		return DROP_FRAGMENT_SIZE;
	if (p->fragment_offset == 0 ? p->data_len < shown : p->fragment_offset < shown)
		return DROP_FRAGMENT_TINY;
	return DROP_NONE;
}

/* Notes the range of a faultless piece. */
static enum drop note(struct datagram *d, const struct packet *p)
{
	uint32_t end_bytes = p->fragment_offset + p->data_len;
	uint32_t start = p->fragment_offset / UNIT_BYTES, end = units(end_bytes);
	bool last = !p->more_fragments;
	size_t at = 0;
	while (at < d->ranges && d->range[at].start < start)
		at++;
	if (at > 0 && d->range[at - 1].end > start)
		return DROP_FRAGMENT_OVERLAP;
	/* Nothing may lie behind a last piece, another last one least of all. */
	if (at < d->ranges && (last || d->range[at].start < end))
		return DROP_FRAGMENT_OVERLAP;
	if (d->total && end_bytes > d->total)
		return DROP_FRAGMENT_OVERLAP;

	bool left = at > 0 && d->range[at - 1].end == start;
	bool right = at < d->ranges && d->range[at].start == end;
	if (d->pieces == FRAGMENT_PIECES_MAX || (d->ranges == RANGES_MAX && !left && !right))
		return DROP_FRAGMENT_LIMIT;
	size_t behind = d->ranges - at;
	if (left && right) {
		d->range[at - 1].end = d->range[at].end;
		memmove(&d->range[at], &d->range[at + 1], (behind - 1) * sizeof(d->range[0]));
		d->ranges--;
	} else if (left) {
		d->range[at - 1].end = (uint16_t)end;
	} else if (right) {
		d->range[at].start = (uint16_t)start;
	} else {
		memmove(&d->range[at + 1], &d->range[at], behind * sizeof(d->range[0]));
		d->range[at] = (struct range){ (uint16_t)start, (uint16_t)end };
		d->ranges++;
	}
	d->pieces++;
	if (last)
		d->total = end_bytes;
	return DROP_NONE;
}

static bool whole(const struct datagram *d)
{
	return d->total && d->ranges == 1 && d->range[0].start == 0
		&& d->range[0].end == units(d->total);
}

static bool hold(struct fragments *f, struct datagram *d, struct frame *frame)
{
	if (d->held.count == FRAGMENT_HELD_MAX || f->held == FRAGMENTS_HELD_MAX
	    || f->port_held[d->key.port] == share(FRAGMENTS_HELD_MAX)
	    || frame->room > FRAME_HELD_ROOM_MAX)
		return false;
	frames_put(&d->held, frame);
	f->held++;
	f->port_held[d->key.port]++;
	return true;
}

static enum fragment_next kill(struct fragments *f, struct datagram *d, enum drop why,
                               struct frame_queue *dropped)
{
	d->state = DEAD;
	d->reason = (uint8_t)why;
	release(f, d, dropped);
	return FRAGMENT_DROP;
}

enum fragment_next fragments_take(struct fragments *f, struct packet *p, uint64_t now_ns,
                                  uint32_t *handle, struct fragment_way *way, enum drop *reason,
                                  struct frame_queue *dropped)
{
	ensure(p->frame->port < PORT_COUNT);
	tick(f, now_ns);
	struct key k = key_of(p);
	uint32_t i = find(f, &k);
	if (i == NONE)
		i = create(f, &k);
	if (i == NONE) {
		*reason = DROP_FRAGMENT_LIMIT;
		return FRAGMENT_DROP;
	}
	struct datagram *d = &f->datagram[i];
	*reason = (enum drop)d->reason;
	if (d->state == DEAD)
		return FRAGMENT_DROP;
	*reason = piece_fault(p);
	if (*reason == DROP_NONE)
		*reason = note(d, p);
	if (*reason != DROP_NONE)
		return kill(f, d, *reason, dropped);

	if (p->fragment_offset == 0) {
		ensure(d->state == OPEN);
		d->state = JUDGING;
		d->first_end = (uint16_t)units(p->data_len);
		*handle = (uint32_t)d->serial << SLOT_BITS | i;
		return FRAGMENT_JUDGE;
	}
	if (d->state == DECIDED) {
		*way = d->way;
		*reason = d->way.reason;
		if (whole(d))
			forget(f, i, dropped);
		return way->pass ? FRAGMENT_FOLLOW : FRAGMENT_DROP;
	}
	/* Without this piece the datagram is worth nothing: the frames it holds are better free. */
	if (!hold(f, d, p->frame)) {
		*reason = DROP_FRAGMENT_LIMIT;
		return kill(f, d, *reason, dropped);
	}
	return FRAGMENT_HELD;
}

void fragments_decide(struct fragments *f, uint32_t handle, const struct fragment_way *way,
                      struct frame_queue *released)
{
	uint32_t i = handle & (FRAGMENTS_MAX - 1);
	ensure(i < f->capacity);
	struct datagram *d = &f->datagram[i];
	/* Killed, timed out or flushed meanwhile: nobody is left to follow. */
	if (d->state != JUDGING || d->serial != handle >> SLOT_BITS)
		return;
	d->state = DECIDED;
	d->way = *way;
	if (way->pass) {
		queue_remove(&f->loose[d->key.port], f->loose_links, i);
		d->passed = true;
	}
	if (whole(d) && d->held.count == 0) {
		forget(f, i, released);
		return;
	}
	d->range[0] = (struct range){ 0, d->first_end };
	d->ranges = 1;
	d->pieces = 1;
	d->total = 0;
	release(f, d, released);
}

void fragments_poll(struct fragments *f, uint64_t now_ns, struct frame_queue *dropped)
{
	struct frame *frame;
	tick(f, now_ns);
	while ((frame = frames_take(&f->late)))
		frames_put(dropped, frame);
}

void fragments_flush(struct fragments *f, uint16_t port, struct frame_queue *dropped)
{
	uint32_t next;
	for (uint32_t i = f->order.head; i != NONE; i = next) {
		next = queue_after(f->links, i);
		if (f->datagram[i].key.port == port)
			forget(f, i, dropped);
	}
}

uint64_t fragments_deadline(const struct fragments *f)
{
	if (f->late.count)
		return f->clock_ns;
	return f->order.count ? f->datagram[f->order.head].due_ns : UINT64_MAX;
}

uint32_t fragments_count(const struct fragments *f)
{
	return f->index.count;
}

static bool datagram_valid(const struct datagram *d)
{
	uint32_t free_from = 0;
	for (size_t r = 0; r < d->ranges; r++) {
		if (d->range[r].start < free_from || d->range[r].end <= d->range[r].start)
			return false;
		free_from = d->range[r].end + 1u; /* touching ranges would have been joined */
	}
	if (d->total && d->ranges && d->range[d->ranges - 1].end > units(d->total))
		return false;
	if (d->ranges > RANGES_MAX || d->pieces > FRAGMENT_PIECES_MAX || d->ranges > d->pieces)
		return false;
	bool may_hold = d->state == OPEN || d->state == JUDGING;
	return d->held.count <= (may_hold ? FRAGMENT_HELD_MAX : 0)
		&& (d->state == DEAD) == (d->reason != DROP_NONE);
}

bool fragments_valid(const struct fragments *f)
{
	uint32_t count = 0, held = 0, by_port = 0, held_by_port = 0, loose = 0, loose_by_port = 0;
	uint64_t before = 0;
	for (uint32_t i = f->order.head; i != NONE; i = queue_after(f->links, i)) {
		const struct datagram *d = &f->datagram[i];
		if (d->state == FREE || d->due_ns < before || count++ == f->capacity)
			return false;
		if (!datagram_valid(d) || find(f, &d->key) != i)
			return false;
		before = d->due_ns;
		held += d->held.count;
		loose += !d->passed;
	}
	for (size_t port = 0; port < PORT_COUNT; port++) {
		if (f->port_count[port] > share(f->capacity)
		    || f->port_held[port] > share(FRAGMENTS_HELD_MAX))
			return false;
		by_port += f->port_count[port];
		held_by_port += f->port_held[port];
		loose_by_port += f->loose[port].count;
	}
	return count == f->order.count && count == f->index.count && count == by_port
		&& count + f->free.count == f->capacity && held == f->held && held == held_by_port && loose == loose_by_port
		&& held <= FRAGMENTS_HELD_MAX && table_valid(&f->index);
}
