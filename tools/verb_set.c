// SPDX-License-Identifier: ISC
/* postern set: named sets of networks that rules refer to. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "applystore.h"
#include "generations.h"
#include "setdiff.h"
#include "storesay.h"
#include "verbs.h"

struct words {
	struct applystore_wish wish;
	char **operand;
	int operands;
};

static int parse(int argc, char **argv, struct words *w, bool *done)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },           { "store", required_argument, NULL, 's' },
		{ "confirm", required_argument, NULL, 'c' },  { "reason", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },           { 0 },
	};
	*w = (struct words){ .wish.expected = -1 };
	for (int o; (o = getopt_long(argc, argv, "jhr:", options, NULL)) != -1;) {
		*done = o == 'h';
		if (o == 'h')
			return verb_help("set");
		if (o == '?')
			return verb_usage("set");
		if (o == 'c' && !applystore_seconds(optarg, &w->wish.confirm_s))
			return complain(EXIT_USAGE, "--confirm %s: not 1s to 24h", optarg);
		if (o == 'j')
			w->wish.json = true;
		else if (o == 's')
			w->wish.store = optarg;
		else if (o == 'r')
			w->wish.reason = optarg;
	}
	w->wish.store = storeclient_path(w->wish.store);
	w->operand = argv + optind;
	w->operands = argc - optind;
	return EXIT_YES;
}

/* --- looking ------------------------------------------------------------------------------- */

/* How many rules of how many clients refer to it. */
static json_t *describe(const struct plan *plan, const struct setlist_set *set)
{
	struct setlist one = { .set = NULL };
	json_t *members = json_array(), *clients = json_array();
	const char *at = set->members;
	setlist_put(&one, set->name, set->members);
	for (size_t n; (n = strcspn(at, " ")); at += n + strspn(at + n, " "))
		json_array_append_new(members, json_stringn(at, n));
	for (size_t i = 0; i < plan->count; i++)
		if (plan_uses(&plan->client[i], &one))
			json_array_append_new(clients, json_string(plan->client[i].ip));
	setlist_free(&one);
	return json_pack("{s:s, s:o, s:o}", "set", set->name, "members", members, "clients", clients);
}

static void print_set(const json_t *set)
{
	size_t members = json_array_size(json_object_get(set, "members"));
	size_t clients = json_array_size(json_object_get(set, "clients"));
	printf("%s: %zu %s, used by %zu %s\n", json_string_value(json_object_get(set, "set")), members,
	       members == 1 ? "member" : "members", clients, clients == 1 ? "client" : "clients");
}

static int list(const struct plan *plan, bool json)
{
	json_t *sets = json_array();
	size_t i;
	json_t *set;
	for (i = 0; i < plan->sets.count; i++)
		json_array_append_new(sets, describe(plan, &plan->sets.set[i]));
	if (json)
		return answer_print(json_pack("{s:i, s:o}", "schema", 1, "sets", sets));
	json_array_foreach(sets, i, set)
		print_set(set);
	json_decref(sets);
	return EXIT_YES;
}

static int show(const struct plan *plan, const char *name, bool json)
{
	for (size_t i = 0; i < plan->sets.count; i++) {
		if (strcmp(plan->sets.set[i].name, name))
			continue;
		json_t *set = describe(plan, &plan->sets.set[i]), *member;
		size_t k;
		if (json) {
			json_object_set_new(set, "schema", json_integer(1));
			return answer_print(set);
		}
		json_array_foreach(json_object_get(set, "members"), k, member)
			puts(json_string_value(member));
		json_decref(set);
		return EXIT_YES;
	}
	return complain(EXIT_NO, "no set %s", name);
}

/* --- changing -------------------------------------------------------------------------------- */

/* The members named on the command line, in one canonical text; NULL: said why. */
static char *members_of(const struct words *w)
{
	char text[2 * WIRE_VALUE_MAX] = "";
	const char *why;
	uint32_t column;
	size_t len = 0;
	for (int i = 2; i < w->operands; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", w->operand[i]);
		if (len >= sizeof(text)) {
			complain(EXIT_USAGE, "more members than the store holds in one value");
			return NULL;
		}
		char *one = setlist_canonical(w->operand[i], strlen(w->operand[i]), &why, &column);
		if (!one || !*one) {
			complain(EXIT_USAGE, "%s: not a network", w->operand[i]);
			return NULL;
		}
		free(one);
	}
	char *members = setlist_canonical(text, len, &why, &column);
	if (!members)
		complain(EXIT_USAGE, "%s", why);
	return members;
}

