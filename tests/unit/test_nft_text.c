/* links: tools/nft_walk.c tools/nft_text.c tools/nft_house.c rules/sets.c rules/rule.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* The ruleset as text: what each rule becomes. That nft takes it, and the kernel obeys, is for tests/diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cross_rule.h"
#include "nft_house.h"
#include "nft_text.h"

#define C1 ip_v4(10, 137, 0, 5)

static struct nft_house house_of_one(void)
{
	struct nft_house h = { .table = "postern", .uplink = "up0" };
	assert_true(nft_house_port(&h, "c1=10.137.0.5"));
	nft_client_open(nft_house_client(&h, C1), VERDICT_DROP);
	nft_house_finish(&h);
	return h;
}

/* Frees the house. Valid until the next. */
static char *text_of_house(struct nft_house *h)
{
	static char text[16384];
	FILE *f = fmemopen(text, sizeof(text), "w");
	assert_non_null(f);
	nft_text(h, f);
	assert_int_equal(fclose(f), 0);
	nft_house_free(h);
	return text;
}

/* What stands between the chain's head and its policy, in a house with this one rule. */
static void assert_becomes(const char *line, const char *want)
{
	struct nft_house h = house_of_one();
	assert_true(nft_client_rule(nft_house_client(&h, C1), 7, line, strlen(line)));
	char *text = text_of_house(&h);
	static const char head[] = "\tchain client-10.137.0.5 {\n";
	char *at = strstr(text, head);
	assert_non_null(at);
	at += strlen(head);
	char *end = strstr(at, "\t\tcounter reject with icmp admin-prohibited comment \"policy\"\n");
	assert_non_null(end);
	*end = 0;
	assert_string_equal(at, want);
}

static void test_rules(void **state)
{
#define ACCEPT " counter accept comment \"rule 0007\"\n"
#define REJECT " counter reject with icmp admin-prohibited comment \"rule 0007\"\n"
	static const struct { const char *line, *want; } rows[] = {
		{ "action=accept", "\t\tcounter accept comment \"rule 0007\"\n" },
		{ "action=accept dst4=0.0.0.0/0", "\t\tcounter accept comment \"rule 0007\"\n" },
		{ "action=drop dst4=10.1.2.3/9", "\t\tip daddr 10.0.0.0/9" REJECT },
		{ "action=accept dst4=10.1.2.3/32 proto=tcp", "\t\tip daddr 10.1.2.3 meta l4proto tcp" ACCEPT },
		{ "action=accept proto=tcp dstports=80-90", "\t\ttcp dport 80-90" ACCEPT },
		{ "action=accept proto=udp dstports=53-53", "\t\tudp dport 53" ACCEPT },
		{ "action=accept proto=tcp dstports=0-65535", "\t\tmeta l4proto tcp" ACCEPT },
		{ "action=accept proto=tcp dstports=0-0", "\t\ttcp dport 0" ACCEPT },
		{ "action=accept dstports=65535-65535", "\t\ttcp dport 65535" ACCEPT "\t\tudp dport 65535" ACCEPT },
		{ "action=accept dstports=0-65535", "\t\tmeta l4proto tcp" ACCEPT "\t\tmeta l4proto udp" ACCEPT },
		{ "action=drop proto=icmp icmptype=0", "\t\ticmp type 0" REJECT },
		{ "action=drop proto=icmp", "\t\tmeta l4proto icmp" REJECT },
		{ "action=accept specialtarget=dns",
		  "\t\tip daddr @dns tcp dport 53" ACCEPT "\t\tip daddr @dns udp dport 53" ACCEPT },
		{ "action=accept proto=udp specialtarget=dns dstports=53-53", "\t\tip daddr @dns udp dport 53" ACCEPT },
		{ "action=drop proto=udp specialtarget=dns dstports=53-54",
		  "\t\t# rule 0007: no packet to a name server is meant by it\n" },
		{ "action=drop proto=icmp specialtarget=dns",
		  "\t\t# rule 0007: no packet to a name server is meant by it\n" },
		{ "action=accept dsthost=a.example proto=tcp",
		  "\t\t# rule 0007: a.example is not resolved, so it permits nothing\n" },
		{ "action=drop dsthost=a.example proto=tcp",
		  "\t\t# rule 0007: a.example is not resolved, so it forbids every destination\n"
		  "\t\tmeta l4proto tcp" REJECT },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++)
		assert_becomes(rows[i].line, rows[i].want);
}

