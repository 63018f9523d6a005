/* links: rules/cross_judge.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c netstack/text.c netstack/addr.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/* Images of inbound and between rules against the walk: sources and destinations that nest, overlap and hide in one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "compiled.h"
#include "cross_judge.h"

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint32_t below(uint32_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * bound >> 32);
}

/* How rules are drawn: how many different addresses, and out of ten how many rules have what. */
struct shape_of_set {
	const char *name;
	enum rule_kind kind;
	uint32_t addresses, with_src, with_dst, whole_length, with_proto, with_ports;
};

static const struct shape_of_set shapes[] = {
	{ "between, mixed", RULE_BETWEEN, 64, 7, 7, 4, 7, 5 },
	{ "between, hosts", RULE_BETWEEN, 256, 10, 10, 10, 9, 8 },
	{ "between, sources only", RULE_BETWEEN, 4096, 10, 0, 2, 3, 3 },
	{ "between, destinations only", RULE_BETWEEN, 4096, 0, 10, 2, 3, 3 },
	{ "between, no source is any", RULE_BETWEEN, 16, 10, 5, 6, 5, 5 },
	{ "between, ports only", RULE_BETWEEN, 2, 0, 0, 0, 8, 9 },
	{ "between, few", RULE_BETWEEN, 3, 8, 8, 8, 5, 3 },
	{ "inbound, mixed", RULE_INBOUND, 64, 7, 0, 4, 7, 9 },
	{ "inbound, hosts", RULE_INBOUND, 4096, 10, 0, 10, 7, 10 },
};

enum { SMALL = 24, MEDIUM = 300, PORTS = 40, ROUNDS = 100, PROBES = 250,
       NAMES = COMPILED_SPARE_ITEMS / HOST_ADDRESSES_MAX };
static struct rule drawn[COMPILED_RULES];

static bool in_ten(uint32_t chance)
{
	return below(10) < chance;
}

/* Small numbers spread over an address, so that every length cuts between some. */
static struct ip_addr draw_ip(const struct shape_of_set *s)
{
	uint32_t n = below(s->addresses);
	struct ip_addr ip = ip_v4(10, 0, 0, 0);
	for (uint32_t bit = 0; n >> bit; bit++)
		if (n >> bit & 1)
			ip.b[12 + bit * 5 % 4] ^= (uint8_t)(0x80 >> bit % 8);
	return ip;
}

static uint8_t draw_len(const struct shape_of_set *s)
{
	return in_ten(s->whole_length) ? 32 : (uint8_t)below(33);
}

static void draw_ports(struct rule *r)
{
	uint16_t a = (uint16_t)below(PORTS), b = (uint16_t)below(PORTS);
	r->flags |= RULE_HAS_PORTS;
	r->port_lo = a < b ? a : b;
	r->port_hi = below(2) ? r->port_lo : a < b ? b : a;
}

static struct rule draw_rule(const struct shape_of_set *s)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP };
	struct rule r = { .action = (uint8_t)below(2), .kind = s->kind & 3, .peer = ip_to_v4(ip_v4(0, 0, 0, 0)) };
	if (in_ten(s->with_proto)) {
		r.flags |= RULE_HAS_PROTO;
		r.proto = protos[below(s->kind == RULE_BETWEEN ? 4 : 3)];
	}
	if (r.proto == PROTO_ICMP && below(2)) {
		r.flags |= RULE_HAS_TYPE;
		r.icmp_type = (uint8_t)below(4);
	} else if (r.proto != PROTO_ICMP && in_ten(s->with_ports)) {
		draw_ports(&r);
	}
	bool src = in_ten(s->with_src);
	if (s->kind == RULE_INBOUND ? src : in_ten(s->with_dst)) {
		r.flags |= RULE_HAS_DST;
		r.dst = (struct ip_prefix){ draw_ip(s), draw_len(s) };
	}
	if (s->kind == RULE_BETWEEN && src) {
		r.peer_len = draw_len(s) & 63u;
		r.peer = ip_to_v4(draw_ip(s)); /* with bits beyond the length: they mean nothing */
	} else if (s->kind == RULE_INBOUND) {
		r.peer = ip_to_v4(draw_ip(s));
		r.peer_port = (uint16_t)below(PORTS);
	}
	if (below(30) == 0)
		r.flags |= RULE_VOID;
	return r;
}

