/* SPDX-License-Identifier: ISC */
/*
 * ct_open.c: a flow begins: room is made for it, its way back is bound, and its
 * slot is filled.
 */
#include "ct_slots.h"

/* Which flow must go for one more of this owner; NONE in *victim when there is room. */
static inline __attribute__((always_inline)) enum drop make_room(const struct ct *ct, uint32_t owner, uint32_t *victim)
{
	bool at_share = owned(ct, owner) >= share_of(ct, owner);
	*victim = NONE;
	if (!at_share && ct->count < ct->capacity)
		return DROP_NONE;
	*victim = ct->port[owner].flows[EVICTABLE].head;
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
	for (size_t at = 0; at < sizeof(struct flow); at += CT_LINE_BYTES)
		__builtin_prefetch((const uint8_t *)&ct->flow[i] + at, 1);
}

static void evict(struct ct *ct, uint32_t i)
{
	uint32_t next = ct->port_link[i].next;
	ct_release(ct, i);
	ct->stats.evicted++;
	prefetch_victims(ct, next);
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

static bool taken(const void *owner, const struct tuple *t)
{
	const struct ct *ct = owner;
	return (ct->keeps && ct_keeps(ct, t->proto, t->dport)) || ct_knows(ct, flow_key_hash(&ct->key, t), t);
}

static inline __attribute__((always_inline)) uint32_t take_slot(struct ct *ct)
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
static inline __attribute__((always_inline)) void settle(struct ct *ct, struct flow *f, const struct ct_opening *o,
							 const struct tuple *reply, enum flow_kind kind)
{
	enum ct_dir opener = kind == FLOW_INBOUND ? CT_REPLY : CT_ORIG;
	ct->serial = ct->serial == UINT32_MAX ? 1 : ct->serial + 1;
	f->orig = o->tuple;
	f->nat_ip = reply->dst;
	f->nat_port = reply->dport;
	f->client = 0;
	f->generation = f->epoch = f->rule = 0;
	f->sent[opener].packets = 1;
	f->sent[opener].bytes = o->bytes;
	f->sent[!opener].packets = f->sent[!opener].bytes = 0;
	f->opened_ns = f->touched_ns = ct->now_ns;
	f->serial = ct->serial;
	f->port = o->port;
	f->state = 0; /* none, or unreplied */
	f->replied = false;
	f->kind = kind & 3;
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
	bool kept = ct->keeps && !ip_is_zero(nat_src) && ct_keeps(ct, reply->proto, reply->dport);
	if (!kept && !ct_knows(ct, *hash, reply))
		return true;
	if (!nat_bind(&o->tuple, nat_src, taken, ct, ct->secret, reply, collision))
		return false;
	*hash = flow_key_hash(&ct->key, reply);
	return true;
}

/* All is known and may be: nothing fails from here on. */
static inline __attribute__((always_inline)) uint32_t begin(struct ct *ct, const struct ct_opening *o,
							    const struct tuple *reply, uint64_t reply_hash,
							    uint32_t victim, enum flow_kind kind)
{
	if (victim != NONE)
		evict(ct, victim);
	uint32_t i = take_slot(ct);
	settle(ct, &ct->flow[i], o, reply, kind);
	table_insert(&ct->index, o->hash, 2 * i + CT_ORIG);
	table_insert(&ct->index, reply_hash, 2 * i + CT_REPLY);
	enqueue(ct, i);
	ct->count++;
	ct->stats.opened++;
	return i;
}

enum drop ct_open_new(struct ct *ct, const struct ct_opening *o, struct ip_addr nat_src, uint32_t *flow)
{
	struct tuple reply;
	uint64_t reply_hash;
	uint32_t victim;
	bool collision;
	ensure(o->port < PORT_COUNT);
	enum drop why = make_room(ct, o->port, &victim);
	if (why != DROP_NONE)
		return why;
	if (!bind(ct, o, nat_src, &reply, &reply_hash, &collision))
		return DROP_NAT_PORTS;
	if (tuple_eq(&reply, &o->tuple))
		return DROP_CT_INVALID; /* a packet to its own sender (LAND) */
	*flow = begin(ct, o, &reply, reply_hash, victim, FLOW_OUTWARD);
	ct->stats.port_collisions += collision;
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

/* --- what the world opens -------------------------------------------------------------- */

/* The oldest of the client that most of them lead to, of those that were never answered. */
static uint32_t most_pressed(const struct ct *ct)
{
	const struct queue *most = &ct->port[CT_WORLD].flows[EVICTABLE];
	for (uint32_t o = CT_WORLD; o < CT_OWNERS; o++)
		if (ct->port[o].flows[EVICTABLE].count > most->count)
			most = &ct->port[o].flows[EVICTABLE];
	return most->head;
}

/* As make_room; but the world pushes out none but its own. */
static enum drop make_room_inbound(const struct ct *ct, uint32_t owner, uint32_t *victim)
{
	bool at_share = owned(ct, owner) >= share_of(ct, owner), all_at_share = ct->inbound >= world_share(ct);
	*victim = NONE;
	if (!at_share && !all_at_share && ct->count < ct->capacity)
		return DROP_NONE;
	*victim = ct->port[owner].flows[EVICTABLE].head;
	if (*victim == NONE && !at_share)
		*victim = most_pressed(ct);
	return *victim != NONE ? DROP_NONE : at_share || all_at_share ? DROP_FLOW_SHARE : DROP_FLOW_FULL;
}

enum drop ct_open_inbound(struct ct *ct, const struct packet *p, uint16_t port, struct ip_addr to, uint16_t to_port,
			  uint64_t now_ns, uint32_t *flow)
{
	const struct tuple *reply = &p->tuple;
	struct ct_opening o = {
		.tuple = { to, reply->src, to_port, reply->sport, reply->proto, 0, 0 },
		.tcp = p->class == PKT_TCP ? &p->tcp : NULL, .bytes = p->end - p->l3, .port = port,
	};
	uint32_t victim;
	ensure(port < PORT_COUNT);
	clock(ct, now_ns);
	o.hash = flow_key_hash(&ct->key, &o.tuple);
	o.reply_hash = flow_key_hash(&ct->key, reply);
	if ((p->class != PKT_TCP && p->class != PKT_UDP) || !can_open(p) || tuple_eq(reply, &o.tuple) ||
	    ct_knows(ct, o.reply_hash, reply))
		return DROP_CT_INVALID;
	if (ct_knows(ct, o.hash, &o.tuple))
		return DROP_NAT_PORTS; /* the client talks from that very port to that very place */
	enum drop why = make_room_inbound(ct, CT_WORLD + (uint32_t)port, &victim);
	if (why != DROP_NONE)
		return why;
	*flow = begin(ct, &o, reply, o.reply_hash, victim, FLOW_INBOUND);
	ct->inbound++;
	return DROP_NONE;
}

void ct_lead_to_many(struct ct *ct, bool many)
{
	ct->inbound_many = many;
}

void ct_keep_none(struct ct *ct)
{
	ct->keeps = false;
	memset(ct->kept, 0, sizeof(ct->kept));
	memset(ct->kept_count, 0, sizeof(ct->kept_count));
}

void ct_keep_ports(struct ct *ct, uint8_t proto, uint16_t lo, uint16_t hi)
{
	uint32_t of = proto == PROTO_UDP;
	for (uint32_t w = lo / 64; w <= hi / 64u; w++) {
		uint32_t first = w == lo / 64u ? lo % 64u : 0, last = w == hi / 64u ? hi % 64u : 63;
		uint64_t bits = (UINT64_MAX << first) & (UINT64_MAX >> (63 - last));
		for (uint64_t fresh = bits & ~ct->kept[of][w]; fresh; fresh &= fresh - 1)
			ct->kept_count[of]++;
		ct->kept[of][w] |= bits;
	}
	ct->keeps = true;
}

bool ct_keeps(const struct ct *ct, uint8_t proto, uint16_t port)
{
	uint32_t of = proto == PROTO_UDP;
	if ((proto != PROTO_TCP && proto != PROTO_UDP) || ct->kept_count[of] > 65536 / 2)
		return false;
	return ct->kept[of][port / 64] >> port % 64 & 1;
}
