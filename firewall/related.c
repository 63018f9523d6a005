// SPDX-License-Identifier: ISC
/*
 * ICMP errors that belong to a flow (RFC 5508 4): the quoted packet must be one
 * that this flow sent, outer and inner addresses must agree, and both are
 * translated. An error neither refreshes nor ends a flow (REQ-6), and counts
 * as its traffic no more than any stranger's word would.
 */
#include "fw.h"

void fw_related(struct fw *fw, struct packet *p, uint16_t from)
{
	uint32_t index;
	enum ct_dir dir;
	/* the quoted packet went against the direction in which the error travels */
	struct tuple answer = tuple_reverse(&p->inner);
	bool known = p->inner_has_l4 && ct_find(fw->ct, &answer, &index, &dir);
	const struct flow *flow = known ? ct_flow(fw->ct, index) : NULL;
	bool up = from != PORT_UPLINK;
	if (!flow || dir != (up ? CT_ORIG : CT_REPLY) || (up && flow->port != from) ||
	    !ip_eq(p->tuple.dst, p->inner.src)) {
		fw_drop(fw, p->frame, from, DROP_ICMP_UNRELATED);
		return;
	}
	if (p->ttl <= 1) {
		fw_drop(fw, p->frame, from, DROP_TTL);
		return;
	}
	uint16_t out = up ? PORT_UPLINK : flow->port;
	struct tuple quoted = ct_quoted(flow, dir);
	rewrite_inner(p, &quoted);
	/* the error travels as its flow does: outward in our name, inward to the client */
	if (up)
		rewrite_addresses(p, flow->reply.dst, p->tuple.dst);
	else
		rewrite_addresses(p, p->tuple.src, flow->orig.src);
	rewrite_ttl(p);
	fw_route(fw, p, out);
}
