/* links: firewall/conntrack.c firewall/ct_open.c firewall/accounts.c rules/rule_id.c rules/rule.c firewall/ct_timeouts.c firewall/ct_valid.c firewall/tcp_track.c firewall/nat.c netstack/hash.c netstack/table.c netstack/queue.c netstack/arena.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_conntrack.c: the life of flows by the clock, shares and eviction, and
 * random operations against a plain list of who talks to whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conntrack.h"

#define S UINT64_C(1000000000)

static _Alignas(64) uint8_t memory[512 * 1024];
static struct secret secret = { { 5, 6 }, 0 };
static const struct ip_addr zero;
static struct ip_addr nat;

static struct ct *fresh(uint32_t flows)
{
	struct arena a = { memory, sizeof(memory) };
	nat = ip_v4(192, 0, 2, 1);
	memset(memory, 0, sizeof(memory));
	struct ct *ct = ct_new(&a, flows, &secret);
	assert_non_null(ct);
	assert_true(sizeof(memory) - a.left <= ct_bytes(flows));
	return ct;
}

static struct packet udp(uint8_t host, uint16_t sport, uint16_t dport)
{
	return (struct packet){ .class = PKT_UDP, .l3 = 14, .end = 14 + 100,
	        .tuple = { ip_v4(10, 137, 0, host), ip_v4(1, 2, 3, 4), sport, dport, PROTO_UDP, 0, 0 } };
}

static struct packet ping(uint8_t host, uint16_t id)
{
	return (struct packet){ .class = PKT_ICMP_QUERY, .l3 = 14, .end = 14 + 84, .icmp_type = 8,
	        .tuple = { ip_v4(10, 137, 0, host), ip_v4(1, 2, 3, 4), id, 0, PROTO_ICMP, 8, 0 } };
}

static struct packet other(uint8_t host)
{
	return (struct packet){ .class = PKT_OTHER, .l3 = 14, .end = 14 + 60,
	        .tuple = { ip_v4(10, 137, 0, host), ip_v4(1, 2, 3, 4), 0, 0, 47, 0, 0 } };
}

static struct packet tcp(uint8_t host, uint16_t sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct packet p = udp(host, sport, 80);
	p.class = PKT_TCP;
	p.tuple.proto = PROTO_TCP;
	p.tcp = (struct tcp_view){ .seq = seq, .ack = ack, .window = 8000, .flags = flags,
	                           .segment_len = flags & (TCP_SYN | TCP_FIN) ? 1 : 0 };
	return p;
}

static uint32_t opened(struct ct *ct, struct packet p, uint16_t port, uint64_t now)
{
	uint32_t flow = NONE;
	assert_int_equal(ct_open(ct, &p, port, nat, now, &flow), DROP_NONE);
	return flow;
}

static enum drop track(struct ct *ct, uint32_t flow, enum ct_dir dir, struct packet p, uint64_t now)
{
	if (dir == CT_REPLY && p.class == PKT_ICMP_QUERY)
		p.icmp_type = 0;
	return ct_track(ct, flow, dir, &p, now);
}

static uint32_t established(struct ct *ct, uint8_t host, uint16_t sport, uint64_t now)
{
	uint32_t f = opened(ct, tcp(host, sport, TCP_SYN, 100, 0), host, now);
	assert_int_equal(track(ct, f, CT_REPLY, tcp(host, sport, TCP_SYN | TCP_ACK, 900, 101), now), DROP_NONE);
	assert_int_equal(track(ct, f, CT_ORIG, tcp(host, sport, TCP_ACK, 101, 901), now), DROP_NONE);
	assert_int_equal(ct_flow(ct, f)->state, TCPS_ESTABLISHED);
	return f;
}

static void dies_at(struct ct *ct, uint64_t when)
{
	assert_int_equal(ct_count(ct), 1);
	assert_true(ct_deadline(ct) == when);
	ct_poll(ct, when - 1);
	assert_int_equal(ct_count(ct), 1);
	ct_poll(ct, when);
	assert_int_equal(ct_count(ct), 0);
	assert_true(ct_deadline(ct) == UINT64_MAX);
	assert_true(ct_valid(ct));
}

static void test_times(void **state)
{
	(void)state;
	struct ct *ct = fresh(4);
	opened(ct, udp(1, 1, 2), 1, 5);
	dies_at(ct, 30 * S + 5);

	uint64_t t = 1000 * S;
	uint32_t f = opened(ct, udp(1, 1, 2), 1, t);
	assert_int_equal(track(ct, f, CT_REPLY, udp(1, 1, 2), t + 7), DROP_NONE);
	assert_string_equal(flow_state_word(ct_flow(ct, f)), "replied");
	dies_at(ct, t + 7 + 180 * S);

	t = 2000 * S;
	f = opened(ct, ping(1, 9), 1, t);
	assert_int_equal(track(ct, f, CT_ORIG, ping(1, 9), t + 9), DROP_NONE);
	dies_at(ct, t + 9 + 60 * S);

	t = 3000 * S;
	opened(ct, other(1), 1, t);
	dies_at(ct, t + 600 * S);

	t = 4000 * S;
	f = opened(ct, tcp(1, 5, TCP_SYN, 100, 0), 1, t);
	/* a client that goes on trying: the flow must still age out */
	assert_int_equal(track(ct, f, CT_ORIG, tcp(1, 5, TCP_SYN, 100, 0), t + 100 * S), DROP_NONE);
	assert_true(ct_flow(ct, f)->sent[CT_ORIG].packets == 2);
	dies_at(ct, t + 120 * S);

	t = 5000 * S;
	f = established(ct, 1, 5, t);
	assert_int_equal(track(ct, f, CT_ORIG, tcp(1, 5, TCP_ACK, 50101, 901), t + 9), DROP_TCP_WINDOW);
	dies_at(ct, t + 7440 * S);

	t = 20000 * S;
	f = established(ct, 1, 5, t);
	assert_int_equal(track(ct, f, CT_REPLY, tcp(1, 5, TCP_RST, 901, 0), t + 1), DROP_NONE);
	assert_string_equal(flow_state_word(ct_flow(ct, f)), "closed");
	dies_at(ct, t + 1 + 10 * S);
	assert_true(ct_stats(ct)->closed == 1 && ct_stats(ct)->expired == 7 && ct_stats(ct)->opened == 7);
}

