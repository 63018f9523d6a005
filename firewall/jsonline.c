// SPDX-License-Identifier: ISC
/* Writes the members of one JSON object. */
#include "jsonline.h"

void json_begin(struct text *t, const char *type)
{
	text_put(t, "{\"type\":\"");
	text_put(t, type);
	text_char(t, '"');
}

void json_end(struct text *t)
{
	text_put(t, "}\n");
}

static void name_of(struct text *t, const char *name)
{
	text_put(t, ",\"");
	text_put(t, name);
	text_put(t, "\":");
}

void json_text(struct text *t, const char *name, const char *value)
{
	size_t len = 0;
	while (value[len])
		len++;
	name_of(t, name);
	text_json(t, value, len);
}

void json_u64(struct text *t, const char *name, uint64_t value)
{
	name_of(t, name);
	text_u64(t, value);
}

void json_bool(struct text *t, const char *name, bool value)
{
	name_of(t, name);
	text_put(t, value ? "true" : "false");
}

void json_ip(struct text *t, const char *name, struct ip_addr ip)
{
	char buffer[IP_TEXT];
	struct text value = text_on(buffer);
	if (!ip_is_zero(ip))
		text_ip(&value, ip);
	json_text(t, name, buffer);
}
