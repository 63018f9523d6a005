// SPDX-License-Identifier: ISC
/* A table of options for getopt_long. */
#include <getopt.h>

#include "base.h"
#include "verboptions.h"
#include "verbs.h"

enum { FIRST = 256 }; /* above every letter */

int verboptions_take(int argc, char **argv, const struct verboption *option, size_t count, bool *done)
{
	struct option longs[VERBOPTIONS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
	char shorts[2 * VERBOPTIONS_MAX + 2] = "h", *at = shorts + 1;
	ensure(count <= VERBOPTIONS_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct verboption *o = &option[i];
		longs[i + 1] = (struct option){ o->name, o->on ? no_argument : required_argument, NULL, FIRST + (int)i };
		if (o->letter)
			*at++ = o->letter;
		if (o->letter && o->word)
			*at++ = ':';
	}
	for (int got; (got = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
		size_t i = 0;
		*done = got == 'h';
		if (got == 'h' || got == '?')
			return got == 'h' ? verb_help(argv[0]) : verb_usage(argv[0]);
		while (i < count && got != FIRST + (int)i && got != option[i].letter)
			i++;
		if (option[i].on)
			*option[i].on = true;
		else
			*option[i].word = optarg;
	}
	return EXIT_YES;
}
