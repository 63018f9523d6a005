// SPDX-License-Identifier: ISC
/* postern diff: what a file, or a generation, would change, and which open flows that would cut. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "columns.h"
#include "dying.h"
#include "generations.h"
#include "plandiff.h"
#include "ruletree.h"
#include "setdiff.h"
#include "storesay.h"
#include "verbs.h"

struct words {
	const char *store, *control;
	bool json, verbose;
};

struct sides {
	struct plan from, to;
	bool whole;      /* clients that are only in `from` lose their rules */
	bool into_force; /* `from` is what holds now: flows can be judged */
	struct rule_context context;
};

static bool is_number(const char *word)
{
	return *word && strspn(word, "0123456789") == strlen(word);
}

static int load_generation(struct storeclient *c, const struct words *w, const char *number, struct plan *plan)
{
	char prefix[WIRE_PATH_BYTES];
	snprintf(prefix, sizeof(prefix), GENERATIONS_AT "%.20s/", number);
	return storesay(plan_load(plan, c, prefix), w->store, "read");
}

static int load_file(const char *file, struct plan *plan)
{
	const char *name = strcmp(file, "-") ? file : "stdin";
	struct rulefile_source s = { .name = name, .now = (uint64_t)time(NULL) };
	char *text = rulefile_read(file, &s.len);
	if (!text)
		return complain(EXIT_USAGE, "%s: %s", name, strerror(errno));
	s.text = text;
	int code = plan_parse(plan, &s, true, stderr) ? EXIT_YES : complain(EXIT_USAGE, "%s: not compared", name);
	free(text);
	return code;
}

/* The name servers that specialtarget=dns means, as the appliance takes them from the store. */
static void load_dns(struct storeclient *c, struct rule_context *context)
{
	static const char *const key[] = { "/qubes-primary-dns", "/qubes-secondary-dns" };
	for (unsigned i = 0; i < array_len(key); i++) {
		uint8_t value[WIRE_VALUE_MAX];
		size_t len = 0;
		struct ip_addr ip = ip_v4(10, 139, 1, (uint8_t)(i + 1)), said;
		if (storeclient_read(c, key[i], value, &len) == STORE_DONE) {
			struct cursor in = cursor_of(value, len);
			if (parse_ip(&in, &said) && in.left == 0)
				ip = said;
		}
		context->dns[context->dns_count++] = ip;
	}
}

static int load(struct sides *s, const struct words *w, char **operand, int operands)
{
	struct storeclient c;
	int code = storesay(storeclient_open(&c, w->store, STORECLIENT_WAIT_MS), w->store, "open");
	s->into_force = operands == 1;
	s->whole = is_number(operand[0]);
	if (code == EXIT_YES)
		load_dns(&c, &s->context);
	if (code == EXIT_YES && operands == 2)
		code = load_generation(&c, w, operand[0], &s->from);
	else if (code == EXIT_YES)
		code = storesay(plan_load(&s->from, &c, NULL), w->store, "read");
	if (code == EXIT_YES && s->whole)
		code = load_generation(&c, w, operand[operands - 1], &s->to);
	storeclient_close(&c);
	return code == EXIT_YES && !s->whole ? load_file(operand[0], &s->to) : code;
}

/* One client whose rules differ. */
static json_t *compare(const struct plan_client *from, const struct plan_client *to)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "client", to ? to->ip : from->ip,
			 "policy_from", from ? from->policy : "", "policy_to", to ? to->policy : "",
			 "rules", plandiff_rules(from, to));
}

static json_t *compare_all(const struct sides *s, const struct plan *change)
{
	json_t *list = json_array();
	for (size_t i = 0; i < change->count; i++) {
		const char *ip = change->client[i].ip;
		json_array_append_new(list, compare(plan_find(&s->from, ip), plan_find(&s->to, ip)));
	}
	return list;
}

static json_t *compare_sets(const struct sides *s, const struct plan *change)
{
	json_t *list = json_array();
	for (size_t i = 0; i < change->sets.count; i++) {
		const char *name = change->sets.set[i].name;
		json_array_append_new(list, setdiff(name, setlist_find(&s->from.sets, name),
							    setlist_find(&change->sets, name)));
	}
	return list;
}

/* set office: + 192.0.2.9 - 192.0.2.0/24 */
static void print_sets(const json_t *sets)
{
	static const char *const member[] = { "removed", "added" }, *const sign[] = { "-", "+" };
	size_t i, k;
	const json_t *set, *one;
	json_array_foreach(sets, i, set) {
		printf("set %s:", json_string_value(json_object_get(set, "set")));
		for (size_t m = 0; m < array_len(member); m++)
			json_array_foreach(json_object_get(set, member[m]), k, one)
				printf(" %s %s", sign[m], json_string_value(one));
		putchar('\n');
	}
}

/* What flows are judged by: clients that change, and those whose sets do, with the sets as they would be. */
static void judged_by(struct plan *out, const struct sides *s, const struct plan *change)
{
	plan_difference(out, &s->from, &s->from);
	for (size_t i = 0; i < change->count; i++)
		plan_add_copy(out, &change->client[i]);
	for (size_t i = 0; i < s->from.count; i++)
		if (!plan_find(out, s->from.client[i].ip) && plan_uses(&s->from.client[i], &change->sets))
			plan_add_copy(out, &s->from.client[i]);
	for (size_t i = 0; i < s->from.sets.count; i++)
		setlist_put(&out->sets, s->from.sets.set[i].name, s->from.sets.set[i].members);
	for (size_t i = 0; i < change->sets.count; i++)
		setlist_put(&out->sets, change->sets.set[i].name, change->sets.set[i].members);
}

