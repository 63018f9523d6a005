// SPDX-License-Identifier: ISC
/* What changes between two values of a set. */
#include <stdbool.h>
#include <string.h>

#include "setdiff.h"

static bool has(const char *members, const char *one, size_t len)
{
	for (const char *at = members; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");
		if (n == len && !memcmp(at, one, n))
			return true;
		at += n;
	}
	return false;
}

static json_t *only_in(const char *these, const char *not_those)
{
	json_t *list = json_array();
	for (const char *at = these; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");
		if (!has(not_those, at, n))
			json_array_append_new(list, json_stringn(at, n));
		at += n;
	}
	return list;
}

json_t *setdiff(const char *name, const char *from, const char *to)
{
	from = from ? from : "";
	to = to ? to : "";
	return json_pack("{s:s, s:o, s:o}", "set", name, "added", only_in(to, from), "removed", only_in(from, to));
}
