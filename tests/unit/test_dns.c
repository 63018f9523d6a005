/* links: netstack/dns.c netstack/addr.c netstack/text.c */
// SPDX-License-Identifier: ISC
/* Questions and answers of the resolver: messages made by hand, honest and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dns.h"

enum { ID = 0x1234, CNAME = 5, TXT = 16 };

/* A message under construction. */
struct message {
	uint8_t at[2048];
	size_t len;
};

static void put(struct message *m, const void *bytes, size_t n)
{
	memcpy(m->at + m->len, bytes, n);
	m->len += n;
}

static void put8(struct message *m, unsigned v) { put(m, &(uint8_t){ (uint8_t)v }, 1); }
static void put16(struct message *m, unsigned v) { put8(m, v >> 8); put8(m, v & 255); }
static void put32(struct message *m, unsigned v) { put16(m, v >> 16); put16(m, v & 0xffff); }

/* Dots between labels; "" is the root. */
static void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		put8(m, (unsigned)n);
		put(m, name, n);
		name += n + (name[n] == '.');
	}
	put8(m, 0);
}

static struct message begin(unsigned id, unsigned flags, unsigned records, const char *name, unsigned type)
{
	struct message m = { .len = 0 };
	put16(&m, id);
	put16(&m, flags);
	put16(&m, 1);
	put16(&m, records);
	put32(&m, 0);
	put_name(&m, name);
	put16(&m, type);
	put16(&m, 1);
	return m;
}

static void put_a(struct message *m, const char *owner, unsigned ttl, unsigned last)
{
	put_name(m, owner);
	put16(m, DNS_TYPE_A);
	put16(m, 1);
	put32(m, ttl);
	put16(m, 4);
	put32(m, 0xc0000200 | last); /* 192.0.2.last */
}

static void put_alias(struct message *m, const char *owner, unsigned ttl, const char *target)
{
	struct message data = { .len = 0 };
	put_name(&data, target);
	put_name(m, owner);
	put16(m, CNAME);
	put16(m, 1);
	put32(m, ttl);
	put16(m, (unsigned)data.len);
	put(m, data.at, data.len);
}

static struct dns_question question(const char *host, uint16_t type)
{
	struct dns_question q = { .type = type };
	assert_true(dns_name_of(&q.name, host, strlen(host)));
	return q;
}

/* From a copy of the exact size, so that a read past its end is seen. */
static enum dns_outcome read_as(const struct message *m, size_t len, const char *host, uint16_t type,
				struct dns_answer *a)
{
	struct dns_question q = question(host, type);
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, m->at, len);
	enum dns_outcome outcome = dns_read(exact, len, &q, ID, a);
	free(exact);
	return outcome;
}

static enum dns_outcome read_it(const struct message *m, struct dns_answer *a)
{
	return read_as(m, m->len, "www.example.com", DNS_TYPE_A, a);
}

static void test_names(void **state)
{
	static const char label63[] = "a23456789012345678901234567890123456789012345678901234567890123";
	char text[300];
	struct dns_name n;
	(void)state;
	assert_int_equal(strlen(label63), 63);
	assert_true(dns_name_of(&n, "wWw.Example.com.", 16));
	assert_int_equal(n.len, 17);
	assert_memory_equal(n.b, "\3www\7example\3com", 17);
	assert_true(dns_name_of(&n, "x", 1));
	assert_memory_equal(n.b, "\1x", 3);
	assert_true(dns_name_of(&n, label63, 63));
	static const char *const bad[] = { "", ".", "..", ".a", "a..b", "a.." };
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(dns_name_of(&n, bad[i], strlen(bad[i])));
	memset(text, 'a', sizeof(text));
	assert_false(dns_name_of(&n, text, 64));
	for (size_t i = 50; i < sizeof(text); i += 51)
		text[i] = '.';
	assert_true(dns_name_of(&n, text, 253));
	assert_int_equal(n.len, DNS_NAME_BYTES);
	assert_false(dns_name_of(&n, text, 254));
}

