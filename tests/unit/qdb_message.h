/* SPDX-License-Identifier: ISC */
/*
 * qdb_message.h: QubesDB messages for tests, built from the description of the
 * protocol and not from the code under test.
 */
#ifndef QDB_MESSAGE_H
#define QDB_MESSAGE_H

#include <stdint.h>
#include <string.h>
#include <stddef.h>

/* Puts a message at `to` (72 + len bytes), returns its size. */
static inline size_t message(uint8_t *to, uint8_t type, const char *path, const void *data, size_t len)
{
	memset(to, 0, 72);
	to[0] = type;
	for (size_t i = 0; i < 64 && path[i]; i++)
		to[1 + i] = (uint8_t)path[i];
	for (int i = 0; i < 4; i++)
		to[68 + i] = (uint8_t)(len >> 8 * i);
	memcpy(to + 72, data, len);
	return 72 + len;
}

#endif
