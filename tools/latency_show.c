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

static int show_live(const struct latency_wish *w, const char *control, bool watch)
{
	const char *label = "appliance";
	do {
		struct latency_run run;
		int code = latency_live_ask(&run, control);
		if (code != EXIT_YES)
			return code;
		const struct latency_run *one = &run;
		if (watch)
			fputs("\033[H\033[J", stdout);
		if (!run.count)
			code = complain(EXIT_NO, "the appliance has measured nothing");
		else
			code = latency_grant(w, &one, &label, 1);
		if (code == EXIT_YES && w->form == LATENCY_TABLE)
			print_slow(&run);
		latency_run_free(&run);
		if (code != EXIT_YES || !watch)
			return code;
		fflush(stdout);
	} while (!sleep(WATCH_S));
	return EXIT_YES;
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
	enum { CONTROL = LATENCY_OPT_OWN, WATCH };
	static const struct option options[] = {
		LATENCY_OUT_OPTIONS,
		{ "control", required_argument, NULL, CONTROL },
		{ "watch", no_argument, NULL, WATCH },
		{ 0 },
	};
	struct latency_wish w = { .form = LATENCY_TABLE };
	const char *control = NULL;
	bool watch = false;
	for (int o; (o = getopt_long(argc, argv, "jo:h", options, NULL)) != -1;) {
		if (o == CONTROL)
			control = optarg;
		else if (o == WATCH)
			watch = true;
		else if (!latency_wish_take(&w, o, optarg))
			return o == 'h' ? verb_help("latency") : verb_usage("latency");
	}
	if (optind < argc)
		return watch ? verb_usage("latency") : show_files(&w, argv + optind, (size_t)(argc - optind));
	return show_live(&w, controlclient_path(control), watch);
}
