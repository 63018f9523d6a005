/* links: firewall/match.c netstack/addr.c netstack/text.c netstack/drop.c */
// SPDX-License-Identifier: ISC
/* test_match.c: random expressions against an oracle that reads their words one by one, over random packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "match.h"

static struct ip_addr ip_random(void)
{
	return ip_v4(10, (uint8_t)(random() % 2), 0, (uint8_t)(random() % 4));
}

static struct tuple tuple_random(void)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP, 47 };
	struct tuple t = { .src = ip_random(), .dst = ip_random(), .proto = protos[random() % 4] };
	if (t.proto == PROTO_TCP || t.proto == PROTO_UDP || t.proto == PROTO_ICMP) {
		t.sport = (uint16_t)(random() % 5);
		t.dport = (uint16_t)(random() % 5);
	}
	return t;
}

/* --- the oracle: words and values as they stand, no compiled form --------------------------- */

static bool ip_within(struct ip_addr ip, const char *net)
{
	unsigned a[4], bits = 32;
	sscanf(net, "%u.%u.%u.%u/%u", &a[0], &a[1], &a[2], &a[3], &bits);
	for (unsigned i = 0; i < bits; i++)
		if ((ip.b[12 + i / 8] >> (7 - i % 8) & 1) != (a[i / 8] >> (7 - i % 8) & 1))
			return false;
	return true;
}

static bool port_within(const struct tuple *t, uint16_t port, const char *ports)
{
	unsigned first, last;
	if (sscanf(ports, "%u-%u", &first, &last) == 1)
		last = first;
	return (t->proto == 6 || t->proto == 17) && (t->sport || t->dport) && port >= first && port <= last;
}

static bool tuple_says(const struct tuple *t, const char *word, const char *value)
{
	bool src = !strcmp(word, "src"), dst = !strcmp(word, "dst");
	if (!strcmp(word, "host") || !strcmp(word, "net") || src || dst)
		return (!dst && ip_within(t->src, value)) || (!src && ip_within(t->dst, value));
	src = !strcmp(word, "sport"), dst = !strcmp(word, "dport");
	if (!strcmp(word, "port") || src || dst)
		return (!dst && port_within(t, t->sport, value)) || (!src && port_within(t, t->dport, value));
	return t->proto == (!strcmp(word, "tcp") ? 6 : !strcmp(word, "udp") ? 17 : !strcmp(word, "icmp") ? 1 : atoi(value));
}

static bool oracle_term(const struct match_facts *f, const char *word, const char *value)
{
	char client[20];
	snprintf(client, sizeof(client), "%u.%u.%u.%u", f->client.b[12], f->client.b[13], f->client.b[14], f->client.b[15]);
	if (!strcmp(word, "arp"))
		return f->arp;
	if (!strcmp(word, "client"))
		return !strcmp(client, value);
	if (!strcmp(word, "rule"))
		return (f->rule && !strcmp(f->rule, value)) || (f->rule_id && !strcmp(f->rule_id, value));
	if (!strcmp(word, "reason"))
		return f->fate == MATCH_FATE_DROPPED && !strcmp(drop_word(f->reason), value);
	if (!strcmp(word, "passed") || !strcmp(word, "dropped") || !strcmp(word, "held"))
		return f->fate == (*word == 'p' ? MATCH_FATE_PASSED : *word == 'd' ? MATCH_FATE_DROPPED : MATCH_FATE_HELD);
	return f->has_tuple && (tuple_says(&f->came, word, value) || tuple_says(&f->inside, word, value));
}

/* --- cases ---------------------------------------------------------------------------------- */

