/* links: qubes-integration/store/wire.c */
// SPDX-License-Identifier: ISC
/* fuzz_store_wire.c: a stream of QubesDB messages, taken apart and put together again. */
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

static void check(bool good)
{
	if (!good)
		abort();
}

/* What was accepted is within the limits, and encodes to what means the same. */
static void check_whole(const struct wire_message *m)
{
	uint8_t bytes[WIRE_HEADER_BYTES];
	struct wire_header again;
	char text[WIRE_PATH_BYTES + 40];

	check(m->header.len <= WIRE_VALUE_MAX);
	check(m->header.type < WIRE_TYPES);
	wire_put_header(bytes, (enum wire_type)m->header.type, m->header.path, m->header.len);
	wire_get_header(&again, bytes);
	check(again.terminated && again.type == m->header.type && again.len == m->header.len);
	check(strcmp(again.path, m->header.path) == 0);
	check(!wire_is_key(m->header.path) || wire_is_target(m->header.path));
	check(!wire_is_target(m->header.path) || wire_is_prefix(m->header.path));
	check(wire_watch_matches("/", m->header.path) == (m->header.path[0] == '/'));
	check(wire_watch_matches(m->header.path, m->header.path));
	snprintf(text, sizeof(text), "%u %s %u %d%d", m->header.type, m->header.path,
		 m->header.len, wire_is_value(m->data, m->header.len),
		 wire_is_request(m->header.type));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_message m;
	size_t at = 0;

	while (at < size) {
		/* An exact copy, so that a read beyond the end is seen. */
		size_t left = size - at;
		uint8_t *copy = malloc(left);
		enum wire_front front;

		if (!copy)
			return 0;
		memcpy(copy, data + at, left);
		front = wire_take(&m, copy, left);
		if (front == WIRE_WHOLE)
			check_whole(&m);
		check(m.taken <= left && (m.taken > 0) == (front == WIRE_WHOLE || front == WIRE_OVERSIZE));
		free(copy);
		if (m.taken == 0)
			break;
		at += m.taken;
	}
	return 0;
}
