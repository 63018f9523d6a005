/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/*
 * test_rulereport.c: what real packets leave in the accounts of rules, through changes of rules of every kind, against
 * a list of all that was sent; and the lines that tell it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lab.h"
#include "rulereport.h"
#include "status.h"

enum {
	FLOWS = 64, STEPS = 4000, ANSWER_BYTES = 1 << 16,
	ALL = 5, POLICY, KINDS, /* behind the rules for one port each: one for all of them, and the policy */
};

static const struct ip_addr *client(void)
{
	static struct ip_addr ip;
	ip = ip_v4(10, 137, 0, 5);
	return &ip;
}

static struct frame *send(struct lab *l, uint16_t sport, uint16_t dport)
{
	struct lab_packet p = { .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = *client(), .to = ip_v4(192, 0, 2, 1),
				.proto = PROTO_UDP, .ttl = 64, .sport = sport, .dport = dport };
	return lab_send(l, &p);
}

static void drain(struct lab *l)
{
	for (struct frame *f; (f = lab_take(l));)
		lab_give(l, f);
}

static struct lab *ready(void)
{
	struct lab *l = lab_new(FLOWS);
	struct frame_queue none = { 0 };
	neigh_set(l->fw.neigh, PORT_UPLINK, ip_v4(10, 0, 0, 1), LAB_GW_MAC, &none);
	return l;
}

/* The line of a rule as the appliance tells it, by its id or text. */
static const char *line_of(struct lab *l, const char *what)
{
	static char all[ANSWER_BYTES], one[STATUS_LINE_BYTES];
	char id[80], text[480];
	lab_answer(l, "rules 10.137.0.5", all, sizeof(all));
	snprintf(id, sizeof(id), "\"id\":\"%s\"", what);
	snprintf(text, sizeof(text), "\"text\":\"%s\"", what);
	for (char *at = all, *end; (end = strchr(at, '\n')); at = end + 1) {
		snprintf(one, sizeof(one), "%.*s", (int)(end - at), at);
		if (strstr(one, id) || strstr(one, text))
			return one;
	}
	fail_msg("no %s in\n%s", what, all);
	return NULL;
}

static uint64_t member(const char *line, const char *name)
{
	char word[40];
	snprintf(word, sizeof(word), "\"%s\":", name);
	const char *at = strstr(line, word);
	assert_non_null(at);
	return strtoull(at + strlen(word), NULL, 10);
}

/* --- against a list ------------------------------------------------------------------------ */

struct oracle {
	uint64_t packets[KINDS], refused[KINDS]; /* by the rule that decided: that for a port, ALL or POLICY */
	uint64_t random;
};

static uint32_t draw(struct oracle *o, uint32_t bound)
{
	o->random = o->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(o->random >> 33) % bound;
}

static const char *text_for(uint32_t port, bool drop)
{
	static char line[80];
	if (port == POLICY)
		return "policy";
	if (port == ALL)
		return "action=accept proto=udp";
	snprintf(line, sizeof(line), "action=%s proto=udp dstports=%u-%u", drop ? "drop" : "accept", 80 + port, 80 + port);
	return line;
}

/*
 * Rules for some of the ports, in some order, and now and then one before them that takes all of their flows over. A
 * drop rule is another one than the accept rule for its port.
 */
static void change(struct lab *l, struct oracle *o, char now[KINDS])
{
	static char text[ALL][80];
	const char *lines[ALL + 2];
	uint32_t n = 0, from = draw(o, ALL);
	memset(now, 0, KINDS);
	now[POLICY] = 'd';
	if (draw(o, 3) == 0) {
		now[ALL] = 'a';
		lines[n++] = text_for(ALL, false);
	}
	for (uint32_t i = 0; i < ALL; i++) {
		uint32_t port = (from + i) % ALL, what = draw(o, 3);
		if (what == 0)
			continue;
		now[port] = what == 1 ? 'a' : 'd';
		lines[n++] = strcpy(text[i], text_for(port, what == 2));
	}
	lines[n] = NULL;
	lab_rules(l, *client(), VERDICT_DROP, lines);
}

