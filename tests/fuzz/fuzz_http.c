/* links: tools/http_request.c netstack/text.c netstack/addr.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_http.c: any bytes as a request's head; what is accepted lies within them and says the same again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http_request.h"

static void within(struct cursor c, const uint8_t *bytes, size_t len)
{
	if (c.left)
		assert(c.at >= bytes && c.left <= len - (size_t)(c.at - bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct http_request r;
	char value[16];
	size_t head = http_head_length((const char *)bytes, size);
	assert(head <= size);
	for (size_t shorter = 0; head && shorter < head && head < 256; shorter++)
		assert(http_head_length((const char *)bytes, shorter) == 0);
	if (http_request_parse(&r, (const char *)bytes, head ? head : size) != HTTP_OK)
		return 0;
	within(r.path, bytes, size);
	within(r.query, bytes, size);
	within(r.host, bytes, size);
	assert(r.path.left && r.path.at[0] == '/' && r.path.left + r.query.left <= HTTP_TARGET_MAX);
	assert(!memchr(r.path.at, ' ', r.path.left) && !memchr(r.path.at, '\n', r.path.left));
	(void)http_host_is_here(&r);
	if (http_query(&r, "q", value, sizeof(value)))
		assert(memchr(value, 0, sizeof(value)));
	else
		assert(!value[0]);
	return 0;
}
