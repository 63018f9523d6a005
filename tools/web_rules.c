// SPDX-License-Identifier: ISC
/* Collects rules with their counters, and picks some. */
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "web_rules.h"

static const char *client_of(const json_t *rule)
{
	const char *client = json_string_value(json_object_get(rule, "client"));
	return client ? client : "";
}

/* The rules of that client changed while they were told, and come again. */
static void forget(json_t *array, const char *client)
{
	for (size_t i = json_array_size(array); i > 0; i--)
		if (!strcmp(client_of(json_array_get(array, i - 1)), client))
			json_array_remove(array, i - 1);
}

void web_rules_take(void *array, json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type)
		return;
	if (!strcmp(type, "again"))
		forget(array, client_of(object));
	if (strcmp(type, "rule"))
		return;
	json_object_del(object, "type");
	json_array_append(array, object);
}

struct pick {
	json_t *rule;
	json_int_t hits;
	size_t place;
};

static json_int_t number(const json_t *object, const char *member)
{
	json_int_t n = json_integer_value(json_object_get(object, member));
	return n > 0 ? n : 0;
}

static int busier(const void *a, const void *b)
{
	const struct pick *l = a, *r = b;
	if (l->hits != r->hits)
		return l->hits > r->hits ? -1 : 1;
	return l->place < r->place ? -1 : l->place > r->place;
}

json_t *web_rules_pick(const json_t *rules, const char *client, bool by_hits, size_t top)
{
	size_t size = json_array_size(rules), count = 0, unused = 0;
	struct pick *pick = calloc(size ? size : 1, sizeof(*pick));
	json_t *out = json_array();
	if (!pick || !out)
		panic("out of memory");
	for (size_t i = 0; i < size; i++) {
		json_t *rule = json_array_get(rules, i);
		if (*client && strcmp(client_of(rule), client))
			continue;
		json_int_t hits = number(rule, "packets") + number(rule, "refused");
		unused += hits == 0;
		pick[count++] = (struct pick){ rule, hits, i };
	}
	if (by_hits)
		qsort(pick, count, sizeof(*pick), busier);
	for (size_t i = 0; i < count && i < top; i++)
		json_array_append(out, pick[i].rule);
	free(pick);
	return json_pack("{s:i, s:I, s:I, s:o}", "schema", 1, "total", (json_int_t)count, "unused", (json_int_t)unused,
			 "rules", out);
}