/* An address of a rule, the last of its network, or the one beyond. */
static struct ip_addr near(struct ip_addr ip, uint32_t len)
{
	uint32_t v4 = be32_get(ip_to_v4(ip)), host = len < 32 ? UINT32_MAX >> len : 0;
	switch (below(4)) {
	case 0:
		v4 |= host;
		break;
	case 1:
		v4 = (v4 | host) + 1;
		break;
	case 2:
		v4 = (v4 & ~host) - 1;
		break;
	case 3:
		break;
	}
	return ip_of_v4(be32_of(v4));
}

static struct tuple draw_tuple(const struct shape_of_set *s, uint32_t count)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP, 47 };
	const struct rule *r = count ? &drawn[below(count)] : NULL;
	struct tuple t = { .src = draw_ip(s), .dst = draw_ip(s), .proto = protos[below(5)] };
	bool inbound = s->kind == RULE_INBOUND;
	if (r && (r->flags & RULE_HAS_DST) && below(4))
		*(inbound ? &t.src : &t.dst) = near(r->dst.addr, r->dst.len);
	if (r && !inbound && below(4))
		t.src = near(ip_of_v4(r->peer), r->peer_len);
	if (r && (r->flags & RULE_HAS_PROTO) && below(4))
		t.proto = r->proto;
	if (t.proto == PROTO_ICMP)
		t.kind = (uint8_t)below(4);
	else if (t.proto != 47)
		t.dport = r && (r->flags & RULE_HAS_PORTS) && below(4) ? (uint16_t)(r->port_lo + below(3) - 1) :
									  (uint16_t)below(PORTS);
	if (below(100) == 0)
		t.src = (struct ip_addr){ { 0x20, 1 } };
	return t;
}

/* *hits: how many found a rule. */
static void compare(const struct shape_of_set *s, const struct ruleset *set, const struct tuple *t, uint32_t *hits)
{
	static const struct rule_context none;
	uint32_t decided = 1, expected = 2;
	const struct rule *e = cross_judge_linear(set, t, &none, &expected);
	const struct rule *r = s->kind == RULE_INBOUND ? cross_judge_inbound(set, t, &none, &decided) :
							 cross_judge_between(set, t, &none, &decided);
	*hits += r != NULL;
	if (r == e && decided == expected)
		return;
	char text[96];
	struct text line = text_on(text);
	text_ip(&line, t->src);
	text_put(&line, " -> ");
	text_ip(&line, t->dst);
	fail_msg("%s: %s proto %d port %d kind %d: rule %u instead of %u", s->name, text, t->proto, t->dport, t->kind,
		 decided, expected);
}

static struct rule_pool *new_pool(uint32_t sets, uint32_t rules, void **memory)
{
	size_t bytes = rule_pool_bytes(sets, rules);
	*memory = malloc(bytes);
	memset(*memory, 0xa5, bytes); /* nothing may count on zeroes */
	struct arena a = { *memory, bytes };
	struct rule_pool *pool = rule_pool_new(&a, sets, rules);
	assert_non_null(pool);
	return pool;
}

static struct ruleset *draw_set(struct rule_pool *pool, const struct shape_of_set *s, uint32_t count)
{
	struct ruleset *set = ruleset_new(pool, VERDICT_DROP);
	assert_non_null(set);
	ruleset_set_account(set, 7);
	for (uint32_t i = 0; i < count; i++) {
		drawn[i] = draw_rule(s);
		drawn[i].number = (uint16_t)(count > 3000 ? i : i * 3);
		drawn[i].account = (uint16_t)below(1000);
		assert_true(ruleset_append(set, &drawn[i]));
	}
	return set;
}

/* How many found a rule. */
static uint32_t probe(const struct shape_of_set *s, const struct ruleset *set, uint32_t count, uint32_t probes)
{
	uint32_t hits = 0;
	for (uint32_t i = 0; i < probes; i++) {
		struct tuple t = draw_tuple(s, count);
		compare(s, set, &t, &hits);
	}
	return hits;
}