static void test_names_that_are_known(void **state)
{
	static const char line[] = "action=accept dsthost=a.example proto=tcp dstports=443-443";
	struct nft_house h = house_of_one();
	(void)state;
	nft_client_rule(nft_house_client(&h, C1), 7, line, strlen(line));
	nft_client_name(nft_house_client(&h, C1), "b.example", "{'192.0.2.9/32'}");
	nft_client_name(nft_house_client(&h, C1), "a.example", "{'192.0.2.1/32', '192.0.2.2/32', 'x', '192.0.2.1/32'}");
	char *text = text_of_house(&h);
	assert_non_null(strstr(text, "\t\tip daddr 192.0.2.1 tcp dport 443" ACCEPT "\t\tip daddr 192.0.2.2 tcp dport 443" ACCEPT
				     "\t\tcounter reject"));
	assert_null(strstr(text, "192.0.2.9"));
}

static void test_closed_clients(void **state)
{
	struct nft_house h = house_of_one();
	struct nft_client *c = nft_house_client(&h, C1);
	(void)state;
	assert_true(nft_client_rule(c, 0, "action=accept", 13));
	assert_false(nft_client_rule(c, 1, "action=maybe", 12));
	assert_true(c->closed);
	nft_house_client(&h, ip_v4(10, 137, 0, 6)); /* nobody gave it rules */
	nft_house_away(&h, " 10.137.0.5 10.137.0.9  fd00::1 x 10.137.0.9");
	nft_house_finish(&h);
	assert_int_equal(h.aways, 1);
	char *text = text_of_house(&h);
	assert_non_null(strstr(text, "chain client-10.137.0.5 {\n\t\t# closed: rule 0001, column 8: action is neither"));
	assert_null(strstr(text, "rule 0000"));
	assert_non_null(strstr(text, "chain client-10.137.0.6 {\n\t\t# closed: it has no rules\n"));
	assert_non_null(strstr(text, "elements = { 10.137.0.5,\n\t\t\t10.137.0.6,\n\t\t\t10.137.0.9 }"));
}

static void add_rule(struct nft_house *h, enum rule_kind kind, unsigned number, const char *line)
{
	assert_true(nft_client_rule(nft_house_client(h, cross_owner(kind)), number, line, strlen(line)));
}

static void test_crossing(void **state)
{
	struct nft_house h = house_of_one();
	(void)state;
	assert_true(nft_house_uplink(&h, "up0=10.0.0.2"));
	assert_false(nft_house_uplink(&h, "up0="));
	assert_false(nft_house_uplink(&h, "up 0"));
	assert_true(nft_house_port(&h, "c2=10.137.0.6"));
	add_rule(&h, RULE_INBOUND, 0, "action=drop src4=192.0.2.0/24");
	add_rule(&h, RULE_INBOUND, 1, "action=accept proto=tcp dstports=2222 to=10.137.0.5:22");
	add_rule(&h, RULE_INBOUND, 2, "action=accept proto=udp dstports=5000-5001 to=10.137.0.6:6000-6001");
	add_rule(&h, RULE_INBOUND, 3, "action=accept dstports=80-90 to=10.137.0.6");
	add_rule(&h, RULE_INBOUND, 4, "action=accept proto=tcp dstports=9 to=10.137.0.9");
	add_rule(&h, RULE_BETWEEN, 7, "action=drop src4=10.137.0.5 proto=icmp icmptype=8");
	add_rule(&h, RULE_BETWEEN, 8, "action=accept src4=10.137.0.5 dst4=10.137.0.6 proto=tcp dstports=22");
	char *text = text_of_house(&h);
	static const char *const want[] = {
		"\tchain inbound {\n\t\ttype nat hook prerouting priority -100; policy accept;\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 ip saddr 192.0.2.0/24 meta l4proto tcp counter accept comment \"rule 0000\"\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 ip saddr 192.0.2.0/24 meta l4proto udp counter accept comment \"rule 0000\"\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 tcp dport 2222 counter dnat to 10.137.0.5:22 comment \"rule 0001\"\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 udp dport 5000 counter dnat to 10.137.0.6:6000 comment \"rule 0002\"\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 udp dport 5001 counter dnat to 10.137.0.6:6001 comment \"rule 0002\"\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 tcp dport 80-90 counter dnat to 10.137.0.6 comment \"rule 0003\"\n",
		"\t\t# rule 0004: nobody is there\n"
		"\t\tiifname \"up0\" ip daddr 10.0.0.2 tcp dport 9 counter accept comment \"rule 0004\"\n",
		"\t\tiifname \"c1\" oifname \"c1\" counter drop\n\t\tiifname \"c2\" oifname \"c2\" counter drop\n",
		"\t\tip saddr 10.137.0.5 icmp type 8 counter reject with icmp admin-prohibited comment \"rule 0007\"\n"
		"\t\tip saddr 10.137.0.5 ip daddr 10.137.0.6 tcp dport 22 counter accept comment \"rule 0008\"\n\t\tcounter drop\n",
		"\tchain client-out {\n\t\toifname @ports goto between-clients\n\t\tip daddr @clients counter drop\n",
		"\t\tiifname \"up0\" ct status dnat counter accept\n",
	};
	for (size_t i = 0; i < array_len(want); i++)
		if (!strstr(text, want[i]))
			fail_msg("no %s in\n%s", want[i], text);
	/* one bad line switches all of its kind off */
	h = house_of_one();
	add_rule(&h, RULE_INBOUND, 0, "action=accept proto=tcp dstports=2222 to=10.137.0.5:22");
	assert_false(nft_client_rule(nft_house_client(&h, cross_owner(RULE_INBOUND)), 1, "action=accept", 13));
	text = text_of_house(&h);
	assert_null(strstr(text, "dnat"));
	assert_null(strstr(text, "between"));
}

