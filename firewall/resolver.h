/* SPDX-License-Identifier: ISC */
/*
 * resolver.h: asks the host's name servers for the names in rules (names.h):
 * a stub resolver, A over UDP (RFC 1035), through the uplink.
 *
 * Each question leaves from a port of its own, drawn at random, with a random
 * id, and only its server's answer from there reaches it (RFC 5452 9); it is
 * asked of the servers in turn. An answer cut short is taken as far as it goes.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "fw.h"
#include "names.h"

enum {
	RESOLVER_QUESTIONS = 32, /* at a time */
	RESOLVER_SERVERS = RULE_DNS_MAX,
	RESOLVER_TRIES = 4,
	RESOLVER_TRY_MS = 2000,
};

struct resolver;

/* fw need not be initialised yet; its `resolver` is the caller's to set. NULL: the arena is too small. */
struct resolver *resolver_new(struct arena *, struct fw *, struct names *);
size_t resolver_bytes(void);
/* IPv4 servers that are nobody's behind us; a change has names that failed asked for again. */
void resolver_set_servers(struct resolver *, const struct ip_addr *, uint32_t count);
/* Asks what is due and gives up what has no answer. Between bursts, at resolver_deadline or oftener. */
void resolver_poll(struct resolver *, uint64_t now_ns);
uint64_t resolver_deadline(const struct resolver *);
/* A message that came back on that flow. */
void resolver_take(struct resolver *, const struct fw_own *, struct cursor message, uint64_t now_ns);

/* Every name is due now. */
void resolver_refresh(struct resolver *);

const struct names *resolver_names(const struct resolver *);
uint32_t resolver_servers(const struct resolver *, struct ip_addr server[RESOLVER_SERVERS]); /* how many */
struct resolver_stats {
	uint64_t asked, answered, unanswered; /* messages out; useful ones in; tries without one */
	uint64_t foreign;                     /* messages that answer nothing we asked */
};
const struct resolver_stats *resolver_stats(const struct resolver *);

#endif
