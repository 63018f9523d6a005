/* SPDX-License-Identifier: ISC */
/*
 * wire.h: QubesDB messages as bytes.
 *
 * A message is a header of 72 bytes and len bytes of data:
 *   0 type u8, 1 path 64 bytes NUL-terminated, 65 padding 3, 68 len u32 LE.
 * A path has at most 63 characters, a value at most 3071 bytes, none of them NUL.
 * Pure: bytes in, bytes out. The two halves that a client needs are inline, so
 * that a client needs no object of the store.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	WIRE_HEADER_BYTES = 72,
	WIRE_PATH_BYTES = 64, /* with the NUL */
	WIRE_VALUE_MAX = 3071,
	WIRE_MESSAGE_MAX = WIRE_HEADER_BYTES + WIRE_VALUE_MAX,
	WIRE_PATH_AT = 1,
	WIRE_LEN_AT = 68,
};

enum wire_type {
	WIRE_READ = 0,
	WIRE_WRITE = 1,
	WIRE_MULTIREAD = 2,
	WIRE_LIST = 3,
	WIRE_RM = 4,
	WIRE_WATCH = 5,
	WIRE_UNWATCH = 6,
	WIRE_OK = 7,
	WIRE_MISSING = 8,
	WIRE_ERROR = 9,
	WIRE_READ_IS = 10,
	WIRE_MULTIREAD_IS = 11,
	WIRE_LIST_IS = 12,
	WIRE_WATCH_IS = 13,
	WIRE_TYPES = 14,
};

struct wire_header {
	uint8_t type; /* as received: perhaps no enum wire_type */
	bool terminated; /* the path had its NUL; otherwise it was cut to 63 */
	char path[WIRE_PATH_BYTES];
	uint32_t len;
};

static inline void wire_get_header(struct wire_header *h, const uint8_t from[WIRE_HEADER_BYTES])
{
	h->type = from[0];
	memcpy(h->path, from + WIRE_PATH_AT, WIRE_PATH_BYTES);
	h->terminated = memchr(h->path, 0, WIRE_PATH_BYTES) != NULL;
	h->path[WIRE_PATH_BYTES - 1] = 0;
	h->len = (uint32_t)from[WIRE_LEN_AT] | (uint32_t)from[WIRE_LEN_AT + 1] << 8 |
		 (uint32_t)from[WIRE_LEN_AT + 2] << 16 | (uint32_t)from[WIRE_LEN_AT + 3] << 24;
}

/* Every byte behind the path's NUL is zero: no memory of ours leaks. A path above 63 is cut. */
static inline void wire_put_header(uint8_t to[WIRE_HEADER_BYTES], enum wire_type type,
				   const char *path, uint32_t len)
{
	memset(to, 0, WIRE_HEADER_BYTES);
	to[0] = (uint8_t)type;
	memcpy(to + WIRE_PATH_AT, path, strnlen(path, WIRE_PATH_BYTES - 1));
	to[WIRE_LEN_AT] = (uint8_t)len;
	to[WIRE_LEN_AT + 1] = (uint8_t)(len >> 8);
	to[WIRE_LEN_AT + 2] = (uint8_t)(len >> 16);
	to[WIRE_LEN_AT + 3] = (uint8_t)(len >> 24);
}

/* What stands at the front of a stream. */
enum wire_front {
	WIRE_PARTIAL, /* nothing yet: more bytes are needed */
	WIRE_WHOLE,   /* header and data are there */
	WIRE_OVERSIZE, /* len is above the limit: only the header was taken */
	WIRE_UNKNOWN, /* no such type: the stream cannot be trusted any more */
};

struct wire_message {
	struct wire_header header;
	const uint8_t *data; /* header.len bytes inside the caller's buffer, if WIRE_WHOLE */
	size_t taken;	     /* bytes used up: 0 if WIRE_PARTIAL */
};

enum wire_front wire_take(struct wire_message *m, const uint8_t *from, size_t len);

/* A key: starts with '/', does not end in '/', only permitted characters. */
bool wire_is_key(const char *path);
/* What RM and WATCH name: a key, or a directory ending in '/'. */
bool wire_is_target(const char *path);
/* What MULTIREAD and LIST name: a plain string prefix, or nothing for all. */
bool wire_is_prefix(const char *path);
bool wire_is_value(const uint8_t *value, size_t len);

bool wire_is_directory(const char *path);
/* A watch on a directory matches everything that starts with it, any other only itself. */
bool wire_watch_matches(const char *watch, const char *changed);
/* Types that ask for something, as opposed to those that answer. */
bool wire_is_request(uint8_t type);

#endif