/* Held, released, kept, taken back: what is in force is `now` then. */
static void change_somehow(struct lab *l, struct oracle *o, char now[KINDS])
{
	char aside[KINDS];
	switch (draw(o, 4)) {
	case 0:
		policy_hold(l->policy);
		change(l, o, aside);
		policy_abandon(l->policy);
		return;
	case 1:
		policy_hold(l->policy);
		change(l, o, aside);
		policy_release(l->policy, true);
		policy_revert(l->policy);
		break;
	case 2:
		policy_hold(l->policy);
		change(l, o, now);
		policy_release(l->policy, true);
		policy_settle(l->policy);
		break;
	case 3:
		change(l, o, now);
	}
	fw_rules_changed(&l->fw);
}

/* Of rules that are in force all was counted; who knows which flows were cut has their packets too. */
static void check(struct lab *l, const struct oracle *o, const char now[KINDS])
{
	for (uint32_t port = 0; port < KINDS; port++) {
		if (!now[port])
			continue;
		bool drop = now[port] == 'd';
		const char *line = line_of(l, text_for(port, drop));
		assert_int_equal(member(line, "packets"), drop ? 0 : o->packets[port]);
		assert_int_equal(member(line, "up_bytes"), drop ? 0 : 28 * o->packets[port]);
		assert_int_equal(member(line, "refused"), drop ? o->refused[port] : 0);
	}
}

static void test_against_list(void **state)
{
	struct lab *l = ready();
	struct oracle o = { .random = 5 };
	char now[KINDS];
	(void)state;
	change(l, &o, now);
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t port = draw(&o, ALL), what = draw(&o, 100);
		if (what == 0)
			change_somehow(l, &o, now);
		else if (what < 3)
			lab_after(l, UINT64_C(31000000000)); /* flows end */
		else {
			struct frame *f = send(l, (uint16_t)(1000 + draw(&o, 40)), (uint16_t)(80 + port));
			if (f)
				lab_give(l, f);
			uint32_t by = now[ALL] ? ALL : now[port] ? port : POLICY;
			o.packets[by] += now[by] == 'a';
			o.refused[by] += now[by] == 'd';
			drain(l);
		}
		if (what < 3)
			check(l, &o, now);
	}
	assert_true(ct_valid(l->fw.ct));
	lab_free(l);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void test_lines(void **state)
{
	static const char *const lines[] = { "action=accept proto=udp dstports=53-53 label=names", "action=drop", NULL };
	struct lab *l = ready();
	char all[ANSWER_BYTES], expected[STATUS_LINE_BYTES], id[RULE_ID_TEXT];
	(void)state;
	lab_rules(l, *client(), VERDICT_DROP, lines);
	lab_after(l, UINT64_C(5000000000));
	lab_give(l, send(l, 1000, 53));
	drain(l);
	lab_after(l, UINT64_C(3000000000));
	const char *line = line_of(l, "names");
	assert_non_null(strstr(line, "{\"type\":\"rule\",\"client\":\"10.137.0.5\",\"rule\":0,\"id\":\"names\",\"text\":"
				     "\"action=accept proto=udp dstports=53-53 label=names\",\"labelled\":true,\"packets\":1,"
				     "\"bytes\":28,\"up_packets\":1,\"up_bytes\":28,\"down_packets\":0,\"down_bytes\":0,"
				     "\"flows\":1,\"live\":1,\"refused\":0,"));
	assert_non_null(strstr(line, "\"first_s\":3,\"last_s\":3}"));
	line = line_of(l, "action=drop");
	assert_non_null(strstr(line, "\"rule\":1,\"id\":\"r-"));
	assert_null(strstr(line, "last_s"));
	snprintf(id, sizeof(id), "%.10s", strstr(line, "r-"));
	assert_non_null(strstr(line_of(l, "policy"), "\"rule\":\"policy\",\"id\":\"policy\",\"text\":\"policy=drop\""));
	send(l, 1000, 54);
	drain(l);
	snprintf(expected, sizeof(expected), "\"rule_id\":\"%s\"", id);
	lab_answer(l, "explain 10.137.0.5 udp 10.137.0.5 1 192.0.2.1 54", all, sizeof(all));
	assert_non_null(strstr(all, expected));
	lab_answer(l, "flows", all, sizeof(all));
	assert_non_null(strstr(all, "\"rule\":0,") && strstr(all, "\"rule_id\":\"names\"") ? all : NULL);
	assert_int_equal(member(line_of(l, id), "refused"), 1);
	lab_answer(l, "rules", all, sizeof(all));
	assert_non_null(strstr(all, "{\"type\":\"accounts\",\"capacity\":"));
	assert_non_null(strstr(all, "\"missed\":0}"));
	lab_free(l);
}