static void test_counts(void **state)
{
	(void)state;
	struct ct *ct = fresh(4);
	uint32_t f = established(ct, 1, 5, 0);
	const struct flow *flow = ct_flow(ct, f);
	assert_true(flow->sent[CT_ORIG].packets == 2 && flow->sent[CT_ORIG].bytes == 200);
	assert_true(flow->sent[CT_REPLY].packets == 1 && flow->sent[CT_REPLY].bytes == 100 && flow->replied);
	struct flow was = *flow;
	assert_int_equal(track(ct, f, CT_REPLY, tcp(1, 5, TCP_SYN, 1, 0), S), DROP_TCP_STATE);
	assert_int_equal(track(ct, f, CT_REPLY, tcp(1, 5, TCP_RST, 1, 0), S), DROP_TCP_WINDOW);
	assert_memory_equal(flow, &was, sizeof(was));
	/* closed, then the client opens the same again: one slot, counted from the start */
	assert_int_equal(track(ct, f, CT_ORIG, tcp(1, 5, TCP_RST, 101, 0), S), DROP_NONE);
	assert_int_equal(track(ct, f, CT_ORIG, tcp(1, 5, TCP_SYN, 7000, 0), 2 * S), DROP_NONE);
	assert_true(flow->opened_ns == 2 * S && flow->sent[CT_ORIG].packets == 1 && !flow->replied);
	assert_true(flow->sent[CT_REPLY].packets == 0 && ct_stats(ct)->opened == 2);
}

