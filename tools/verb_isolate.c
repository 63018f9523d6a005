// SPDX-License-Identifier: ISC
/* postern isolate, panic: one client, or everything, stopped at once. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "answer.h"
#include "base.h"
#include "columns.h"
#include "storeclient.h"
#include "verboptions.h"
#include "verbs.h"

#define ISOLATE_DIR "/postern/isolate/"
#define PANIC_KEY "/postern/panic"

enum { WHY_MAX = 60 };

struct words {
	const char *store, *control;
	bool json, list;
	char **operand;
	int operands;
};

static int parse(int argc, char **argv, struct words *w, bool *done)
{
	const struct verboption options[] = {
		{ "json", 'j', &w->json, NULL }, { "store", 0, NULL, &w->store },
		{ "list", 'l', &w->list, NULL }, { "control", 0, NULL, &w->control },
	};
	*w = (struct words){ .json = false };
	int code = verboptions_take(argc, argv, options, array_len(options), done);
	w->store = storeclient_path(w->store);
	w->control = controlclient_path(w->control);
	w->operand = argv + optind;
	w->operands = argc - optind;
	return code;
}

/* --- both ways ---------------------------------------------------------------------------- */

static bool write_store(const struct words *w, const char *key, const char *value)
{
	struct storeclient c;
	enum store_result r = storeclient_open(&c, w->store, STORECLIENT_WAIT_MS);
	if (r == STORE_DONE)
		r = value ? storeclient_write(&c, key, value, strlen(value)) : storeclient_remove(&c, key);
	storeclient_close(&c);
	return r == STORE_DONE || r == STORE_ABSENT;
}

static void ignore(void *context, json_t *object)
{
	(void)context;
	(void)object;
}

/* In silence where nobody listens: an appliance may have no control socket here. */
static bool tell_appliance(const struct words *w, const char *request)
{
	struct controlclient c;
	if (!controlclient_open(&c, w->control))
		return false;
	controlclient_close(&c);
	return answer_ask(w->control, request, ignore, NULL) == EXIT_YES;
}

/*
 * value NULL: off. The store keeps it, the appliance does it; either is enough for now. A key that is only gone
 * is no release to an appliance that hears of it too late (blockkeys.h).
 */
static int set(const struct words *w, const char *key, const char *value, const char *request, const char *what)
{
	bool told = tell_appliance(w, request), stored = write_store(w, key, value || told ? value : "off");
	if (!stored && !told)
		return complain(EXIT_UNREACHED, "neither the store (%s) nor the appliance (%s) answers", w->store,
				w->control);
	if (w->json)
		return answer_print(json_pack("{s:i, s:b, s:b, s:b}", "schema", 1, "on", value != NULL, "stored", stored,
					      "told", told));
	printf("%s%s\n", what, !stored ? "; the store is away and will learn it" :
	       !told ? ", says the store; the appliance does not answer here and hears of it from there" : "");
	return EXIT_YES;
}

static bool is_why(const char *why)
{
	for (const char *at = why; *at; at++)
		if (*at < ' ' || *at > '~')
			return false;
	return strlen(why) <= WHY_MAX && strcmp(why, "off");
}

/* --- listing ---------------------------------------------------------------------------------- */

static bool take_key(void *context, const char *key, const uint8_t *value, size_t len)
{
	const char *ip = key + strlen(ISOLATE_DIR);
	if (!(len == 3 && !memcmp(value, "off", 3)))
		json_array_append_new(context, json_pack("{s:s, s:s%}", "client", ip, "why", (const char *)value, len));
	return true;
}

static void take_client(void *context, json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	if (type && !strcmp(type, "client") && json_is_true(json_object_get(object, "isolated")))
		json_array_append_new(context, json_pack("{s:O, s:s}", "client", json_object_get(object, "ip"), "why", "?"));
}

static int list(const struct words *w)
{
	static const struct column columns[] = { { "CLIENT", "client", NULL, false }, { "WHY", "why", NULL, false } };
	struct storeclient c;
	json_t *clients = json_array(), *client;
	struct columns table;
	size_t i;
	int code = EXIT_YES;
	enum store_result r = storeclient_open(&c, w->store, STORECLIENT_WAIT_MS);
	if (r == STORE_DONE)
		r = storeclient_multiread(&c, ISOLATE_DIR, take_key, clients);
	storeclient_close(&c);
	if (r != STORE_DONE && r != STORE_ABSENT)
		code = answer_ask(w->control, "status", take_client, clients);
	if (code == EXIT_YES && w->json)
		code = answer_print(json_pack("{s:i, s:O}", "schema", 1, "isolated", clients));
	columns_on(&table, columns, array_len(columns));
	json_array_foreach(clients, i, client)
		columns_add(&table, client);
	if (code == EXIT_YES && !w->json)
		columns_print(&table, stdout);
	columns_free(&table);
	json_decref(clients);
	return code;
}

/* --- the verbs ----------------------------------------------------------------------------------- */

int verb_isolate(int argc, char **argv)
{
	struct words w;
	bool help = false;
	char key[WIRE_PATH_BYTES], request[160], what[80], name[IP_TEXT];
	struct ip_addr ip;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	if (w.list && w.operands == 0)
		return list(&w);
	if (w.list || w.operands < 1 || w.operands > 2)
		return verb_usage("isolate");
	struct cursor in = cursor_of(w.operand[0], strlen(w.operand[0]));
	if (!parse_ip(&in, &ip) || in.left || ip_is_zero(ip))
		return complain(EXIT_USAGE, "%s: not the address of a client", w.operand[0]);
	const char *why = w.operands == 2 ? w.operand[1] : "on";
	bool off = !strcmp(why, "off");
	if (!off && !is_why(why))
		return complain(EXIT_USAGE, "a reason is at most 60 printable characters");
	struct text t = text_on(name);
	text_ip(&t, ip);
	snprintf(key, sizeof(key), ISOLATE_DIR "%s", name);
	snprintf(request, sizeof(request), "isolate %s %s %s", name, off ? "off" : "on", off ? "" : why);
	snprintf(what, sizeof(what), "%s is %s", name, off ? "not isolated any more" : "isolated");
	return set(&w, key, off ? NULL : *why ? why : "on", request, what);
}

int verb_panic(int argc, char **argv)
{
	struct words w;
	bool help = false;
	char request[160];
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	bool off = w.operands > 0 && !strcmp(w.operand[0], "off");
	if (w.operands < 1 || w.operands > 2 || (!off && strcmp(w.operand[0], "on")) || (off && w.operands == 2))
		return verb_usage("panic");
	const char *why = w.operands == 2 && *w.operand[1] ? w.operand[1] : "on";
	if (!is_why(why))
		return complain(EXIT_USAGE, "a reason is at most 60 printable characters");
	snprintf(request, sizeof(request), "panic %s %s", off ? "off" : "on", off ? "" : why);
	return set(&w, PANIC_KEY, off ? NULL : why, request, off ? "panic is off" : "panic is on: nothing is forwarded");
}
