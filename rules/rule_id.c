/* SPDX-License-Identifier: ISC */
/*
 * rule_id.c: a rule's hash and how it is written.
 */
#include "rule_id.h"
#include "hash.h"

enum { HASH_DIGITS = 8 };

uint32_t rule_id_hash(struct ip_addr client, const struct parsed_rule *p)
{
	/* nobody gains by two rules that meet: the key need not be secret, but has to be everybody's */
	static const uint64_t key[2] = { 0x72756c6520696420, 0x6f6620506f737465 };
	char buffer[sizeof(client.b) + RULE_TEXT];
	struct parsed_rule plain = *p;
	memcpy(buffer, client.b, sizeof(client.b));
	struct text line = text_of(buffer + sizeof(client.b), RULE_TEXT);
	plain.label = NULL;
	plain.label_len = 0;
	plain.rule.expire = 0;
	rule_text(&line, &plain);
	return (uint32_t)siphash24(key, buffer, sizeof(client.b) + line.len);
}

void rule_id_text(struct text *t, uint32_t hash, uint32_t nth)
{
	text_put(t, "r-");
	text_hex(t, hash, HASH_DIGITS);
	if (nth > 1) {
		text_char(t, '#');
		text_u64(t, nth);
	}
}
