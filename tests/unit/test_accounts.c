/* links: firewall/accounts.c rules/rule_id.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c */
// SPDX-License-Identifier: ISC
/* test_accounts.c: ids, the pool, and counters against a list that knows every packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "accounts.h"

enum { POOL = 6, NAMES = 12, FLOWS = 32, STEPS = 300000 };

static const struct secret secret = { { 3, 4 }, 0 };
static void *memory;

static int make(void **state)
{
	size_t bytes = accounts_bytes(POOL);
	memory = malloc(bytes);
	struct arena a = { memory, bytes };
	*state = accounts_new(&a, &secret, POOL);
	return *state ? 0 : -1;
}

static int unmake(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static struct parsed_rule parse(const char *line)
{
	struct parsed_rule p;
	struct rule_error err;
	assert_true(rule_parse(line, strlen(line), false, &p, &err));
	return p;
}

static uint16_t account(struct accounts *a, uint8_t client, const char *line)
{
	struct parsed_rule p = parse(line);
	return accounts_of_rule(a, ip_v4(10, 137, 0, client), &p);
}

static const char *id_of(const struct accounts *a, uint16_t at)
{
	static char buffer[RULE_ID_TEXT];
	struct text t = text_on(buffer);
	accounts_id(a, at, &t);
	assert_false(t.cut);
	return buffer;
}

/* --- ids ---------------------------------------------------------------------------- */

static void test_same_rule_same_id(void **state)
{
	struct accounts *a = *state;
	static const char *const same[] = {
		"action=accept dst4=10.0.0.0/8 proto=tcp dstports=80-80",
		"proto=tcp dstports=80 action=accept dst4=10.0.0.0/8",
		"action=accept dst4=10.0.0.0/8 proto=tcp dstports=80-80 expire=1900000000",
	};
	static const char *const other[] = {
		"action=drop dst4=10.0.0.0/8 proto=tcp dstports=80-80",
		"action=accept dst4=10.0.0.0/9 proto=tcp dstports=80-80",
		"action=accept dst4=10.0.0.0/8 proto=tcp dstports=80-81",
		"action=accept dst4=10.0.0.0/8 proto=tcp dstports=80-80 label=web",
	};
	uint16_t at = account(a, 5, same[0]);
	char id[RULE_ID_TEXT];
	strcpy(id, id_of(a, at));
	assert_int_equal(strlen(id), 10);
	assert_memory_equal(id, "r-", 2);
	for (size_t i = 0; i < array_len(same); i++)
		assert_int_equal(account(a, 5, same[i]), at);
	for (size_t i = 0; i < array_len(other); i++)
		assert_string_not_equal(id_of(a, account(a, 5, other[i])), id);
	assert_string_not_equal(id_of(a, account(a, 6, same[0])), id);
	/* it is written into files and other machines' logs: it must never change */
	struct parsed_rule p = parse("action=drop");
	assert_int_equal(rule_id_hash(ip_v4(10, 137, 0, 5), &p), 0x3676d755);
}

static void test_labels(void **state)
{
	struct accounts *a = *state;
	uint16_t web = account(a, 5, "action=accept proto=tcp dstports=80-80 label=web");
	assert_string_equal(id_of(a, web), "web");
	assert_true(accounts_labelled(a, web));
	/* whatever the rule says, and whichever line it is; but another client's is another */
	assert_int_equal(account(a, 5, "action=accept proto=tcp dstports=443-443 label=web"), web);
	assert_int_equal(accounts_next_line(a, web, 1), web);
	assert_int_equal(accounts_next_line(a, web, 1), web);
	assert_int_not_equal(account(a, 6, "action=accept proto=tcp dstports=80-80 label=web"), web);
	uint16_t longest = account(a, 5, "action=drop label=abcdefghijklmnopqrstuvwx");
	assert_string_equal(id_of(a, longest), "abcdefghijklmnopqrstuvwx");
	uint16_t policy = accounts_of_policy(a, ip_v4(10, 137, 0, 5));
	assert_string_equal(id_of(a, policy), "policy");
	assert_int_not_equal(account(a, 5, "action=drop label=policy"), policy);
	assert_int_equal(accounts_of_policy(a, ip_v4(10, 137, 0, 5)), policy);
	assert_string_equal(id_of(a, 0), "");
}

