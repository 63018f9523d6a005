// SPDX-License-Identifier: ISC
/* postern rules: shows the rules of clients, and replaces those of one. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

#include "addr.h"
#include "rulelist.h"
#include "ruletree.h"
#include "storesay.h"
#include "verbs.h"

enum { APPLIED_WAIT_MS = 20000 };

struct words {
	const char *store;
	bool json, wait;
	struct ip_addr ip;
	char client[IP_TEXT]; /* canonical; "": none */
};

static bool parse_client(struct words *w, const char *from)
{
	struct cursor in = cursor_of(from, strlen(from));
	if (!parse_ip(&in, &w->ip) || in.left)
		return false;
	struct text out = text_on(w->client);
	text_ip(&out, w->ip);
	return true;
}

static int write_rules(const struct words *w, const struct rulefile *f)
{
	struct storeclient c;
	char was[RULETREE_COUNT_MAX] = "";
	int code = storesay(storeclient_open(&c, w->store, STORECLIENT_WAIT_MS), w->store, "open");
	if (code == EXIT_YES && w->wait)
		code = storesay(ruletree_watch(&c, w->client), w->store, "watch");
	if (code == EXIT_YES && w->wait)
		code = storesay(ruletree_handled(&c, w->client, was), w->store, "read");
	if (code == EXIT_YES) {
		enum store_result r = ruletree_replace(&c, w->client, f);
		code = storesay(r, w->store, *c.worst_path ? c.worst_path : "write");
	}
	if (code == EXIT_YES && w->wait) {
		enum store_result r = ruletree_await(&c, w->client, was, APPLIED_WAIT_MS);
		if (r == STORE_TIMED_OUT)
			code = complain(EXIT_TIMED_OUT,
					"written, but the appliance has not taken it up yet");
		else
			code = storesay(r, w->store, "wait");
	}
	if (code == EXIT_YES)
		puts(w->wait ? "applied" : "written");
	storeclient_close(&c);
	return code;
}

static int set_rules(const struct words *w, const char *file)
{
	const char *name = strcmp(file, "-") ? file : "stdin";
	struct rulefile f;
	struct rulefile_source s = {
		.name = name, .v6 = !ip_is_v4(w->ip), .now = (uint64_t)time(NULL),
	};
	char *text = rulefile_read(file, &s.len);
	if (!text)
		return complain(EXIT_USAGE, "%s: %s", name, strerror(errno));
	s.text = text;
	int code = EXIT_USAGE;
	if (rulefile_parse(&f, &s, stderr))
		code = write_rules(w, &f);
	else
		complain(EXIT_USAGE, "%s: nothing was written", name);
	rulefile_free(&f);
	free(text);
	return code;
}

int verb_rules(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "store", required_argument, NULL, 's' },
		{ "wait", no_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct words w = { 0 };
	for (int o; (o = getopt_long(argc, argv, "jwh", options, NULL)) != -1;) {
		if (o == 'j')
			w.json = true;
		else if (o == 's')
			w.store = optarg;
		else if (o == 'w')
			w.wait = true;
		else
			return o == 'h' ? verb_help("rules") : verb_usage("rules");
	}
	w.store = storeclient_path(w.store);
	char **operand = argv + optind;
	int operands = argc - optind;
	bool set = operands > 0 && !strcmp(operand[0], "set");
	if (set ? operands != 3 || w.json : operands > 1 || w.wait)
		return verb_usage("rules");
	const char *client = set ? operand[1] : operands ? operand[0] : NULL;
	if (client && !parse_client(&w, client))
		return complain(EXIT_USAGE, "%s: not the address of a client", client);
	return set ? set_rules(&w, operand[2]) : rulelist_show(w.store, w.client, w.json);
}
