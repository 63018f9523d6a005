/* SPDX-License-Identifier: ISC */
/*
 * conntrack.c: slots, one index over both tuples of each, and two queues that
 * every flow in use stands in.
 *
 * Index item 2 * flow + dir has the tuple of that direction; no two items
 * have the same one, so out and back are each other's inverse. A free slot
 * stands in `free`, or from `fresh` on. A flow in use stands in the queue of its
 * class, in order of its last touch, and in its port's queue of evictable or of firm flows.
 */
#include "conntrack.h"
#include "queue.h"
#include "table.h"

enum { FLOWS_MAX = 1 << 24, LINE_BYTES = 64 };
enum { FIRM, EVICTABLE };

struct ct_port {
	struct queue flows[2]; /* FIRM in order of becoming so, EVICTABLE in order of touch */
};

struct ct {
	/* fixed */
	struct flow *flow;
	struct link *class_link; /* of `free` and `class` */
	struct link *port_link;
	struct ct_port *port;    /* PORT_COUNT */
	struct secret *secret;
	uint64_t key[2];
	uint32_t capacity;
	/* changing */
	struct table index;
	struct queue free;
	uint32_t fresh; /* slots from here on were never used */
	struct queue class[CT_CLASS_COUNT];
	uint64_t now_ns;
	uint32_t count, serial;
	struct ct_stats stats;
};

size_t ct_bytes(uint32_t flows)
{
	size_t each = sizeof(struct flow) + 2 * sizeof(struct link);
	return sizeof(struct ct) + PORT_COUNT * sizeof(struct ct_port) + flows * each + 5 * LINE_BYTES +
	       table_bytes(2 * flows);
}

struct ct *ct_new(struct arena *a, uint32_t flows, struct secret *secret)
{
	ensure(flows >= 1 && flows <= FLOWS_MAX);
	struct arena rest = *a;
	struct ct *ct = arena_take(&rest, 1, sizeof(*ct));
	if (!ct)
		return NULL;
	ct->flow = arena_take(&rest, flows, sizeof(*ct->flow));
	ct->class_link = arena_take(&rest, flows, sizeof(*ct->class_link));
	ct->port_link = arena_take(&rest, flows, sizeof(*ct->port_link));
	ct->port = arena_take(&rest, PORT_COUNT, sizeof(*ct->port));
	if (!ct->flow || !ct->class_link || !ct->port_link || !ct->port || !table_init(&ct->index, &rest, 2 * flows))
		return NULL;
	*a = rest;
	ct->capacity = flows;
	ct->secret = secret;
	ct->key[0] = random_next(secret);
	ct->key[1] = random_next(secret);
	queue_init(&ct->free);
	for (uint32_t i = 0; i < CT_CLASS_COUNT; i++)
		queue_init(&ct->class[i]);
	for (uint32_t i = 0; i < PORT_COUNT; i++) {
		queue_init(&ct->port[i].flows[FIRM]);
		queue_init(&ct->port[i].flows[EVICTABLE]);
	}
	return ct;
}

static bool in_use(const struct ct *ct, uint32_t i)
{
	return i < ct->fresh && ct->flow[i].serial != 0;
}

struct flow *ct_flow(struct ct *ct, uint32_t i)
{
	return in_use(ct, i) ? &ct->flow[i] : NULL;
}

uint64_t ct_hash(const struct ct *ct, const struct tuple *t)
{
	return siphash13(ct->key, t, sizeof(*t));
}

void ct_prefetch(const struct ct *ct, uint64_t hash)
{
	table_prefetch(&ct->index, hash);
}

bool ct_find_hashed(const struct ct *ct, uint64_t hash, const struct tuple *t, uint32_t *flow,
                    enum ct_dir *dir)
{
	for (uint32_t i = table_first(&ct->index, hash); i != NONE; i = table_next(&ct->index, i)) {
		const struct flow *f = &ct->flow[i / 2];
		if (tuple_eq(i % 2 == CT_ORIG ? &f->orig : &f->reply, t)) {
			*flow = i / 2;
			*dir = (enum ct_dir)(i % 2);
			return true;
		}
	}
	return false;
}

bool ct_find(const struct ct *ct, const struct tuple *t, uint32_t *flow, enum ct_dir *dir)
{
	return ct_find_hashed(ct, ct_hash(ct, t), t, flow, dir);
}

static bool taken(const void *owner, const struct tuple *t)
{
	uint32_t flow;
	enum ct_dir dir;
	return ct_find(owner, t, &flow, &dir);
}

