/* links: rules/cross_judge.c rules/cross_rule.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/*
 * Lines of inbound or of between rules (those that are none are left out), then, behind a NUL, tuples of 12 bytes: the
 * image and the walk must find the same rule for each, and for each pair of rules' own addresses.
 * The first byte: bit 0 between, bits 2-4 how little room there is.
 */
#include <stdlib.h>
#include <string.h>
#include "cross_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { RULES = 128, TUPLE_BYTES = 12 };

static void check(const struct ruleset *set, enum rule_kind kind, const struct tuple *t)
{
	static const struct rule_context none;
	uint32_t decided, expected;
	const struct rule *r = kind == RULE_INBOUND ? cross_judge_inbound(set, t, &none, &decided) :
						      cross_judge_between(set, t, &none, &decided);
	ensure(r == cross_judge_linear(set, t, &none, &expected) && decided == expected);
}

/* From the source of the one rule to the destination of the other. */
static void check_pairs(const struct ruleset *set, enum rule_kind kind)
{
	struct ruleset_walk from = { 0, 0 };
	for (const struct rule *a, *b; (a = ruleset_next(set, &from));) {
		struct ruleset_walk to = { 0, 0 };
		while ((b = ruleset_next(set, &to))) {
			struct tuple t = { .src = ip_of_v4(a->peer), .dst = b->dst.addr, .proto = b->proto ? b->proto : PROTO_UDP,
					   .kind = b->icmp_type, .dport = b->port_lo };
			if (kind == RULE_INBOUND)
				t.src = a->dst.addr;
			check(set, kind, &t);
			t.dport = b->port_hi;
			check(set, kind, &t);
		}
	}
}

static void append_lines(struct ruleset *set, enum rule_kind kind, const char *text, size_t len)
{
	for (uint16_t number = 0; len > 0; number++) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;
		struct parsed_rule p;
		struct rule_error err;
		if (cross_rule_parse(kind, text, line, &p, &err)) {
			p.rule.number = number;
			if (!ruleset_append(set, &p.rule))
				return;
		}
		len -= line + !!end;
		text += line + !!end;
	}
}

static struct tuple tuple_at(const uint8_t *at)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP, 47 };
	struct tuple t = { .src = ip_v4(at[0], at[1], at[2], at[3]), .dst = ip_v4(at[4], at[5], at[6], at[7]),
			   .proto = protos[at[8] % 4], .kind = at[9], .dport = (uint16_t)(at[10] << 8 | at[11]) };
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	enum rule_kind kind = bytes[0] & 1 ? RULE_BETWEEN : RULE_INBOUND;
	uint32_t rules = RULES >> (bytes[0] >> 2 & 7);
	size_t room = rule_pool_bytes(1, rules);
	void *memory = aligned_alloc(64, (room + 63) / 64 * 64);
	struct arena arena = { memory, room };
	memset(memory, 0xa5, room);
	struct rule_pool *pool = rule_pool_new(&arena, 1, rules);
	ensure(pool != NULL);
	struct ruleset *set = ruleset_new(pool, VERDICT_DROP);
	const uint8_t *lines = bytes + 1, *end = bytes + len, *tuples = memchr(lines, 0, len - 1);
	append_lines(set, kind, (const char *)lines, (size_t)((tuples ? tuples : end) - lines));
	ruleset_compile(set);
	check_pairs(set, kind);
	for (const uint8_t *at = tuples ? tuples + 1 : end; end - at >= TUPLE_BYTES; at += TUPLE_BYTES) {
		struct tuple t = tuple_at(at);
		check(set, kind, &t);
	}
	ruleset_free(set);
	free(memory);
	return 0;
}