/* Where an operator stopped a client, Linux does not let it through. */
static void test_isolated_clients(void **state)
{
	static const char out[] = "\t\tip saddr 10.137.0.5 counter drop\n", in[] = "\t\tip daddr 10.137.0.5 counter drop\n";
	struct nft_house h = house_of_one();
	(void)state;
	assert_true(nft_client_rule(nft_house_client(&h, C1), 0, "action=accept", 13));
	nft_house_isolate(&h, C1);
	nft_house_finish(&h);
	char *text = text_of_house(&h), *from = strstr(text, "chain from-client {"), *forward = strstr(text, "chain forward {");
	assert_non_null(from);
	assert_non_null(strstr(from, out));
	assert_true(strstr(from, out) < strstr(from, "}"));
	assert_non_null(forward);
	assert_non_null(strstr(forward, in));
	assert_true(strstr(forward, in) < strstr(forward, "client-out"));
	assert_non_null(strstr(text, "# closed: it is isolated"));
	assert_null(strstr(text, "rule 0000"));

	h = house_of_one();
	h.panic = true;
	assert_true(nft_house_port(&h, "c2=10.137.0.6"));
	nft_house_finish(&h);
	text = text_of_house(&h);
	assert_non_null(strstr(text, out));
	assert_non_null(strstr(text, "\t\tip saddr 10.137.0.6 counter drop\n"));
}

/* Linux ends none: whoever reads it is told. */
static void test_rules_that_end(void **state)
{
	static const char line[] = "action=accept proto=tcp expire=4000000000";
	struct nft_house h = house_of_one();
	(void)state;
	assert_true(nft_client_rule(nft_house_client(&h, C1), 7, line, strlen(line)));
	assert_non_null(strstr(text_of_house(&h), "\t\t# rule 0007: ends at 4000000000, but here only with the next export\n"
						  "\t\tmeta l4proto tcp" ACCEPT));
}

static void test_one_client_only(void **state)
{
	struct nft_house h = house_of_one();
	(void)state;
	assert_true(nft_house_port(&h, "c2=10.137.0.6,10.137.0.7"));
	nft_house_only(&h, C1);
	nft_house_finish(&h);
	assert_int_equal(h.clients, 1);
	assert_int_equal(h.aways, 2); /* still nobody may use their addresses */
	nft_house_free(&h);
}

static void test_words(void **state)
{
	static const char *const bad[] = { "", "c1", "c1=", "=10.0.0.1", "c1=10.0.0.1,", "c 1=10.0.0.1", "c1=fd00::1",
					   "abcdefghijklmnop=10.0.0.1", "c\"1=10.0.0.1", "c1=10.0.0.1 " };
	struct nft_house h = { 0 };
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(nft_house_port(&h, bad[i]));
	assert_true(nft_house_port(&h, "abcdefghijklmno=10.0.0.1"));
	assert_false(nft_house_dns(&h, "10.0.0"));
	for (int i = 0; i < 4; i++)
		assert_true(nft_house_dns(&h, "10.0.0.1"));
	assert_false(nft_house_dns(&h, "10.0.0.1"));
	nft_house_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_names_that_are_known),
		cmocka_unit_test(test_closed_clients),
		cmocka_unit_test(test_isolated_clients),
		cmocka_unit_test(test_rules_that_end),
		cmocka_unit_test(test_one_client_only),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