static void test_query(void **state)
{
	uint8_t at[DNS_QUERY_BYTES];
	struct dns_question q = question("a.bc", DNS_TYPE_AAAA);
	(void)state;
	static const uint8_t expected[] = { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 2, 'b', 'c', 0, 0, 28, 0, 1 };
	assert_int_equal(dns_query(at, &q, ID), sizeof(expected));
	assert_memory_equal(at, expected, sizeof(expected));
}

static void test_addresses(void **state)
{
	struct message m = begin(ID, 0x8180, 4, "wwW.Example.com", DNS_TYPE_A);
	struct dns_answer a;
	(void)state;
	put_a(&m, "www.example.com", 300, 9);
	put_a(&m, "evil.example.net", 1, 66);
	put_a(&m, "WWW.example.com", 60, 3);
	put_a(&m, "www.example.com", 900, 9);
	assert_int_equal(read_it(&m, &a), DNS_FOUND);
	assert_int_equal(a.count, 2);
	assert_true(ip_eq(a.address[0], ip_v4(192, 0, 2, 3)));
	assert_true(ip_eq(a.address[1], ip_v4(192, 0, 2, 9)));
	assert_int_equal(a.ttl_s, 60);
	assert_false(a.truncated);
	/* every shorter piece is none of ours, or cannot be read */
	for (size_t len = 0; len < m.len; len++) {
		enum dns_outcome outcome = read_as(&m, len, "www.example.com", DNS_TYPE_A, &a);
		assert_int_equal(outcome, len < 33 ? DNS_FOREIGN : DNS_MALFORMED);
	}
	m.at[2] |= 2; /* truncated: what is there is taken */
	assert_int_equal(read_as(&m, m.len - 1, "www.example.com", DNS_TYPE_A, &a), DNS_FOUND);
	assert_true(a.truncated);
	assert_int_equal(a.count, 2);
	assert_int_equal(read_as(&m, 33, "www.example.com", DNS_TYPE_A, &a), DNS_NO_ADDRESS);
}

static void test_too_many(void **state)
{
	struct message m = begin(ID, 0x8180, 40, "www.example.com", DNS_TYPE_A);
	struct dns_answer a;
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		put_a(&m, "www.example.com", 300, i * 7 % 40 + 1);
	assert_int_equal(read_it(&m, &a), DNS_FOUND);
	assert_int_equal(a.count, DNS_ADDRESSES_MAX);
	for (uint8_t i = 0; i < DNS_ADDRESSES_MAX; i++)
		assert_true(ip_eq(a.address[i], ip_v4(192, 0, 2, (uint8_t)(i + 1))));
}

static void test_aliases(void **state)
{
	struct dns_answer a;
	(void)state;
	/* in any order, and an address at an alias that is not on the way is nobody's */
	struct message m = begin(ID, 0x8180, 4, "www.example.com", DNS_TYPE_A);
	put_a(&m, "end.example.org", 500, 1);
	put_alias(&m, "mid.example.net", 40, "END.example.org");
	put_a(&m, "other.example.org", 5, 2);
	put_alias(&m, "www.example.com", 700, "mid.example.net");
	assert_int_equal(read_it(&m, &a), DNS_FOUND);
	assert_int_equal(a.count, 1);
	assert_true(ip_eq(a.address[0], ip_v4(192, 0, 2, 1)));
	assert_int_equal(a.ttl_s, 40);
	/* one that leads to itself, and one that leads away */
	m = begin(ID, 0x8180, 1, "www.example.com", DNS_TYPE_A);
	put_alias(&m, "www.example.com", 1, "www.example.com");
	assert_int_equal(read_it(&m, &a), DNS_NO_ADDRESS);
	m = begin(ID, 0x8180, 1, "www.example.com", DNS_TYPE_A);
	put_alias(&m, "www.example.com", 1, "mid.example.net");
	assert_int_equal(read_it(&m, &a), DNS_NO_ADDRESS);
	/* as long as it may be, and longer */
	for (unsigned n = DNS_ALIASES_MAX; n <= DNS_ALIASES_MAX + 1; n++) {
		char from[20] = "www.example.com", to[20] = "a.x";
		m = begin(ID, 0x8180, n + 1, "www.example.com", DNS_TYPE_A);
		for (unsigned i = 0; i < n; i++) {
			to[0] = (char)('a' + i);
			put_alias(&m, from, 9, to);
			strcpy(from, to);
		}
		put_a(&m, from, 9, 1);
		assert_int_equal(read_it(&m, &a), n == DNS_ALIASES_MAX ? DNS_FOUND : DNS_NO_ADDRESS);
	}
}

