/* SPDX-License-Identifier: ISC */
/*
 * match.h: which packets are meant: the expressions of `capture`, `trace` and `flows`.
 *
 *   EXPRESSION := TERM { [and] TERM }       every term must hold; nothing: every packet
 *   TERM := [not] tcp | udp | icmp | arp | proto NUMBER
 *         | host NET | src NET | dst NET    an address, or ADDRESS/BITS
 *         | port PORTS | sport PORTS | dport PORTS    a number, or FIRST-LAST
 *         | client ADDRESS                  whose port it came in by or goes out by, or whose flow it is of
 *         | rule ID                         its number, "policy", or its id
 *         | reason WORD                     dropped for it: a word of drop.h
 *         | passed | dropped | held       or none of these: taken in by the firewall itself
 *
 * A packet has two tuples: as it came, and as its client sees the flow (`inside`: before the translation outward,
 * behind it inward; the flow's own for an ICMP error about it). A term of addresses, ports or protocol holds when
 * it holds for one of them. A fragment behind the first, ICMP and other protocols have no ports.
 */
#ifndef MATCH_H
#define MATCH_H

#include "packet.h"

enum { MATCH_TERMS_MAX = 16, MATCH_WORD_BYTES = 40, MATCH_FAULT_BYTES = 128 };

enum match_kind {
	MATCH_PROTO, MATCH_ARP, MATCH_HOST, MATCH_SRC, MATCH_DST, MATCH_PORT, MATCH_SPORT, MATCH_DPORT, MATCH_CLIENT,
	/* from here on: not known before the packet's fate is */
	MATCH_RULE, MATCH_REASON, MATCH_PASSED, MATCH_DROPPED, MATCH_HELD,
	MATCH_KINDS
};

struct match_term {
	enum match_kind kind;
	bool not;
	uint8_t proto;
	uint16_t first, last;   /* ports */
	enum drop reason;
	struct ip_prefix net;   /* client: the whole address */
	char word[MATCH_WORD_BYTES]; /* rule */
};

/* All zero: every packet. */
struct match {
	uint32_t count;
	struct match_term term[MATCH_TERMS_MAX];
};

enum match_fate {
	MATCH_FATE_PASSED, MATCH_FATE_DROPPED, MATCH_FATE_HELD,
	MATCH_FATE_TAKEN, /* by the firewall itself: an answer to a question of its own, ARP */
};

struct match_facts {
	bool arp;
	bool has_tuple;            /* of IP */
	struct tuple came, inside; /* the same where there is no translation */
	struct ip_addr client;     /* zero: none */
	enum match_fate fate;
	enum drop reason;          /* MATCH_FATE_DROPPED */
	const char *rule;          /* its number or "policy"; NULL: none */
	const char *rule_id;       /* NULL: none */
};

/* False: *fault, of MATCH_FAULT_BYTES, says at which column what is wrong. */
bool match_parse(struct match *, const char *expression, size_t len, struct text *fault);
bool match_hits(const struct match *, const struct match_facts *);
/* As match_hits, before fate, reason and rule are known: false when no fate could make it hit. */
bool match_may_hit(const struct match *, const struct match_facts *);

#endif
