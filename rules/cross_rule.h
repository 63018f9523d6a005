/* SPDX-License-Identifier: ISC */
/*
 * cross_rule.h: rules about flows that no client opens towards the world. Nothing of it is on unless the operator
 * writes such rules into trees of their own; Qubes sends none of them.
 *
 * A line of /postern/inbound: from the world to a port of the uplink's own address, and on to a client:
 *   action      accept | drop; must be there
 *   src4        the network it comes from; else any
 *   proto       tcp | udp; else both
 *   dstports    lo-hi or one port, of the uplink's address; must be there in a rule that accepts
 *   to          ADDRESS[:PORT | :LO-HI] of the client; must be there in a rule that accepts, and in no other. Without a
 *               port it stays what it is; one port takes all of dstports; as many as dstports take them one by one
 * A line of /postern/between: from one client to another, untranslated:
 *   action      accept | drop; must be there
 *   src4 dst4   networks; else any
 *   proto       tcp | udp | icmp, dstports and icmptype as in rule.h
 * Both take expire and label (rule.h). Canonical order: action, src4, dst4, proto, dstports, icmptype, to, expire, label.
 * First match wins; behind the last rule everything is refused. IPv4 only.
 */
#ifndef CROSS_RULE_H
#define CROSS_RULE_H

#include "rule.h"

/* Whose such a rule set is, where others are a client's: an address that no client can have. */
static inline struct ip_addr cross_owner(enum rule_kind kind)
{
	return ip_v4(0, 0, 0, (uint8_t)kind);
}

/* RULE_OUTWARD: it is no such address. */
static inline enum rule_kind cross_kind(struct ip_addr owner)
{
	return ip_eq(owner, cross_owner(RULE_INBOUND)) ? RULE_INBOUND :
	       ip_eq(owner, cross_owner(RULE_BETWEEN)) ? RULE_BETWEEN : RULE_OUTWARD;
}

/* "inbound", "between", or the address. */
void cross_owner_text(struct text *, struct ip_addr owner);
/* Likewise; takes what it reads, and touches nothing on failure. */
bool cross_owner_parse(struct cursor *, struct ip_addr *owner);

/* A rule under construction; starts as zeros but for kind. */
struct cross_draft {
	enum rule_kind kind; /* not RULE_OUTWARD */
	struct rule_draft base;
	uint16_t src_column, to_column; /* where the value stands; 0: not seen */
	uint16_t to_lo, to_hi;          /* of `to`; 0: without a port */
	be32 peer;                      /* the rule's */
};

/* As rule_parse, for a rule of that kind. */
bool cross_rule_parse(enum rule_kind, const char *line, size_t len, struct parsed_rule *out, struct rule_error *err);

/* Where an inbound rule leads what came to this port. */
struct ip_addr cross_rule_to(const struct rule *, uint16_t port, uint16_t *to_port);

/* --- for the other notation, cross_line.c ---------------------------------------------- */

bool cross_draft_set(struct cross_draft *, struct rule_word key, struct rule_word value, struct rule_error *);
bool cross_draft_src(struct cross_draft *, struct rule_word, struct rule_error *);
bool cross_draft_to(struct cross_draft *, struct rule_word, struct rule_error *);
/* Judges what concerns several keys; then draft->base.parsed is the rule. */
bool cross_draft_finish(struct cross_draft *, struct rule_error *);

#endif
