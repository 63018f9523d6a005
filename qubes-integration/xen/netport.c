// SPDX-License-Identifier: ISC
/* The clients' ports: one for each client, whatever vifs it has, and what its owner was told of it. */
#include "vif.h"

static void port_news(uint16_t port)
{
	vif_bit_set(netback.port_news, port);
}

static bool same_client(const struct netport *a, const struct netport *b)
{
	if (!mac_eq(a->mac, b->mac) || a->addr_count != b->addr_count)
		return false;
	for (uint32_t i = 0; i < a->addr_count; i++)
		if (!ip_eq(a->addr[i], b->addr[i]))
			return false;
	return true;
}

static void begin(uint16_t number, const struct netport *description)
{
	struct netport *p = &netback.port[number];
	struct netport fresh = *description;
	fresh.users = p->users;
	fresh.told_incarnation = p->told_incarnation;
	fresh.told_up = p->told_up;
	fresh.incarnation = ++netback.incarnations;
	*p = fresh;
	port_news(number);
}

uint16_t netport_for(const struct netport *description)
{
	uint16_t found = PORT_NONE;
	for (uint16_t i = PORT_COUNT - 1; i >= PORT_CLIENT_FIRST; i--) {
		struct netport *p = &netback.port[i];
		if (p->users && same_client(p, description)) {
			/* another domain after the first one's end, or another MTU: its owner begins anew */
			if (p->vifs == 0 && (p->domid != description->domid || p->mtu != description->mtu))
				begin(i, description);
			p->users++;
			return i;
		}
		if (!p->users && !p->told_incarnation)
			found = i;
	}
	if (found != PORT_NONE) {
		begin(found, description);
		netback.port[found].users = 1;
	}
	return found;
}

void netport_leave(uint16_t port)
{
	struct netport *p = &netback.port[port];
	if (--p->users == 0)
		p->incarnation = 0;
	port_news(port);
}

void netback_told(uint16_t port, struct ip_addr ip)
{
	if (port < PORT_COUNT)
		netback.port[port].told = ip;
}

void vif_went_live(struct vif *v)
{
	struct netport *p = &netback.port[v->port];
	p->vifs++;
	p->via = v->number;
	port_news(v->port);
	v->live = netback.live_count;
	netback.live[netback.live_count++] = v->number;
	vif_bit_set(netback.rx_ready, v->number);
}

void vif_went_down(struct vif *v)
{
	struct netport *p = &netback.port[v->port];
	struct vif *last = &netback.vif[netback.live[--netback.live_count]];
	netback.live[v->live] = last->number;
	last->live = v->live;
	vif_bit_clear(netback.rx_ready, v->number);
	vif_bit_clear(netback.tx_ready, v->number);
	port_news(v->port);
	if (--p->vifs == 0 || p->via != v->number)
		return;
	for (uint32_t i = 0; i < netback.live_count; i++)
		if (netback.vif[netback.live[i]].port == v->port)
			p->via = netback.live[i];
}

static void describe(const struct netport *p, struct platform_event *e)
{
	struct text t = text_on(e->name);
	text_put(&t, "vif");
	text_u64(&t, p->domid);
	text_char(&t, '.');
	text_u64(&t, p->handle);
	e->mtu = p->mtu;
	e->ours = (struct mac){ { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };
	e->theirs = p->mac;
	e->addr_count = p->addr_count;
	memcpy(e->addr, p->addr, sizeof(e->addr));
}

/* One difference between what is and what its owner was told. */
static bool tell(uint16_t number, struct platform_event *e)
{
	struct netport *p = &netback.port[number];
	*e = (struct platform_event){ .port = number };
	if (p->told_incarnation != p->incarnation) {
		e->kind = p->told_incarnation ? EVENT_PORT_DETACHED : EVENT_PORT_ATTACHED;
		if (p->told_incarnation) {
			p->told_incarnation = 0;
			return true;
		}
		p->told_incarnation = p->incarnation;
		p->told_up = true;
		describe(p, e);
		return true;
	}
	if (p->incarnation && p->told_up != (p->vifs > 0)) {
		p->told_up = !p->told_up;
		e->kind = p->told_up ? EVENT_LINK_UP : EVENT_LINK_DOWN;
		return true;
	}
	return false;
}

bool netback_event(struct platform_event *e)
{
	for (uint32_t word = 0; word < array_len(netback.port_news); word++)
		while (netback.port_news[word]) {
			uint32_t bit = (uint32_t)__builtin_ctzll(netback.port_news[word]);
			if (tell((uint16_t)(word * 64 + bit), e))
				return true;
			netback.port_news[word] &= ~(UINT64_C(1) << bit);
		}
	return false;
}
