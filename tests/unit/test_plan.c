/* links: tools/plan.c tools/setlist.c rules/sets.c tools/ruletree.c tools/rulefile.c tools/storeclient.c rules/rule.c rules/qvm_rule.c rules/cross_line.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Files for many clients: what they mean, where they are wrong, and what changes between two. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static bool parse(struct plan *plan, const char *text, bool heads, char **errors)
{
	size_t n;
	FILE *to = open_memstream(errors, &n);
	struct rulefile_source s = { .name = "f", .text = text, .len = strlen(text), .now = 1000 };
	bool good = plan_parse(plan, &s, heads, to);
	fclose(to);
	return good;
}

/* "IP policy N=RULE;" for each client. */
static void show(const struct plan *plan, char *to, size_t room)
{
	size_t at = 0;
	to[0] = 0;
	for (size_t i = 0; i < plan->sets.count; i++)
		at += (size_t)snprintf(to + at, room - at, "@%s %s\n", plan->sets.set[i].name, plan->sets.set[i].members);
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_client *c = &plan->client[i];
		at += (size_t)snprintf(to + at, room - at, "%s %s ", c->ip, *c->policy ? c->policy : "-");
		for (size_t n = 0; n < c->rules.count; n++)
			at += (size_t)snprintf(to + at, room - at, "%u=%s;", c->rules.line[n].number, c->rules.line[n].text);
		at += (size_t)snprintf(to + at, room - at, "\n");
	}
}

static const struct {
	const char *text;
	const char *means; /* NULL: it is wrong, and the message starts with */
	const char *says;
} files[] = {
	{ "", "", NULL },
	{ "# nothing\n", "", NULL },
	{ "[10.137.0.5]\n", "10.137.0.5 drop \n", NULL },
	{ "\t[ 10.137.0.5 ] # work\n policy accept\n accept - dns\ndrop\n",
	  "10.137.0.5 accept 0=action=accept specialtarget=dns;1=action=drop;\n", NULL },
	{ "[10.137.0.5]\naccept\n[fd00:0::5]\naccept 2001:db8::/32\ndrop 10.0.0.1\npolicy drop",
	  "10.137.0.5 drop 0=action=accept;\nfd00::5 drop 0=action=accept dst6=2001:db8::/32;\n", NULL },
	{ "[inbound]\naccept tcp 2222 to 10.137.0.5:22\n[10.137.0.5]\ndrop tcp 22\n",
	  NULL, "f:4:6: the destination comes first" },
	{ "[inbound]\naccept tcp 2222 to 10.137.0.5:22\n[ between ]\naccept 10.137.0.5 - icmp 8\n[10.137.0.5]\n",
	  "inbound - 0=action=accept proto=tcp dstports=2222-2222 to=10.137.0.5:22;\n"
	  "between - 0=action=accept src4=10.137.0.5/32 proto=icmp icmptype=8;\n10.137.0.5 drop \n", NULL },
	{ "[inbound]\n[between]\ndrop label=x expire=900\ndrop expire=1100", "inbound - \nbetween - 1=action=drop expire=1100;\n", NULL },
	{ "set office 192.0.2.9/32 10.0.0.0/8\t192.0.2.9 # ours\nset v6\n[10.137.0.5]\naccept @office\n",
	  "@office 10.0.0.0/8 192.0.2.9\n@v6 \n10.137.0.5 drop 0=action=accept dstset=office;\n", NULL },
	{ "set a 2001:db8::/32 10.0.0.1/24 10.0.0.1\n", "@a 10.0.0.1/24 10.0.0.1 2001:db8::/32\n", NULL },
	{ "set\n", NULL, "f:1:4: not the name of a set" },
	{ "set a/b 10.0.0.1\n", NULL, "f:1:5: not the name of a set" },
	{ "set a 10.0.0.1  10.0.0.256\n", NULL, "f:1:17: not a network" },
	{ "set a 10.0.0.1\nset a 10.0.0.2\n", NULL, "f:2:5: this set was here before" },
	{ "[10.137.0.5]\nset a 10.0.0.1\n", NULL, "f:2:1: sets stand before" },
	{ "[inbound]\npolicy accept\n", NULL, "f:2:1: no policy here" },
	{ "[inbound]\naccept 10.0.0.1 tcp 80\n", NULL, "f:2:8: proto is none of" },
	{ "[between]\naccept tcp\n", NULL, "f:2:8: not an IPv4 network 'tcp'" },
	{ "[inbound]\n[between]\n[inbound]\n", NULL, "f:3:2: this client was here before" },
	{ "[inbounds]\n", NULL, "f:1:9: ']' is missing" },
	{ "accept\n", NULL, "f:1:1: whose rule?" },
	{ "[10.137.0.5\n", NULL, "f:1:12: ']' is missing" },
	{ "[carrot]\n", NULL, "f:1:2: not the address" },
	{ "[]\n", NULL, "f:1:2: not the address" },
	{ "[", NULL, "f:1:2: not the address" },
	{ "[10.0.0.1] accept\n", NULL, "f:1:12: nothing may follow" },
	{ "[10.0.0.1]\n[10.0.0.2]\n[10.0.0.1]\n", NULL, "f:3:2: this client was here before" },
	{ "[10.0.0.1]\npolicy\n", NULL, "f:2:7: a policy is" },
	{ "[10.0.0.1]\npolicy acept\n", NULL, "f:2:8: a policy is accept or drop (did you mean 'accept'?)" },
	{ "[10.0.0.1]\npolicy drop now\n", NULL, "f:2:13: nothing may follow" },
	{ "[10.0.0.1]\npolicy drop\npolicy drop\n", NULL, "f:3:1: this client has a policy" },
	{ "[10.0.0.1]\naccept 10.0.0.2 tcp 9-8\n", NULL, "f:2:21: ports" },
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct plan plan;
		char *errors, shown[1024];
		bool good = parse(&plan, files[i].text, true, &errors);
		if (good != (files[i].means != NULL))
			fail_msg("%s: %s", files[i].text, errors);
		if (good) {
			show(&plan, shown, sizeof(shown));
			assert_string_equal(shown, files[i].means);
			assert_string_equal(errors, "");
		} else {
			assert_memory_equal(errors, files[i].says, strlen(files[i].says));
		}
		plan_free(&plan);
		free(errors);
	}
}

