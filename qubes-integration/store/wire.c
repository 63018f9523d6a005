/* SPDX-License-Identifier: ISC */
/* wire.c: takes QubesDB messages off a stream and judges their paths and values. */
#include "wire.h"

enum wire_front wire_take(struct wire_message *m, const uint8_t *from, size_t len)
{
	m->data = NULL;
	m->taken = 0;
	if (len < WIRE_HEADER_BYTES)
		return WIRE_PARTIAL;
	wire_get_header(&m->header, from);
	if (m->header.type >= WIRE_TYPES)
		return WIRE_UNKNOWN;
	if (m->header.len > WIRE_VALUE_MAX) {
		m->taken = WIRE_HEADER_BYTES;
		return WIRE_OVERSIZE;
	}
	if (m->header.len > len - WIRE_HEADER_BYTES)
		return WIRE_PARTIAL;
	m->data = from + WIRE_HEADER_BYTES;
	m->taken = WIRE_HEADER_BYTES + m->header.len;
	return WIRE_WHOLE;
}

static bool permitted(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '/' && c <= ':') ||
	       c == '.' || c == '_' || c == '@' || c == '-';
}

static bool permitted_text(const char *path)
{
	size_t len = strnlen(path, WIRE_PATH_BYTES);

	if (len == WIRE_PATH_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!permitted(path[i]))
			return false;
	}
	return true;
}

bool wire_is_target(const char *path)
{
	return path[0] == '/' && permitted_text(path);
}

bool wire_is_directory(const char *path)
{
	size_t len = strlen(path);

	return len > 0 && path[len - 1] == '/';
}

bool wire_is_key(const char *path)
{
	return wire_is_target(path) && !wire_is_directory(path);
}

bool wire_is_prefix(const char *path)
{
	return path[0] == 0 || wire_is_target(path);
}

bool wire_is_value(const uint8_t *value, size_t len)
{
	return len <= WIRE_VALUE_MAX && (len == 0 || memchr(value, 0, len) == NULL);
}

bool wire_watch_matches(const char *watch, const char *changed)
{
	if (wire_is_directory(watch))
		return strncmp(watch, changed, strlen(watch)) == 0;
	return strcmp(watch, changed) == 0;
}

bool wire_is_request(uint8_t type)
{
	return type <= WIRE_UNWATCH;
}
