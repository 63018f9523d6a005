/* SPDX-License-Identifier: ISC */
/*
 * verboptions.h: a verb's options by a table, for verbs whose options only say on, or one word each.
 */
#ifndef VERBOPTIONS_H
#define VERBOPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { VERBOPTIONS_MAX = 16 };

struct verboption {
	const char *name;
	char letter;        /* 0: it has no short form */
	bool *on;           /* it takes no argument; or NULL, and then */
	const char **word;  /* its argument, which lives as long as argv */
};

/*
 * Leaves optind at the first operand. -h and --help are known besides: *done, the verb has been told of. EXIT_YES, or
 * the exit code, told on standard error.
 */
int verboptions_take(int argc, char **argv, const struct verboption *, size_t count, bool *done);

#endif
