// SPDX-License-Identifier: ISC
/* Rules with their counters: which are meant, in which order, as a table or as JSON. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "columns.h"
#include "rulehits.h"
#include "text.h"
#include "verbs.h"
#include "web_rules.h"

enum { SECONDS_MAX = 10 * 365 * 24 * 3600, UNITS = 4 };

static const struct {
	char letter;
	uint32_t seconds;
} unit[UNITS] = { { 'd', 24 * 3600 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

static const char *const sort_word[RULEHITS_SORTS] = {
	[RULEHITS_ORDER] = "order", [RULEHITS_PACKETS] = "packets", [RULEHITS_BYTES] = "bytes",
	[RULEHITS_FLOWS] = "flows", [RULEHITS_REFUSED] = "refused", [RULEHITS_LAST] = "last",
};

bool rulehits_sort_parse(enum rulehits_sort *sort, const char *word)
{
	for (unsigned i = 0; i < RULEHITS_SORTS; i++) {
		if (!strcmp(word, sort_word[i])) {
			*sort = (enum rulehits_sort)i;
			return true;
		}
	}
	return false;
}

bool rulehits_seconds(const char *word, uint32_t *seconds)
{
	struct cursor c = cursor_of(word, strlen(word));
	uint32_t n, scale = 1;
	if (!parse_u32(&c, SECONDS_MAX, &n) || n == 0 || c.left > 1)
		return false;
	if (c.left == 1) {
		unsigned i = 0;
		while (i < UNITS && unit[i].letter != (char)*c.at)
			i++;
		if (i == UNITS)
			return false;
		scale = unit[i].seconds;
	}
	if (n > SECONDS_MAX / scale)
		return false;
	*seconds = n * scale;
	return true;
}

void rulehits_age(char *to, size_t room, json_int_t seconds)
{
	struct text t = text_of(to, room);
	unsigned i = 0;
	while (i < UNITS - 1 && seconds < 2 * (json_int_t)unit[i].seconds)
		i++;
	text_u64(&t, (uint64_t)(seconds > 0 ? seconds : 0) / unit[i].seconds);
	text_char(&t, unit[i].letter);
}

/* --- which ------------------------------------------------------------------------------ */

static json_int_t number(const json_t *rule, const char *member)
{
	return json_integer_value(json_object_get(rule, member));
}

static bool is_counted(const json_t *rule)
{
	return json_is_integer(json_object_get(rule, "since_s"));
}

static bool is_unused(const json_t *rule, uint32_t since_s, size_t *young)
{
	const json_t *last = json_object_get(rule, "last_s");
	if (!is_counted(rule) || !json_is_integer(json_object_get(rule, "rule")))
		return false;
	if (last && number(rule, "last_s") < since_s)
		return false;
	if (last && since_s == 0)
		return false;
	if (number(rule, "since_s") >= since_s)
		return true;
	++*young;
	return false;
}

struct place {
	json_t *rule;
	json_int_t key;
	size_t at;
};

static int compare(const void *a, const void *b)
{
	const struct place *l = a, *r = b;
	if (l->key != r->key)
		return l->key > r->key ? -1 : 1;
	return l->at < r->at ? -1 : l->at > r->at;
}

static json_int_t key_of(const json_t *rule, enum rulehits_sort sort)
{
	switch (sort) {
	case RULEHITS_ORDER:
	case RULEHITS_SORTS:
		break;
	case RULEHITS_PACKETS:
	case RULEHITS_BYTES:
	case RULEHITS_FLOWS:
	case RULEHITS_REFUSED:
		return number(rule, sort_word[sort]);
	case RULEHITS_LAST:
		return json_object_get(rule, "last_s") ? -number(rule, "last_s") : INT64_MIN;
	}
	return 0;
}

json_t *rulehits_pick(const json_t *rules, const struct rulehits_wish *w, size_t *young)
{
	size_t size = json_array_size(rules), count = 0;
	struct place *place = calloc(size + 1, sizeof(*place));
	json_t *out = json_array();
	*young = 0;
	for (size_t i = 0; place && i < size; i++) {
		json_t *rule = json_array_get(rules, i);
		if (!w->unused || is_unused(rule, w->since_s, young))
			place[count++] = (struct place){ rule, key_of(rule, w->sort), i };
	}
	if (place)
		qsort(place, count, sizeof(*place), compare);
	for (size_t i = 0; i < count; i++)
		json_array_append(out, place[i].rule);
	free(place);
	return out;
}

/* --- how -------------------------------------------------------------------------------- */

static const struct column columns[] = {
	{ "CLIENT", "client", NULL, false },   { "RULE", "rule", NULL, true },
	{ "ID", "id", NULL, false },	       { "PACKETS", "packets", NULL, true },
	{ "BYTES", "bytes", NULL, true },      { "FLOWS", "flows", NULL, true },
	{ "LIVE", "live", NULL, true },	       { "REFUSED", "refused", NULL, true },
	{ "LAST", "last", NULL, true },	       { "SINCE", "since", NULL, true },
	{ "TEXT", "text", NULL, false },
};

static void put_age(json_t *row, const char *to, const char *from)
{
	char age[24];
	const json_t *seconds = json_object_get(row, from);
	if (!json_is_integer(seconds))
		return;
	rulehits_age(age, sizeof(age), json_integer_value(seconds));
	json_object_set_new(row, to, json_string(age));
}

static void print_table(const json_t *rules)
{
	struct columns t;
	columns_on(&t, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < json_array_size(rules); i++) {
		json_t *row = json_copy(json_array_get(rules, i));
		put_age(row, "last", "last_s");
		put_age(row, "since", "since_s");
		columns_add(&t, row);
		json_decref(row);
	}
	columns_print(&t, stdout);
	columns_free(&t);
}

static void warn(const json_t *rules, const struct rulehits_wish *w, size_t young)
{
	size_t missed = 0;
	for (size_t i = 0; i < json_array_size(rules); i++)
		missed += !is_counted(json_array_get(rules, i));
	if (missed)
		complain(EXIT_YES, "%zu rules are not counted: the appliance has no room for more", missed);
	if (w->unused && young)
		complain(EXIT_YES, "%zu rules are not in force for that long yet", young);
}

int rulehits_show(const char *control, const struct rulehits_wish *w)
{
	char request[128];
	struct text t = text_on(request);
	json_t *all = json_array();
	size_t young;
	text_put(&t, *w->client ? "rules " : "rules");
	text_put(&t, w->client);
	int code = answer_ask(controlclient_path(control), request, web_rules_take, all);
	if (code == EXIT_YES) {
		json_t *rules = rulehits_pick(all, w, &young);
		if (w->json)
			code = answer_print(json_pack("{s:i, s:O}", "schema", 1, "rules", rules));
		else
			print_table(rules);
		warn(all, w, young);
		if (code == EXIT_YES && json_array_size(rules) == 0)
			code = EXIT_NO;
		json_decref(rules);
	}
	json_decref(all);
	return code;
}
