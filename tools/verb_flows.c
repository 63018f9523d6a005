// SPDX-License-Identifier: ISC
/* postern flows: what is connected through the appliance now, and ending some of it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "columns.h"
#include "flowfilter.h"
#include "verbs.h"

static const struct column columns[] = {
	{ "PROTO", "proto", NULL, false },
	{ "SOURCE", "src", "sport", false },
	{ "DESTINATION", "dst", "dport", false },
	{ "AS", "nat_ip", "nat_port", false },
	{ "STATE", "state", NULL, false },
	{ "KIND", "kind", NULL, false },
	{ "CLIENT", "client", NULL, false },
	{ "RULE", "rule", NULL, true },
	{ "ID", "rule_id", NULL, false },
	{ "IDLE-S", "idle_s", NULL, true },
	{ "UP-PKTS", "up_packets", NULL, true },
	{ "UP-BYTES", "up_bytes", NULL, true },
	{ "DOWN-PKTS", "down_packets", NULL, true },
	{ "DOWN-BYTES", "down_bytes", NULL, true },
};

enum { REQUEST_BYTES = 800 };

struct wish {
	const char *control;
	struct flowfilter filter;
	enum flowsort sort;
	size_t top; /* 0: all */
	bool json, kill, yes;
	char request[REQUEST_BYTES]; /* "flows", and an expression */
};

static void take_flow(void *context, json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type || strcmp(type, "flow"))
		return;
	json_object_del(object, "type");
	json_array_append(context, object);
}

static int print_flows(const json_t *flows, bool json)
{
	struct columns t;
	if (json)
		return answer_print(json_pack("{s:i, s:O}", "schema", 1, "flows", flows));
	columns_on(&t, columns, array_len(columns));
	for (size_t i = 0; i < json_array_size(flows); i++)
		columns_add(&t, json_array_get(flows, i));
	columns_print(&t, stdout);
	columns_free(&t);
	return EXIT_YES;
}

/* --- kill ------------------------------------------------------------------------ */

static void take_killed(void *context, json_t *object)
{
	json_int_t *count = context;
	const char *type = json_string_value(json_object_get(object, "type"));
	if (type && !strcmp(type, "killed"))
		*count += json_integer_value(json_object_get(object, "count"));
}

static int kill_one(const char *socket, const json_t *flow, json_int_t *count)
{
	static const char *const members[] = { "proto", "src", "sport", "dst", "dport" };
	char request[512];
	struct text t = text_on(request);
	text_put(&t, "kill");
	for (size_t i = 0; i < array_len(members); i++) {
		char word[COLUMNS_CELL_MAX];
		columns_value(word, sizeof(word), json_object_get(flow, members[i]));
		text_char(&t, ' ');
		text_put(&t, word);
	}
	return answer_ask(socket, request, take_killed, count);
}

static int kill_flows(const struct wish *w, const char *socket, const json_t *flows)
{
	json_int_t count = 0;
	size_t size = json_array_size(flows);
	int code = EXIT_YES;
	if (size == 0 && !w->json)
		return complain(EXIT_NO, "no flow matches");
	if (size > 1 && !w->yes && isatty(STDIN_FILENO))
		return complain(EXIT_USAGE, "%zu flows match: `postern flows` with the same options lists them; "
				"--yes ends them all", size);
	for (size_t i = 0; i < size && code == EXIT_YES; i++)
		code = kill_one(socket, json_array_get(flows, i), &count);
	int printed = EXIT_YES;
	if (w->json)
		printed = answer_print(json_pack("{s:i, s:I, s:O}", "schema", 1, "killed", count, "flows", flows));
	else
		printf("%" JSON_INTEGER_FORMAT " killed\n", count);
	if (code != EXIT_YES)
		return code;
	return count ? printed : EXIT_NO;
}

/* --- the words -------------------------------------------------------------------- */

static int run(const struct wish *w)
{
	const char *socket = controlclient_path(w->control);
	json_t *all = json_array();
	int code = answer_ask(socket, w->request, take_flow, all);
	if (code == EXIT_YES) {
		json_t *flows = flowfilter_pick(&w->filter, all, w->sort, w->top);
		code = w->kill ? kill_flows(w, socket, flows) : print_flows(flows, w->json);
		json_decref(flows);
	}
	json_decref(all);
	return code;
}

static const char *take_top(size_t *top, const char *word)
{
	uint32_t n;
	struct cursor c = cursor_of(word, strlen(word));
	if (!parse_u32(&c, CONTROL_LINES_MAX, &n) || c.left || n == 0)
		return "not a number from 1";
	*top = n;
	return NULL;
}

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "client", required_argument, NULL, 'c' },
	{ "proto", required_argument, NULL, 'p' },
	{ "dst", required_argument, NULL, 'd' },
	{ "rule", required_argument, NULL, 'r' },
	{ "state", required_argument, NULL, 't' },
	{ "sort", required_argument, NULL, 'o' },
	{ "top", required_argument, NULL, 'n' },
	{ "yes", no_argument, NULL, 'y' },
	{ "control", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* An option's word into the wish; NULL, or what is wrong with it. */
static const char *take_option(struct wish *w, int o)
{
	switch (o) {
	case 'c': return flowfilter_client(&w->filter, optarg);
	case 'p': return flowfilter_proto(&w->filter, optarg);
	case 'd': return flowfilter_dst(&w->filter, optarg);
	case 'r': return flowfilter_rule(&w->filter, optarg);
	case 't': return flowfilter_state(&w->filter, optarg);
	case 'o': return flowsort_parse(&w->sort, optarg);
	case 'n': return take_top(&w->top, optarg);
	case 'j': w->json = true; break;
	case 'y': w->yes = true; break;
	case 's': w->control = optarg; break;
	}
	return NULL;
}

/* The words behind the options, for the appliance to read. */
static bool take_expression(struct wish *w, int count, char **words)
{
	struct text t = text_on(w->request);
	text_put(&t, "flows");
	for (int i = 0; i < count; i++) {
		text_char(&t, ' ');
		text_put(&t, words[i]);
	}
	return !t.cut && !strpbrk(w->request, "\n\r");
}

int verb_flows(int argc, char **argv)
{
	struct wish w = { .control = NULL };
	int at = -1;
	for (int o; (o = getopt_long(argc, argv, "jh", options, &at)) != -1; at = -1) {
		if (o == 'h')
			return verb_help("flows");
		if (o == '?')
			return verb_usage("flows");
		const char *wrong = take_option(&w, o);
		if (wrong)
			return complain(EXIT_USAGE, "--%s %s: %s", at >= 0 ? options[at].name : "?", optarg, wrong);
	}
	w.kill = optind < argc && !strcmp(argv[optind], "kill");
	optind += w.kill;
	if ((w.yes && !w.kill) || !take_expression(&w, argc - optind, argv + optind))
		return verb_usage("flows");
	if (w.kill && !w.yes && !w.top && optind == argc && !flowfilter_any(&w.filter))
		return complain(EXIT_USAGE, "that would end every flow: name some, or say --yes");
	return run(&w);
}
