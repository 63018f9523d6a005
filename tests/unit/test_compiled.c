/* links: rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c netstack/text.c netstack/addr.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/*
 * Compiled rule sets against the walk from the front, over small universes in
 * which rules overlap, hide and nest in one another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "compiled.h"
#include "ruleset.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t below(uint32_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * bound >> 32);
}

/* How rules are drawn: how far addresses and ports spread, and out of ten how many are so. */
struct shape_of_set {
	const char *name;
	bool v4, v6;
	uint32_t addresses, ports; /* different ones */
	uint32_t with_dst, whole_length, with_proto, with_ports, one_port, dns, host;
};

static const struct shape_of_set shapes[] = {
	{ "mixed v4", true, false, 64, 40, 7, 3, 7, 5, 3, 1, 1 },
	{ "mixed v6", false, true, 64, 40, 7, 3, 7, 5, 3, 1, 1 },
	{ "both families", true, true, 64, 40, 8, 3, 6, 5, 3, 1, 1 },
	{ "ports only", true, false, 4, 65536, 0, 0, 7, 10, 2, 0, 0 },
	{ "few ports", true, false, 4, 6, 2, 0, 5, 10, 2, 0, 0 },
	{ "prefixes only", true, false, 4096, 4, 10, 1, 0, 0, 0, 0, 0 },
	{ "prefixes only v6", false, true, 4096, 4, 10, 1, 0, 0, 0, 0, 0 },
	{ "hosts and services", true, false, 1024, 100, 10, 10, 10, 9, 10, 0, 0 },
	{ "dns and names", true, false, 8, 60, 4, 5, 5, 3, 5, 5, 3 },
	{ "dns and names v6", false, true, 8, 60, 4, 5, 5, 3, 5, 5, 3 },
	{ "names", true, false, 20, 60, 2, 5, 5, 3, 5, 1, 9 },
};

enum { HOSTS = 6 };
static struct host host[HOSTS];
static struct hosts hosts = { host, HOSTS, NULL };

static bool in_ten(uint32_t chance)
{
	return below(10) < chance;
}

/* Small numbers spread over an address, so that every length cuts between some. */
static struct ip_addr draw_ip(const struct shape_of_set *s, bool v6)
{
	uint32_t n = below(s->addresses);
	struct ip_addr ip = v6 ? (struct ip_addr){ { 0x20, 1 } } : ip_v4(10, 0, 0, 0);
	uint32_t first = v6 ? 2 : 12, last = 15;
	for (uint32_t bit = 0; n >> bit; bit++)
		if (n >> bit & 1)
			ip.b[first + bit * 5 % (last - first + 1)] ^= (uint8_t)(0x80 >> bit % 8);
	return below(20) == 0 ? (v6 ? (struct ip_addr){ { [15] = (uint8_t)n } } : ip_v4((uint8_t)n, 0, 0, 1)) : ip;
}

static uint16_t draw_port(const struct shape_of_set *s)
{
	static const uint16_t edges[] = { 0, 1, 53, 54, 63, 64, 65, 127, 128, 255, 4095, 4096, 65534, 65535 };
	uint32_t n = below(s->ports);
	return below(4) == 0 && s->ports > 4 ? edges[below(array_len(edges))] : (uint16_t)n;
}

static struct rule draw_rule(const struct shape_of_set *s)
{
	bool v6 = s->v6 && (!s->v4 || below(2));
	struct rule r = { .action = (uint8_t)below(2), .host = NONE };
	if (below(50) == 0)
		return r; /* everything */
	if (in_ten(s->with_proto)) {
		static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP };
		r.flags |= RULE_HAS_PROTO;
		r.proto = protos[below(4)];
		if (r.proto == PROTO_ICMP && v6)
			r.proto = PROTO_ICMPV6;
	}
	bool icmp = r.proto == PROTO_ICMP || r.proto == PROTO_ICMPV6;
	if (icmp && below(2)) {
		r.flags |= RULE_HAS_TYPE;
		r.icmp_type = (uint8_t)(below(2) ? below(4) : below(256));
	} else if (!icmp && in_ten(s->with_ports)) {
		uint16_t a = draw_port(s), b = in_ten(s->one_port) ? a : draw_port(s);
		r.flags |= RULE_HAS_PORTS;
		r.port_lo = a < b ? a : b;
		r.port_hi = a < b ? b : a;
	}
	if (in_ten(s->dns))
		r.flags |= RULE_DNS;
	if (in_ten(s->with_dst)) {
		r.flags |= RULE_HAS_DST;
		r.dst.addr = draw_ip(s, v6);
		r.dst.len = v6 ? 128 : 32;
		if (!in_ten(s->whole_length))
			r.dst.len = (uint8_t)below(r.dst.len + 1u);
	} else if (in_ten(s->host)) {
		r.flags |= RULE_HAS_HOST;
		r.host = below(HOSTS + 2); /* two that nobody knows */
	}
	return r;
}

