/* SPDX-License-Identifier: ISC */
/*
 * dns.h: the questions of a stub resolver and what their answers say (RFC 1035,
 * 2181, 5452). One question a message, class IN, types A and AAAA, over UDP
 * without EDNS: a message is at most 512 bytes, but longer ones are read too.
 *
 * Nothing is believed of an answer but the addresses at the end of the chain of
 * aliases that begins at the name asked for: other records are passed over.
 * Names in messages are followed backwards only, so that reading one ends.
 */
#ifndef DNS_H
#define DNS_H

#include "addr.h"

enum {
	DNS_PORT = 53,
	DNS_TYPE_A = 1,
	DNS_TYPE_AAAA = 28,
	DNS_NAME_BYTES = 255,    /* on the wire, the root's 0 included (RFC 1035 2.3.4) */
	DNS_QUERY_BYTES = 12 + DNS_NAME_BYTES + 4,
	DNS_ADDRESSES_MAX = 16,  /* of an answer; the rest is left out */
	DNS_ALIASES_MAX = 8,
};

/* On the wire, uncompressed, letters in lower case. */
struct dns_name {
	uint8_t len;
	uint8_t b[DNS_NAME_BYTES];
};

struct dns_question {
	struct dns_name name;
	uint16_t type;
};

enum dns_outcome {
	DNS_FOUND,     /* at least one address */
	DNS_NO_NAME,   /* there is no such name (NXDOMAIN) */
	DNS_NO_ADDRESS, /* the name has none of this type, or its aliases lead nowhere */
	DNS_FAILED,    /* the server could not or would not: rcode says how */
	DNS_MALFORMED, /* answers the question, but cannot be read */
	DNS_FOREIGN,   /* answers nothing we asked */
	DNS_OUTCOMES
};

struct dns_answer {
	uint8_t rcode;
	bool truncated;  /* the server had more to say */
	uint32_t ttl_s;  /* the least on the way, 0..2^31-1 */
	uint32_t count;
	struct ip_addr address[DNS_ADDRESSES_MAX]; /* in ascending order, none twice */
};

/* "www.example.com", with or without a dot at its end; false: it cannot be a name (empty or long labels). */
bool dns_name_of(struct dns_name *, const char *host, size_t len);
/* The message that asks; its length, at most DNS_QUERY_BYTES. */
size_t dns_query(uint8_t at[DNS_QUERY_BYTES], const struct dns_question *, uint16_t id);
/* What this message says to our question. *answer is filled for DNS_FOUND, its rcode also for DNS_FAILED. */
enum dns_outcome dns_read(const uint8_t *message, size_t len, const struct dns_question *, uint16_t id,
			  struct dns_answer *);
/* "found", "no-name", "no-address", "failed", "malformed", "foreign" */
const char *dns_outcome_word(enum dns_outcome);

#endif