static void test_what_opens(void **state)
{
	(void)state;
	struct ct *ct = fresh(8);
	uint32_t flow;
	static const uint8_t bad_flags[] = { 0, TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST, TCP_SYN | TCP_FIN };
	for (size_t i = 0; i < array_len(bad_flags); i++) {
		struct packet p = tcp(1, 5, bad_flags[i], 1, 1);
		assert_int_equal(ct_open(ct, &p, 1, nat, 0, &flow), DROP_CT_INVALID);
	}
	struct packet p = ping(1, 5);
	p.icmp_type = 0;
	assert_int_equal(ct_open(ct, &p, 1, nat, 0, &flow), DROP_CT_INVALID);
	static const enum pkt_class closed[] = { PKT_ARP, PKT_ICMP_ERROR, PKT_ICMP_OTHER, PKT_FRAGMENT };
	for (size_t i = 0; i < array_len(closed); i++) {
		p = udp(1, 2, 3);
		p.class = closed[i];
		assert_int_equal(ct_open(ct, &p, 1, nat, 0, &flow), DROP_CT_INVALID);
	}
	p = udp(1, 2, 3);
	opened(ct, p, 1, 0);
	assert_int_equal(ct_open(ct, &p, 1, nat, 0, &flow), DROP_CT_INVALID); /* known already */
	p = udp(1, 7, 7);
	p.tuple.dst = p.tuple.src;
	assert_int_equal(ct_open(ct, &p, 1, zero, 0, &flow), DROP_CT_INVALID); /* LAND */
	/* GRE has no port to tell two clients apart */
	p = other(1);
	assert_int_equal(ct_open(ct, &p, 1, nat, 0, &flow), DROP_NONE);
	p = other(2);
	assert_int_equal(ct_open(ct, &p, 2, nat, 0, &flow), DROP_NAT_PORTS);
	assert_int_equal(ct_count(ct), 2);
	assert_true(ct_valid(ct));
}

/* A request of identifier 0 from outside has the tuple of an answer to ours. */
static void test_icmp_direction(void **state)
{
	(void)state;
	struct ct *ct = fresh(4);
	struct packet p = ping(1, 0), in = p;
	uint32_t f = opened(ct, p, 1, 0), found;
	enum ct_dir dir;
	in.tuple = (struct tuple){ p.tuple.dst, nat, 0, 0, PROTO_ICMP, 8, 0 };
	assert_true(ct_find(ct, &in.tuple, &found, &dir));
	assert_true(found == f && dir == CT_REPLY);
	assert_int_equal(ct_track(ct, f, dir, &in, 0), DROP_CT_INVALID);
	in.icmp_type = 0;
	assert_int_equal(ct_track(ct, f, dir, &in, 0), DROP_NONE);
	assert_int_equal(ct_track(ct, f, CT_ORIG, &in, 0), DROP_CT_INVALID);
}

static void test_share(void **state)
{
	(void)state;
	struct ct *ct = fresh(8);
	uint32_t flow;
	for (uint16_t i = 0; i < 4; i++)
		established(ct, 1, i, 0);
	assert_int_equal(ct_port_count(ct, 1), ct_share(ct));
	struct packet p = tcp(1, 100, TCP_SYN, 1, 0);
	assert_int_equal(ct_open(ct, &p, 1, nat, 0, &flow), DROP_FLOW_SHARE);
	/* another client has its own; at its share its oldest unanswered one makes room */
	established(ct, 2, 0, 0);
	uint32_t a = opened(ct, udp(2, 1, 9), 2, 0), b = opened(ct, udp(2, 2, 9), 2, 0);
	opened(ct, tcp(2, 3, TCP_SYN, 1, 0), 2, 0);
	assert_int_equal(track(ct, a, CT_ORIG, udp(2, 1, 9), S), DROP_NONE); /* now b is the oldest */
	uint32_t serial = ct_flow(ct, b)->serial;
	flow = opened(ct, udp(2, 4, 9), 2, S);
	assert_int_equal(flow, b); /* the only free slot */
	assert_int_not_equal(ct_flow(ct, b)->serial, serial);
	assert_true(ct_stats(ct)->evicted == 1 && ct_count(ct) == 8 && ct_valid(ct));
	assert_int_equal(ct_flush_port(ct, 1), 4);
	assert_int_equal(ct_count(ct), 4);
	assert_int_equal(ct_port_count(ct, 1), 0);
	assert_null(ct_flow(ct, 0));
	assert_true(ct_valid(ct));
}

