// SPDX-License-Identifier: ISC
/*
 * Our side of ARP. To a client we are every address but its own (it has
 * nobody else on its link); on the uplink we are our own address only.
 */
#include "fw.h"

void fw_announce(struct fw *fw, uint16_t port)
{
	struct fw_port *p = &fw->port[port];
	if (!p->attached || !p->up || ip_is_zero(fw->uplink.ip) || !ip_is_v4(fw->uplink.ip))
		return;
	struct frame *f = frames_take(&fw->spare);
	if (!f)
		return;
	if (build_arp_request(f, p->config.ours, fw->uplink.ip, fw->uplink.ip))
		fw_send(fw, f, port);
	else
		fw_drop(fw, f, port, DROP_NO_BUFFER);
}

static void answer(struct fw *fw, struct packet *p, uint16_t from)
{
	if (reply_arp(p, fw->port[from].config.ours))
		fw_send(fw, p->frame, from);
	else
		fw_drop(fw, p->frame, from, DROP_ARP_MALFORMED);
}

static void learn(struct fw *fw, uint16_t from, struct ip_addr ip, struct mac mac)
{
	struct frame_queue released = { 0 };
	neigh_learn(fw->neigh, from, ip, mac, fw->now_ns, &released);
	fw->gateway_until_ns = 0;
	for (struct frame *f; (f = frames_take(&released));)
		fw_route_held(fw, f, mac);
}

static void from_client(struct fw *fw, struct packet *p, uint16_t from)
{
	struct fw_port *port = &fw->port[from];
	const struct arp_hdr *arp = pkt_arp(p);
	struct ip_addr sender = ip_of_v4(arp->sender_ip), target = ip_of_v4(arp->target_ip);
	/* a probe (RFC 5227) has no sender address yet */
	bool probe = be32_get(arp->sender_ip) == 0;
	if (!(probe || fw_port_owns(port, sender)) || mac_is_group(arp->sender_mac)) {
		fw_drop(fw, p->frame, from, DROP_ARP_SPOOFED);
		return;
	}
	if (!probe) {
		if (mac_eq(port->config.theirs, (struct mac){ { 0 } })) {
			port->theirs = arp->sender_mac;
			port->theirs_known = true;
		}
		learn(fw, from, sender, arp->sender_mac);
	}
	if (be16_get(arp->operation) == 1 && !fw_port_owns(port, target) && !ip_eq(sender, target))
		answer(fw, p, from);
	else
		fw_drop(fw, p->frame, from, DROP_ARP_CONSUMED);
}

static void from_uplink(struct fw *fw, struct packet *p, uint16_t from)
{
	const struct arp_hdr *arp = pkt_arp(p);
	struct ip_addr sender = ip_of_v4(arp->sender_ip), target = ip_of_v4(arp->target_ip);
	if (fw_is_ours(fw, sender) || mac_is_group(arp->sender_mac)) {
		fw_drop(fw, p->frame, from, DROP_ARP_SPOOFED);
		return;
	}
	if (!ip_is_zero(sender))
		learn(fw, from, sender, arp->sender_mac);
	if (be16_get(arp->operation) == 1 && !ip_is_zero(fw->uplink.ip) && ip_eq(target, fw->uplink.ip))
		answer(fw, p, from);
	else
		fw_drop(fw, p->frame, from, DROP_ARP_CONSUMED);
}

void fw_arp(struct fw *fw, struct packet *p, uint16_t from)
{
	if (from == PORT_UPLINK)
		from_uplink(fw, p, from);
	else
		from_client(fw, p, from);
}
