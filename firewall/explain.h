/* SPDX-License-Identifier: ISC */
/*
 * explain.h: what would become of a packet that opens a flow, and why. It asks
 * the objects that judge packets, and changes nothing.
 *
 * The question: CLIENT PROTO SRC SPORT DST DPORT, words between single spaces.
 * CLIENT is the address of a client, or "uplink"; the packet is thought to come in at its
 * port. From the uplink the inbound rules are tried, and to another client those between
 * clients (cross.h). PROTO is tcp, udp, icmp or a number; of ICMP, SPORT is the identifier
 * and DPORT the type; other protocols have 0 in both.
 *
 * The answer, a JSON line each:
 *   explain  the question as understood, with the client's state and generation
 *   rule     each rule that was tried, in order, with its text and "trial":
 *            "hit", or what of it disagrees (ruleset.h)
 *   verdict  "accept" or "drop"; the reason; the rule or policy that decided; what
 *            the sender is told; the translation and the way out
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "fw.h"

enum explain_stage { EXPLAIN_QUESTION, EXPLAIN_RULES, EXPLAIN_VERDICT, EXPLAIN_END };

struct explain {
	enum explain_stage stage;
	struct tuple tuple;
	struct ip_addr client_ip;
	enum rule_kind kind; /* of the rules that are asked */
	bool uplink;      /* comes in there */
	uint32_t client;  /* of the policy, whose rules they are; NONE: unknown */
	uint16_t port;    /* PORT_NONE: not attached */
	uint64_t generation; /* when the question was read; a change starts it over */
	struct ruleset_walk walk;
};

/* NULL, or what is wrong with the question. */
const char *explain_begin(struct explain *, const struct fw *, const char *question, size_t len);
/* As status_next: a line onto *line, which holds STATUS_LINE_BYTES; false: complete. */
bool explain_next(struct explain *, struct fw *, struct text *line);

#endif
