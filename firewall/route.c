// SPDX-License-Identifier: ISC
/* Who may send what to whom by address alone, and where a packet goes next. */
#include "fw.h"

enum { GATEWAY_TRUST_NS = 1000000 }; /* then the neighbour cache is told again that it is in use */

/* Link-local (RFC 3927 2.6.2), or the uplink's net as a whole (RFC 2644): nobody that a router leads to. */
static bool stays_on_link(const struct fw *fw, struct ip_addr dst)
{
	const struct ip_prefix link_local = { ip_v4(169, 254, 0, 0), 16 };
	const struct ip_prefix uplink = { fw->uplink.ip, fw->uplink.prefix_len };
	if (ip_in_prefix(dst, link_local))
		return true;
	if (uplink.len > 30 || !ip_is_v4(dst) || !ip_in_prefix(dst, uplink))
		return false;
	uint32_t host = be32_get(ip_to_v4(dst)) & (UINT32_MAX >> uplink.len);
	return host == 0 || host == UINT32_MAX >> uplink.len;
}

/* Anti-spoofing both ways (BCP 38; QSB-056), and what cannot be forwarded at all. */
enum drop fw_admits(const struct fw *fw, const struct tuple *t, uint16_t from)
{
	if (from == PORT_UPLINK) {
		if (fw_is_protected(fw, t->src))
			return DROP_CLIENT_ADDRESS;
		if (fw_is_ours(fw, t->src))
			return DROP_SPOOFED;
		if (fw_is_protected(fw, t->dst))
			return DROP_NEW_FROM_UPLINK;
	} else if (!fw_port_owns(&fw->port[from], t->src)) {
		return DROP_SPOOFED;
	} else if (stays_on_link(fw, t->dst)) {
		return DROP_MARTIAN;
	}
	if (!ip_is_unicast(t->src) || !ip_is_unicast(t->dst))
		return DROP_MARTIAN;
	return DROP_NONE;
}

struct ip_addr fw_next_hop(const struct fw *fw, uint16_t out, struct ip_addr dst)
{
	if (out != PORT_UPLINK)
		return dst;
	struct ip_prefix on_link = { fw->uplink.ip, fw->uplink.prefix_len };
	return ip_in_prefix(dst, on_link) || ip_is_zero(fw->uplink.gateway) ? dst : fw->uplink.gateway;
}

void fw_route(struct fw *fw, struct packet *p, uint16_t out, uint32_t flow)
{
	struct fw_port *port = &fw->port[out];
	struct frame *f = p->frame;
	struct mac mac = port->theirs;
	f->port = out;
	if (!port->attached || !port->up) {
		fw_drop(fw, f, out, DROP_PORT_GONE); /* and does not wait for a neighbour that cannot answer */
		return;
	}
	if (!port->theirs_known) {
		struct ip_addr next = fw_next_hop(fw, out, p->tuple.dst);
		bool gateway = out == PORT_UPLINK && ip_eq(next, fw->uplink.gateway);
		if (gateway && fw->now_ns < fw->gateway_until_ns) {
			rewrite_link(p, fw->gateway_mac, port->config.ours);
			fw_send(fw, f, out);
			return;
		}
		f->flow = flow;
		f->flow_serial = ct_flow(fw->ct, flow)->serial;
		switch (neigh_resolve(fw->neigh, out, next, f, fw->now_ns, &mac)) {
		case NEIGH_FOUND:
			if (gateway) {
				fw->gateway_mac = mac;
				fw->gateway_until_ns = fw->now_ns + GATEWAY_TRUST_NS;
			}
			break;
		case NEIGH_WAIT:
			return;
		case NEIGH_FAILED:
			fw_drop(fw, f, out, DROP_NEIGHBOUR);
			return;
		case NEIGH_FULL:
			fw_drop(fw, f, out, DROP_NEIGHBOUR_FULL);
			return;
		}
	}
	rewrite_link(p, mac, port->config.ours);
	fw_send(fw, f, out);
}

void fw_route_held(struct fw *fw, struct frame *f, struct mac mac)
{
	const struct flow *flow = ct_flow(fw->ct, f->flow);
	struct packet p = { .frame = f };
	if (!flow || flow->serial != f->flow_serial || !fw_flow_stands(fw, f->flow)) {
		fw_drop(fw, f, f->port, DROP_FLOW_CUT);
		return;
	}
	rewrite_link(&p, mac, fw->port[f->port].config.ours);
	fw_send(fw, f, f->port);
}

bool fw_uplink_ready(const struct fw *fw)
{
	return fw->port[PORT_UPLINK].attached && fw->port[PORT_UPLINK].up && !ip_is_zero(fw->uplink.ip) &&
	       ip_is_v4(fw->uplink.ip);
}
