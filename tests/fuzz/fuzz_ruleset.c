/* links: rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/*
 * Lines of rules (those that are none are left out), then, behind a NUL, tuples
 * of 20 bytes: the compiled set and the walk must say the same of each, of its
 * neighbours by one port, and of each rule's own corners.
 * The first byte: bit 0 IPv6, bit 1 policy accept, bits 2-4 how little room there is.
 */
#include <stdlib.h>
#include <string.h>
#include "ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { RULES = 256, TUPLE_BYTES = 20 };

/* By a name's first letter, modulo 4: two are resolved, among them to addresses that rules have too. */
static struct host host[4] = {
	{ .count = 2, .address = { { { [10] = 0xff, 0xff, 10, 0, 0, 1 } }, { { [10] = 0xff, 0xff, 192, 0, 2, 1 } } } },
	{ .count = 2, .address = { { { [10] = 0xff, 0xff, 10, 0, 0, 1 } }, { { 0x20, 3, [15] = 3 } } } },
};
static struct hosts hosts = { host, array_len(host), NULL };

static const struct rule_context context = {
	.hosts = &hosts,
	.dns = { { { [10] = 0xff, 0xff, 10, 139, 1, 1 } }, { { 0xfd, [15] = 53 } } }, .dns_count = 2,
};

static void check(const struct ruleset *set, struct tuple t)
{
	for (uint32_t step = 0; step < 3; step++) {
		uint32_t number, expected;
		enum rule_verdict v = ruleset_judge(set, &t, &context, &number);
		ensure(v == ruleset_judge_linear(set, &t, &context, &expected) && number == expected);
		t.dport = (uint16_t)(t.dport + (step == 0 ? 1 : -2));
	}
}

static void check_corners(const struct ruleset *set)
{
	static const uint8_t protos[] = { 6, 17, 1, 58, 47 };
	struct ruleset_walk walk = { 0, 0 };
	for (const struct rule *r; (r = ruleset_next(set, &walk));) {
		for (uint32_t i = 0; i < array_len(protos); i++) {
			struct tuple t = { .dst = r->dst.addr, .proto = protos[i], .dport = r->port_lo, .kind = r->icmp_type };
			check(set, t);
			t.dst = host[i % 2].address[r->number % 2];
			check(set, t);
			t.dport = r->port_hi;
			t.dst = context.dns[i % 2];
			check(set, t);
		}
	}
}

static void append_lines(struct ruleset *set, const char *text, size_t len, bool v6)
{
	for (uint16_t number = 0; len > 0; number++) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;
		struct parsed_rule p;
		struct rule_error err;
		if (rule_parse(text, line, v6, &p, &err)) {
			p.rule.number = number;
			if (p.rule.flags & RULE_HAS_HOST)
				p.rule.host = (uint32_t)p.host[0] % 5; /* one is not known at all */
			if (!ruleset_append(set, &p.rule))
				return;
		}
		len -= line + !!end;
		text += line + !!end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	uint32_t rules = RULES >> (bytes[0] >> 2 & 7);
	size_t room = rule_pool_bytes(1, rules);
	struct arena a = { malloc(room), room };
	void *memory = a.at;
	struct rule_pool *pool = rule_pool_new(&a, 1, rules);
	ensure(pool);
	rule_pool_set_hosts(pool, &hosts);
	size_t images = rule_pool_image_free(pool);
	struct ruleset *set = ruleset_new(pool, bytes[0] & 2 ? VERDICT_ACCEPT : VERDICT_DROP);
	const uint8_t *nul = memchr(bytes + 1, 0, len - 1);
	size_t text = nul ? (size_t)(nul - bytes) - 1 : len - 1;
	append_lines(set, (const char *)bytes + 1, text, bytes[0] & 1);
	bool compiled = ruleset_compile(set);
	ensure(compiled == ruleset_is_compiled(set) && rule_pool_walked(pool) == !compiled);
	ensure(compiled || bytes[0] & 1); /* there is room for whatever IPv4 rules fit the pool */
	check_corners(set);
	for (size_t at = text + 2; at <= len && len - at >= TUPLE_BYTES; at += TUPLE_BYTES) {
		const uint8_t *b = bytes + at;
		struct tuple t = { .proto = b[16], .kind = b[17], .dport = (uint16_t)(b[18] << 8 | b[19]) };
		memcpy(t.dst.b, b, sizeof(t.dst.b));
		check(set, t);
	}
	ruleset_free(set);
	ensure(rule_pool_image_free(pool) == images && rule_pool_walked(pool) == 0);
	for (uint32_t i = 0; i < array_len(host); i++)
		ensure(host[i].held == 0);
	free(memory);
	return 0;
}