/* A full table takes the cheapest of anybody, and never an established or replied flow. */
static void test_full(void **state)
{
	(void)state;
	struct ct *ct = fresh(6);
	uint32_t flow, a, b;
	established(ct, 1, 0, 0);
	a = opened(ct, udp(1, 1, 9), 1, 0);
	assert_int_equal(track(ct, a, CT_REPLY, udp(1, 1, 9), 0), DROP_NONE);
	established(ct, 2, 0, 0);
	established(ct, 2, 1, 0);
	a = opened(ct, ping(3, 1), 3, 0);
	b = opened(ct, tcp(3, 2, TCP_SYN, 1, 0), 3, 1);
	assert_int_equal(ct_count(ct), 6);
	struct packet p = udp(4, 1, 9);
	assert_int_equal(ct_open(ct, &p, 4, nat, 2, &flow), DROP_NONE);
	assert_int_equal(flow, b); /* syn_sent is cheaper than icmp, though younger */
	established(ct, 4, 2, 3);  /* its own unreplied one goes before the ping of another */
	assert_int_equal(ct_flow(ct, a)->port, 3);
	established(ct, 2, 3, 4);
	p = udp(5, 1, 9);
	assert_int_equal(ct_open(ct, &p, 5, nat, 4, &flow), DROP_FLOW_FULL);
	assert_true(ct_count(ct) == 6 && ct_stats(ct)->evicted == 3 && ct_valid(ct));
}

static void test_clock_and_memory(void **state)
{
	(void)state;
	struct ct *ct = fresh(4);
	uint32_t f = opened(ct, udp(1, 1, 1), 1, 100 * S);
	opened(ct, udp(1, 2, 1), 1, 50 * S); /* steps back: stands still */
	assert_int_equal(track(ct, f, CT_ORIG, udp(1, 1, 1), 0), DROP_NONE);
	assert_true(ct_valid(ct) && ct_deadline(ct) == 130 * S);
	ct_poll(ct, 60 * S);
	assert_int_equal(ct_count(ct), 2);

	struct arena small = { memory, ct_bytes(64) / 2 };
	assert_null(ct_new(&small, 64, &secret));
	assert_true(small.at == memory);
	assert_true(ct_bytes(65536) <= (size_t)65536 * 300);
	assert_true(ct_bytes(65537) <= (size_t)65537 * 300);
}

/* A flow that is touched all the time is never expired early, nor later than its class's slack. */
static void test_slack(void **state)
{
	(void)state;
	struct ct *ct = fresh(4);
	uint64_t slack = ct_slack_ns(CT_CLASS_UDP_REPLIED), now = 0, last;
	uint32_t f = opened(ct, udp(1, 1, 9), 1, 0), busy = opened(ct, udp(1, 2, 9), 1, 0);
	assert_true(slack > 0 && slack <= ct_class_ns(CT_CLASS_UDP_REPLIED) / 8);
	assert_int_equal(track(ct, f, CT_REPLY, udp(1, 1, 9), 0), DROP_NONE);
	assert_int_equal(track(ct, busy, CT_REPLY, udp(1, 2, 9), 0), DROP_NONE);
	for (; now < 400 * S; now += S / 3) {
		assert_int_equal(track(ct, busy, CT_ORIG, udp(1, 2, 9), now), DROP_NONE);
		last = now;
		ct_poll(ct, now);
		assert_true(ct_valid(ct) && ct_flow(ct, busy) != NULL);
		if (now < 180 * S)
			assert_non_null(ct_flow(ct, f));
		else if (now >= 180 * S + slack)
			assert_null(ct_flow(ct, f));
	}
	ct_poll(ct, last + 180 * S - 1);
	assert_int_equal(ct_count(ct), 1);
	ct_poll(ct, last + 180 * S + slack);
	assert_int_equal(ct_count(ct), 0);
}