/* A clock that steps back stands still, so that every class's queue stays in order of time. */
static void clock(struct ct *ct, uint64_t now_ns)
{
	if (now_ns > ct->now_ns)
		ct->now_ns = now_ns;
}

static struct queue *port_queue(struct ct *ct, const struct flow *f, enum ct_class class)
{
	return &ct->port[f->port].flows[class < CT_CLASS_EVICTABLE ? EVICTABLE : FIRM];
}

static void enqueue(struct ct *ct, uint32_t i)
{
	const struct flow *f = &ct->flow[i];
	enum ct_class class = flow_class(f);
	queue_push(&ct->class[class], ct->class_link, i);
	queue_push(port_queue(ct, f, class), ct->port_link, i);
}

/* `was` is the class the flow was enqueued with. */
static void dequeue(struct ct *ct, uint32_t i, enum ct_class was)
{
	queue_remove(&ct->class[was], ct->class_link, i);
	queue_remove(port_queue(ct, &ct->flow[i], was), ct->port_link, i);
}

static void touch(struct ct *ct, uint32_t i, enum ct_class was)
{
	struct flow *f = &ct->flow[i];
	enum ct_class is = flow_class(f);
	f->touched_ns = ct->now_ns;
	/* a firm flow keeps its place in the port's queue: its order there means nothing */
	if (was == is && is >= CT_CLASS_EVICTABLE) {
		queue_remove(&ct->class[is], ct->class_link, i);
		queue_push(&ct->class[is], ct->class_link, i);
		return;
	}
	dequeue(ct, i, was);
	enqueue(ct, i);
}

static void count(struct ct_half *h, const struct packet *p)
{
	h->packets++;
	h->bytes += p->end - p->l3;
}

/* Gives the slot back. */
static void release(struct ct *ct, uint32_t i)
{
	struct flow *f = &ct->flow[i];
	ensure(f->serial != 0);
	table_remove(&ct->index, 2 * i + CT_ORIG);
	table_remove(&ct->index, 2 * i + CT_REPLY);
	dequeue(ct, i, flow_class(f));
	*f = (struct flow){ 0 };
	/* at the tail: a slot rests as long as it can before its next tenant */
	queue_push(&ct->free, ct->class_link, i);
	ct->count--;
}

static void evict(struct ct *ct, uint32_t i)
{
	release(ct, i);
	ct->stats.evicted++;
}

uint32_t ct_share(const struct ct *ct)
{
	return ct->capacity > 1 ? ct->capacity / 2 : 1;
}

uint32_t ct_port_count(const struct ct *ct, uint16_t port)
{
	ensure(port < PORT_COUNT);
	return ct->port[port].flows[FIRM].count + ct->port[port].flows[EVICTABLE].count;
}

/* Which flow must go for one more of this port; NONE in *victim when there is room. */
static enum drop make_room(const struct ct *ct, uint16_t port, uint32_t *victim)
{
	bool at_share = ct_port_count(ct, port) >= ct_share(ct);
	*victim = NONE;
	if (!at_share && ct->count < ct->capacity)
		return DROP_NONE;
	*victim = ct->port[port].flows[EVICTABLE].head;
	if (*victim != NONE)
		return DROP_NONE;
	if (at_share)
		return DROP_FLOW_SHARE;
	for (uint32_t c = 0; c < CT_CLASS_EVICTABLE; c++) {
		*victim = ct->class[c].head;
		if (*victim != NONE)
			return DROP_NONE;
	}
	return DROP_FLOW_FULL;
}

/* ICMP: a request opens and is sent by the opener, a reply comes from the other side. */
static bool is_request(const struct packet *p)
{
	return p->icmp_type == p->tuple.kind;
}

static bool can_open(const struct packet *p)
{
	switch (p->class) {
	case PKT_TCP:
		return tcp_opens(&p->tcp);
	case PKT_UDP:
	case PKT_OTHER:
		return true;
	case PKT_ICMP_QUERY:
		return is_request(p);
	case PKT_ARP:
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER:
	case PKT_FRAGMENT:
		return false;
	}
	return false;
}

static struct tcp_conn conn(struct flow *f)
{
	return (struct tcp_conn){ &f->state, f->half, &f->probe };
}