/* Some are not resolved. They share addresses, and have those of other rules. */
static void draw_hosts(const struct shape_of_set *s)
{
	for (uint32_t i = 0; i < HOSTS; i++) {
		uint32_t want = below(3) ? below(HOST_ADDRESSES_MAX + 1) : 0;
		host[i].count = 0;
		for (uint32_t k = 0; k < want; k++) {
			struct ip_addr ip = draw_ip(s, s->v6 && (!s->v4 || below(2)));
			if (!host_has(&host[i], ip))
				host[i].address[host[i].count++] = ip;
		}
	}
}

/* Tuples near the rules: their addresses' first and last, their ports' edges, with one to either side. */
static struct tuple draw_tuple(const struct shape_of_set *s, const struct rule *rules, uint32_t count)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6, 47 };
	const struct rule *r = count ? &rules[below(count)] : NULL;
	struct tuple t = { .dst = draw_ip(s, s->v6 && (!s->v4 || below(2))), .proto = protos[below(6)] };
	if (r && (r->flags & RULE_HAS_DST) && below(2)) {
		t.dst = r->dst.addr;
		bool v4 = ip_is_v4(t.dst);
		uint32_t bits = r->dst.len + (v4 ? 96u : 0u), fill = below(3);
		for (uint32_t bit = bits; bit < 128 && fill < 2; bit++) {
			uint8_t one = (uint8_t)(0x80 >> bit % 8);
			t.dst.b[bit / 8] = (uint8_t)(fill ? t.dst.b[bit / 8] | one : t.dst.b[bit / 8] & ~one);
		}
		if (below(4) == 0) /* the neighbour beyond the edge */
			for (int i = 15; i >= (v4 ? 12 : 0) && (fill ? ++t.dst.b[i] == 0 : t.dst.b[i]-- == 0); i--)
				;
	}
	if (t.proto == PROTO_ICMP || t.proto == PROTO_ICMPV6) {
		t.kind = (uint8_t)(r && below(2) ? r->icmp_type : below(256));
		t.sport = (uint16_t)below(65536);
	} else if (t.proto != 47) {
		t.dport = draw_port(s);
		if (r && (r->flags & RULE_HAS_PORTS) && below(2))
			t.dport = (uint16_t)((below(2) ? r->port_lo : r->port_hi) + below(3) - 1);
		else if (below(4) == 0)
			t.dport = 53;
	}
	return t;
}

static void compare(const struct ruleset *set, const struct tuple *t, const struct rule_context *context)
{
	uint32_t number = 0, expected = 0;
	enum rule_verdict v = ruleset_judge(set, t, context, &number);
	enum rule_verdict e = ruleset_judge_linear(set, t, context, &expected);
	if (v == e && number == expected)
		return;
	char text[96];
	struct text line = text_on(text);
	text_ip(&line, t->dst);
	fail_msg("%s proto %d port %d kind %d: rule %u verdict %d instead of %u %d", text, t->proto, t->dport,
		 t->kind, number, (int)v, expected, (int)e);
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

static struct ruleset *new_set(struct rule_pool *pool, const struct rule *rules, uint32_t count,
			       uint32_t policy)
{
	struct ruleset *set = ruleset_new(pool, (enum rule_verdict)policy);
	assert_non_null(set);
	for (uint32_t i = 0; i < count; i++)
		assert_true(ruleset_append(set, &rules[i]));
	return set;
}

static struct rule drawn[COMPILED_RULES + 1];

/* count rules of one shape; numbers grow with gaps, as keys do. */
static void draw_set(const struct shape_of_set *s, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		drawn[i] = draw_rule(s);
		drawn[i].number = (uint16_t)(count > 3000 ? i : i * 3);
	}
}