static void test_equal_lines(void **state)
{
	struct accounts *a = *state;
	uint16_t base = account(a, 5, "action=accept"), drop = account(a, 5, "action=drop");
	char first[RULE_ID_TEXT], second[RULE_ID_TEXT];
	strcpy(first, id_of(a, base));
	uint16_t two = 0;
	for (uint64_t set = 1; set <= 3; set++) {
		assert_int_equal(accounts_next_line(a, base, set), base);
		assert_int_equal(accounts_next_line(a, drop, set), drop);
		uint16_t again = accounts_next_line(a, base, set);
		assert_true(set == 1 || again == two);
		two = again;
		assert_int_not_equal(two, base);
		strcpy(second, id_of(a, two));
		assert_memory_equal(second, first, strlen(first));
		assert_string_equal(second + strlen(first), "#2");
		assert_string_equal(id_of(a, accounts_next_line(a, base, set)) + strlen(first), "#3");
	}
	assert_int_equal(accounts_next_line(a, 0, 9), 0);
}

/* --- the pool ------------------------------------------------------------------------ */

static void test_pool(void **state)
{
	struct accounts *a = *state;
	char line[64];
	uint16_t at[POOL];
	for (int i = 0; i < POOL; i++) {
		snprintf(line, sizeof(line), "action=drop label=l%d", i);
		at[i] = account(a, 5, line);
		assert_int_not_equal(at[i], 0);
		accounts_hold(a, at[i]);
	}
	assert_int_equal(accounts_free(a), 0);
	assert_int_equal(account(a, 5, "action=drop label=more"), 0);
	assert_int_equal(a->missed, 1);
	assert_true(accounts_show(a, 0).since_ns == 0);
	accounts_open(a, at[2], 7);
	accounts_release(a, at[2]); /* its flow keeps it */
	assert_int_equal(account(a, 5, "action=drop label=more"), 0);
	assert_int_equal(account(a, 5, "action=drop label=l2"), at[2]);
	const struct flow_sent sent[2] = { { 1, 60 }, { 0, 0 } };
	accounts_close(a, 0, at[2], sent, 8);
	assert_int_equal(accounts_free(a), 1);
	/* until its room is needed it goes on where it was */
	assert_int_equal(account(a, 5, "action=drop label=l2"), at[2]);
	assert_int_equal(accounts_show(a, at[2]).sent[0].packets, 1);
	assert_int_equal(account(a, 5, "action=drop label=more"), at[2]);
	assert_int_equal(accounts_show(a, at[2]).sent[0].packets, 0);
	assert_int_equal(accounts_show(a, at[2]).first_ns, 0);
	assert_true(accounts_valid(a, 0));
}

static void test_times(void **state)
{
	struct accounts *a = *state;
	accounts_clock(a, 50);
	uint16_t at = account(a, 5, "action=accept");
	struct account_view v = accounts_show(a, at);
	assert_true(v.since_ns == 50 && v.first_ns == 0 && v.last_ns == 0);
	accounts_hold(a, at);
	accounts_refuse(a, at, 60);
	accounts_open(a, at, 70);
	v = accounts_show(a, at);
	assert_true(v.first_ns == 60 && v.last_ns == 70 && v.refused == 1 && v.flows == 1 && v.live == 1);
	const struct flow_sent sent[2] = { { 2, 120 }, { 1, 60 } };
	accounts_reckon(a);
	accounts_reckon_flow(a, 3, at, sent, 90);
	v = accounts_show(a, at);
	assert_true(v.last_ns == 90 && v.sent[0].packets == 2 && v.sent[1].bytes == 60);
	accounts_close(a, 3, at, sent, 95);
	v = accounts_show(a, at);
	assert_true(v.last_ns == 95 && v.sent[0].packets == 2 && v.sent[1].bytes == 60 && v.live == 0);
}

/* --- against a list that knows every packet -------------------------------------------- */

struct known {
	uint16_t at;     /* 0: none now */
	uint32_t held, live;
	uint64_t flows, refused;
	struct flow_sent all[2], visible[2]; /* visible: to the reckoning that runs or ran last */
};

struct slot {
	int name; /* -1: free */
	struct flow_sent sent[2];
};

struct world {
	struct accounts *a;
	struct known known[NAMES];
	struct slot slot[FLOWS];
	uint32_t walked;
	uint64_t now, random;
};

static uint32_t draw(struct world *w, uint32_t bound)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->random >> 33) % bound;
}

static bool is_kept(const struct known *k)
{
	return k->held > 0 || k->live > 0;
}

/* Asks for the account of a name; who had it before must have let go of it. */
static void ask(struct world *w, uint32_t name)
{
	char line[64];
	struct known *mine = &w->known[name];
	snprintf(line, sizeof(line), "action=accept proto=tcp dstports=%u", name / 2 + 1);
	uint16_t at = account(w->a, (uint8_t)(name % 2), line);
	if (at == mine->at && at != 0)
		return;
	assert_false(is_kept(mine));
	uint32_t kept = 0, others = 0;
	for (uint32_t i = 0; i < NAMES; i++) {
		kept += is_kept(&w->known[i]);
		if (at != 0 && w->known[i].at == at) {
			assert_false(is_kept(&w->known[i]));
			memset(&w->known[i], 0, sizeof(w->known[i]));
			others++;
		}
	}
	assert_true(others <= 1);
	assert_int_equal(at == 0, kept == POOL);
	if (at != 0) {
		memset(mine, 0, sizeof(*mine));
		mine->at = at;
	}
}