static void test_small(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, 1024, &memory);
	size_t room = rule_pool_image_free(pool);
	for (uint32_t i = 0; i < array_len(shapes); i++) {
		uint32_t hits = 0;
		for (uint32_t round = 0; round < ROUNDS; round++) {
			uint32_t count = below(8) ? below(SMALL) : below(MEDIUM);
			struct ruleset *set = draw_set(pool, &shapes[i], count);
			assert_true(ruleset_compile(set));
			hits += probe(&shapes[i], set, count, PROBES);
			ruleset_free(set);
		}
		assert_in_range(hits, ROUNDS * PROBES / 20, ROUNDS * PROBES - 1);
	}
	assert_int_equal(rule_pool_image_free(pool), room);
	free(memory);
}

/* As many as there can be. */
static void test_big(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, COMPILED_RULES, &memory);
	for (uint32_t i = 0; i < array_len(shapes); i++) {
		for (uint32_t count = 1000; count <= COMPILED_RULES; count *= 10) {
			struct ruleset *set = draw_set(pool, &shapes[i], count);
			assert_true(ruleset_compile(set));
			assert_true(probe(&shapes[i], set, count, PROBES) > PROBES / 20);
			ruleset_free(set);
		}
	}
	free(memory);
}

/* Each rule with a source of its own: as many as find room are an image, more are walked. */
static void test_own_sources(void **state)
{
	(void)state;
	static const struct shape_of_set s = { .name = "own sources", .kind = RULE_BETWEEN };
	for (uint32_t count = 8000; count <= COMPILED_RULES; count += 2000) {
		void *memory;
		struct rule_pool *pool = new_pool(2, COMPILED_RULES, &memory);
		struct ruleset *set = ruleset_new(pool, VERDICT_DROP);
		uint32_t hits = 0;
		for (uint32_t i = 0; i < count; i++) {
			struct rule r = { .kind = RULE_BETWEEN, .flags = RULE_HAS_DST | RULE_HAS_PROTO | RULE_HAS_PORTS,
					  .dst = { ip_of_v4(be32_of(i * 7)), 32 }, .peer = be32_of(i * 3), .peer_len = 32,
					  .proto = PROTO_TCP, .port_lo = 22, .port_hi = 22, .number = (uint16_t)i };
			assert_true(ruleset_append(set, &r));
		}
		assert_int_equal(ruleset_compile(set), count == 8000);
		for (uint32_t i = 0; i < count; i += 7) {
			struct tuple t = { .src = ip_of_v4(be32_of(i * 3 + (i % 5 == 0))), .dst = ip_of_v4(be32_of(i * 7)),
					   .proto = PROTO_TCP, .dport = 22 };
			compare(&s, set, &t, &hits);
		}
		assert_in_range(hits, count / 10, count / 7);
		free(memory);
	}
}

/* One source in the other, and in each one destination in the other, down to the host. */
static void test_nested(void **state)
{
	(void)state;
	static const struct shape_of_set s = { .name = "nested", .kind = RULE_BETWEEN };
	struct ip_addr from = ip_v4(10, 170, 3, 1), to = ip_v4(10, 85, 7, 2);
	void *memory;
	struct rule_pool *pool = new_pool(2, 2048, &memory);
	struct ruleset *set = ruleset_new(pool, VERDICT_DROP);
	for (uint32_t i = 0; i < 33 * 33; i++) {
		uint32_t n = i * 500 % (33 * 33), src = n % 33, dst = n / 33; /* in no order */
		struct rule r = { .kind = RULE_BETWEEN, .flags = RULE_HAS_DST, .dst = { to, (uint8_t)dst },
				  .peer = ip_to_v4(from), .peer_len = src & 63u, .number = (uint16_t)i, .action = i % 2 };
		assert_true(ruleset_append(set, &r));
	}
	assert_true(ruleset_compile(set));
	uint32_t hits = 0;
	for (uint32_t a = 0; a <= 32; a++) {
		for (uint32_t b = 0; b <= 32; b++) {
			struct tuple t = { .src = from, .dst = to, .proto = PROTO_TCP };
			if (a < 32)
				t.src.b[12 + a / 8] ^= (uint8_t)(0x80 >> a % 8);
			if (b < 32)
				t.dst.b[12 + b / 8] ^= (uint8_t)(0x80 >> b % 8);
			compare(&s, set, &t, &hits);
		}
	}
	assert_int_equal(hits, 33 * 33);
	free(memory);
}

