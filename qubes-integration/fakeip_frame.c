// SPDX-License-Identifier: ISC
/* One-to-one translation of the frames of mapped clients. */
#include "fakeip_frame.h"
#include "rewrite.h"

static void swap_be32(be32 *at, struct ip_addr from, struct ip_addr to)
{
	be32 old = ip_to_v4(from), new = ip_to_v4(to);
	if (!memcmp(at, &old, sizeof(old)))
		*at = new;
}

static void swap_arp(struct packet *p, struct ip_addr from, struct ip_addr to)
{
	struct arp_hdr *arp = pkt_arp(p);
	swap_be32(&arp->sender_ip, from, to);
	swap_be32(&arp->target_ip, from, to);
}

static void swap(struct ip_addr *at, struct ip_addr from, struct ip_addr to)
{
	if (ip_eq(*at, from))
		*at = to;
}

/*
 * Only the side that is the client's: its source as it comes in, its destination
 * as it goes out. The quoted packet of an error went the other way.
 */
static void translate(struct frame *f, struct ip_addr from, struct ip_addr to, bool in)
{
	struct packet p;
	if (pkt_parse(f, &p) != DROP_NONE)
		return;
	if (p.class == PKT_ARP) {
		swap_arp(&p, from, to);
		return;
	}
	if (p.v6)
		return;
	struct tuple outer = p.tuple;
	swap(in ? &outer.src : &outer.dst, from, to);
	if (p.class == PKT_ICMP_ERROR) {
		struct tuple inner = p.inner;
		swap(in ? &inner.dst : &inner.src, from, to);
		if (!tuple_eq(&inner, &p.inner))
			rewrite_inner(&p, &inner);
		if (!tuple_eq(&outer, &p.tuple))
			rewrite_addresses(&p, outer.src, outer.dst);
	} else if (!tuple_eq(&outer, &p.tuple)) {
		rewrite_tuple(&p, &outer);
	}
}

void fakeip_attach(struct fakeip_ports *ports, const struct fakeip *f, uint16_t port, struct ip_addr real)
{
	if (port >= PORT_COUNT)
		return;
	struct ip_addr visible = fakeip_visible(f, real);
	bool on = port != PORT_UPLINK && !ip_is_zero(real) && !ip_eq(visible, real);
	ports->mapped += (uint32_t)on - (uint32_t)ports->port[port].on;
	ports->port[port].on = on;
	ports->port[port].real = real;
	ports->port[port].visible = visible;
}

void fakeip_in(const struct fakeip_ports *ports, struct frame *burst[], size_t n)
{
	for (size_t i = 0; ports->mapped > 0 && i < n; i++) {
		uint16_t port = burst[i]->port;
		if (port < PORT_COUNT && ports->port[port].on)
			translate(burst[i], ports->port[port].visible, ports->port[port].real, true);
	}
}

void fakeip_out(const struct fakeip_ports *ports, const struct frame_queue *q)
{
	for (struct frame *f = q->head; ports->mapped > 0 && f; f = f->next)
		if (f->port < PORT_COUNT && ports->port[f->port].on)
			translate(f, ports->port[f->port].real, ports->port[f->port].visible, false);
}