enum drop ct_open(struct ct *ct, const struct packet *p, uint16_t port, struct ip_addr nat_src, uint64_t now_ns,
                  uint32_t *flow)
{
	struct tuple reply;
	uint32_t victim;
	bool collision;
	ensure(port < PORT_COUNT);
	clock(ct, now_ns);
	if (!can_open(p) || taken(ct, &p->tuple))
		return DROP_CT_INVALID;
	enum drop why = make_room(ct, port, &victim);
	if (why != DROP_NONE)
		return why;
	if (!nat_bind(&p->tuple, nat_src, taken, ct, ct->secret, &reply, &collision))
		return DROP_NAT_PORTS;
	if (tuple_eq(&reply, &p->tuple))
		return DROP_CT_INVALID; /* a packet to its own sender (LAND) */
	if (victim != NONE)
		evict(ct, victim);

	uint32_t i = ct->free.count ? queue_pop(&ct->free, ct->class_link) : ct->fresh++;
	ensure(i < ct->capacity);
	struct flow *f = &ct->flow[i];
	ct->serial = ct->serial == UINT32_MAX ? 1 : ct->serial + 1;
	*f = (struct flow){ .orig = p->tuple, .reply = reply, .serial = ct->serial, .port = port,
	                    .opened_ns = ct->now_ns, .touched_ns = ct->now_ns };
	if (p->class == PKT_TCP) {
		struct tcp_conn c = conn(f);
		enum tcp_effect effect;
		why = tcp_track(&c, CT_ORIG, &p->tcp, &effect);
		ensure(why == DROP_NONE && effect == TCP_RESTART);
	}
	count(&f->half[CT_ORIG], p);
	table_insert(&ct->index, ct_hash(ct, &f->orig), 2 * i + CT_ORIG);
	table_insert(&ct->index, ct_hash(ct, &f->reply), 2 * i + CT_REPLY);
	enqueue(ct, i);
	ct->count++;
	ct->stats.opened++;
	ct->stats.port_collisions += collision;
	*flow = i;
	return DROP_NONE;
}

static bool tcp_over(uint8_t state)
{
	return state == TCPS_TIME_WAIT || state == TCPS_CLOSED;
}

static enum drop track_tcp(struct ct *ct, uint32_t i, enum ct_dir dir, const struct packet *p)
{
	struct flow *f = &ct->flow[i];
	struct tcp_conn c = conn(f);
	enum ct_class was = flow_class(f);
	bool was_over = tcp_over(f->state);
	enum tcp_effect effect;
	enum drop why = tcp_track(&c, dir, &p->tcp, &effect);
	if (why != DROP_NONE)
		return why;
	count(&f->half[dir], p);
	switch (effect) {
	case TCP_PASSED:
		return DROP_NONE;
	case TCP_RESTART:
		ct->stats.opened++;
		f->opened_ns = ct->now_ns;
		f->replied = dir == CT_REPLY;
		break;
	case TCP_MOVED:
		f->replied |= dir == CT_REPLY;
		break;
	}
	ct->stats.closed += !was_over && tcp_over(f->state);
	touch(ct, i, was);
	return DROP_NONE;
}

static enum drop track_other(struct ct *ct, uint32_t i, enum ct_dir dir, const struct packet *p)
{
	struct flow *f = &ct->flow[i];
	enum ct_class was = flow_class(f);
	if (p->class == PKT_ICMP_QUERY && is_request(p) != (dir == CT_ORIG))
		return DROP_CT_INVALID;
	if (dir == CT_REPLY) {
		f->replied = true;
		f->state = FLOW_REPLIED;
	}
	count(&f->half[dir], p);
	touch(ct, i, was);
	return DROP_NONE;
}

enum drop ct_track(struct ct *ct, uint32_t i, enum ct_dir dir, const struct packet *p, uint64_t now_ns)
{
	ensure(in_use(ct, i));
	clock(ct, now_ns);
	if (p->tuple.proto != ct->flow[i].orig.proto)
		return DROP_CT_INVALID;
	switch (p->class) {
	case PKT_TCP:
		return track_tcp(ct, i, dir, p);
	case PKT_UDP:
	case PKT_ICMP_QUERY:
	case PKT_OTHER:
		return track_other(ct, i, dir, p);
	case PKT_ARP:
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER:
	case PKT_FRAGMENT:
		return DROP_CT_INVALID;
	}
	return DROP_CT_INVALID;
}

struct tuple ct_translated(const struct flow *f, enum ct_dir dir)
{
	return tuple_reverse(dir == CT_ORIG ? &f->reply : &f->orig);
}

struct tuple ct_quoted(const struct flow *f, enum ct_dir dir)
{
	return dir == CT_ORIG ? f->reply : f->orig;
}

void ct_cut(struct ct *ct, uint32_t i)
{
	ensure(in_use(ct, i));
	release(ct, i);
	ct->stats.cut++;
}

