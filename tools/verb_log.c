// SPDX-License-Identifier: ISC
/* postern log: which generations of rules there were, whose, when and why. */
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "answer.h"
#include "columns.h"
#include "generations.h"
#include "storesay.h"
#include "verbs.h"

static const struct column columns[] = {
	{ "GENERATION", "number", NULL, true }, { "TIME", "when", NULL, false },
	{ "BY", "by", NULL, false },            { "OUTCOME", "outcome", NULL, false },
	{ "CLIENTS", "who", NULL, false },      { "REASON", "reason", NULL, false },
};

/* One that many clients belong to comes in pieces, one behind the other. */
static bool goes_on(json_t *last, const json_t *one)
{
	const char *more = json_string_value(json_object_get(one, "clients"));
	const char *before = json_string_value(json_object_get(last, "clients"));
	if (!before || !more || !json_equal(json_object_get(last, "number"), json_object_get(one, "number")))
		return false;
	json_object_set_new(last, "clients", json_sprintf("%s %s", before, more));
	return true;
}

static bool take_generation(void *context, const char *key, const uint8_t *value, size_t len)
{
	(void)key;
	json_t *one = json_loadb((const char *)value, len, 0, NULL);
	size_t n = json_array_size(context);
	if (json_is_object(one) && !goes_on(json_array_get(context, n ? n - 1 : 0), one))
		json_array_append(context, one);
	json_decref(one);
	return true;
}

int generations_list(struct storeclient *c, const char *store, json_t **list)
{
	*list = json_array();
	return storesay(storeclient_multiread(c, GENERATIONS_LOG, take_generation, *list), store, "read");
}

int generations_newest(struct storeclient *c, const char *store, long long *number)
{
	json_t *list;
	int code = generations_list(c, store, &list);
	size_t n = json_array_size(list);
	*number = n ? json_integer_value(json_object_get(json_array_get(list, n - 1), "number")) : 0;
	json_decref(list);
	return code;
}

/* "clients" becomes a list. */
static void split_clients(json_t *one)
{
	const char *at = json_string_value(json_object_get(one, "clients"));
	json_t *list = json_array();
	while (at && *at) {
		size_t n = strcspn(at, " ");
		json_array_append_new(list, json_stringn(at, n));
		at += n + (at[n] == ' ');
	}
	json_object_set_new(one, "clients", list);
}

static bool concerns(const json_t *one, const char *client)
{
	const json_t *list = json_object_get(one, "clients"), *name;
	size_t i;
	json_array_foreach(list, i, name)
		if (!strcmp(json_string_value(name), client))
			return true;
	return false;
}

static void add_row(struct columns *table, json_t *one)
{
	char when[32] = "", by[64], who[64];
	time_t t = (time_t)(json_integer_value(json_object_get(one, "time_ms")) / 1000);
	struct tm local;
	if (localtime_r(&t, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	long long uid = json_integer_value(json_object_get(one, "uid"));
	const char *via = json_string_value(json_object_get(one, "via"));
	const struct passwd *p = via && !strcmp(via, "local") ? getpwuid((uid_t)uid) : NULL;
	if (p)
		snprintf(by, sizeof(by), "%s", p->pw_name);
	else
		snprintf(by, sizeof(by), "%s", via && strcmp(via, "local") ? via : "");
	if (!*by)
		snprintf(by, sizeof(by), "%lld", uid);
	const json_t *list = json_object_get(one, "clients");
	size_t n = json_array_size(list);
	if (n == 1)
		snprintf(who, sizeof(who), "%s", json_string_value(json_array_get(list, 0)));
	else
		snprintf(who, sizeof(who), "%zu clients", n);
	json_object_set_new(one, "when", json_string(when));
	json_object_set_new(one, "by", json_string(by));
	json_object_set_new(one, "who", json_string(who));
	columns_add(table, one);
}

static int show(json_t *list, const char *client, size_t most, bool json)
{
	json_t *wanted = json_array(), *one;
	size_t i;
	json_array_foreach(list, i, one) {
		split_clients(one);
		if (!*client || concerns(one, client))
			json_array_append(wanted, one);
	}
	while (most && json_array_size(wanted) > most)
		json_array_remove(wanted, 0);
	if (json)
		return answer_print(json_pack("{s:i, s:o}", "schema", 1, "generations", wanted));
	struct columns table;
	columns_on(&table, columns, array_len(columns));
	json_array_foreach(wanted, i, one)
		add_row(&table, one);
	columns_print(&table, stdout);
	columns_free(&table);
	json_decref(wanted);
	return EXIT_YES;
}

int verb_log(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "store", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	const char *store = NULL;
	char client[IP_TEXT] = "";
	bool json = false;
	long most = 0;
	for (int o; (o = getopt_long(argc, argv, "jhn:", options, NULL)) != -1;) {
		if (o == 'j')
			json = true;
		else if (o == 's')
			store = optarg;
		else if (o == 'n' && (most = atol(optarg)) > 0)
			continue;
		else
			return o == 'h' ? verb_help("log") : verb_usage("log");
	}
	if (argc - optind > 1)
		return verb_usage("log");
	if (argc - optind == 1) {
		struct cursor in = cursor_of(argv[optind], strlen(argv[optind]));
		struct text out = text_on(client);
		struct ip_addr ip;
		if (!parse_ip(&in, &ip) || in.left)
			return complain(EXIT_USAGE, "%s: not the address of a client", argv[optind]);
		text_ip(&out, ip);
	}
	struct storeclient c;
	json_t *list = NULL;
	store = storeclient_path(store);
	int code = storesay(storeclient_open(&c, store, STORECLIENT_WAIT_MS), store, "open");
	if (code == EXIT_YES)
		code = generations_list(&c, store, &list);
	storeclient_close(&c);
	if (code == EXIT_YES)
		code = show(list, client, (size_t)most, json);
	json_decref(list);
	return code;
}
