// SPDX-License-Identifier: ISC
/* postern latency: measuring how long packets take. */
#include <string.h>

#include "base.h"
#include "latency_verbs.h"
#include "verbs.h"

int verb_latency(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} sub[] = {
		{ "show", latency_show },   { "probe", latency_probe },	    { "reflect", latency_reflect },
		{ "match", latency_match }, { "compare", latency_compare },
		{ "on", latency_switch_verb }, { "off", latency_switch_verb }, { "stages", latency_switch_verb },
		{ "reset", latency_switch_verb }, { "state", latency_switch_verb },
	};
	if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
		return verb_help("latency");
	for (size_t i = 0; argc > 1 && i < array_len(sub); i++)
		if (!strcmp(argv[1], sub[i].name))
			return sub[i].run(argc - 1, argv + 1);
	return verb_usage("latency");
}
