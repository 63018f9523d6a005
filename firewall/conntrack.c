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

enum { FLOWS_MAX = 1 << 24, KEY_FLOWS = 1 };

size_t ct_bytes(uint32_t flows)
{
	size_t each = sizeof(struct flow) + 2 * sizeof(struct link);
	return sizeof(struct ct) + CT_OWNERS * sizeof(struct ct_port) + flows * each + 5 * CT_LINE_BYTES +
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
	ct->port = arena_take(&rest, CT_OWNERS, sizeof(*ct->port));
	if (!ct->flow || !ct->class_link || !ct->port_link || !ct->port || !table_init(&ct->index, &rest, 2 * flows))
		return NULL;
	*a = rest;
	ct->capacity = flows;
	ct->secret = secret;
	ct->key = flow_key_of(secret, KEY_FLOWS);
	ct->free = NONE;
	for (uint32_t i = 0; i < CT_CLASS_COUNT; i++)
		queue_init(&ct->class[i]);
	for (uint32_t i = 0; i < CT_OWNERS; i++) {
		queue_init(&ct->port[i].flows[FIRM]);
		queue_init(&ct->port[i].flows[EVICTABLE]);
	}
	return ct;
}

void ct_set_accounts(struct ct *ct, struct accounts *accounts)
{
	ct->accounts = accounts;
}

struct flow *ct_flow(struct ct *ct, uint32_t i)
{
	return in_use(ct, i) ? &ct->flow[i] : NULL;
}

uint32_t ct_index(const struct ct *ct, const struct flow *f)
{
	return (uint32_t)(f - ct->flow);
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

struct ct_view ct_view(struct ct *ct, uint64_t now_ns)
{
	clock(ct, now_ns);
	return (struct ct_view){ &ct->index, ct->flow, &ct->key, ct->now_ns };
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

void ct_release(struct ct *ct, uint32_t i)
{
	struct flow *f = &ct->flow[i];
	ensure(f->serial != 0);
	table_remove(&ct->index, 2 * i + CT_ORIG);
	table_remove(&ct->index, 2 * i + CT_REPLY);
	dequeue(ct, i, flow_class(f));
	ct->inbound -= f->kind == FLOW_INBOUND;
	if (ct->accounts)
		accounts_close(ct->accounts, i, rule_ref_account(f->rule), f->sent, f->touched_ns);
	/* a hint to the slot that a burst still has must find that nothing holds; the rest is the next tenant's to store */
	f->serial = 0;
	f->epoch = 0;
	/* the next tenant finds it in the caches */
	ct->class_link[i].next = ct->free;
	ct->free = i;
	ct->count--;
}

uint32_t ct_share(const struct ct *ct)
{
	return share_of(ct, PORT_UPLINK);
}

uint32_t ct_port_count(const struct ct *ct, uint16_t port)
{
	ensure(port < PORT_COUNT);
	return owned(ct, port);
}

uint32_t ct_inbound_count(const struct ct *ct)
{
	return ct->inbound;
}

static bool tcp_over(uint8_t state)
{
	return state == TCPS_TIME_WAIT || state == TCPS_CLOSED;
}

static enum drop track_tcp(struct ct *ct, uint32_t i, enum ct_dir dir, const struct tcp_view *v, uint32_t bytes)
{
	struct flow *f = &ct->flow[i];
	struct tcp_conn c = conn(f);
	enum ct_dir side = flow_side(f, dir);
	uint8_t was = f->state;
	enum tcp_effect effect;
	enum drop why = tcp_track(&c, side, v, &effect);
	if (why != DROP_NONE)
		return why;
	switch (effect) {
	case TCP_PASSED:
		count(f, dir, bytes);
		return DROP_NONE;
	case TCP_RESTART:
		ct->stats.opened++;
		f->opened_ns = ct->now_ns;
		f->replied = side == CT_REPLY;
		if (ct->accounts)
			accounts_restart(ct->accounts, i, rule_ref_account(f->rule), f->sent, ct->now_ns);
		f->sent[CT_ORIG] = f->sent[CT_REPLY] = (struct flow_sent){ 0 };
		break;
	case TCP_MOVED:
		f->replied |= side == CT_REPLY;
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
	if (flow_side(f, dir) == CT_REPLY) {
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

void ct_readmit(struct ct *ct, uint32_t i, const struct ct_admission *by)
{
	struct flow *f = &ct->flow[i];
	if (ct->accounts)
		accounts_move(ct->accounts, i, rule_ref_account(f->rule), rule_ref_account(by->rule), f->sent,
			      ct->now_ns);
	f->client = (uint16_t)by->client;
	f->generation = by->generation;
	f->rule = by->rule;
}

void ct_cut(struct ct *ct, uint32_t i)
{
	ensure(in_use(ct, i));
	ct_release(ct, i);
	ct->stats.cut++;
}

static uint32_t flush(struct ct *ct, uint32_t owner, uint16_t port)
{
	uint32_t n = 0;
	for (uint32_t kind = FIRM; kind <= EVICTABLE; kind++) {
		for (uint32_t next, i = ct->port[owner].flows[kind].head; i != NONE; i = next) {
			next = queue_after(ct->port_link, i);
			if (ct->flow[i].port != port)
				continue;
			ct_cut(ct, i);
			n++;
		}
	}
	return n;
}

uint32_t ct_flush_port(struct ct *ct, uint16_t port)
{
	ensure(port < PORT_COUNT);
	return flush(ct, port, port) + flush(ct, CT_WORLD + (uint32_t)port, port);
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
			ct_release(ct, ct->class[c].head);
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

uint32_t ct_used(const struct ct *ct)
{
	return ct->fresh;
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
