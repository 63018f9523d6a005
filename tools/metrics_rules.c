// SPDX-License-Identifier: ISC
/* Chooses the rules that get series of their own: those with a label, and the busiest of the others. */
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

static const char *word(const json_t *rule, const char *member)
{
	const char *w = json_string_value(json_object_get(rule, member));
	return w ? w : "";
}

static json_int_t hits(const json_t *rule)
{
	json_int_t packets = json_integer_value(json_object_get(rule, "packets"));
	json_int_t refused = json_integer_value(json_object_get(rule, "refused"));
	packets = packets > 0 ? packets : 0;
	refused = refused > 0 ? refused : 0;
	return packets > INT64_MAX - refused ? INT64_MAX : packets + refused;
}

struct candidate {
	json_t *rule;
	json_int_t hits;
	bool labelled;
	size_t place;
};

static int compare(const void *a, const void *b)
{
	const struct candidate *l = a, *r = b;
	if (l->labelled != r->labelled)
		return l->labelled ? -1 : 1;
	if (!l->labelled && l->hits != r->hits)
		return l->hits > r->hits ? -1 : 1;
	return l->place < r->place ? -1 : l->place > r->place;
}

/* A label may stand in many lines, which have one account: one of them is enough. */
static bool is_new(json_t *seen, const json_t *rule)
{
	char key[256];
	snprintf(key, sizeof(key), "%s %s", word(rule, "client"), word(rule, "id"));
	if (json_object_get(seen, key))
		return false;
	json_object_set_new(seen, key, json_true());
	return true;
}

void metrics_pick_rules(struct metrics *m, const json_t *rules)
{
	size_t size = json_array_size(rules), labelled = 0, others = 0;
	struct candidate *of = calloc(size + 1, sizeof(*of));
	json_t *seen = json_object();
	for (size_t i = 0; of && i < size; i++) {
		json_t *rule = json_array_get(rules, i);
		of[i] = (struct candidate){ rule, hits(rule), json_is_true(json_object_get(rule, "labelled")), i };
	}
	if (of)
		qsort(of, size, sizeof(*of), compare);
	for (size_t i = 0; of && i < size; i++) {
		size_t *count = of[i].labelled ? &labelled : &others;
		size_t most = of[i].labelled ? METRICS_LABELLED_MAX : METRICS_BUSY_MAX;
		if (*count == most || !*word(of[i].rule, "id") || !is_new(seen, of[i].rule))
			continue;
		++*count;
		json_array_append(m->rules, of[i].rule);
	}
	json_decref(seen);
	free(of);
}
