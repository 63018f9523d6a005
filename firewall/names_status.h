/* SPDX-License-Identifier: ISC */
/*
 * names_status.h: the answer to the control request `names [refresh]`, a JSON
 * line each: "resolver" with the servers that are asked, then a "name" for each
 * one that a rule has, with its state (names.h), its addresses, how old the last
 * good answer is, and when it is asked for next. With `refresh` every name is
 * asked for at once, and the answer is how things were when it was asked.
 */
#ifndef NAMES_STATUS_H
#define NAMES_STATUS_H

#include "resolver.h"

struct names_status {
	bool begun;
	uint32_t name; /* the last one told, or NONE */
};

/* NULL, or what is wrong with the words behind "names". */
const char *names_status_begin(struct names_status *, const struct fw *, const char *words, size_t len);
/* As status_next: a line onto *line; false: complete. */
bool names_status_next(struct names_status *, const struct fw *, uint64_t now_ns, struct text *line);

#endif
