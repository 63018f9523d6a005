/* SPDX-License-Identifier: ISC */
/*
 * rulefile.h: a file of rules as an operator writes them, as the store's lines.
 *
 * A rule's number is its place among the rules of the file. A rule that is of
 * the other address family or has expired leaves a gap, as in Qubes.
 */
#ifndef RULEFILE_H
#define RULEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rule.h"

enum {
	RULEFILE_BYTES_MAX = 16 << 20,
	RULEFILE_FAULTS_SHOWN = 20,
};

struct rulefile {
	struct rulefile_line {
		uint32_t number;
		char *text; /* canonical, NUL-terminated */
	} *line;
	size_t count, room;
};

struct rulefile_source {
	const char *name; /* in messages */
	const char *text;
	size_t len;
	bool v6;      /* the client's family */
	uint64_t now; /* seconds since 1970 */
	enum rule_kind kind; /* of the rules */
};

/* A line of a file, in messages and while it is read. */
struct rulefile_place {
	const char *name;
	unsigned number; /* of the line, from 1 */
	const char *line; /* without its end */
	size_t len;
};

/* Steps to the next line; false: there is none. *at starts as 0, place->number too. */
bool rulefile_step(struct rulefile_place *, const struct rulefile_source *, size_t *at);
/* One line; *number: of the next rule. False: it is wrong, and errors (unless NULL) says so. */
bool rulefile_take(struct rulefile *, const struct rulefile_source *, const struct rulefile_place *,
		   uint32_t *number, FILE *errors);
/* NAME:LINE:COLUMN: reason, the line and a caret. */
void rulefile_point(const struct rulefile_place *, unsigned column, const char *reason, FILE *errors);
/* text is copied. */
void rulefile_keep(struct rulefile *, uint32_t number, const char *text);
/* The whole of a file, "-" being standard input; NULL with errno. The caller frees it. */
char *rulefile_read(const char *name, size_t *len);

/*
 * A file for one client, without section heads. False: every fault (the first RULEFILE_FAULTS_SHOWN) is on errors as
 * NAME:LINE:COLUMN: reason, the line and a caret. Free it either way.
 */
bool rulefile_parse(struct rulefile *, const struct rulefile_source *, FILE *errors);
void rulefile_free(struct rulefile *);

#endif
