// SPDX-License-Identifier: ISC
/* Sorts the lines of a status into one document. */
#include <string.h>

#include "base.h"
#include "statusdoc.h"

static const struct {
	const char *type;
	const char *member;
	bool many;
} kinds[] = {
	{ "appliance", "appliance", false }, { "platform", "platform", false }, { "port", "ports", true },
	{ "client", "clients", true },	     { "drop", "drops", true },
};

json_t *statusdoc_new(void)
{
	json_t *document = json_pack("{s:i, s:[], s:[], s:[]}", "schema", 1, "ports", "clients", "drops");
	if (!document)
		panic("out of memory");
	return document;
}

void statusdoc_take(void *document, json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	for (size_t i = 0; type && i < array_len(kinds); i++) {
		if (strcmp(kinds[i].type, type))
			continue;
		json_object_del(object, "type");
		if (kinds[i].many)
			json_array_append(json_object_get(document, kinds[i].member), object);
		else
			json_object_set(document, kinds[i].member, object);
		return;
	}
}

/* It is what its own request is answered with, whatever type the line names. */
void statusdoc_take_tender(void *document, json_t *object)
{
	json_object_del(object, "type");
	json_object_set(document, "tender", object);
}
