// SPDX-License-Identifier: ISC
/* Reads rule trees out of the store and prints them by client and number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "rulelist.h"
#include "ruletree.h"
#include "storesay.h"
#include "verbs.h"

struct listing {
	const char *client; /* "": all */
	json_t *clients;    /* by address */
};

/* A value as a JSON string; bytes that are no UTF-8 become '?'. */
static json_t *value_text(const uint8_t *value, size_t len)
{
	char clean[WIRE_VALUE_MAX + 1];
	json_t *text = json_stringn((const char *)value, len);
	if (text)
		return text;
	memcpy(clean, value, len);
	clean[len] = 0;
	columns_clean(clean, sizeof(clean), clean);
	return json_string(clean);
}

static json_t *client_of(struct listing *l, const char *name)
{
	json_t *client = json_object_get(l->clients, name);
	if (!client) {
		client = json_pack("{s:s, s:b, s:n, s:n, s:[]}", "ip", name, "committed", 0,
				   "policy", "handled", "rules");
		json_object_set_new(l->clients, name, client);
	}
	return client;
}

/* A tree's commit key, its policy, a rule: other keys are not ours to explain. */
static bool take_key(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct listing *l = context;
	char name[IP_TEXT];
	const char *leaf = ruletree_split(key, name);
	if (!leaf || (*l->client && strcmp(name, l->client)))
		return true;
	json_t *client = client_of(l, name);
	if (!*leaf)
		json_object_set_new(client, "committed", json_true());
	else if (!strcmp(leaf, "policy"))
		json_object_set_new(client, "policy", value_text(value, len));
	else if (strlen(leaf) == 4 && strspn(leaf, "0123456789") == 4)
		json_array_append_new(json_object_get(client, "rules"),
				      json_pack("{s:i, s:o}", "number", atoi(leaf), "rule",
						value_text(value, len)));
	return true;
}

static enum store_result add_handled(struct storeclient *c, json_t *clients)
{
	const char *name;
	json_t *client;
	enum store_result r = STORE_DONE;
	json_object_foreach(clients, name, client) {
		char count[RULETREE_COUNT_MAX];
		if (ruletree_is_own(name))
			continue;
		r = ruletree_handled(c, name, count);
		if (r != STORE_DONE)
			break;
		char *end;
		long long n = strtoll(count, &end, 10);
		if (*count && !*end)
			json_object_set_new(client, "handled", json_integer(n));
	}
	return r;
}

static void print_client(const char *name, const json_t *client)
{
	char title[COLUMNS_CELL_MAX], policy[COLUMNS_CELL_MAX], handled[COLUMNS_CELL_MAX];
	const json_t *rules = json_object_get(client, "rules"), *rule;
	size_t i;
	columns_clean(title, sizeof(title), name);
	columns_value(policy, sizeof(policy), json_object_get(client, "policy"));
	columns_value(handled, sizeof(handled), json_object_get(client, "handled"));
	columns_title(stdout, title);
	if (ruletree_is_own(name))
		printf("  %zu rules", json_array_size(rules));
	else
		printf("  policy %s, %zu rules, handled %s", policy, json_array_size(rules), handled);
	puts(json_is_true(json_object_get(client, "committed")) ? "" : ", never committed");
	json_array_foreach(rules, i, rule) {
		char text[WIRE_VALUE_MAX + 1];
		columns_value(text, sizeof(text), json_object_get(rule, "rule"));
		printf("  %04" JSON_INTEGER_FORMAT "  %s\n",
		       json_integer_value(json_object_get(rule, "number")), text);
	}
}

static int print_clients(json_t *clients, bool json)
{
	const char *name;
	json_t *client;
	if (!json) {
		json_object_foreach(clients, name, client)
			print_client(name, client);
		return EXIT_YES;
	}
	json_t *list = json_array();
	json_object_foreach(clients, name, client)
		json_array_append(list, client);
	return answer_print(json_pack("{s:i, s:o}", "schema", 1, "clients", list));
}

int rulelist_show(const char *socket, const char *client, bool json)
{
	struct storeclient c;
	struct listing l = { .client = client, .clients = json_object() };
	char prefix[WIRE_PATH_BYTES];
	ruletree_key(prefix, client, "");
	int code = storesay(storeclient_open(&c, socket, STORECLIENT_WAIT_MS), socket, "open");
	if (code == EXIT_YES)
		code = storesay(ruletree_committed(&c, *client ? prefix : "/", take_key, &l), socket, "read");
	if (code == EXIT_YES)
		code = storesay(add_handled(&c, l.clients), socket, "read");
	storeclient_close(&c);
	if (code == EXIT_YES)
		code = print_clients(l.clients, json);
	if (code == EXIT_YES && *client && !json_object_size(l.clients))
		code = complain(EXIT_NO, "%s: no rules", client);
	json_decref(l.clients);
	return code;
}