uint32_t ct_flush_port(struct ct *ct, uint16_t port)
{
	uint32_t n = 0;
	ensure(port < PORT_COUNT);
	for (uint32_t kind = FIRM; kind <= EVICTABLE; kind++) {
		for (; ct->port[port].flows[kind].head != NONE; n++)
			ct_cut(ct, ct->port[port].flows[kind].head);
	}
	return n;
}

void ct_poll(struct ct *ct, uint64_t now_ns)
{
	uint32_t n = 0;
	clock(ct, now_ns);
	for (uint32_t c = 0; c < CT_CLASS_COUNT; c++) {
		uint32_t i;
		while ((i = ct->class[c].head) != NONE && ct->flow[i].touched_ns + ct_class_ns((enum ct_class)c) <= ct->now_ns) {
			if (n++ == CT_POLL_MAX)
				return;
			release(ct, i);
			ct->stats.expired++;
		}
	}
}

uint64_t ct_deadline(const struct ct *ct)
{
	uint64_t first = UINT64_MAX;
	for (uint32_t c = 0; c < CT_CLASS_COUNT; c++) {
		uint32_t i = ct->class[c].head;
		if (i != NONE && ct->flow[i].touched_ns + ct_class_ns((enum ct_class)c) < first)
			first = ct->flow[i].touched_ns + ct_class_ns((enum ct_class)c);
	}
	return first;
}

uint32_t ct_count(const struct ct *ct)
{
	return ct->count;
}

uint32_t ct_capacity(const struct ct *ct)
{
	return ct->capacity;
}

uint32_t ct_next(const struct ct *ct, uint32_t from)
{
	for (uint32_t i = from; i < ct->fresh; i++) {
		if (ct->flow[i].serial != 0)
			return i;
	}
	return NONE;
}

const struct ct_stats *ct_stats(const struct ct *ct)
{
	return &ct->stats;
}

/* Flows in the queue, or NONE when its links or order are broken. */
static uint32_t queue_walk(const struct ct *ct, const struct queue *q, const struct link *links)
{
	uint32_t n = 0;
	uint64_t last = 0;
	for (uint32_t i = q->head; i != NONE; i = queue_after(links, i)) {
		if (i >= ct->capacity || n++ == q->count || ct->flow[i].touched_ns < last)
			return NONE;
		last = links == ct->class_link ? ct->flow[i].touched_ns : 0;
	}
	return n == q->count ? n : NONE;
}

static bool queues_valid(const struct ct *ct)
{
	uint32_t in_classes = 0, in_ports = 0;
	for (uint32_t c = 0; c < CT_CLASS_COUNT; c++) {
		uint32_t n = queue_walk(ct, &ct->class[c], ct->class_link);
		if (n == NONE)
			return false;
		in_classes += n;
		for (uint32_t i = ct->class[c].head; i != NONE; i = queue_after(ct->class_link, i)) {
			if (!in_use(ct, i) || flow_class(&ct->flow[i]) != c)
				return false;
		}
	}
	for (uint32_t p = 0; p < PORT_COUNT; p++) {
		uint32_t firm = queue_walk(ct, &ct->port[p].flows[FIRM], ct->port_link);
		uint32_t evictable = queue_walk(ct, &ct->port[p].flows[EVICTABLE], ct->port_link);
		if (firm == NONE || evictable == NONE || firm + evictable > ct_share(ct))
			return false;
		in_ports += firm + evictable;
		for (uint32_t i = ct->port[p].flows[EVICTABLE].head; i != NONE; i = queue_after(ct->port_link, i)) {
			if (flow_class(&ct->flow[i]) >= CT_CLASS_EVICTABLE || ct->flow[i].port != p)
				return false;
		}
	}
	uint32_t free = queue_walk(ct, &ct->free, ct->class_link);
	return ct->fresh <= ct->capacity && free == ct->fresh - ct->count && in_classes == ct->count &&
	       in_ports == ct->count;
}

bool ct_valid(const struct ct *ct)
{
	uint32_t flow, met = 0;
	enum ct_dir dir;
	for (uint32_t i = ct_next(ct, 0); i != NONE; i = ct_next(ct, i + 1)) {
		const struct flow *f = &ct->flow[i];
		met++;
		/* found means found first: were there a second item of this tuple, one of the two would miss */
		if (!ct_find(ct, &f->orig, &flow, &dir) || flow != i || dir != CT_ORIG ||
		    !ct_find(ct, &f->reply, &flow, &dir) || flow != i || dir != CT_REPLY)
			return false;
	}
	return met == ct->count && ct->index.count == 2 * ct->count && table_valid(&ct->index) && queues_valid(ct);
}
