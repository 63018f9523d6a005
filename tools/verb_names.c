// SPDX-License-Identifier: ISC
/* postern names: what the names in rules stand for, and how old that is. */
#include <getopt.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "verbs.h"

static const struct column columns[] = {
	{ "NAME", "name", NULL, false },
	{ "STATE", "state", NULL, false },
	{ "ADDRESSES", "list", NULL, false },
	{ "AGE-S", "age_s", NULL, true },
	{ "TTL-S", "ttl_s", NULL, true },
	{ "NEXT-S", "next_s", NULL, true },
	{ "ERROR", "error", NULL, false },
};

struct listing {
	json_t *names, *resolver; /* names NULL: a table is wanted */
	struct columns table;
};

/* An array of words as one word, for a column; "-": none. */
static json_t *joined(const json_t *words)
{
	char text[COLUMNS_CELL_MAX] = "-";
	size_t used = 0;
	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));
		size_t len = word ? strlen(word) : 0;
		if (!word || used + len + 2 > sizeof(text))
			break;
		if (i)
			text[used++] = ',';
		memcpy(text + used, word, len + 1);
		used += len;
	}
	return json_string(text);
}

static void take_line(void *context, json_t *object)
{
	struct listing *l = context;
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type)
		return;
	if (!strcmp(type, "resolver") && !l->resolver) {
		json_object_del(object, "type");
		l->resolver = json_incref(object);
	} else if (!strcmp(type, "name") && l->names) {
		json_object_del(object, "type");
		json_array_append(l->names, object);
	} else if (!strcmp(type, "name")) {
		const char *error = json_string_value(json_object_get(object, "error"));
		if (error && !*error)
			json_object_del(object, "error");
		json_object_set_new(object, "list", joined(json_object_get(object, "addresses")));
		columns_add(&l->table, object);
	}
}

static int list_names(const char *socket, bool refresh, bool json)
{
	struct listing l = { .names = json ? json_array() : NULL };
	columns_on(&l.table, columns, array_len(columns));
	int code = answer_ask(socket, refresh ? "names refresh" : "names", take_line, &l);
	if (code == EXIT_YES && json) {
		json_t *resolver = l.resolver ? l.resolver : json_null();
		code = answer_print(json_pack("{s:i, s:O, s:O}", "schema", 1, "resolver", resolver, "names", l.names));
	} else if (code == EXIT_YES) {
		columns_print(&l.table, stdout);
		if (l.table.rows && !json_array_size(json_object_get(l.resolver, "servers")))
			complain(EXIT_YES, "no name server is known, so none of them is asked for");
	}
	json_decref(l.names);
	json_decref(l.resolver);
	columns_free(&l.table);
	return code;
}

int verb_names(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "refresh", no_argument, NULL, 'r' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL;
	bool json = false, refresh = false;
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
		if (o == 'j')
			json = true;
		else if (o == 'r')
			refresh = true;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("names") : verb_usage("names");
	}
	if (optind != argc)
		return verb_usage("names");
	return list_names(controlclient_path(control), refresh, json);
}