/* IPv4's shortcut is the hash of the whole tuple; every byte of a tuple counts. */
static void test_key(void **state)
{
	(void)state;
	struct flow_key key = flow_key_of(&secret, 1);
	for (uint32_t i = 0; i < 1000; i++) {
		struct tuple t = udp((uint8_t)(i * 7), (uint16_t)(i * 5555), (uint16_t)(i * 77)).tuple;
		t.dst.b[15] = (uint8_t)(i * 31);
		t.proto = i % 2 ? PROTO_TCP : PROTO_UDP;
		uint8_t bytes[sizeof(t)];
		memcpy(bytes, &t, sizeof(t));
		uint64_t hash = flow_key_hash(&key, &t);
		assert_true(flow_key_hash_v4(&key, word_load(bytes + 12), word_load(bytes + 28),
					     word_load(bytes + 32), word_load(bytes + 36)) == hash);
		bytes[i % sizeof(t)] ^= (uint8_t)(1 + i % 255);
		memcpy(&t, bytes, sizeof(t));
		assert_true(flow_key_hash(&key, &t) != hash);
	}
}

/* Ports in a row, hosts in a row, and both in steps: about as many in a bucket as chance puts there. */
static void test_key_spreads(void **state)
{
	(void)state;
	enum { BUCKETS = 4096, TUPLES = 4 * BUCKETS, MOST = 24 };
	static uint8_t filled[BUCKETS];
	struct flow_key key = flow_key_of(&secret, 1);
	for (uint32_t step = 1; step <= 4096; step *= 4) {
		memset(filled, 0, sizeof(filled));
		for (uint32_t i = 0; i < TUPLES; i++) {
			uint32_t at = i * step;
			struct tuple t = udp(1, (uint16_t)at, 53).tuple;
			t.dst = ip_v4(1, (uint8_t)(at >> 24), (uint8_t)(at >> 16), 9);
			t.dport = (uint16_t)(step > 1 ? i / 16 : 53);
			assert_true(++filled[flow_key_hash(&key, &t) % BUCKETS] <= MOST);
		}
	}
}

/* No poll takes more than its part. */
static void test_poll_is_bounded(void **state)
{
	(void)state;
	struct ct *ct = fresh(2 * CT_POLL_MAX + 20);
	for (uint16_t i = 0; i < CT_POLL_MAX + 10; i++)
		opened(ct, udp(1, i, 1), 1, i);
	ct_poll(ct, 31 * S);
	assert_int_equal(ct_count(ct), 10);
	assert_true(ct_deadline(ct) <= 31 * S);
	ct_poll(ct, 31 * S);
	assert_int_equal(ct_count(ct), 0);
}

/* The oracle: a list of the flows that should be there. */
enum { PLAIN_MAX = 24, STEPS = 30000 };
#define SLACK ct_slack_ns(CT_CLASS_UDP_UNREPLIED)

struct plain {
	struct tuple orig, reply;
	uint32_t flow, serial;
	uint64_t dies; /* this model speaks UDP and ping only; it may live for the slack longer */
	uint16_t port;
	bool used, replied;
};

static uint32_t rnd(uint32_t bound)
{
	static struct secret dice = { { 77, 88 }, 0 };
	return random_below(&dice, bound);
}

static struct plain *plain_find(struct plain *list, const struct tuple *t, enum ct_dir *dir)
{
	for (uint32_t i = 0; i < PLAIN_MAX; i++) {
		if (list[i].used && (tuple_eq(&list[i].orig, t) || tuple_eq(&list[i].reply, t))) {
			*dir = tuple_eq(&list[i].orig, t) ? CT_ORIG : CT_REPLY;
			return &list[i];
		}
	}
	return NULL;
}

