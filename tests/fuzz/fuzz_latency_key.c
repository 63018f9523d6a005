/* links: tools/latency_key.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_latency_key.c: frames of every link type; the key must not depend on what NAT changes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "latency_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int link[] = { 1, 12, 113, 228, 276 };
	struct latency_key key, again;
	if (size < 2)
		return 0;
	/* A copy of its own size, so that reading past it is seen. */
	uint8_t *bytes = malloc(size - 2 ? size - 2 : 1);
	assert(bytes);
	memcpy(bytes, data + 2, size - 2);
	size_t at = latency_find_ipv4(link[data[0] % 5], bytes, size - 2);
	assert(at <= size - 2);
	if (latency_key_of(bytes + at, size - 2 - at, data[1] % (LATENCY_PAYLOAD_BYTES + 1), &key)) {
		memset(bytes + at + 12, 0x5a, 8); /* both addresses */
		bytes[at + 8] ^= 1;		  /* TTL */
		assert(latency_key_of(bytes + at, size - 2 - at, data[1] % (LATENCY_PAYLOAD_BYTES + 1), &again));
		assert(again.content == key.content);
		assert(latency_flow_hash(&again.ends));
	}
	free(bytes);
	return 0;
}