static void test_compression(void **state)
{
	struct dns_answer a;
	(void)state;
	/* owner: a pointer to the question's name; target: a label and a pointer */
	struct message m = begin(ID, 0x8180, 2, "www.example.com", DNS_TYPE_A);
	static const uint8_t alias[] = { 0xc0, 12, 0, CNAME, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'b', 0xc0, 16 };
	put(&m, alias, sizeof(alias));
	put_a(&m, "b.example.com", 8, 7);
	assert_int_equal(read_it(&m, &a), DNS_FOUND);
	assert_true(ip_eq(a.address[0], ip_v4(192, 0, 2, 7)));
	/* to itself, forwards, behind the end, into the header, and a loop of two */
	static const uint8_t bad[][2] = { { 0xc0, 33 }, { 0xc0, 40 }, { 0xff, 0xff }, { 0xc0, 4 }, { 0xc0, 0 }, { 0x80, 12 } };
	for (size_t i = 0; i < array_len(bad); i++) {
		m = begin(ID, 0x8180, 1, "www.example.com", DNS_TYPE_A);
		put(&m, bad[i], 2);
		put(&m, alias + 2, sizeof(alias) - 2);
		assert_int_equal(read_it(&m, &a), DNS_MALFORMED);
	}
	m = begin(ID, 0x8180, 2, "www.example.com", DNS_TYPE_A);
	static const uint8_t loop[] = { 1, 'x', 0xc0, 33, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0 };
	put(&m, loop, sizeof(loop));
	put(&m, loop, sizeof(loop));
	assert_int_equal(read_it(&m, &a), DNS_MALFORMED);
}

/* By pointers a short message holds names longer than any. */
static void test_long_names(void **state)
{
	struct dns_answer a;
	(void)state;
	for (unsigned labels = 3; labels <= 4; labels++) {
		struct message m = begin(ID, 0x8180, labels + 1, "www.example.com", DNS_TYPE_A);
		unsigned last = 12; /* the question's name: 17 bytes */
		for (unsigned i = 0; i <= labels; i++) {
			unsigned here = (unsigned)m.len;
			put8(&m, 63);
			for (int k = 0; k < 63; k++)
				put8(&m, 'y');
			put16(&m, 0xc000 | last);
			last = here;
			put16(&m, TXT);
			put16(&m, 1);
			put32(&m, 0);
			put16(&m, 0);
		}
		/* 17 + 64 * 3 < 255 < 17 + 64 * 4 */
		m.at[7] = (uint8_t)(labels == 3 ? 3 : 4);
		assert_int_equal(read_it(&m, &a), labels == 3 ? DNS_NO_ADDRESS : DNS_MALFORMED);
	}
}

/* Each pointer leads back by one: the work that one name makes has a bound of its own. */
static void test_chains_of_pointers(void **state)
{
	enum { POINTERS_ALLOWED = 16 };
	struct dns_answer a;
	(void)state;
	for (unsigned n = 1; n < 2 * POINTERS_ALLOWED; n++) {
		struct message m = begin(ID, 0x8180, 2, "www.example.com", DNS_TYPE_A);
		put_name(&m, "");
		put16(&m, TXT);
		put16(&m, 1);
		put32(&m, 0);
		put16(&m, 1 + 2 * n);
		unsigned last = (unsigned)m.len;
		put8(&m, 0);
		for (unsigned i = 0; i < n; i++) {
			unsigned here = (unsigned)m.len;
			put16(&m, 0xc000 | last);
			last = here;
		}
		put16(&m, 0xc000 | last); /* the next record's owner: one pointer more */
		put16(&m, TXT);
		put16(&m, 1);
		put32(&m, 0);
		put16(&m, 0);
		assert_int_equal(read_it(&m, &a), n + 1 <= POINTERS_ALLOWED ? DNS_NO_ADDRESS : DNS_MALFORMED);
	}
}

