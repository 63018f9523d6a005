/* SPDX-License-Identifier: ISC */
/*
 * cross.h: flows that no client opens towards the world (cross_rule.h): the world's, to a port of ours that leads to a
 * client, and those between clients. Their rules are two rule sets of the policy, of addresses that no client can
 * have: so they are staged, published, taken back and counted like a client's.
 */
#ifndef CROSS_H
#define CROSS_H

#include "cross_judge.h"
#include "fw.h"

/* Where a flow from the world goes on to. */
struct cross_lead {
	struct ip_addr to;
	uint16_t to_port;
	uint16_t port;  /* of the firewall */
	uint32_t rule;
};

/* Rules were published or closed: finds their sets, and keeps translation off the ports that lead somewhere. */
void cross_refresh(struct fw *);
/*
 * May the world open this flow, and where does it lead? DROP_NONE; NEW_FROM_UPLINK: no rule is about it, RULE: one
 * refuses it, PORT_GONE: nobody is there; as fw_admits judges the answers.
 */
enum drop cross_inbound(const struct fw *, const struct tuple *, struct cross_lead *);
/* May a client open this flow to another one? DROP_NONE; INTER_CLIENT: no rule is about it, RULE: one refuses it. */
enum drop cross_between(const struct fw *, const struct tuple *, uint32_t *rule);
/* Is the flow, which is one of these, admitted by today's rules? */
enum drop cross_again(const struct fw *, const struct flow *, uint32_t *rule);
/* Cuts the flows between clients of which this port's client is the far end. */
void cross_detached(struct fw *, uint16_t port);

#endif
