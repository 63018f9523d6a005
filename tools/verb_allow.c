// SPDX-License-Identifier: ISC
/* postern allow, revoke: rules for a while. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "applystore.h"
#include "columns.h"
#include "generations.h"
#include "qvm_rule.h"
#include "ruletree.h"
#include "storesay.h"
#include "verboptions.h"
#include "verbs.h"

enum { LINE_MAX_BYTES = 1024, DAYS_MAX = 366 };

struct words {
	struct applystore_wish wish;
	bool list;
	char **operand;
	int operands;
};

static int parse(int argc, char **argv, struct words *w, bool *done)
{
	const struct verboption options[] = {
		{ "json", 'j', &w->wish.json, NULL }, { "store", 0, NULL, &w->wish.store },
		{ "list", 'l', &w->list, NULL },      { "reason", 'r', NULL, &w->wish.reason },
	};
	*w = (struct words){ .wish.expected = -1 };
	int code = verboptions_take(argc, argv, options, array_len(options), done);
	w->wish.store = storeclient_path(w->wish.store);
	w->operand = argv + optind;
	w->operands = argc - optind;
	return code;
}

/* --- times ---------------------------------------------------------------------------------- */

/* 30s 15m 2h 1d */
static bool parse_span(const char *from, uint64_t *seconds)
{
	static const struct { const char *unit; uint64_t s; } units[] = {
		{ "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 },
	};
	char *end;
	errno = 0;
	unsigned long long n = strtoull(from, &end, 10);
	for (size_t i = 0; i < array_len(units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		*seconds = n * units[i].s;
		return !errno && *from >= '0' && *from <= '9' && n > 0 && n <= DAYS_MAX * 86400ull / units[i].s;
	}
	return false;
}

/* HH:MM of today or tomorrow, YYYY-MM-DD or YYYY-MM-DDTHH:MM (or a blank for the T); local time. */
static bool parse_moment(const char *from, time_t now, time_t *at)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
	struct tm t;
	localtime_r(&now, &t);
	t.tm_sec = 0;
	const char *end = strptime(from, "%H:%M", &t);
	if (end && !*end) {
		t.tm_isdst = -1;
		*at = mktime(&t);
		t.tm_mday += *at <= now;
		t.tm_isdst = -1;
		*at = mktime(&t);
		return *at > now;
	}
	for (size_t i = 0; i < array_len(forms); i++) {
		t = (struct tm){ .tm_isdst = -1 };
		end = strptime(from, forms[i], &t);
		if (end && !*end) {
			*at = mktime(&t);
			return *at > now;
		}
	}
	return false;
}

/* --- what is there ------------------------------------------------------------------------------ */

/* An outward rule with a time; *rule's views are into line. */
static bool is_temporary(const struct plan_client *c, const struct rulefile_line *line, struct parsed_rule *rule)
{
	struct rule_error error;
	return !ruletree_is_own(c->ip) && rule_parse(line->text, strlen(line->text), strchr(c->ip, ':'), rule, &error) &&
	       rule->rule.expire;
}

static int list(const struct plan *plan, bool json)
{
	static const struct column columns[] = {
		{ "ID", "id", NULL, false }, { "CLIENT", "client", NULL, false }, { "LEFT", "left", NULL, true },
		{ "RULE", "rule", NULL, false },
	};
	json_t *rules = json_array(), *one;
	struct columns table;
	size_t k;
	int64_t now = time(NULL);
	for (size_t i = 0; i < plan->count; i++) {
		for (size_t n = 0; n < plan->client[i].rules.count; n++) {
			const struct rulefile_line *line = &plan->client[i].rules.line[n];
			struct parsed_rule p;
			char left[32];
			if (!is_temporary(&plan->client[i], line, &p) || p.rule.expire <= now)
				continue;
			long long s = (long long)p.rule.expire - now;
			snprintf(left, sizeof(left), s >= 3600 ? "%lldh%02lldm" : s >= 60 ? "%lldm%02llds" : "%lld%.0llds",
				 s >= 3600 ? s / 3600 : s >= 60 ? s / 60 : s, s >= 3600 ? s / 60 % 60 : s >= 60 ? s % 60 : 0);
			json_array_append_new(rules, json_pack("{s:s%, s:s, s:s, s:I, s:I, s:s}", "id", p.label ? p.label : "-",
							       p.label ? p.label_len : (size_t)1, "client",
							       plan->client[i].ip, "left", left, "left_s", (json_int_t)s,
							       "expire", (json_int_t)p.rule.expire, "rule", line->text));
		}
	}
	if (json)
		return answer_print(json_pack("{s:i, s:o}", "schema", 1, "rules", rules));
	columns_on(&table, columns, array_len(columns));
	json_array_foreach(rules, k, one)
		columns_add(&table, one);
	columns_print(&table, stdout);
	columns_free(&table);
	json_decref(rules);
	return EXIT_YES;
}

static bool has_label(const struct plan *plan, const char *label)
{
	char with[RULE_LABEL_MAX + 16];
	size_t n = (size_t)snprintf(with, sizeof(with), " label=%s", label);
	for (size_t i = 0; i < plan->count; i++) {
		for (size_t k = 0; k < plan->client[i].rules.count; k++) {
			const char *at = strstr(plan->client[i].rules.line[k].text, with);
			if (at && (!at[n] || at[n] == ' '))
				return true;
		}
	}
	return false;
}

/* --- changing -------------------------------------------------------------------------------------- */

/* What stands of a client without what has expired. */
static void copy_living(struct rulefile *to, const struct plan_client *c, const char *without)
{
	int64_t now = time(NULL);
	for (size_t n = 0; c && n < c->rules.count; n++) {
		const struct rulefile_line *line = &c->rules.line[n];
		struct parsed_rule p;
		bool temporary = is_temporary(c, line, &p);
		if (temporary && p.rule.expire <= now)
			continue;
		if (temporary && without && p.label && p.label_len == strlen(without) && !memcmp(p.label, without, p.label_len))
			continue;
		rulefile_keep(to, line->number, line->text);
	}
}

/* Number 0 is to be free: those in front move up, as far as there is no gap. */
static bool make_room(struct rulefile *f)
{
	uint32_t next = 0;
	for (size_t i = 0; i < f->count && f->line[i].number == next; i++)
		f->line[i].number = ++next;
	return next <= RULE_NUMBER_MAX;
}

/* A plan of that one client; the policy of a new one is drop. */
static struct rulefile *plan_one(struct plan *out, const struct plan_client *was, const char *ip)
{
	struct plan_client none = { .policy = "drop" };
	snprintf(none.ip, sizeof(none.ip), "%s", ip);
	if (was) {
		memcpy(none.policy, was->policy, sizeof(none.policy));
	}
	plan_add_copy(out, &none);
	return &out->client[0].rules;
}

static int allow(struct storeclient *c, const struct plan *now, struct words *w, const char *ip, struct qvm_rule *rule)
{
	struct plan plan = { .count = 0 };
	const struct plan_client *was = plan_find(now, ip);
	char label[RULE_LABEL_MAX + 1], buffer[RULE_TEXT];
	struct text t = text_on(buffer);
	if (rule->parsed.label) {
		snprintf(label, sizeof(label), "%.*s", (int)rule->parsed.label_len, rule->parsed.label);
		if (has_label(now, label))
			return complain(EXIT_CONFLICT, "there is a rule %s already", label);
	}
	for (unsigned n = 1; !rule->parsed.label && n; n++) {
		snprintf(label, sizeof(label), "allow-%u", n);
		if (!has_label(now, label))
			break;
	}
	rule->parsed.label = label;
	rule->parsed.label_len = strlen(label);
	rule_text(&t, &rule->parsed);
	struct rulefile *f = plan_one(&plan, was, ip);
	struct rulefile rest = { .count = 0 };
	copy_living(&rest, was, NULL);
	bool room = make_room(&rest);
	rulefile_keep(f, 0, buffer);
	for (size_t i = 0; i < rest.count; i++)
		rulefile_keep(f, rest.line[i].number, rest.line[i].text);
	rulefile_free(&rest);
	w->wish.id = label;
	int code = room ? applystore_send(c, &plan, &w->wish) : complain(EXIT_NO, "%s has 10000 rules already", ip);
	if (code == EXIT_YES && !w->wish.json)
		printf("%s: %s; `postern revoke %s` ends it sooner\n", label, buffer, label);
	plan_free(&plan);
	return code;
}

static int revoke(struct storeclient *c, const struct plan *now, struct words *w, const char *label)
{
	char reason[80];
	for (size_t i = 0; i < now->count; i++) {
		struct plan plan = { .count = 0 };
		const struct plan_client *was = &now->client[i];
		struct rulefile rest = { .count = 0 }, *f;
		if (ruletree_is_own(was->ip))
			continue;
		copy_living(&rest, was, NULL);
		f = plan_one(&plan, was, was->ip);
		copy_living(f, was, label);
		bool found = f->count < rest.count;
		rulefile_free(&rest);
		snprintf(reason, sizeof(reason), "%.24s revoked", label);
		if (!w->wish.reason)
			w->wish.reason = reason;
		int code = found ? applystore_send(c, &plan, &w->wish) : EXIT_YES;
		plan_free(&plan);
		if (found)
			return code;
	}
	return complain(EXIT_NO, "no temporary rule %s", label);
}

/* --- the verbs -------------------------------------------------------------------------------------- */

/* CLIENT RULE... for SPAN | until TIME [WHY]; the rule's words end in *line. */
static int take_words(struct words *w, char *ip, char line[LINE_MAX_BYTES], struct qvm_rule *rule)
{
	struct cursor in = cursor_of(w->operand[0], strlen(w->operand[0]));
	struct ip_addr client;
	struct rule_error fault;
	uint64_t span;
	time_t now = time(NULL), until;
	int at = 1;
	size_t len = (size_t)snprintf(line, LINE_MAX_BYTES, "accept");
	if (!parse_ip(&in, &client) || in.left)
		return complain(EXIT_USAGE, "%s: not the address of a client", w->operand[0]);
	struct text t = text_of(ip, IP_TEXT);
	text_ip(&t, client);
	if (!strcmp(w->operand[1], "drop"))
		return complain(EXIT_USAGE, "only what accepts has a place here: behind the client comes its destination");
	for (; at < w->operands && strcmp(w->operand[at], "for") && strcmp(w->operand[at], "until"); at++)
		len += (size_t)snprintf(line + len, len < LINE_MAX_BYTES ? LINE_MAX_BYTES - len : 0, " %s", w->operand[at]);
	if (at < 2 || len >= LINE_MAX_BYTES || w->operands - at < 2 || w->operands - at > 3)
		return verb_usage("allow");
	if (!strcmp(w->operand[at], "for")) {
		if (!parse_span(w->operand[at + 1], &span))
			return complain(EXIT_USAGE, "%s: not a time such as 30s, 15m, 2h or 1d", w->operand[at + 1]);
		until = now + (time_t)span;
	} else if (!parse_moment(w->operand[at + 1], now, &until)) {
		return complain(EXIT_USAGE, "%s: not a time to come (HH:MM, or YYYY-MM-DDTHH:MM)", w->operand[at + 1]);
	}
	if (until > now + (time_t)DAYS_MAX * 86400)
		return complain(EXIT_USAGE, "%s: more than %d days away", w->operand[at + 1], DAYS_MAX);
	if (w->operands - at == 3)
		w->wish.reason = w->operand[at + 2];
	const char *words = line + (strncmp(line, "accept accept ", 14) ? 0 : 7);
	if (qvm_rule_parse(words, strlen(words), rule, &fault) != QVM_RULE) {
		char buffer[RULE_ERROR_TEXT];
		struct text why = text_on(buffer);
		rule_error_text(&why, &fault);
		return complain(EXIT_USAGE, "'%s': %s", words, buffer);
	}
	if (rule->has_expire || rule->comment || rule->parsed.rule.action != VERDICT_ACCEPT)
		return complain(EXIT_USAGE, "'%s': action, expire= and comment= have no place here", words);
	if (rule->family == (ip_is_v4(client) ? QVM_V6_ONLY : QVM_V4_ONLY))
		return complain(EXIT_USAGE, "'%s': of another address family than %s", words, ip);
	rule->parsed.rule.expire = (uint32_t)until;
	return EXIT_YES;
}

/* With the store and what stands in it. */
static int run(struct words *w, const char *ip, struct qvm_rule *rule, const char *label)
{
	struct plan now = { .count = 0 };
	struct storeclient c;
	int code = storesay(storeclient_open(&c, w->wish.store, STORECLIENT_WAIT_MS), w->wish.store, "open");
	/* what is read must still be what is replaced */
	if (code == EXIT_YES && !w->list)
		code = generations_newest(&c, w->wish.store, &w->wish.expected);
	if (code == EXIT_YES)
		code = storesay(plan_load(&now, &c, NULL), w->wish.store, "read");
	if (code == EXIT_YES)
		code = w->list ? list(&now, w->wish.json) : label ? revoke(&c, &now, w, label) : allow(&c, &now, w, ip, rule);
	plan_free(&now);
	storeclient_close(&c);
	return code;
}

int verb_allow(int argc, char **argv)
{
	struct words w;
	struct qvm_rule rule;
	char ip[IP_TEXT], line[LINE_MAX_BYTES];
	bool help = false;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	if (w.list && w.operands == 0)
		return run(&w, NULL, NULL, NULL);
	if (w.list || w.operands < 4)
		return verb_usage("allow");
	code = take_words(&w, ip, line, &rule);
	return code == EXIT_YES ? run(&w, ip, &rule, NULL) : code;
}

int verb_revoke(int argc, char **argv)
{
	struct words w;
	bool help = false;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	return w.list || w.operands != 1 ? verb_usage("revoke") : run(&w, NULL, NULL, w.operand[0]);
}