static struct rule_context draw_context(const struct shape_of_set *s)
{
	struct rule_context c = { .dns_count = below(RULE_DNS_MAX + 1), .hosts = &hosts };
	for (uint32_t i = 0; i < c.dns_count; i++)
		c.dns[i] = draw_ip(s, s->v6 && (!s->v4 || below(2)));
	return c;
}

static void probe_set(const struct ruleset *set, const struct shape_of_set *s, const struct rule_context *context,
		      uint32_t count, uint32_t probes)
{
	for (uint32_t i = 0; i < probes; i++) {
		struct tuple t = draw_tuple(s, drawn, count);
		if (context->dns_count && below(8) == 0)
			t.dst = context->dns[below(context->dns_count)];
		compare(set, &t, context);
	}
}

static void check_shape(struct rule_pool *pool, const struct shape_of_set *s, uint32_t count, uint32_t probes)
{
	struct rule_context context = draw_context(s);
	draw_set(s, count);
	draw_hosts(s);
	rule_pool_set_hosts(pool, &hosts);
	struct ruleset *set = new_set(pool, drawn, count, below(2));
	bool may_fail = s->host && count == COMPILED_RULES; /* names of many addresses */
	if (!ruleset_compile(set) && !may_fail)
		fail_msg("%s: %u rules are not compiled", s->name, count);
	assert_true(ruleset_is_compiled(set) || may_fail);
	probe_set(set, s, &context, count, probes);
	draw_hosts(s);
	if (!ruleset_recompile(set) && !may_fail)
		fail_msg("%s: %u rules are not compiled again", s->name, count);
	probe_set(set, s, &context, count, probes / 4);
	ruleset_free(set);
	for (uint32_t i = 0; i < HOSTS; i++)
		assert_int_equal(host[i].held, 0);
}

/* Many small sets: a million probes. */
static void test_small(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, 1024, &memory);
	size_t room = rule_pool_image_free(pool);
	for (uint32_t round = 0; round < 400; round++)
		for (uint32_t i = 0; i < array_len(shapes); i++)
			check_shape(pool, &shapes[i], below(8) ? below(24) : below(300), 250);
	assert_int_equal(rule_pool_image_free(pool), room);
	assert_int_equal(rule_pool_walked(pool), 0);
	free(memory);
}

/* Big sets: the walk is slow, so the probes are few and at the edges. */
static void test_big(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, COMPILED_RULES, &memory);
	for (uint32_t i = 0; i < array_len(shapes); i++) {
		check_shape(pool, &shapes[i], 1000, 2000);
		check_shape(pool, &shapes[i], COMPILED_RULES, 1000);
	}
	free(memory);
}

/* Every port, every type and every protocol of sets whose edges lie everywhere. */
static void test_every_port(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, 64, &memory);
	for (uint32_t round = 0; round < 4; round++) {
		struct rule_context context = draw_context(&shapes[3]);
		draw_set(&shapes[3], 12);
		struct ruleset *set = new_set(pool, drawn, 12, round % 2);
		assert_true(ruleset_compile(set));
		for (uint32_t port = 0; port < 65536; port++) {
			struct tuple t = { .dst = ip_v4(10, 0, 0, 0), .dport = (uint16_t)port };
			t.proto = round % 2 ? PROTO_UDP : PROTO_TCP;
			compare(set, &t, &context);
		}
		for (uint32_t proto = 0; proto < 256; proto++) {
			struct tuple t = { .dst = ip_v4(10, 0, 0, 0), .proto = (uint8_t)proto };
			compare(set, &t, &context);
		}
		ruleset_free(set);
	}
	free(memory);
}