static uint64_t lives(const struct plain *e)
{
	return (e->orig.proto == PROTO_ICMP ? 60 : e->replied ? 180 : 30) * S;
}

/* Evictable flows of the port, or of all (PORT_NONE). */
static uint32_t plain_evictable(const struct plain *list, uint16_t port)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < PLAIN_MAX; i++)
		n += list[i].used && (port == PORT_NONE || list[i].port == port) &&
		     (list[i].orig.proto == PROTO_ICMP || !list[i].replied);
	return n;
}

static uint32_t plain_count(const struct plain *list, uint16_t port)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < PLAIN_MAX; i++)
		n += list[i].used && (port == PORT_NONE || list[i].port == port);
	return n;
}

static enum drop plain_opens(const struct plain *list, uint16_t port, bool *evicts)
{
	bool share = plain_count(list, port) >= PLAIN_MAX / 2;
	*evicts = share || plain_count(list, PORT_NONE) == PLAIN_MAX;
	if (!*evicts || plain_evictable(list, port))
		return DROP_NONE;
	if (share)
		return DROP_FLOW_SHARE;
	return plain_evictable(list, PORT_NONE) ? DROP_NONE : DROP_FLOW_FULL;
}

/* One flow of the list is gone from the table: it was allowed to go, and was the oldest of its kind of its port. */
static void plain_evicted(struct plain *list, struct ct *ct, uint16_t port)
{
	struct plain *gone = NULL;
	bool own = plain_evictable(list, port) > 0;
	for (uint32_t i = 0; i < PLAIN_MAX; i++) {
		struct flow *f = list[i].used ? ct_flow(ct, list[i].flow) : NULL;
		if (list[i].used && (!f || f->serial != list[i].serial)) {
			assert_null(gone);
			gone = &list[i];
		}
	}
	assert_non_null(gone);
	assert_true(gone->orig.proto == PROTO_ICMP || !gone->replied);
	assert_true(!own || gone->port == port);
	for (uint32_t i = 0; i < PLAIN_MAX; i++) {
		const struct plain *e = &list[i];
		if (e->used && e->port == gone->port && e->orig.proto == gone->orig.proto && e->replied == gone->replied)
			assert_true(gone->dies <= e->dies + SLACK);
	}
	gone->used = false;
}

static void plain_open(struct plain *list, struct ct *ct, const struct packet *p, uint16_t port, uint64_t now)
{
	bool evicts;
	uint32_t flow;
	enum ct_dir dir;
	struct ip_addr src = port == 4 ? zero : nat;
	enum drop expected = plain_opens(list, port, &evicts);
	enum drop why = ct_open(ct, p, port, src, now, &flow);
	assert_int_equal(why, expected);
	if (why != DROP_NONE)
		return;
	const struct flow *f = ct_flow(ct, flow);
	if (evicts)
		plain_evicted(list, ct, port);
	struct tuple reply = flow_reply(f);
	assert_null(plain_find(list, &reply, &dir));
	assert_null(plain_find(list, &f->orig, &dir));
	assert_true(tuple_eq(&f->orig, &p->tuple));
	assert_true(ip_eq(f->nat_ip, port == 4 ? p->tuple.src : nat));
	for (uint32_t i = 0; i < PLAIN_MAX; i++) {
		if (list[i].used)
			continue;
		list[i] = (struct plain){ f->orig, reply, flow, f->serial, 0, port, true, false };
		list[i].dies = now + lives(&list[i]);
		return;
	}
	fail_msg("more flows than slots");
}

