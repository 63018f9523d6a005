// SPDX-License-Identifier: ISC
/* Writes the members of one JSON object. */
#include "cross_rule.h"
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

void json_base64(struct text *t, const char *name, const uint8_t *bytes, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	name_of(t, name);
	text_char(t, '"');
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)bytes[i] << 16;
		v |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		v |= left > 2 ? bytes[i + 2] : 0;
		text_char(t, digit[v >> 18]);
		text_char(t, digit[v >> 12 & 63]);
		text_char(t, left > 1 ? digit[v >> 6 & 63] : '=');
		text_char(t, left > 2 ? digit[v & 63] : '=');
	}
	text_char(t, '"');
}

void json_ip(struct text *t, const char *name, struct ip_addr ip)
{
	char buffer[IP_TEXT];
	struct text value = text_on(buffer);
	if (!ip_is_zero(ip))
		text_ip(&value, ip);
	json_text(t, name, buffer);
}

void json_tuple(struct text *t, const struct tuple *tuple)
{
	char buffer[16];
	struct text proto = text_on(buffer);
	text_proto(&proto, tuple->proto);
	json_text(t, "proto", buffer);
	json_ip(t, "src", tuple->src);
	json_u64(t, "sport", tuple->sport);
	json_ip(t, "dst", tuple->dst);
	json_u64(t, "dport", tuple->dport);
}

void json_owner(struct text *t, const char *name, struct ip_addr owner)
{
	char buffer[IP_TEXT];
	struct text value = text_on(buffer);
	cross_owner_text(&value, owner);
	json_text(t, name, buffer);
}
