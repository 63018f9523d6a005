// SPDX-License-Identifier: ISC
/* postern check: is this rule file right? */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "plan.h"
#include "verbs.h"

static int say(const struct plan *plan, const char *name, bool json)
{
	size_t rules = 0, clients = 0;
	for (size_t i = 0; i < plan->count; i++) {
		clients += plan->client[i].ip[0] != 0;
		rules += plan->client[i].rules.count;
	}
	if (json)
		return answer_print(json_pack("{s:i, s:b, s:I, s:I, s:I}", "schema", 1, "good", 1, "clients",
					      (json_int_t)clients, "rules", (json_int_t)rules, "sets",
					      (json_int_t)plan->sets.count));
	printf("%s: good: %zu %s", name, rules, rules == 1 ? "rule" : "rules");
	if (clients)
		printf(" for %zu %s", clients, clients == 1 ? "client" : "clients");
	if (plan->sets.count)
		printf(", %zu %s", plan->sets.count, plan->sets.count == 1 ? "set" : "sets");
	putchar('\n');
	return EXIT_YES;
}

int verb_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
		if (o != 'j')
			return o == 'h' ? verb_help("check") : verb_usage("check");
		json = true;
	}
	if (argc - optind != 1)
		return verb_usage("check");
	const char *file = argv[optind], *name = strcmp(file, "-") ? file : "stdin";
	struct rulefile_source s = { .name = name, .now = (uint64_t)time(NULL) };
	char *text = rulefile_read(file, &s.len);
	if (!text)
		return complain(EXIT_USAGE, "%s: %s", name, strerror(errno));
	s.text = text;
	struct plan plan;
	int code = plan_parse(&plan, &s, false, stderr) ? say(&plan, name, json) : EXIT_NO;
	if (code == EXIT_NO && json)
		answer_print(json_pack("{s:i, s:b}", "schema", 1, "good", 0));
	plan_free(&plan);
	free(text);
	return code;
}