static void plain_packet(struct plain *list, struct ct *ct, uint64_t now)
{
	uint8_t host = (uint8_t)(1 + rnd(4));
	uint16_t sport = (uint16_t)(2000 + rnd(6));
	struct packet p = rnd(3) ? udp(host, sport, (uint16_t)(53 + rnd(2))) : ping(host, sport);
	enum ct_dir dir, found_dir;
	uint32_t flow;
	struct plain *e = plain_find(list, &p.tuple, &dir);
	assert_int_equal(ct_find(ct, &p.tuple, &flow, &found_dir), e != NULL);
	if (!e) {
		plain_open(list, ct, &p, host, now);
		return;
	}
	if (rnd(3) == 0) { /* the answer */
		p.tuple = e->reply;
		p.icmp_type = 0;
		assert_true(ct_find(ct, &p.tuple, &flow, &found_dir));
		dir = CT_REPLY;
		e->replied = true;
	}
	assert_true(flow == e->flow && found_dir == dir && ct_flow(ct, flow)->serial == e->serial);
	assert_int_equal(ct_track(ct, flow, dir, &p, now), DROP_NONE);
	e->dies = now + lives(e);
	/* out and back: what leaves one way, turned round, is what arrives the other way */
	struct tuple out = ct_translated(ct_flow(ct, flow), dir), back = tuple_reverse(&out);
	assert_true(ct_find(ct, &back, &flow, &found_dir));
	assert_true(flow == e->flow && found_dir == !dir);
	struct tuple again = ct_translated(ct_flow(ct, flow), found_dir);
	again = tuple_reverse(&again);
	assert_true(tuple_eq(&again, &p.tuple));
	assert_true(tuple_eq(dir == CT_ORIG ? &e->orig : &e->reply, &p.tuple));
	struct tuple quoted = ct_quoted(ct_flow(ct, flow), found_dir);
	assert_true(tuple_eq(&quoted, &p.tuple));
}

/* Who is due is gone, or has the slack left; nobody else is. */
static void plain_expire(struct plain *list, struct ct *ct, uint64_t now)
{
	for (uint32_t i = 0; i < PLAIN_MAX; i++) {
		struct flow *f = list[i].used ? ct_flow(ct, list[i].flow) : NULL;
		bool gone = !f || f->serial != list[i].serial;
		if (!list[i].used)
			continue;
		if (gone)
			assert_true(list[i].dies <= now);
		else
			assert_true(now < list[i].dies + ct_slack_ns(flow_class(f)));
		list[i].used = !gone;
	}
}

static void plain_step(struct plain *list, struct ct *ct, uint64_t *now)
{
	uint32_t dice = rnd(400), gone = 0;
	if (dice < 360) {
		plain_packet(list, ct, *now);
	} else if (dice < 375) {
		struct plain *e = &list[rnd(PLAIN_MAX)];
		if (e->used)
			ct_cut(ct, e->flow);
		e->used = false;
	} else if (dice == 375) {
		uint16_t port = (uint16_t)(1 + rnd(4));
		for (uint32_t i = 0; i < PLAIN_MAX; i++) {
			gone += list[i].used && list[i].port == port;
			list[i].used &= list[i].port != port;
		}
		assert_int_equal(ct_flush_port(ct, port), gone);
	} else {
		*now += rnd(8) ? rnd(4) * S : rnd(80) * S;
		ct_poll(ct, *now);
		plain_expire(list, ct, *now);
	}
	*now += rnd(3);
}

static void test_against_list(void **state)
{
	(void)state;
	struct ct *ct = fresh(PLAIN_MAX);
	static struct plain list[PLAIN_MAX];
	uint64_t now = 1;
	for (uint32_t step = 0; step < STEPS; step++) {
		plain_step(list, ct, &now);
		ct_poll(ct, now);
		plain_expire(list, ct, now);
		assert_int_equal(ct_count(ct), plain_count(list, PORT_NONE));
		if (step % 16 == 0)
			assert_true(ct_valid(ct));
	}
	const struct ct_stats *s = ct_stats(ct);
	/* it met everything */
	assert_true(s->evicted > 100 && s->expired > 100 && s->cut > 100 && s->port_collisions > 100);
	assert_true(s->opened == s->evicted + s->expired + s->cut + ct_count(ct));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_what_opens),
		cmocka_unit_test(test_icmp_direction),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_clock_and_memory),
		cmocka_unit_test(test_slack),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_key_spreads),
		cmocka_unit_test(test_poll_is_bounded),
		cmocka_unit_test(test_against_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
