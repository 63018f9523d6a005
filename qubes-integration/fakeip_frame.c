// SPDX-License-Identifier: ISC
/* One-to-one translation of the frames of mapped clients. */
#include "fakeip_frame.h"
#include "rewrite.h"

enum { ARP_REQUEST = 1 };

static void swap_be32(be32 *at, struct ip_addr from, struct ip_addr to)
{
	be32 old = ip_to_v4(from), new = ip_to_v4(to);
	if (!memcmp(at, &old, sizeof(old)))
		*at = new;
}

static void swap(struct ip_addr *at, struct ip_addr from, struct ip_addr to)
{
	if (ip_eq(*at, from))
		*at = to;
}

/*
 * An answer of ours says the address that was asked for, whichever: only what we ask ourselves says who we are.
 */
static void arp(struct packet *p, const struct fakeip_port *m, bool in)
{
	struct arp_hdr *arp = pkt_arp(p);
	struct ip_addr from = in ? m->visible : m->real, to = in ? m->real : m->visible;
	swap_be32(&arp->sender_ip, from, to);
	swap_be32(&arp->target_ip, from, to);
	if (in || ip_is_zero(m->gateway) || be16_get(arp->operation) != ARP_REQUEST)
		return;
	swap_be32(&arp->sender_ip, m->ours.uplink, m->gateway);
	swap_be32(&arp->target_ip, m->ours.uplink, m->gateway); /* an announcement */
}

/* The client's side of a packet, and ours: from visible to real ones as it comes in, and back. */
static void ends(struct ip_addr *client, struct ip_addr *far, const struct fakeip_port *m, bool in)
{
	swap(client, in ? m->visible : m->real, in ? m->real : m->visible);
	if (!ip_is_zero(m->gateway))
		swap(far, in ? m->gateway : m->ours.gateway, in ? m->ours.gateway : m->gateway);
}

/* The quoted packet of an error went the other way. */
static void translate(struct frame *f, const struct fakeip_port *m, bool in)
{
	struct packet p;
	if (pkt_parse(f, &p) != DROP_NONE)
		return;
	if (p.class == PKT_ARP) {
		arp(&p, m, in);
		return;
	}
	if (p.v6)
		return;
	struct tuple outer = p.tuple;
	ends(in ? &outer.src : &outer.dst, in ? &outer.dst : &outer.src, m, in);
	if (p.class == PKT_ICMP_ERROR) {
		struct tuple inner = p.inner;
		ends(in ? &inner.dst : &inner.src, in ? &inner.src : &inner.dst, m, in);
		if (!in && !ip_is_zero(m->gateway))
			swap(&outer.src, m->ours.uplink, m->gateway);
		if (!tuple_eq(&inner, &p.inner))
			rewrite_inner(&p, &inner);
		if (!tuple_eq(&outer, &p.tuple))
			rewrite_addresses(&p, outer.src, outer.dst);
	} else if (!tuple_eq(&outer, &p.tuple)) {
		rewrite_tuple(&p, &outer);
	}
}

void fakeip_attach(struct fakeip_ports *ports, const struct fakeip *f, uint16_t port, struct ip_addr real,
		   const struct fakeip_ours *ours)
{
	if (port >= PORT_COUNT)
		return;
	struct fakeip_port *p = &ports->port[port];
	bool client = port != PORT_UPLINK && !ip_is_zero(real), was = p->on;
	*p = (struct fakeip_port){ .real = real, .visible = fakeip_visible(f, real),
				   .gateway = fakeip_gateway(f, real), .ours = *ours };
	if (ip_is_zero(ours->gateway))
		p->ours.gateway = ours->uplink;
	if (ip_is_zero(p->ours.gateway) || ip_eq(p->gateway, ours->gateway) || ip_eq(p->gateway, ours->uplink))
		p->gateway = (struct ip_addr){ { 0 } };
	p->on = client && (!ip_eq(p->visible, real) || !ip_is_zero(p->gateway));
	ports->mapped += (uint32_t)p->on - (uint32_t)was;
}

void fakeip_in(const struct fakeip_ports *ports, struct frame *burst[], size_t n)
{
	for (size_t i = 0; ports->mapped > 0 && i < n; i++) {
		uint16_t port = burst[i]->port;
		if (port < PORT_COUNT && ports->port[port].on)
			translate(burst[i], &ports->port[port], true);
	}
}

void fakeip_out(const struct fakeip_ports *ports, const struct frame_queue *q)
{
	for (struct frame *f = q->head; ports->mapped > 0 && f; f = f->next)
		if (f->port < PORT_COUNT && ports->port[f->port].on)
			translate(f, &ports->port[f->port], false);
}
