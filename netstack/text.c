/* SPDX-License-Identifier: ISC */
/* text.c: appends to bounded buffers and reads words and numbers. */
#include "text.h"

struct text text_of(char *buffer, size_t room)
{
	ensure(room > 0);
	buffer[0] = '\0';
	return (struct text){ buffer, 0, room, false };
}

void text_char(struct text *t, char c)
{
	if (t->room - t->len < 2) {
		t->cut = true;
		return;
	}
	t->at[t->len++] = c;
	t->at[t->len] = '\0';
}

void text_put(struct text *t, const char *string)
{
	for (; *string; string++)
		text_char(t, *string);
}

void text_bytes(struct text *t, const void *bytes, size_t n)
{
	const char *from = bytes;
	for (size_t i = 0; i < n; i++)
		text_char(t, from[i]);
}

enum { NUMBER_DIGITS_MAX = 20 }; /* of a uint64_t in decimal */

static void number(struct text *t, uint64_t value, unsigned base, unsigned digits)
{
	char reversed[NUMBER_DIGITS_MAX];
	unsigned n = 0;

	do {
		reversed[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; digits > n; digits--)
		text_char(t, '0');
	while (n)
		text_char(t, reversed[--n]);
}

void text_u64(struct text *t, uint64_t value)
{
	number(t, value, 10, 1);
}

void text_hex(struct text *t, uint64_t value, unsigned digits)
{
	number(t, value, 16, digits);
}

void text_padded(struct text *t, uint64_t value, unsigned digits)
{
	number(t, value, 10, digits);
}

void text_json(struct text *t, const char *bytes, size_t n)
{
	text_char(t, '"');
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)bytes[i];
		if (c < 0x20 || c > 0x7e) {
			text_put(t, "\\u");
			text_hex(t, c, 4);
			continue;
		}
		if (c == '"' || c == '\\')
			text_char(t, '\\');
		text_char(t, (char)c);
	}
	text_char(t, '"');
}

bool parse_u32(struct cursor *c, uint32_t max, uint32_t *value)
{
	struct cursor at = *c;
	uint64_t sum = 0;
	unsigned digits = 0;

	while (at.left && at.at[0] >= '0' && at.at[0] <= '9') {
		if (++digits > 10)
			return false;
		sum = sum * 10 + (uint64_t)(at.at[0] - '0');
		take(&at, 1);
	}
	if (!digits || sum > max)
		return false;
	*c = at;
	*value = (uint32_t)sum;
	return true;
}

bool parse_word(struct cursor *c, const char *word)
{
	struct cursor at = *c;
	uint8_t next;

	for (; *word; word++)
		if (!get_u8(&at, &next) || next != (uint8_t)*word)
			return false;
	*c = at;
	return true;
}