/* One prefix in the other down to the host, and everything beside the way. */
static void test_nested(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, 512, &memory);
	struct rule_context none = { .dns_count = 0 };
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t bits = v6 ? 128 : 32, count = 0;
		struct ip_addr ip = v6 ? (struct ip_addr){ { 0x20, 1, [15] = 1 } } : ip_v4(10, 170, 0, 1);
		for (uint32_t i = 0; i <= bits; i++, count++) {
			/* alternately the widest first and the narrowest first */
			uint32_t len = i % 2 ? bits - i : i;
			drawn[count] = (struct rule){ .dst = { ip, (uint8_t)len }, .action = (uint8_t)(len & 1),
				.flags = RULE_HAS_DST | RULE_HAS_PORTS, .number = (uint16_t)count,
				.port_lo = (uint16_t)len, .port_hi = (uint16_t)(200 - len) };
		}
		struct ruleset *set = new_set(pool, drawn, count, VERDICT_DROP);
		assert_true(ruleset_compile(set));
		for (uint32_t flip = 0; flip <= bits; flip++) {
			struct tuple t = { .dst = ip, .proto = PROTO_TCP };
			uint32_t at = flip + (v6 ? 0 : 96);
			if (flip < bits)
				t.dst.b[at / 8] ^= (uint8_t)(0x80 >> at % 8);
			for (t.dport = 0; t.dport < 210; t.dport++)
				compare(set, &t, &none);
		}
		ruleset_free(set);
	}
	free(memory);
}

/* Sets that never get an image are walked, and counted as long as they are there. */
static void test_walked(void **state)
{
	(void)state;
	static const struct rule odd[] = {
		{ .flags = RULE_HAS_PROTO, .proto = 47, .action = VERDICT_ACCEPT },
		{ .flags = RULE_HAS_TYPE, .icmp_type = 8, .action = VERDICT_ACCEPT },
		{ .flags = RULE_HAS_TYPE | RULE_HAS_PROTO, .proto = PROTO_TCP, .action = VERDICT_ACCEPT },
	};
	void *memory;
	struct rule_pool *pool = new_pool(4, 2 * COMPILED_RULES, &memory);
	struct rule_context none = { .dns_count = 0 };
	struct tuple t = { .dst = ip_v4(1, 2, 3, 4), .proto = 47 };
	size_t room = rule_pool_image_free(pool);
	for (uint32_t i = 0; i < array_len(odd); i++) {
		struct ruleset *set = new_set(pool, &odd[i], 1, VERDICT_DROP);
		assert_false(ruleset_compile(set));
		assert_false(ruleset_is_compiled(set));
		assert_int_equal(rule_pool_walked(pool), 1);
		compare(set, &t, &none);
		ruleset_free(set);
		assert_int_equal(rule_pool_walked(pool), 0);
	}
	draw_set(&shapes[0], COMPILED_RULES + 1);
	struct ruleset *set = new_set(pool, drawn, COMPILED_RULES + 1, VERDICT_DROP);
	assert_false(ruleset_compile(set));
	compare(set, &t, &none);
	ruleset_free(set);
	assert_int_equal(rule_pool_image_free(pool), room);
	free(memory);
}

/* Sets come and go until the pool is full of holes: all are judged right wherever they were moved. */
static void test_moving(void **state)
{
	(void)state;
	enum { SETS = 12, MOST = 120 };
	static struct rule rules[SETS][MOST];
	void *memory;
	struct rule_pool *pool = new_pool(SETS, SETS * MOST / 2, &memory);
	size_t room = rule_pool_image_free(pool);
	uint32_t all = rule_pool_free(pool), moved = 0;
	struct ruleset *set[SETS] = { NULL };
	struct rule_context none = { .dns_count = 0 };
	const struct shape_of_set *s = &shapes[5]; /* a node each: all but their worst */
	uint32_t counts[SETS] = { 0 };
	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t i = below(SETS), count = below(MOST);
		if (set[i])
			ruleset_free(set[i]);
		set[i] = NULL;
		if (count <= rule_pool_free(pool)) {
			draw_set(s, count);
			memcpy(rules[i], drawn, count * sizeof(drawn[0]));
			set[i] = new_set(pool, drawn, count, VERDICT_ACCEPT);
			/* the pool holds the images of all the IPv4 rules it holds */
			assert_true(ruleset_compile(set[i]));
			counts[i] = count;
			moved++;
		}
		for (uint32_t k = 0; k < SETS; k++) {
			if (!set[k])
				continue;
			struct tuple t = draw_tuple(s, rules[k], counts[k]);
			compare(set[k], &t, &none);
		}
	}
	assert_true(moved > 1000);
	for (uint32_t i = 0; i < SETS; i++)
		if (set[i])
			ruleset_free(set[i]);
	assert_int_equal(rule_pool_image_free(pool), room);
	assert_int_equal(rule_pool_free(pool), all);
	free(memory);
}