static void send(struct world *w, uint32_t slot)
{
	struct slot *s = &w->slot[slot];
	uint32_t dir = draw(w, 2), bytes = draw(w, 1500);
	struct known *k = &w->known[s->name];
	s->sent[dir].packets++;
	s->sent[dir].bytes += bytes;
	k->all[dir].packets++;
	k->all[dir].bytes += bytes;
	if (slot >= w->walked) {
		k->visible[dir].packets++;
		k->visible[dir].bytes += bytes;
	}
}

static void use_slot(struct world *w, uint32_t slot, uint32_t name)
{
	struct slot *s = &w->slot[slot];
	struct known *k = &w->known[name];
	bool can = k->held > 0;
	if (s->name < 0 && can) {
		*s = (struct slot){ .name = (int)name };
		accounts_open(w->a, k->at, w->now);
		k->live++;
		k->flows++;
		send(w, slot);
	} else if (s->name >= 0) {
		struct known *was = &w->known[s->name];
		switch (draw(w, 8)) {
		case 0:
			accounts_close(w->a, slot, was->at, s->sent, w->now);
			was->live--;
			s->name = -1;
			break;
		case 1:
			accounts_restart(w->a, slot, was->at, s->sent, w->now);
			memset(s->sent, 0, sizeof(s->sent));
			was->flows++;
			break;
		case 2:
			if (!can)
				break;
			accounts_move(w->a, slot, was->at, k->at, s->sent, w->now);
			k->flows += k != was;
			was->live--;
			k->live++;
			s->name = (int)name;
			break;
		default:
			send(w, slot);
		}
	}
}

static void check_shown(const struct world *w)
{
	for (uint32_t i = 0; i < NAMES; i++) {
		const struct known *k = &w->known[i];
		if (k->at == 0)
			continue;
		struct account_view v = accounts_show(w->a, k->at);
		assert_memory_equal(v.sent, k->visible, sizeof(v.sent));
		assert_int_equal(v.flows, k->flows);
		assert_int_equal(v.refused, k->refused);
		assert_int_equal(v.live, k->live);
	}
}

static void reckon_some(struct world *w)
{
	if (w->walked == FLOWS) {
		check_shown(w);
		accounts_reckon(w->a);
		w->walked = 0;
		for (uint32_t i = 0; i < NAMES; i++)
			memcpy(w->known[i].visible, w->known[i].all, sizeof(w->known[i].all));
	}
	uint32_t end = w->walked + 1 + draw(w, 8);
	end = end < FLOWS ? end : FLOWS;
	for (; w->walked < end; w->walked++) {
		const struct slot *s = &w->slot[w->walked];
		if (s->name >= 0)
			accounts_reckon_flow(w->a, w->walked, w->known[s->name].at, s->sent, w->now);
	}
	accounts_reckoned(w->a, end);
	if (end == FLOWS)
		check_shown(w);
}

static void test_against_list(void **state)
{
	static struct world w;
	w = (struct world){ .a = *state, .walked = FLOWS, .random = 11 };
	for (uint32_t i = 0; i < FLOWS; i++)
		w.slot[i].name = -1;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t name = draw(&w, NAMES), what = draw(&w, 40), live = 0;
		struct known *k = &w.known[name];
		w.now++;
		if (what < 3) {
			ask(&w, name);
		} else if (what < 6 && k->at != 0) {
			ask(&w, name);
			accounts_hold(w.a, k->at);
			k->held++;
		} else if (what < 10 && k->held > 0) {
			accounts_release(w.a, k->at);
			k->held--;
		} else if (what == 10 && k->held > 0) {
			accounts_refuse(w.a, k->at, w.now);
			k->refused++;
		} else if (what < 13) {
			reckon_some(&w);
		} else {
			use_slot(&w, draw(&w, FLOWS), name);
		}
		for (uint32_t i = 0; step % 64 == 0 && i < NAMES; i++)
			live += w.known[i].live;
		assert_true(step % 64 != 0 || accounts_valid(w.a, live));
	}
	assert_true(w.a->missed > 0 && w.a->reckoning > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_rule_same_id, make, unmake),
		cmocka_unit_test_setup_teardown(test_labels, make, unmake),
		cmocka_unit_test_setup_teardown(test_equal_lines, make, unmake),
		cmocka_unit_test_setup_teardown(test_pool, make, unmake),
		cmocka_unit_test_setup_teardown(test_times, make, unmake),
		cmocka_unit_test_setup_teardown(test_against_list, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
