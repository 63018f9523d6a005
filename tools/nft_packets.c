// SPDX-License-Identifier: ISC
/* Intersections and complements of kinds of packets. */
#include <stdlib.h>

#include "headers.h"
#include "nft_packets.h"

enum { PORT_MAX = 65535, V4_BITS = 32 };

struct nft_packets nft_all_packets(void)
{
	return (struct nft_packets){
		.net = { ip_v4(0, 0, 0, 0), 0 }, .proto = NFT_ANY_PROTO, .hi = PORT_MAX, .type = NFT_ANY_TYPE,
	};
}

static bool has_ports(const struct nft_packets *p)
{
	return p->lo != 0 || p->hi != PORT_MAX;
}

bool nft_is_all(const struct nft_kinds *k)
{
	for (size_t i = 0; i < k->count; i++) {
		const struct nft_packets *p = &k->item[i];
		if (!p->net.len && p->proto == NFT_ANY_PROTO && !has_ports(p) && p->type == NFT_ANY_TYPE)
			return true;
	}
	return false;
}

void nft_kinds_add(struct nft_kinds *k, const struct nft_packets *p)
{
	if (k->count == NFT_KINDS_MAX) {
		k->cut = true;
		return;
	}
	if (k->count == k->room) {
		k->room = k->room ? k->room * 2 : 4;
		k->item = reallocarray(k->item, k->room, sizeof(*k->item));
		if (!k->item)
			panic("out of memory");
	}
	k->item[k->count++] = *p;
}

void nft_kinds_free(struct nft_kinds *k)
{
	free(k->item);
	*k = (struct nft_kinds){ 0 };
}

struct nft_kinds nft_kinds_all(void)
{
	struct nft_kinds k = { 0 };
	const struct nft_packets all = nft_all_packets();
	nft_kinds_add(&k, &all);
	return k;
}

struct nft_kinds nft_kinds_copy(const struct nft_kinds *from)
{
	struct nft_kinds k = { .cut = from->cut };
	for (size_t i = 0; i < from->count; i++)
		nft_kinds_add(&k, &from->item[i]);
	return k;
}

/* --- in both ------------------------------------------------------------------------- */

static bool meet_net(struct ip_prefix a, struct ip_prefix b, struct ip_prefix *both)
{
	struct ip_prefix wide = a.len < b.len ? a : b;
	*both = a.len < b.len ? b : a;
	return ip_in_prefix(both->addr, wide);
}

static bool meet_proto(int a, int b, int *both)
{
	*both = a == NFT_ANY_PROTO || (a == NFT_TCP_UDP && b != NFT_ANY_PROTO) ? b : a;
	if (a == NFT_ANY_PROTO || b == NFT_ANY_PROTO || a == b)
		return true;
	return (a == NFT_TCP_UDP || b == NFT_TCP_UDP) && (*both == PROTO_TCP || *both == PROTO_UDP);
}

static bool meet(const struct nft_packets *a, const struct nft_packets *b, struct nft_packets *both)
{
	if (!meet_net(a->net, b->net, &both->net) || !meet_proto(a->proto, b->proto, &both->proto))
		return false;
	both->lo = a->lo > b->lo ? a->lo : b->lo;
	both->hi = a->hi < b->hi ? a->hi : b->hi;
	both->type = a->type == NFT_ANY_TYPE ? b->type : a->type;
	return both->lo <= both->hi && (b->type == NFT_ANY_TYPE || both->type == b->type);
}

struct nft_kinds nft_kinds_meet(const struct nft_kinds *a, const struct nft_kinds *b)
{
	struct nft_kinds both = { .cut = a->cut || b->cut };
	struct nft_packets p;
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (meet(&a->item[i], &b->item[j], &p))
				nft_kinds_add(&both, &p);
	return both;
}

/* --- of one sort ----------------------------------------------------------------------- */

void nft_add_net(struct nft_kinds *k, struct ip_prefix net)
{
	struct nft_packets p = nft_all_packets();
	p.net = net;
	nft_kinds_add(k, &p);
}

/* The largest network that begins at `first` and ends by `last`, again and again. */
void nft_add_nets_between(struct nft_kinds *k, uint32_t first, uint32_t last)
{
	uint64_t at = first, end = (uint64_t)last + 1;
	while (at < end) {
		unsigned host = 0;
		while (host < V4_BITS && !(at >> host & 1) && at + (UINT64_C(2) << host) <= end)
			host++;
		nft_add_net(k, (struct ip_prefix){ ip_of_v4(be32_of((uint32_t)at)), (uint8_t)(V4_BITS - host) });
		at += UINT64_C(1) << host;
	}
}

void nft_add_nets_outside(struct nft_kinds *k, uint32_t first, uint32_t last)
{
	if (first > 0)
		nft_add_nets_between(k, 0, first - 1);
	if (last < UINT32_MAX)
		nft_add_nets_between(k, last + 1, UINT32_MAX);
}

void nft_add_ports(struct nft_kinds *k, int proto, uint16_t lo, uint16_t hi)
{
	struct nft_packets p = nft_all_packets();
	p.proto = proto;
	p.lo = lo;
	p.hi = hi;
	nft_kinds_add(k, &p);
}

void nft_add_ports_outside(struct nft_kinds *k, int proto, uint16_t lo, uint16_t hi)
{
	if (lo > 0)
		nft_add_ports(k, proto, 0, (uint16_t)(lo - 1));
	if (hi < PORT_MAX)
		nft_add_ports(k, proto, (uint16_t)(hi + 1), PORT_MAX);
}

void nft_add_proto(struct nft_kinds *k, int proto)
{
	nft_add_ports(k, proto, 0, PORT_MAX);
}

void nft_add_type(struct nft_kinds *k, uint8_t icmp_type)
{
	struct nft_packets p = nft_all_packets();
	p.proto = PROTO_ICMP;
	p.type = icmp_type;
	nft_kinds_add(k, &p);
}

/* --- as a rule ---------------------------------------------------------------------------- */

bool nft_packets_rule(const struct nft_packets *p, enum rule_verdict verdict, struct text *t)
{
	struct parsed_rule rule = { .rule = { .action = (uint8_t)verdict } };
	struct rule *r = &rule.rule;
	if (p->net.len) {
		r->flags |= RULE_HAS_DST;
		r->dst = p->net;
	}
	if (p->proto >= 0) {
		if (p->proto != PROTO_TCP && p->proto != PROTO_UDP && p->proto != PROTO_ICMP)
			return false;
		r->flags |= RULE_HAS_PROTO;
		r->proto = (uint8_t)p->proto;
	}
	/* ports without a protocol mean tcp and udp, all of them too */
	if (has_ports(p) || p->proto == NFT_TCP_UDP) {
		r->flags |= RULE_HAS_PORTS;
		r->port_lo = p->lo;
		r->port_hi = p->hi;
	}
	if (p->type != NFT_ANY_TYPE) {
		r->flags |= RULE_HAS_TYPE;
		r->icmp_type = (uint8_t)p->type;
	}
	rule_text(t, &rule);
	return true;
}
