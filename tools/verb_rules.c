// SPDX-License-Identifier: ISC
/* postern rules: shows the rules of clients and what they did, and replaces those of one. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

#include "cross_rule.h"
#include "rulehits.h"
#include "rulelist.h"
#include "ruletree.h"
#include "storesay.h"
#include "verbs.h"

enum { APPLIED_WAIT_MS = 20000 };

struct words {
	const char *store, *control;
	bool json, wait, hits, sorted;
	struct rulehits_wish wish;
	struct ip_addr ip;
	char client[IP_TEXT]; /* canonical; "": none */
};

static bool parse_client(struct words *w, const char *from)
{
	struct cursor in = cursor_of(from, strlen(from));
	if (!cross_owner_parse(&in, &w->ip) || in.left)
		return false;
	struct text out = text_on(w->client);
	cross_owner_text(&out, w->ip);
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
		.kind = cross_kind(w->ip),
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

static int show_hits(struct words *w, const char *client)
{
	bool cross = client && (!strcmp(client, "inbound") || !strcmp(client, "between"));
	if (client && !cross && !parse_client(w, client))
		return complain(EXIT_USAGE, "%s: not the address of a client", client);
	w->wish.client = cross ? client : w->client;
	w->wish.json = w->json;
	return rulehits_show(w->control, &w->wish);
}

/* An option's word; NULL, or what is wrong with it. */
static const char *take_option(struct words *w, int o)
{
	switch (o) {
	case 'j': w->json = true; break;
	case 'S': w->store = optarg; break;
	case 'c': w->control = optarg; break;
	case 'w': w->wait = true; break;
	case 's': w->hits = true; break;
	case 'u': w->wish.unused = true; break;
	case 'o':
		w->sorted = true;
		return rulehits_sort_parse(&w->wish.sort, optarg) ? NULL :
			"not order, packets, bytes, flows, refused or last";
	case 'i':
		return rulehits_seconds(optarg, &w->wish.since_s) ? NULL : "not a time such as 90s, 15m, 2h or 7d";
	}
	return NULL;
}

int verb_rules(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "store", required_argument, NULL, 'S' },
		{ "control", required_argument, NULL, 'c' },
		{ "wait", no_argument, NULL, 'w' },
		{ "stats", no_argument, NULL, 's' },
		{ "sort", required_argument, NULL, 'o' },
		{ "unused", no_argument, NULL, 'u' },
		{ "since", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct words w = { 0 };
	int at = -1;
	for (int o; (o = getopt_long(argc, argv, "jswh", options, &at)) != -1; at = -1) {
		if (o == 'h')
			return verb_help("rules");
		if (o == '?')
			return verb_usage("rules");
		const char *wrong = take_option(&w, o);
		if (wrong)
			return complain(EXIT_USAGE, "--%s %s: %s", options[at].name, optarg, wrong);
	}
	bool hits = w.hits || w.wish.unused;
	w.store = storeclient_path(w.store);
	char **operand = argv + optind;
	int operands = argc - optind;
	bool set = operands > 0 && !strcmp(operand[0], "set");
	if (set ? operands != 3 || w.json || hits : operands > 1 || w.wait)
		return verb_usage("rules");
	if ((w.sorted && !hits) || (w.wish.since_s && !w.wish.unused) || (w.control && !hits))
		return verb_usage("rules");
	const char *client = set ? operand[1] : operands ? operand[0] : NULL;
	if (hits)
		return show_hits(&w, client);
	if (client && !parse_client(&w, client))
		return complain(EXIT_USAGE, "%s: not the address of a client, inbound or between", client);
	if (w.wait && cross_kind(w.ip) != RULE_OUTWARD)
		return complain(EXIT_USAGE, "nobody counts these rules: `postern apply` waits for them");
	return set ? set_rules(&w, operand[2]) : rulelist_show(w.store, w.client, w.json);
}
