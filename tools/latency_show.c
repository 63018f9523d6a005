// SPDX-License-Identifier: ISC
/* postern latency show: runs from files, or what the appliance has measured since it started. */
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "columns.h"
#include "latency_live.h"
#include "latency_out.h"
#include "latency_verbs.h"
#include "latency_view.h"
#include "verbs.h"

enum { WATCH_S = 2, SLOW_SHOWN = 10 };

static json_int_t slowness(const json_t *list, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(list, i), "ns"));
}

/* What the appliance says of the packets that took longest, the slowest first. */
static void print_slow(const struct latency_run *run)
{
	static const struct column column[] = {
		{ "SLOW-NS", "ns", NULL, true },  { "PORT", "port", NULL, true },
		{ "QUEUED", "queued", NULL, true }, { "PROTO", "proto", NULL, false },
		{ "SOURCE", "src", "sport", false }, { "DESTINATION", "dst", "dport", false },
		{ "RULE", "rule", NULL, true },	    { "GENERATION", "generation", NULL, true },
		{ "PARSE", "parse_ns", NULL, true }, { "LOOKUP", "lookup_ns", NULL, true },
		{ "FORWARD", "forward_ns", NULL, true },
	};
	struct columns t;
	json_t *list = json_copy(json_object_get(run->config, "slow"));
	columns_on(&t, column, array_len(column));
	for (int row = 0; row < SLOW_SHOWN && json_array_size(list); row++) {
		size_t most = 0;
		for (size_t i = 1; i < json_array_size(list); i++)
			if (slowness(list, i) > slowness(list, most))
				most = i;
		columns_add(&t, json_array_get(list, most));
		json_array_remove(list, most);
	}
	json_decref(list);
	if (t.rows)
		putchar('\n');
	columns_print(&t, stdout);
	columns_free(&t);
}

/* What of the running appliance is asked for. */
struct wanted {
	const char *control, *client;
	enum latency_view view;
	bool watch;
};

static int show_run(const struct latency_wish *w, enum latency_view view, struct latency_run *run, const char *label)
{
	const struct latency_run *one = run;
	struct latency_wish rest = *w;
	bool table = w->form == LATENCY_TABLE && view != LATENCY_VIEW_WHOLE && !w->series;
	latency_view_select(view, run);
	if (!run->count)
		return complain(EXIT_NO, "the appliance has measured nothing of that");
	if (table && !w->svg && !w->save) {
		latency_view_print(stdout, view, run);
		return EXIT_YES;
	}
	if (table)
		rest.form = LATENCY_NOTHING;
	int code = latency_grant(&rest, &one, &label, 1);
	if (code == EXIT_YES && table)
		latency_view_print(stdout, view, run);
	else if (code == EXIT_YES && w->form == LATENCY_TABLE)
		print_slow(run);
	return code;
}

static int show_live(const struct latency_wish *w, const struct wanted *a)
{
	char request[LATENCY_REQUEST_BYTES];
	if (!latency_view_request(a->view, a->client, request))
		return complain(EXIT_USAGE, "%s: no address", a->client);
	struct latency_run before;
	int code;
	latency_run_init(&before, "appliance");
	do {
		struct latency_run run;
		code = latency_live_ask(&run, a->control, request);
		if (code != EXIT_YES)
			break;
		if (a->watch) {
			latency_view_since(&run, &before);
			fputs("\033[H\033[J", stdout);
		}
		code = show_run(w, a->view, &run, a->client ? a->client : "appliance");
		latency_run_free(&run);
		fflush(stdout);
	} while (code == EXIT_YES && a->watch && !sleep(WATCH_S));
	latency_run_free(&before);
	return code;
}

static int show_files(const struct latency_wish *w, char **file, size_t n)
{
	struct latency_run run[LATENCY_OVERLAY_MAX];
	const struct latency_run *list[LATENCY_OVERLAY_MAX];
	char reason[LATENCY_REASON_BYTES];
	size_t loaded = 0;
	int code = EXIT_YES;
	if (n > LATENCY_OVERLAY_MAX)
		return complain(EXIT_USAGE, "at most %d runs at a time", LATENCY_OVERLAY_MAX);
	for (; loaded < n && code == EXIT_YES; loaded++) {
		if (!latency_run_load(&run[loaded], file[loaded], reason)) {
			code = complain(EXIT_USAGE, "%s: %s", file[loaded], reason);
			break;
		}
		list[loaded] = &run[loaded];
	}
	if (code == EXIT_YES)
		code = latency_grant(w, list, (const char *const *)file, n);
	for (size_t i = 0; i < loaded; i++)
		latency_run_free(&run[i]);
	return code;
}

int latency_show(int argc, char **argv)
{
	enum { CONTROL = LATENCY_OPT_OWN, WATCH, CLIENT, CLIENTS, RULES, STAGES };
	static const struct option options[] = {
		LATENCY_OUT_OPTIONS,
		{ "control", required_argument, NULL, CONTROL }, { "watch", no_argument, NULL, WATCH },
		{ "client", required_argument, NULL, CLIENT },	 { "clients", no_argument, NULL, CLIENTS },
		{ "rules", no_argument, NULL, RULES },		 { "stages", no_argument, NULL, STAGES },
		{ 0 },
	};
	struct latency_wish w = { .form = LATENCY_TABLE };
	struct wanted a = { .view = LATENCY_VIEW_WHOLE };
	const char *control = NULL;
	int views = 0;
	for (int o; (o = getopt_long(argc, argv, "jo:h", options, NULL)) != -1;) {
		bool view = o >= CLIENT && o <= STAGES;
		views += view;
		if (view)
			a.view = o == RULES ? LATENCY_VIEW_RULES : o == STAGES ? LATENCY_VIEW_STAGES : LATENCY_VIEW_CLIENTS;
		if (o == CLIENT)
			a.client = optarg;
		else if (o == CONTROL)
			control = optarg;
		else if (o == WATCH)
			a.watch = true;
		else if (!view && !latency_wish_take(&w, o, optarg))
			return o == 'h' ? verb_help("latency") : verb_usage("latency");
	}
	if (views > 1 || (optind < argc && (a.watch || views)))
		return verb_usage("latency");
	if (optind < argc)
		return show_files(&w, argv + optind, (size_t)(argc - optind));
	a.control = controlclient_path(control);
	return show_live(&w, &a);
}
