// SPDX-License-Identifier: ISC
/* postern latency on|stages|off|reset|state: what the appliance measures. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "latency_verbs.h"
#include "verbs.h"

static void keep(void *context, json_t *line)
{
	json_t **last = context;
	json_decref(*last);
	*last = json_incref(line);
}

/* One object, or a line for each member but the type. */
static int print(json_t *o, bool json)
{
	const char *name;
	json_t *value;
	if (json)
		return answer_print(json_incref(o));
	json_object_foreach(o, name, value)
		if (json_is_integer(value))
			printf("%s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
		else if (json_is_boolean(value))
			printf("%s %s\n", name, json_is_true(value) ? "yes" : "no");
	return EXIT_YES;
}

int latency_tell(const char *control, const char *request, bool json)
{
	json_t *last = NULL;
	int code = answer_ask(control, request, keep, &last);
	if (code == EXIT_YES && last)
		code = print(last, json);
	json_decref(last);
	return code;
}

int latency_switch_verb(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "control", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL;
	char request[32];
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;)
		if (o == 'c')
			control = optarg;
		else if (o == 'j')
			json = true;
		else
			return o == 'h' ? verb_help("latency") : verb_usage("latency");
	if (optind != argc)
		return verb_usage("latency");
	snprintf(request, sizeof(request), "latency %s", argv[0]);
	return latency_tell(controlclient_path(control), request, json);
}