/* A slot that goes on with a new connection has two flows' packets in its rule's account, each once. */
static void test_reopened(void **state)
{
	static const char *const lines[] = { "action=accept proto=tcp label=web", NULL };
	static const struct { uint8_t flags; uint32_t seq; } step[] = { { TCP_SYN, 1 }, { TCP_RST, 2 }, { TCP_SYN, 900000 } };
	struct lab *l = ready();
	(void)state;
	lab_rules(l, *client(), VERDICT_DROP, lines);
	for (size_t i = 0; i < array_len(step); i++) {
		struct lab_packet p = { .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = *client(),
					.to = ip_v4(192, 0, 2, 1), .proto = PROTO_TCP, .ttl = 64, .sport = 1000, .dport = 80,
					.flags = step[i].flags, .seq = step[i].seq };
		struct frame *f = lab_send(l, &p);
		assert_non_null(f);
		lab_give(l, f);
		drain(l);
		const char *line = line_of(l, "web");
		assert_int_equal(member(line, "packets"), i + 1);
		assert_int_equal(member(line, "flows"), i < 2 ? 1 : 2);
		assert_int_equal(member(line, "live"), 1);
	}
	assert_int_equal(ct_count(l->fw.ct), 1);
	lab_after(l, UINT64_C(300000000000));
	assert_int_equal(ct_count(l->fw.ct), 0);
	assert_int_equal(member(line_of(l, "web"), "packets"), array_len(step));
	assert_int_equal(member(line_of(l, "web"), "live"), 0);
	lab_free(l);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = { "rules ", "rulesx", "rules 10.137.0.5 ", "rules 10.137.0.999", "rules between ",
					   "rules 10.137.9.9", "rules inboun" };
	struct lab *l = ready();
	char all[ANSWER_BYTES];
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		lab_answer(l, bad[i], all, sizeof(all));
		if (!strstr(all, "\"type\":\"error\""))
			fail_msg("%s: %s", bad[i], all);
	}
	lab_free(l);
}

/* Rules that change under the answer are told again, and nothing of what was freed is looked at. */
static void test_change_under_the_answer(void **state)
{
	static const char *const one[] = { "action=accept label=one", NULL }, *const two[] = { "action=drop label=two", NULL };
	struct lab *l = ready();
	struct rule_report r;
	char line[STATUS_LINE_BYTES], all[ANSWER_BYTES] = "";
	bool changed = false;
	(void)state;
	lab_rules(l, *client(), VERDICT_DROP, one);
	assert_null(rule_report_begin(&r, &l->fw, " 10.137.0.5", 11));
	for (;;) {
		struct text t = text_on(line);
		if (!rule_report_next(&r, &l->fw, l->now_ns, &t))
			break;
		strcat(all, line);
		if (!changed && strstr(line, "\"one\"")) {
			lab_rules(l, *client(), VERDICT_DROP, two);
			changed = true;
		}
	}
	const char *again = strstr(all, "{\"type\":\"again\",\"client\":\"10.137.0.5\"}\n");
	assert_true(changed && again && strstr(again, "\"two\"") && !strstr(again, "\"one\""));
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_list),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_reopened),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_change_under_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
