/* SPDX-License-Identifier: ISC */
/*
 * conntrack.c: slots, one index over both tuples of each, and two queues that
 * every flow in use stands in.
 *
 * Index item 2 * flow + dir has the tuple of that direction; no two items
 * have the same one, so out and back are each other's inverse. A free slot
 * stands in `free`, or from `fresh` on. A flow in use stands in the queue of its
 * class, in the order in which they took their places, and in its port's queue of evictable or of firm flows.
 */
#include "ct_slots.h"

enum { FLOWS_MAX = 1 << 24, LINE_BYTES = 64, KEY_FLOWS = 1 };

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
	ct->key = flow_key_of(secret, KEY_FLOWS);
	ct->free = NONE;
	for (uint32_t i = 0; i < CT_CLASS_COUNT; i++)
		queue_init(&ct->class[i]);
	for (uint32_t i = 0; i < PORT_COUNT; i++) {
		queue_init(&ct->port[i].flows[FIRM]);
		queue_init(&ct->port[i].flows[EVICTABLE]);
	}
	return ct;
}

struct flow *ct_flow(struct ct *ct, uint32_t i)
{
	return in_use(ct, i) ? &ct->flow[i] : NULL;
}

static uint64_t word(const void *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static bool item_is(const struct flow *flows, uint32_t item, const struct tuple *t)
{
	const struct flow *f = &flows[item / 2];
	bool reply = item % 2 == CT_REPLY;
	const uint8_t *src = reply ? f->orig.dst.b : f->orig.src.b, *dst = reply ? f->nat_ip.b : f->orig.dst.b;
	uint16_t sport = reply ? f->orig.dport : f->orig.sport, dport = reply ? f->nat_port : f->orig.dport;
	uint64_t differ = (word(src) ^ word(t->src.b)) | (word(src + 8) ^ word(t->src.b + 8)) |
			  (word(dst) ^ word(t->dst.b)) | (word(dst + 8) ^ word(t->dst.b + 8));
	return !differ && sport == t->sport && dport == t->dport && f->orig.proto == t->proto && f->orig.kind == t->kind;
}

static bool find(const struct ct *ct, uint64_t hash, const struct tuple *t, uint32_t *flow, enum ct_dir *dir)
{
	for (uint32_t i = table_first(&ct->index, hash); i != NONE; i = table_next(&ct->index, i)) {
		if (item_is(ct->flow, i, t)) {
			*flow = i / 2;
			*dir = (enum ct_dir)(i % 2);
			return true;
		}
	}
	return false;
}

bool ct_find(const struct ct *ct, const struct tuple *t, uint32_t *flow, enum ct_dir *dir)
{
	return find(ct, flow_key_hash(&ct->key, t), t, flow, dir);
}

bool ct_knows(const struct ct *ct, uint64_t hash, const struct tuple *t)
{
	uint32_t flow;
	enum ct_dir dir;
	return table_first(&ct->index, hash) != NONE && find(ct, hash, t, &flow, &dir);
}

static bool taken(const void *owner, const struct tuple *t)
{
	const struct ct *ct = owner;
	return ct_knows(ct, flow_key_hash(&ct->key, t), t);
}

/* A clock that steps back stands still, so that every class's queue stays in order of time. */
static void clock(struct ct *ct, uint64_t now_ns)
{
	if (now_ns > ct->now_ns)
		ct->now_ns = now_ns;
}

struct ct_view ct_view(struct ct *ct, uint64_t now_ns)
{
	clock(ct, now_ns);
	return (struct ct_view){ &ct->index, ct->flow, &ct->key, ct->now_ns };
}

static struct queue *port_queue(struct ct *ct, const struct flow *f, enum ct_class class)
{
	return &ct->port[f->port].flows[class < CT_CLASS_EVICTABLE ? EVICTABLE : FIRM];
}

static void enqueue(struct ct *ct, uint32_t i)
{
	struct flow *f = &ct->flow[i];
	enum ct_class class = flow_class(f);
	f->stale_ns = ct->now_ns + ct_slack_ns(class);
	queue_push(&ct->class[class], ct->class_link, i);
	queue_push(port_queue(ct, f, class), ct->port_link, i);
}

/* `was` is the class the flow was enqueued with. */
static void dequeue(struct ct *ct, uint32_t i, enum ct_class was)
{
	queue_remove(&ct->class[was], ct->class_link, i);
	queue_remove(port_queue(ct, &ct->flow[i], was), ct->port_link, i);
}

/* Its place is too old for its class. */
static void requeue(struct ct *ct, uint32_t i)
{
	enum ct_class class = flow_class(&ct->flow[i]);
	/* a firm flow keeps its place in the port's queue: its order there means nothing */
	if (class < CT_CLASS_EVICTABLE) {
		dequeue(ct, i, class);
		enqueue(ct, i);
		return;
	}
	ct->flow[i].stale_ns = ct->now_ns + ct_slack_ns(class);
	queue_remove(&ct->class[class], ct->class_link, i);
	queue_push(&ct->class[class], ct->class_link, i);
}

/* `was` is the state it was enqueued with. */
static inline void touch(struct ct *ct, uint32_t i, uint8_t was)
{
	struct flow *f = &ct->flow[i];
	f->touched_ns = ct->now_ns;
	if (f->state != was) {
		dequeue(ct, i, ct_class_of(f->orig.proto, was));
		enqueue(ct, i);
	} else if (ct->now_ns >= f->stale_ns) {
		requeue(ct, i);
	}
}

static void count(struct flow *f, enum ct_dir dir, uint32_t bytes)
{
	f->sent[dir].packets++;
	f->sent[dir].bytes += bytes;
}

/* Gives the slot back. */
static void release(struct ct *ct, uint32_t i)
{
	struct flow *f = &ct->flow[i];
	ensure(f->serial != 0);
	table_remove(&ct->index, 2 * i + CT_ORIG);
	table_remove(&ct->index, 2 * i + CT_REPLY);
	dequeue(ct, i, flow_class(f));
	/* a hint to the slot that a burst still has must find that nothing holds; the rest is the next tenant's to store */
	f->serial = 0;
	f->epoch = 0;
	/* the next tenant finds it in the caches */
	ct->class_link[i].next = ct->free;
	ct->free = i;
	ct->count--;
}

/*
 * The next to go, and its neighbour: of the one the lines that lead to its buckets, of the other the buckets,
 * since the next packet may well open a flow too.
 */
static void prefetch_victims(const struct ct *ct, uint32_t i)
{
	const struct table *t = &ct->index;
	if (i == NONE)
		return;
	table_prefetch(t, t->item[2 * i + CT_ORIG].hash);
	table_prefetch(t, t->item[2 * i + CT_REPLY].hash);
	i = ct->port_link[i].next;
	if (i == NONE)
		return;
	__builtin_prefetch(&t->item[2 * i], 1);
	__builtin_prefetch(&ct->port_link[i], 1);
	__builtin_prefetch(&ct->class_link[i], 1);
	for (size_t at = 0; at < sizeof(struct flow); at += LINE_BYTES)
		__builtin_prefetch((const uint8_t *)&ct->flow[i] + at, 1);
}

static void evict(struct ct *ct, uint32_t i)
{
	uint32_t next = ct->port_link[i].next;
	release(ct, i);
	ct->stats.evicted++;
	prefetch_victims(ct, next);
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

static uint32_t take_slot(struct ct *ct)
{
	uint32_t i = ct->free;
	if (i != NONE)
		ct->free = ct->class_link[i].next;
	else
		i = ct->fresh++;
	ensure(i < ct->capacity && ct->flow[i].serial == 0);
	return i;
}

/* Field by field: a struct of this size would be cleared by a slow loop first. `half` and `probe` are tcp_track's. */
static void settle(struct ct *ct, struct flow *f, const struct ct_opening *o, const struct tuple *reply)
{
	ct->serial = ct->serial == UINT32_MAX ? 1 : ct->serial + 1;
	f->orig = o->tuple;
	f->nat_ip = reply->dst;
	f->nat_port = reply->dport;
	f->client = 0;
	f->generation = f->epoch = f->rule = 0;
	f->sent[CT_ORIG].packets = 1;
	f->sent[CT_ORIG].bytes = o->bytes;
	f->sent[CT_REPLY].packets = f->sent[CT_REPLY].bytes = 0;
	f->opened_ns = f->touched_ns = ct->now_ns;
	f->serial = ct->serial;
	f->port = o->port;
	f->state = 0; /* none, or unreplied */
	f->replied = false;
	if (o->tcp) {
		struct tcp_conn c = conn(f);
		enum tcp_effect effect;
		enum drop why = tcp_track(&c, CT_ORIG, o->tcp, &effect);
		ensure(why == DROP_NONE && effect == TCP_RESTART);
	}
}

/* The way back and its hash: nearly always the first one asked about is free. */
static bool bind(struct ct *ct, const struct ct_opening *o, struct ip_addr nat_src, struct tuple *reply,
		 uint64_t *hash, bool *collision)
{
	*reply = tuple_reverse(&o->tuple);
	if (!ip_is_zero(nat_src))
		reply->dst = nat_src;
	*hash = o->reply_hash;
	*collision = false;
	if (!ct_knows(ct, *hash, reply))
		return true;
	if (!nat_bind(&o->tuple, nat_src, taken, ct, ct->secret, reply, collision))
		return false;
	*hash = flow_key_hash(&ct->key, reply);
	return true;
}

enum drop ct_open_new(struct ct *ct, const struct ct_opening *o, struct ip_addr nat_src, uint32_t *flow)
{
	struct tuple reply;
	uint64_t reply_hash;
	uint32_t victim;
	bool collision;
	enum drop why = make_room(ct, o->port, &victim);
	if (why != DROP_NONE)
		return why;
	if (!bind(ct, o, nat_src, &reply, &reply_hash, &collision))
		return DROP_NAT_PORTS;
	if (tuple_eq(&reply, &o->tuple))
		return DROP_CT_INVALID; /* a packet to its own sender (LAND) */
	if (victim != NONE)
		evict(ct, victim);
	uint32_t i = take_slot(ct);
	settle(ct, &ct->flow[i], o, &reply);
	table_insert(&ct->index, o->hash, 2 * i + CT_ORIG);
	table_insert(&ct->index, reply_hash, 2 * i + CT_REPLY);
	enqueue(ct, i);
	ct->count++;
	ct->stats.opened++;
	ct->stats.port_collisions += collision;
	*flow = i;
	return DROP_NONE;
}

enum drop ct_open(struct ct *ct, const struct packet *p, uint16_t port, struct ip_addr nat_src, uint64_t now_ns,
                  uint32_t *flow)
{
	struct ct_opening o = { .tuple = p->tuple, .tcp = p->class == PKT_TCP ? &p->tcp : NULL,
	                        .bytes = p->end - p->l3, .port = port };
	struct tuple reply = tuple_reverse(&p->tuple);
	ensure(port < PORT_COUNT);
	clock(ct, now_ns);
	o.hash = flow_key_hash(&ct->key, &p->tuple);
	if (!can_open(p) || ct_knows(ct, o.hash, &p->tuple))
		return DROP_CT_INVALID;
	if (!ip_is_zero(nat_src))
		reply.dst = nat_src;
	o.reply_hash = flow_key_hash(&ct->key, &reply);
	return ct_open_new(ct, &o, nat_src, flow);
}

static bool tcp_over(uint8_t state)
{
	return state == TCPS_TIME_WAIT || state == TCPS_CLOSED;
}

static enum drop track_tcp(struct ct *ct, uint32_t i, enum ct_dir dir, const struct tcp_view *v, uint32_t bytes)
{
	struct flow *f = &ct->flow[i];
	struct tcp_conn c = conn(f);
	uint8_t was = f->state;
	enum tcp_effect effect;
	enum drop why = tcp_track(&c, dir, v, &effect);
	if (why != DROP_NONE)
		return why;
	switch (effect) {
	case TCP_PASSED:
		count(f, dir, bytes);
		return DROP_NONE;
	case TCP_RESTART:
		ct->stats.opened++;
		f->opened_ns = ct->now_ns;
		f->replied = dir == CT_REPLY;
		f->sent[CT_ORIG] = f->sent[CT_REPLY] = (struct flow_sent){ 0 };
		break;
	case TCP_MOVED:
		f->replied |= dir == CT_REPLY;
		break;
	}
	count(f, dir, bytes);
	ct->stats.closed += !tcp_over(was) && tcp_over(f->state);
	touch(ct, i, was);
	return DROP_NONE;
}

static void track_other(struct ct *ct, uint32_t i, enum ct_dir dir, uint32_t bytes)
{
	struct flow *f = &ct->flow[i];
	uint8_t was = f->state;
	if (dir == CT_REPLY) {
		f->replied = true;
		f->state = FLOW_REPLIED;
	}
	count(f, dir, bytes);
	touch(ct, i, was);
}

enum drop ct_pass(struct ct *ct, uint32_t i, enum ct_dir dir, const struct tcp_view *v, uint32_t bytes,
                  uint64_t now_ns)
{
	clock(ct, now_ns);
	if (v)
		return track_tcp(ct, i, dir, v, bytes);
	track_other(ct, i, dir, bytes);
	return DROP_NONE;
}

enum drop ct_track(struct ct *ct, uint32_t i, enum ct_dir dir, const struct packet *p, uint64_t now_ns)
{
	uint32_t bytes = p->end - p->l3;
	ensure(in_use(ct, i));
	if (p->tuple.proto != ct->flow[i].orig.proto)
		return DROP_CT_INVALID;
	switch (p->class) {
	case PKT_TCP:
		return ct_pass(ct, i, dir, &p->tcp, bytes, now_ns);
	case PKT_ICMP_QUERY:
		if (is_request(p) != (dir == CT_ORIG))
			return DROP_CT_INVALID;
		return ct_pass(ct, i, dir, NULL, bytes, now_ns);
	case PKT_UDP:
	case PKT_OTHER:
		return ct_pass(ct, i, dir, NULL, bytes, now_ns);
	case PKT_ARP:
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER:
	case PKT_FRAGMENT:
		return DROP_CT_INVALID;
	}
	return DROP_CT_INVALID;
}

struct tuple ct_quoted(const struct flow *f, enum ct_dir dir)
{
	return dir == CT_ORIG ? flow_reply(f) : f->orig;
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

/* When the head of the class's queue goes; UINT64_MAX: it is empty. One behind it that is due waits for the slack at most. */
static uint64_t class_deadline(const struct ct *ct, enum ct_class class)
{
	uint32_t i = ct->class[class].head;
	return i == NONE ? UINT64_MAX : ct->flow[i].touched_ns + ct_class_ns(class);
}

void ct_poll(struct ct *ct, uint64_t now_ns)
{
	uint32_t n = 0;
	clock(ct, now_ns);
	for (uint32_t c = 0; c < CT_CLASS_COUNT; c++) {
		while (class_deadline(ct, (enum ct_class)c) <= ct->now_ns) {
			if (n++ == CT_POLL_MAX)
				return;
			release(ct, ct->class[c].head);
			ct->stats.expired++;
		}
	}
}

uint64_t ct_deadline(const struct ct *ct)
{
	uint64_t first = UINT64_MAX;
	for (uint32_t c = 0; c < CT_CLASS_COUNT; c++) {
		uint64_t deadline = class_deadline(ct, (enum ct_class)c);
		first = deadline < first ? deadline : first;
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