static void print_rule(const json_t *rule)
{
	static const char *const sign[] = { "removed", "-", "added", "+", "moved", "~" };
	const char *change = json_string_value(json_object_get(rule, "change"));
	const json_t *from = json_object_get(rule, "from"), *to = json_object_get(rule, "to");
	char text[WIRE_VALUE_MAX + 1];
	columns_value(text, sizeof(text), json_object_get(rule, "rule"));
	for (size_t i = 0; i < array_len(sign); i += 2)
		if (!strcmp(change, sign[i]))
			printf("  %s ", sign[i + 1]);
	if (json_is_integer(from) && json_is_integer(to))
		printf("%04d -> %04d  %s\n", (int)json_integer_value(from), (int)json_integer_value(to), text);
	else
		printf("%04d  %s\n", (int)json_integer_value(json_is_integer(from) ? from : to), text);
}

static void print_clients(const json_t *clients)
{
	size_t i, k;
	const json_t *client, *rule;
	json_array_foreach(clients, i, client) {
		const char *a = json_string_value(json_object_get(client, "policy_from"));
		const char *b = json_string_value(json_object_get(client, "policy_to"));
		char name[COLUMNS_CELL_MAX];
		columns_clean(name, sizeof(name), json_string_value(json_object_get(client, "client")));
		columns_title(stdout, name);
		if (strcmp(a, b))
			printf("  policy %s -> %s\n", *a ? a : "none (closed)", *b ? b : "none (closed)");
		json_array_foreach(json_object_get(client, "rules"), k, rule)
			print_rule(rule);
	}
}

static void print_dying(const struct dying *d, bool verbose)
{
	static const struct column columns[] = {
		{ "PROTO", "proto", NULL, false }, { "SOURCE", "src", "sport", false },
		{ "DESTINATION", "dst", "dport", false }, { "STATE", "state", NULL, false },
		{ "IDLE-S", "idle_s", NULL, true }, { "UP-BYTES", "up_bytes", NULL, true },
		{ "DOWN-BYTES", "down_bytes", NULL, true },
	};
	printf("flows that would die: %zu", json_array_size(d->flows));
	if (d->doubtful)
		printf(", and %zu that hang on names", d->doubtful);
	putchar('\n');
	if (!verbose)
		return;
	struct columns table;
	json_t *flow;
	size_t i;
	columns_on(&table, columns, array_len(columns));
	json_array_foreach(d->flows, i, flow)
		columns_add(&table, flow);
	columns_print(&table, stdout);
	columns_free(&table);
}

static int show(const struct sides *s, const struct words *w)
{
	struct plan change, judging;
	struct dying d = { NULL, 0 };
	plan_difference(&change, &s->from, &s->to);
	while (!s->whole && change.count && !plan_find(&s->to, change.client[change.count - 1].ip))
		rulefile_free(&change.client[--change.count].rules);
	setlist_free(&change.sets);
	setlist_difference(&change.sets, &s->from.sets, &s->to.sets, s->whole);
	judged_by(&judging, s, &change);
	bool differs = change.count > 0 || change.sets.count > 0;
	json_t *clients = compare_all(s, &change), *sets = compare_sets(s, &change);
	if (!w->json) {
		print_sets(sets);
		print_clients(clients);
	}
	if (!w->json && !differs)
		puts("no difference");
	bool judged = differs && s->into_force &&
		      dying_ask(&d, &judging, &s->context, controlclient_path(w->control)) == EXIT_YES;
	if (w->json)
		answer_print(json_pack("{s:i, s:b, s:O, s:O, s:O?, s:I}", "schema", 1, "differs", differs, "clients", clients,
				       "sets", sets,
				       "dying", judged ? d.flows : NULL, "doubtful", (json_int_t)d.doubtful));
	else if (judged)
		print_dying(&d, w->verbose);
	json_decref(d.flows);
	json_decref(clients);
	json_decref(sets);
	plan_free(&judging);
	plan_free(&change);
	return differs ? EXIT_NO : EXIT_YES;
}

int verb_diff(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },           { "verbose", no_argument, NULL, 'v' },
		{ "store", required_argument, NULL, 's' },    { "control", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },           { 0 },
	};
	struct words w = { 0 };
	struct sides s = { .whole = false };
	for (int o; (o = getopt_long(argc, argv, "jvh", options, NULL)) != -1;) {
		if (o == 'j')
			w.json = true;
		else if (o == 'v')
			w.verbose = true;
		else if (o == 's')
			w.store = optarg;
		else if (o == 'c')
			w.control = optarg;
		else
			return o == 'h' ? verb_help("diff") : verb_usage("diff");
	}
	int operands = argc - optind;
	char **operand = argv + optind;
	if (operands < 1 || operands > 2 || (operands == 2 && (!is_number(operand[0]) || !is_number(operand[1]))))
		return verb_usage("diff");
	w.store = storeclient_path(w.store);
	int code = load(&s, &w, operand, operands);
	if (code == EXIT_YES)
		code = show(&s, &w);
	plan_free(&s.from);
	plan_free(&s.to);
	return code;
}