/* As many addresses as there is room for, and one more; they are all of one rule. */
static void test_addresses(void **state)
{
	(void)state;
	static struct host many[1] = { { .count = HOST_ADDRESSES_MAX } };
	static struct hosts full = { many, 1, NULL };
	void *memory;
	struct rule_pool *pool = new_pool(2, 1024, &memory);
	struct rule_context context = { .hosts = &full };
	struct tuple t = { .dst = ip_v4(10, 0, 0, 15), .proto = PROTO_TCP };
	uint32_t number;
	rule_pool_set_hosts(pool, &full);
	for (uint8_t i = 0; i < HOST_ADDRESSES_MAX; i++)
		many[0].address[i] = ip_v4(10, 0, 0, i);
	uint32_t most = (1024 + COMPILED_SPARE_ITEMS) / HOST_ADDRESSES_MAX;
	for (uint32_t count = most; count <= most + 8; count += 8) {
		for (uint32_t i = 0; i < count; i++)
			drawn[i] = (struct rule){ .flags = RULE_HAS_HOST, .action = VERDICT_ACCEPT, .number = (uint16_t)i };
		struct ruleset *set = new_set(pool, drawn, count, VERDICT_DROP);
		assert_int_equal(many[0].held, count);
		assert_int_equal(ruleset_compile(set), count <= most);
		compare(set, &t, &context);
		assert_int_equal(ruleset_judge(set, &t, &context, &number), VERDICT_ACCEPT);
		assert_int_equal(number, 0);
		ruleset_free(set);
	}
	assert_int_equal(many[0].held, 0);
	free(memory);
}

/* Which sets a changed name concerns. */
static void test_named(void **state)
{
	(void)state;
	void *memory;
	struct rule_pool *pool = new_pool(2, 64, &memory);
	const struct rule rules[] = { { .flags = RULE_HAS_HOST, .host = 70 }, { .flags = RULE_HAS_HOST, .host = NONE },
				      { .flags = 0, .host = 3 } };
	struct ruleset *set = new_set(pool, rules, 3, VERDICT_DROP);
	uint64_t bit[2] = { UINT64_MAX, ~(UINT64_C(1) << 6) };
	assert_false(ruleset_names(set, bit));
	bit[1] = UINT64_C(1) << 6;
	assert_true(ruleset_names(set, bit));
	ruleset_free(set);
	free(memory);
}

/* Into ever more room: never past its end, refused or whole; IPv4 rules at their worst take what is announced. */
static void test_room(void **state)
{
	(void)state;
	enum { RULES = 40 };
	size_t bytes = compiler_bytes(RULES);
	void *memory = malloc(bytes), *image = aligned_alloc(COMPILED_ALIGN, RULES * 64 + COMPILED_HEAD_BYTES);
	struct arena a = { memory, bytes };
	struct compiler *c = compiler_new(&a, RULES);
	assert_non_null(c);
	for (uint32_t worst = 0; worst < 2; worst++) {
		size_t most = 0;
		for (uint32_t room = 0; room <= RULES * 64 + COMPILED_HEAD_BYTES; room++) {
			compiler_begin(c);
			for (uint32_t i = 0; i < RULES; i++) {
				struct rule r = draw_rule(&shapes[0]);
				if (worst)
					r = (struct rule){ .flags = RULE_HAS_DST | RULE_HAS_PORTS, .port_lo = 7,
						.port_hi = 9, .dst = { ip_v4(10, 0, 0, (uint8_t)(i * 2)), 32 } };
				assert_true(compiler_add(c, &r, NULL));
			}
			struct rule more = { .flags = 0 };
			assert_false(compiler_add(c, &more, NULL));
			size_t need = compiler_need(c), got = compiler_finish(c, image, room);
			assert_true(need <= RULES * COMPILED_RULE_BYTES + COMPILED_HEAD_BYTES);
			assert_true(got <= room && got <= need);
			if (room >= need)
				assert_true(got > 0);
			if (got > most)
				most = got;
			if (worst && got == 0)
				assert_true(room < RULES * COMPILED_RULE_BYTES + COMPILED_HEAD_BYTES);
		}
		if (worst)
			assert_true(most > RULES * COMPILED_RULE_BYTES);
	}
	for (size_t have = 0; have + 6 * 64 < bytes; have += 61) {
		struct arena small = { memory, have };
		assert_null(compiler_new(&small, RULES));
		assert_int_equal(small.left, have);
	}
	free(image);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_every_port),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_walked),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
