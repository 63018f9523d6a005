/* SPDX-License-Identifier: ISC */
/*
 * columns.h: JSON objects as an aligned table.
 *
 * A column shows one member, or two joined by ':'. What is missing or not a
 * scalar shows as "-"; text from the peer never reaches the terminal raw.
 */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { COLUMNS_MAX = 16, COLUMNS_CELL_MAX = 256 };

struct column {
	const char *title;
	const char *member;
	const char *second; /* NULL: none */
	bool right;	    /* numbers stand at the right edge */
};

struct columns {
	const struct column *column; /* the caller's */
	size_t count;
	char **cell; /* count of them a row */
	size_t rows, room;
	size_t width[COLUMNS_MAX];
};

void columns_on(struct columns *, const struct column *column, size_t count);
void columns_add(struct columns *, const json_t *object);
/* Nothing at all when there are no rows. */
void columns_print(const struct columns *, FILE *to);
void columns_free(struct columns *);

/* One value, cleaned, cut to fit; "-" for what is no scalar. Length. */
size_t columns_value(char *to, size_t room, const json_t *value);
/* Copies text with every byte outside printable ASCII as '?'. Length. */
size_t columns_clean(char *to, size_t room, const char *from);
/* Title in bold on a terminal that wants it. */
void columns_title(FILE *to, const char *title);

#endif
