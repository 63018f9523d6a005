// SPDX-License-Identifier: ISC
/* Lines members of JSON objects up under titles. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "columns.h"
#include "must.h"

size_t columns_clean(char *to, size_t room, const char *from)
{
	size_t n = 0;
	/* An escape sequence in a name would be obeyed by the reader's terminal. */
	for (; from[n] && n + 1 < room; n++)
		to[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
	to[n] = 0;
	return n;
}

size_t columns_value(char *to, size_t room, const json_t *value)
{
	int n;
	if (json_is_string(value) && json_string_length(value))
		return columns_clean(to, room, json_string_value(value));
	if (json_is_integer(value))
		n = snprintf(to, room, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		n = snprintf(to, room, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		n = snprintf(to, room, "%s", json_is_true(value) ? "yes" : "no");
	else
		n = snprintf(to, room, "-");
	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void columns_on(struct columns *t, const struct column *column, size_t count)
{
	ensure(count <= COLUMNS_MAX);
	*t = (struct columns){ .column = column, .count = count };
	for (size_t i = 0; i < count; i++)
		t->width[i] = strlen(column[i].title);
}

static size_t cell_text(char *to, const struct column *c, const json_t *object)
{
	const json_t *first = json_object_get(object, c->member);
	size_t n = columns_value(to, COLUMNS_CELL_MAX, first);
	const json_t *second = c->second ? json_object_get(object, c->second) : NULL;
	if (!second || n + 2 >= COLUMNS_CELL_MAX)
		return n;
	/* [addr]:port where the address has colons of its own */
	if (memchr(to, ':', n) && n + 4 < COLUMNS_CELL_MAX) {
		memmove(to + 1, to, n);
		to[0] = '[';
		to[n + 1] = ']';
		n += 2;
	}
	to[n++] = ':';
	return n + columns_value(to + n, COLUMNS_CELL_MAX - n, second);
}

void columns_add(struct columns *t, const json_t *object)
{
	if (t->rows == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->cell = must(reallocarray(t->cell, t->room, t->count * sizeof(*t->cell)));
	}
	for (size_t i = 0; i < t->count; i++) {
		char text[COLUMNS_CELL_MAX];
		size_t n = cell_text(text, &t->column[i], object);
		if (n > t->width[i])
			t->width[i] = n;
		t->cell[t->rows * t->count + i] = must(strdup(text));
	}
	t->rows++;
}

void columns_title(FILE *to, const char *title)
{
	const char *no = getenv("NO_COLOR");
	if (isatty(fileno(to)) && !(no && *no))
		fprintf(to, "\033[1m%s\033[0m", title);
	else
		fputs(title, to);
}

static void print_cell(const struct columns *t, FILE *to, size_t i, const char *text, bool title)
{
	size_t len = strlen(text);
	int pad = (int)(t->width[i] - len);
	bool last = i + 1 == t->count;
	if (t->column[i].right)
		fprintf(to, "%*s", pad, "");
	if (title)
		columns_title(to, text);
	else
		fputs(text, to);
	if (last)
		fputc('\n', to);
	else
		fprintf(to, "%*s", t->column[i].right ? 2 : pad + 2, "");
}

void columns_print(const struct columns *t, FILE *to)
{
	if (!t->rows)
		return;
	for (size_t i = 0; i < t->count; i++)
		print_cell(t, to, i, t->column[i].title, true);
	for (size_t r = 0; r < t->rows; r++)
		for (size_t i = 0; i < t->count; i++)
			print_cell(t, to, i, t->cell[r * t->count + i], false);
}

void columns_free(struct columns *t)
{
	for (size_t i = 0; i < t->rows * t->count; i++)
		free(t->cell[i]);
	free(t->cell);
	t->cell = NULL;
	t->rows = t->room = 0;
}
