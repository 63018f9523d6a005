// SPDX-License-Identifier: ISC
/*
 * What the firewall itself asks of the world. A question opens a flow of the
 * uplink's port, as a client's would: so no translation takes its port, its
 * answer is found before anything else is, and it is gone with its time.
 */
#include "fw.h"
#include "resolver.h"
#include "udp.h"

enum { PORT_DRAWS = 16, SPARE_KEPT = 4 }; /* the last spare frames are for ARP */

bool fw_own_send(struct fw *fw, struct ip_addr to, uint16_t dport, struct cursor payload, uint64_t now_ns,
		 struct fw_own *own)
{
	struct packet p;
	if (now_ns > fw->now_ns)
		fw->now_ns = now_ns;
	if (!fw_uplink_ready(fw) || fw->spare.count <= SPARE_KEPT)
		return false;
	struct frame *f = frames_take(&fw->spare);
	for (uint32_t i = 0; i < PORT_DRAWS; i++) {
		uint16_t sport = (uint16_t)(NAT_PORT_FIRST + random_below(&fw->secret, NAT_PORT_LAST - NAT_PORT_FIRST + 1));
		if (ct_keeps(fw->ct, PROTO_UDP, sport))
			continue; /* it leads to a client */
		struct tuple t = { .src = fw->uplink.ip, .dst = to, .sport = sport, .dport = dport, .proto = PROTO_UDP };
		if (!udp_build(f, &t, payload.at, payload.left, &p))
			break;
		const struct ip_addr untranslated = { { 0 } };
		if (ct_open(fw->ct, &p, PORT_UPLINK, untranslated, fw->now_ns, &own->flow) != DROP_NONE)
			continue;
		struct flow *flow = ct_flow(fw->ct, own->flow);
		flow->rule = RULE_POLICY;
		own->serial = flow->serial;
		const struct frame *last = fw->tx.tail;
		fw_route(fw, &p, PORT_UPLINK, own->flow);
		fw_tell_sent(fw, last);
		return true;
	}
	frames_put(&fw->spare, f);
	return false;
}

void fw_own_end(struct fw *fw, const struct fw_own *own)
{
	const struct flow *flow = ct_flow(fw->ct, own->flow);
	if (flow && flow->serial == own->serial)
		ct_cut(fw->ct, own->flow);
}

enum drop fw_own_take(struct fw *fw, const struct packet *p, uint32_t index)
{
	/* a super-frame is many datagrams, not one */
	if (!fw->resolver || p->class != PKT_UDP || p->has_fragments || p->frame->offload.gso_type != GSO_NONE)
		return DROP_LOCAL_SILENT;
	if (!pkt_l4_sum_ok(p))
		return DROP_L4_CHECKSUM;
	struct fw_own own = { index, ct_flow(fw->ct, index)->serial };
	resolver_take(fw->resolver, &own, udp_payload(p), fw->now_ns);
	return DROP_LOCAL_CONSUMED;
}
