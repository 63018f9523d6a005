// SPDX-License-Identifier: ISC
/*
 * ICMP errors that belong to a flow (RFC 5508 4): the quoted packet must be one
 * that this flow sent, outer and inner addresses must agree, and both are
 * translated. An error neither refreshes nor ends a flow (REQ-6), and counts
 * as its traffic no more than any stranger's word would.
 */
#include "fw.h"

enum { ICMP_SOURCE_QUENCH = 4, ICMP_REDIRECT = 5 };

/* A redirect is between neighbours (RFC 1812 5.2.7.2), a source quench between nobody (RFC 6633). */
static bool crosses_routers(const struct packet *p)
{
	return p->icmp_type != ICMP_SOURCE_QUENCH && p->icmp_type != ICMP_REDIRECT;
}

/*
 * Who saw the packet it quotes knows its sequence number; who only guessed the
 * ports does not (RFC 5927 4.1). `s` sent the quoted packet, `r` would get it.
 */
static bool quotes_in_window(const struct packet *p, const struct ct_half *s, const struct ct_half *r)
{
	if (p->inner.proto != PROTO_TCP)
		return true;
	/* 8 bytes of it are there: inner_has_l4 */
	struct cursor quoted = cursor_of(p->frame->data + p->inner_l4 + 4, 4);
	uint32_t seq;
	if (!(s->flags & HALF_SEEN) || !get_be32(&quoted, &seq))
		return false;
	uint32_t oldest = r->flags & HALF_SEEN ? s->end - r->max_win : s->isn;
	return (int32_t)(s->end - seq) >= 0 && (int32_t)(seq - oldest) >= 0;
}

/* Where the other side of its client is: another client has a port for as long as there are flows to it. */
static uint16_t far_port(const struct fw *fw, const struct flow *flow)
{
	uint16_t port = flow->kind == FLOW_BETWEEN ? fw_port_of(fw, flow->orig.dst) : PORT_UPLINK;
	ensure(port < PORT_COUNT);
	return port;
}

void fw_related(struct fw *fw, struct packet *p, uint16_t from)
{
	uint32_t index;
	enum ct_dir dir;
	/* the quoted packet went against the direction in which the error travels */
	struct tuple answer = tuple_reverse(&p->inner);
	bool known = p->inner_has_l4 && ct_find(fw->ct, &answer, &index, &dir);
	const struct flow *flow = known ? ct_flow(fw->ct, index) : NULL;
	if (!flow || from != (dir == CT_ORIG ? flow->port : far_port(fw, flow)) || flow->port == PORT_UPLINK ||
	    !ip_eq(p->tuple.dst, p->inner.src) || !crosses_routers(p) ||
	    !quotes_in_window(p, &flow->half[!flow_side(flow, dir)], &flow->half[flow_side(flow, dir)])) {
		fw_drop(fw, p->frame, from, DROP_ICMP_UNRELATED);
		return;
	}
	if (!fw_flow_stands(fw, index)) {
		fw_drop(fw, p->frame, from, DROP_FLOW_CUT);
		return;
	}
	uint16_t out = dir == CT_REPLY ? flow->port : far_port(fw, flow);
	if (p->ttl <= 1 || p->end - p->l3 > fw->port[out].config.mtu) {
		fw_drop(fw, p->frame, from, p->ttl <= 1 ? DROP_TTL : DROP_TOO_BIG);
		return;
	}
	struct tuple quoted = ct_quoted(flow, dir);
	rewrite_inner(p, &quoted);
	/* the error travels as its flow does: outward in our name, inward to the client */
	if (dir == CT_ORIG)
		rewrite_addresses(p, flow->nat_ip, p->tuple.dst);
	else
		rewrite_addresses(p, p->tuple.src, flow->orig.src);
	rewrite_ttl(p);
	fw_route(fw, p, out, index);
}