static const struct { const char *word, *values[5]; } words[] = {
	{ "tcp", { "" } }, { "udp", { "" } }, { "icmp", { "" } }, { "arp", { "" } }, { "proto", { "47", "6", "1" } },
	{ "host", { "10.0.0.1", "10.1.0.0/16", "10.0.0.2/31" } }, { "net", { "10.0.0.0/30", "10.1.0.1" } },
	{ "src", { "10.0.0.1", "10.1.0.0/16" } }, { "dst", { "10.0.0.1", "0.0.0.0/0", "10.0.0.2/31" } },
	{ "port", { "1", "2-3", "0" } }, { "sport", { "1-4", "3" } }, { "dport", { "4", "0-2" } },
	{ "client", { "10.0.0.1", "10.0.0.2" } }, { "rule", { "3", "policy", "r-12345678", "web" } },
	{ "reason", { "rule", "policy", "spoofed" } }, { "passed", { "" } }, { "dropped", { "" } }, { "held", { "" } },
};
enum { TERMS = 4, FATE_WORDS = 13 }; /* words from FATE_WORDS on ask for what is known last */

struct said { uint32_t word; const char *value; bool not; };

static struct match_facts facts_random(void)
{
	static const char *const rule[] = { NULL, "3", "policy", "4" }, *const id[] = { NULL, "web", "r-12345678" };
	static const enum drop reason[] = { DROP_RULE, DROP_POLICY, DROP_SPOOFED, DROP_TTL };
	struct match_facts f = { .arp = random() % 8 == 0, .fate = (enum match_fate)(random() % 3), .client = ip_random() };
	f.has_tuple = !f.arp && random() % 8;
	if (f.has_tuple) {
		f.came = tuple_random();
		f.inside = random() % 2 ? f.came : tuple_random();
	}
	f.reason = reason[random() % 4];
	f.rule = rule[random() % 4];
	f.rule_id = id[random() % 3];
	return f;
}

static uint32_t say(struct said said[TERMS], char *text, size_t room)
{
	uint32_t count = (uint32_t)random() % (TERMS + 1);
	size_t at = 0;
	text[0] = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct said *s = &said[i];
		uint32_t values = 0;
		s->word = (uint32_t)random() % (uint32_t)array_len(words);
		while (values < 5 && words[s->word].values[values])
			values++;
		s->value = words[s->word].values[(uint32_t)random() % values];
		s->not = random() % 3 == 0;
		at += (size_t)snprintf(text + at, room - at, "%s%s%s%s%s", i && random() % 2 ? " and" : "",
				       i || random() % 4 == 0 ? " " : "", s->not ? "not " : "", words[s->word].word,
				       *s->value ? " " : "");
		at += (size_t)snprintf(text + at, room - at, "%s", s->value);
	}
	return count;
}

static void test_oracle(void **state)
{
	uint32_t hits = 0;
	(void)state;
	srandom(11);
	for (int round = 0; round < 4000; round++) {
		struct said said[TERMS];
		char text[512], why[MATCH_FAULT_BYTES];
		struct text fault = text_on(why);
		struct match m;
		uint32_t count = say(said, text, sizeof(text));
		if (!match_parse(&m, text, strlen(text), &fault))
			fail_msg("%s: %s", text, why);
		for (int k = 0; k < 50; k++) {
			struct match_facts f = facts_random();
			bool hit = true, may = true;
			for (uint32_t i = 0; i < count; i++) {
				bool term = oracle_term(&f, words[said[i].word].word, said[i].value) != said[i].not;
				hit = hit && term;
				may = may && (term || said[i].word >= FATE_WORDS);
			}
			if (match_hits(&m, &f) != hit || match_may_hit(&m, &f) != may)
				fail_msg("%s: %d, and it may: %d", text, hit, may);
			hits += hit;
		}
	}
	assert_true(hits > 10000 && hits < 190000);
}

/* Every prefix of an expression is taken or refused with a column inside of it, and nothing is read behind its end. */
static void test_columns(void **state)
{
	static const char whole[] = "not tcp and host 10.0.0.0/8 dport 1-5 rule web reason ttl client 10.0.0.1 held";
	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *exact = malloc(len ? len : 1), why[MATCH_FAULT_BYTES];
		struct text fault = text_on(why);
		struct match m;
		unsigned column = 0;
		memcpy(exact, whole, len);
		bool ok = match_parse(&m, exact, len, &fault);
		if (!ok && (sscanf(why, "column %u: ", &column) != 1 || column < 1 || column > len + 1))
			fail_msg("%.*s: %s", (int)len, whole, why);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_oracle), cmocka_unit_test(test_columns) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