/* Takes most of the room for images that the rules to come do not need: names of many addresses. */
static struct ruleset *fill(struct rule_pool *pool)
{
	static struct host host[NAMES];
	static struct hosts hosts = { host, NAMES, NULL };
	struct ruleset *set = ruleset_new(pool, VERDICT_DROP);
	rule_pool_set_hosts(pool, &hosts);
	for (uint32_t i = 0; i < NAMES; i++) {
		const struct rule r = { .flags = RULE_HAS_HOST | RULE_HAS_PORTS, .host = i, .port_lo = 10, .port_hi = 20 };
		for (host[i].count = 0; host[i].count < HOST_ADDRESSES_MAX; host[i].count++)
			host[i].address[host[i].count] = ip_v4(11, 0, (uint8_t)i, (uint8_t)host[i].count);
		assert_true(ruleset_append(set, &r));
	}
	assert_true(ruleset_compile(set));
	return set;
}

/* Takes as many bytes of an image as a rule can. */
static struct rule worst_rule(uint32_t n)
{
	return (struct rule){ .kind = RULE_BETWEEN, .flags = RULE_HAS_DST | RULE_HAS_PORTS, .dst = { ip_v4(10, 0, 0, 0), 32 },
			      .peer = be32_of(n), .peer_len = 32, .port_lo = 10, .port_hi = 20 };
}

/* Finds room when there is any, wherever it is. */
static bool compile_in(struct rule_pool *pool, struct ruleset *set, size_t room)
{
	size_t count = ruleset_count(set), chunks = count / 16 + 1;
	bool compiled = ruleset_compile(set);
	assert_true(compiled || room < COMPILED_HEAD_BYTES + count * (COMPILED_RULE_BYTES + COMPILED_SOURCE_BYTES) +
						sizeof(struct compiled_source) + chunks * 4 + COMPILED_ALIGN);
	assert_true(rule_pool_image_free(pool) <= room);
	return compiled;
}

/* Sets of both kinds move about where there is little room, and end in part. */
static void test_moving(void **state)
{
	(void)state;
	enum { SETS = 12, MOST = 96 };
	void *memory;
	struct rule_pool *pool = new_pool(SETS + 1, SETS * MOST + NAMES, &memory);
	fill(pool);
	struct ruleset *set[SETS] = { NULL };
	const struct shape_of_set *shape[SETS] = { NULL };
	uint32_t next = UINT32_MAX, hits = 0, walked = 0;
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t i = below(SETS);
		if (set[i] && below(2)) {
			ruleset_expire(set[i], round, &next);
			ruleset_recompile(set[i]);
		} else {
			if (set[i])
				ruleset_free(set[i]);
			shape[i] = &shapes[below(4) ? 1 : below(array_len(shapes))];
			set[i] = ruleset_new(pool, VERDICT_DROP);
			for (uint32_t n = below(9) ? MOST - below(10) : below(MOST); n > 0; n--) {
				bool worst = shape[i] == &shapes[1];
				struct rule r = worst ? worst_rule(n) : draw_rule(shape[i]);
				r.expire = !worst && below(2) ? round + below(1000) : 0;
				assert_true(ruleset_append(set[i], &r));
			}
			walked += !compile_in(pool, set[i], rule_pool_image_free(pool));
		}
		for (uint32_t k = 0; k < SETS; k++) {
			struct tuple t = shape[k] ? draw_tuple(shape[k], 0) : (struct tuple){ .proto = 0 };
			if (set[k])
				compare(shape[k], set[k], &t, &hits);
		}
	}
	assert_true(hits > 1000 && walked > 10 && walked < 2000);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small), cmocka_unit_test(test_big), cmocka_unit_test(test_own_sources),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_moving),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
