/* links: netstack/dns.c netstack/addr.c netstack/text.c */
// SPDX-License-Identifier: ISC
/*
 * Any message, as the answer to a question that stands in it. The first byte: bit 0 asks for AAAA, bit 1 makes
 * the header an answer's to our question. What is found must be sorted, usable addresses.
 */
#include <stdlib.h>
#include <string.h>
#include "dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { ID = 0x1234 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char host[] = "www.example.com";
	struct dns_question q = { .type = DNS_TYPE_A };
	struct dns_answer a;
	uint8_t query[DNS_QUERY_BYTES];
	if (len == 0)
		return 0;
	if (bytes[0] & 1)
		q.type = DNS_TYPE_AAAA;
	/* any text as a name too: one that is a name can be asked for */
	if (dns_name_of(&q.name, (const char *)bytes + 1, len - 1))
		ensure(dns_query(query, &q, ID) <= DNS_QUERY_BYTES);
	ensure(dns_name_of(&q.name, host, strlen(host)));
	size_t head = dns_query(query, &q, ID), size = len - 1;
	uint8_t *message = malloc(size ? size : 1);
	memcpy(message, bytes + 1, size);
	if (bytes[0] & 2 && size >= head) {
		memcpy(message, query, 6);
		memcpy(message + 12, query + 12, head - 12);
		message[2] |= 0x80;
	}
	if (dns_read(message, size, &q, ID, &a) == DNS_FOUND) {
		ensure(a.count > 0 && a.count <= DNS_ADDRESSES_MAX && a.ttl_s <= INT32_MAX && a.rcode == 0);
		for (uint32_t i = 0; i < a.count; i++)
			ensure(ip_is_unicast(a.address[i]) && ip_is_v4(a.address[i]) == (q.type == DNS_TYPE_A) &&
			       (i == 0 || memcmp(a.address[i - 1].b, a.address[i].b, 16) < 0));
	}
	free(message);
	return 0;
}