/* What the set is to be; NULL: said why. */
static char *changed(const char *before, const char *members, bool adds)
{
	char text[2 * WIRE_VALUE_MAX + 2] = "";
	const char *why;
	uint32_t column;
	json_t *kept, *one;
	size_t i;
	if (adds) {
		snprintf(text, sizeof(text), "%s %s", before, members);
	} else {
		json_t *difference = setdiff("", members, before);
		kept = json_object_get(difference, "added");
		json_array_foreach(kept, i, one)
			strcat(strcat(text, json_string_value(one)), " ");
		json_decref(difference);
	}
	char *after = setlist_canonical(text, strlen(text), &why, &column);
	if (!after)
		complain(EXIT_USAGE, "%s", why);
	return after;
}

static int change(struct storeclient *c, const struct plan *now, struct words *w, const char *action)
{
	bool adds = !strcmp(action, "add"), deletes = !strcmp(action, "delete");
	const char *name = w->operand[1], *before = setlist_find(&now->sets, name);
	char reason[WIRE_PATH_BYTES * 2];
	if (!set_is_name(name, strlen(name)))
		return complain(EXIT_USAGE, "%s: not the name of a set (1 to 24 of A-Z a-z 0-9 _ . -)", name);
	if (!before && !adds)
		return complain(EXIT_NO, "no set %s", name);
	char *members = deletes ? strdup("") : members_of(w);
	char *after = !members ? NULL : deletes ? strdup("") : changed(before ? before : "", members, adds);
	int code = after ? EXIT_YES : EXIT_USAGE;
	if (code == EXIT_YES && !strcmp(after, before ? before : ""))
		code = complain(EXIT_NO, adds ? "set %s has that already" : "set %s has none of that", name);
	if (code == EXIT_YES) {
		struct plan plan = { .count = 0 };
		setlist_put(&plan.sets, name, after);
		snprintf(reason, sizeof(reason), "set %.24s: %s %.80s", name, action, members);
		if (!w->wish.reason)
			w->wish.reason = reason;
		code = applystore_send(c, &plan, &w->wish);
		plan_free(&plan);
	}
	free(members);
	free(after);
	return code;
}

/* --- the verb ---------------------------------------------------------------------------------- */

static bool is_right(const struct words *w)
{
	static const struct { const char *word; int least, most; } actions[] = {
		{ "list", 1, 1 }, { "show", 2, 2 }, { "add", 3, 258 }, { "remove", 3, 258 }, { "delete", 2, 2 },
	};
	for (size_t i = 0; w->operands > 0 && i < array_len(actions); i++)
		if (!strcmp(w->operand[0], actions[i].word))
			return w->operands >= actions[i].least && w->operands <= actions[i].most;
	return false;
}

int verb_set(int argc, char **argv)
{
	struct words w;
	struct plan now = { .count = 0 };
	struct storeclient c;
	bool help = false;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	if (!is_right(&w))
		return verb_usage("set");
	const char *action = w.operand[0];
	bool looks = !strcmp(action, "list") || !strcmp(action, "show");
	code = storesay(storeclient_open(&c, w.wish.store, STORECLIENT_WAIT_MS), w.wish.store, "open");
	/* what is read must still be what is replaced */
	if (code == EXIT_YES && !looks)
		code = generations_newest(&c, w.wish.store, &w.wish.expected);
	if (code == EXIT_YES)
		code = storesay(plan_load(&now, &c, NULL), w.wish.store, "read");
	if (code == EXIT_YES && looks)
		code = !strcmp(action, "list") ? list(&now, w.wish.json) : show(&now, w.operand[1], w.wish.json);
	else if (code == EXIT_YES)
		code = change(&c, &now, &w, action);
	plan_free(&now);
	storeclient_close(&c);
	return code;
}
