// SPDX-License-Identifier: ISC
/* Pairs rules of equal text, and finds the longest run of pairs that keep their order. */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "plandiff.h"

enum { NOWHERE = -1 };

struct named {
	const char *text;
	long place;
};

static int by_text(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->text, y->text);
	return order ? order : x->place < y->place ? -1 : 1;
}

static struct named *sorted(const struct rulefile *f)
{
	struct named *n = must(calloc(f->count + 1, sizeof(*n)));
	for (size_t i = 0; i < f->count; i++)
		n[i] = (struct named){ f->line[i].text, (long)i };
	qsort(n, f->count, sizeof(*n), by_text);
	return n;
}

/* pair[place in to] = place in from, or NOWHERE; the first of equals with the first. */
static void make_pairs(const struct rulefile *from, const struct rulefile *to, long *pair)
{
	struct named *a = sorted(from), *b = sorted(to);
	size_t i = 0, k = 0;
	while (k < to->count) {
		int order = i < from->count ? strcmp(a[i].text, b[k].text) : 1;
		pair[b[k].place] = order ? NOWHERE : a[i].place;
		i += order <= 0;
		k += order >= 0;
	}
	free(a);
	free(b);
}

/* kept[place in to]: it is in the longest rising run of pairs. */
static void keep_longest(const long *pair, size_t count, bool *kept)
{
	size_t *last = must(calloc(count + 1, sizeof(*last))), length = 0; /* of a run so long: its least end */
	long *before = must(calloc(count + 1, sizeof(*before)));
	for (size_t i = 0; i < count; i++) {
		if (pair[i] == NOWHERE)
			continue;
		size_t low = 0, high = length;
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (pair[last[middle]] < pair[i])
				low = middle + 1;
			else
				high = middle;
		}
		before[i] = low ? (long)last[low - 1] : NOWHERE;
		last[low] = i;
		length += low == length;
	}
	for (long at = length ? (long)last[length - 1] : NOWHERE; at != NOWHERE; at = before[at])
		kept[at] = true;
	free(last);
	free(before);
}

static void add(json_t *list, const char *change, const struct rulefile_line *from, const struct rulefile_line *to)
{
	json_t *text = json_string(to ? to->text : from->text);
	json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "change", change,
					      "from", from ? json_integer(from->number) : json_null(),
					      "to", to ? json_integer(to->number) : json_null(),
					      "rule", text ? text : json_string("?")));
}

json_t *plandiff_rules(const struct plan_client *from, const struct plan_client *to)
{
	static const struct rulefile none = { 0 };
	const struct rulefile *a = from ? &from->rules : &none, *b = to ? &to->rules : &none;
	long *pair = must(calloc(b->count + 1, sizeof(*pair)));
	bool *kept = must(calloc(b->count + 1, sizeof(*kept)));
	bool *met = must(calloc(a->count + 1, sizeof(*met)));
	json_t *list = json_array();
	make_pairs(a, b, pair);
	keep_longest(pair, b->count, kept);
	for (size_t i = 0; i < b->count; i++)
		if (pair[i] != NOWHERE)
			met[pair[i]] = true;
	for (size_t i = 0; i < a->count; i++)
		if (!met[i])
			add(list, "removed", &a->line[i], NULL);
	for (size_t i = 0; i < b->count; i++) {
		if (pair[i] == NOWHERE)
			add(list, "added", NULL, &b->line[i]);
		else if (!kept[i])
			add(list, "moved", &a->line[pair[i]], &b->line[i]);
	}
	free(pair);
	free(kept);
	free(met);
	return list;
}