static void test_one_client_without_a_head(void **state)
{
	(void)state;
	struct plan plan;
	char *errors, shown[128];
	assert_true(parse(&plan, "accept\n", false, &errors));
	show(&plan, shown, sizeof(shown));
	assert_string_equal(shown, " drop 0=action=accept;\n");
	plan_free(&plan);
	free(errors);
}

static void test_too_many_clients(void **state)
{
	(void)state;
	struct plan plan;
	char *errors, *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	for (int i = 0; i <= PLAN_CLIENTS_MAX; i++)
		fprintf(to, "[10.1.%d.%d]\n", i / 256, i % 256);
	fclose(to);
	assert_false(parse(&plan, text, true, &errors));
	assert_memory_equal(errors, "f:257:2: more than 256", 22);
	plan_free(&plan);
	free(errors);
	free(text);
}

static void test_difference(void **state)
{
	(void)state;
	struct plan now, wanted, change;
	char *a, *b, shown[512];
	assert_true(parse(&now, "[10.0.0.1]\naccept\n[10.0.0.2]\naccept\n[10.0.0.3]\ndrop\n", true, &a));
	assert_true(parse(&wanted, "[10.0.0.4]\naccept\n[10.0.0.1]\naccept\n[10.0.0.2]\npolicy accept\naccept\n", true, &b));
	plan_difference(&change, &now, &wanted);
	show(&change, shown, sizeof(shown));
	assert_string_equal(shown, "10.0.0.4 drop 0=action=accept;\n10.0.0.2 accept 0=action=accept;\n10.0.0.3 - \n");
	plan_free(&change);
	plan_difference(&change, &now, &now);
	assert_int_equal(change.count, 0);
	plan_free(&change);
	plan_free(&now);
	plan_free(&wanted);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_one_client_without_a_head),
		cmocka_unit_test(test_too_many_clients),
		cmocka_unit_test(test_difference),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