static void test_refusals(void **state)
{
	static const struct { unsigned id, flags; const char *name; unsigned type; enum dns_outcome outcome; } cases[] = {
		{ ID, 0x8180, "www.example.com", 1, DNS_FOUND },
		{ ID + 1, 0x8180, "www.example.com", 1, DNS_FOREIGN },
		{ ID, 0x0100, "www.example.com", 1, DNS_FOREIGN },
		{ ID, 0x8980, "www.example.com", 1, DNS_FOREIGN },
		{ ID, 0x8180, "ww.example.com", 1, DNS_FOREIGN },
		{ ID, 0x8180, "www.example.com", 28, DNS_FOREIGN },
		{ ID, 0x8183, "www.example.com", 1, DNS_NO_NAME },
		{ ID, 0x8182, "www.example.com", 1, DNS_FAILED },
		{ ID, 0x8185, "www.example.com", 1, DNS_FAILED },
	};
	struct dns_answer a;
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct message m = begin(cases[i].id, cases[i].flags, 1, cases[i].name, cases[i].type);
		put_a(&m, "www.example.com", 1, 1);
		assert_int_equal(read_it(&m, &a), cases[i].outcome);
	}
	struct message two = begin(ID, 0x8180, 1, "www.example.com", DNS_TYPE_A);
	two.at[5] = 2;
	assert_int_equal(read_it(&two, &a), DNS_FOREIGN);
}

static void test_values(void **state)
{
	struct dns_answer a;
	(void)state;
	/* addresses nobody can be at; a length that is not an address's; a TTL with the top bit */
	struct message m = begin(ID, 0x8180, 1, "www.example.com", DNS_TYPE_A);
	put_a(&m, "www.example.com", 1, 1);
	m.at[m.len - 4] = 127;
	assert_int_equal(read_it(&m, &a), DNS_NO_ADDRESS);
	m.at[m.len - 4] = 192;
	m.at[m.len - 10] = 0x80;
	assert_int_equal(read_it(&m, &a), DNS_FOUND);
	assert_int_equal(a.ttl_s, 0);
	m.at[m.len - 5] = 3;
	assert_int_equal(read_it(&m, &a), DNS_MALFORMED);

	m = begin(ID, 0x8180, 1, "six.example", DNS_TYPE_AAAA);
	put_name(&m, "six.example");
	put16(&m, DNS_TYPE_AAAA);
	put16(&m, 1);
	put32(&m, 77);
	put16(&m, 16);
	size_t at = m.len;
	put(&m, &(struct ip_addr){ { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, 16);
	assert_int_equal(read_as(&m, m.len, "six.example", DNS_TYPE_AAAA, &a), DNS_FOUND);
	assert_int_equal(a.address[0].b[0], 0x20);
	assert_int_equal(a.ttl_s, 77);
	struct ip_addr mapped = ip_v4(192, 0, 2, 1);
	memcpy(m.at + at, &mapped, 16);
	assert_int_equal(read_as(&m, m.len, "six.example", DNS_TYPE_AAAA, &a), DNS_MALFORMED);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(dns_outcome_word(DNS_FOUND), "found");
	assert_string_equal(dns_outcome_word(DNS_FOREIGN), "foreign");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	 cmocka_unit_test(test_query),	     cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_aliases),     cmocka_unit_test(test_compression),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_chains_of_pointers), cmocka_unit_test(test_refusals), cmocka_unit_test(test_values),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
