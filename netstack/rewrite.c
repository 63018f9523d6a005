/* SPDX-License-Identifier: ISC */
/*
 * rewrite.c: stores into forwarded frames, each with its checksums.
 *
 * A partial checksum (offload NEEDS_CSUM) is the sum of the pseudo header
 * alone: it follows the addresses, and whoever completes it later sums the
 * ports as they are then.
 */
#include "rewrite.h"
#include "checksum.h"

static bool is_partial(const struct packet *p)
{
	return p->frame->offload.flags & OFFLOAD_NEEDS_CSUM;
}

/* RFC 768: a computed zero is sent as all ones, zero means none. */
static be16 sum_field(uint8_t proto, uint16_t checksum)
{
	return be16_of(proto == PROTO_UDP && !checksum ? 0xffff : checksum);
}

/* The transport checksum in use, or NULL. */
static be16 *l4_sum(const struct packet *p)
{
	if (!p->has_l4_sum)
		return NULL;
	switch (p->class) {
	case PKT_TCP:
		return &pkt_tcp(p)->checksum;
	case PKT_UDP:
		return &pkt_udp(p)->checksum;
	case PKT_ICMP_QUERY:
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER:
		return &pkt_icmp(p)->checksum;
	case PKT_ARP:
	case PKT_OTHER:
	case PKT_FRAGMENT:
		return NULL;
	}
	return NULL;
}

/* The transport's checksum follows a change of addresses and one of its own header. */
static void l4_follows(struct packet *p, uint64_t addresses, uint64_t header)
{
	be16 *sum = l4_sum(p);

	if (!sum)
		return;
	if (p->tuple.proto == PROTO_ICMP) /* RFC 792 has no pseudo header */
		addresses = 0;
	if (is_partial(p)) {
		*sum = partial_changed(*sum, addresses);
		return;
	}
	be16 new = checksum_changed(*sum, native_add(addresses, header));
	*sum = p->tuple.proto == PROTO_UDP && !be16_get(new) ? be16_of(0xffff) : new;
}

/* Stores the addresses, keeps the IPv4 header's checksum right; returns what they changed. */
static uint64_t store_addresses(struct packet *p, struct ip_addr src, struct ip_addr dst)
{
	uint64_t change = 0;

	p->tuple.src = src;
	p->tuple.dst = dst;
	if (p->v6) {
		struct ipv6_hdr *ip = pkt_ipv6(p);
		for (size_t i = 0; i < sizeof(src); i += 8) {
			change = native_add(change, native_change8(ip->src.b + i, src.b + i));
			change = native_add(change, native_change8(ip->dst.b + i, dst.b + i));
		}
		ip->src = src;
		ip->dst = dst;
		return change;
	}
	struct ipv4_hdr *ip = pkt_ipv4(p);
	be32 new_src = ip_to_v4(src), new_dst = ip_to_v4(dst);
	change = native_change4(&ip->src, &new_src) + native_change4(&ip->dst, &new_dst);
	ip->checksum = checksum_changed(ip->checksum, change);
	ip->src = new_src;
	ip->dst = new_dst;
	return change;
}

/* Stores the tuple's ports or identifier; returns what they changed. */
static uint64_t store_ports(struct packet *p, const struct tuple *to)
{
	uint8_t *at = p->frame->data + p->l4;
	be16 ports[2] = { be16_of(to->sport), be16_of(to->dport) };

	if (p->class == PKT_ICMP_QUERY) {
		/* the identifier, and the sequence number that stays */
		struct icmp_hdr *icmp = pkt_icmp(p);
		bool request = p->icmp_type == p->tuple.kind;
		at = icmp->a.b;
		ports[0] = be16_of(request ? to->sport : to->dport);
		ports[1] = icmp->b;
	} else if (p->class != PKT_TCP && p->class != PKT_UDP) {
		return 0;
	}
	uint64_t change = native_change4(at, ports);
	memcpy(at, ports, sizeof(ports));
	p->tuple.sport = to->sport;
	p->tuple.dport = to->dport;
	return change;
}

void rewrite_tuple(struct packet *p, const struct tuple *to)
{
	ensure(to->proto == p->tuple.proto && to->kind == p->tuple.kind);
	ensure(ip_is_v4(to->src) != p->v6 && ip_is_v4(to->dst) != p->v6);
	uint64_t addresses = store_addresses(p, to->src, to->dst);
	l4_follows(p, addresses, store_ports(p, to));
}

void rewrite_addresses(struct packet *p, struct ip_addr src, struct ip_addr dst)
{
	ensure(ip_is_v4(src) != p->v6 && ip_is_v4(dst) != p->v6);
	l4_follows(p, store_addresses(p, src, dst), 0);
}

/* Quoted bytes change: the outer ICMP checksum covers them. */
static void set_quoted(struct packet *p, void *at, const void *bytes, size_t len)
{
	struct icmp_hdr *icmp = pkt_icmp(p);

	icmp->checksum = be16_of(checksum_update(be16_get(icmp->checksum), at, bytes, len));
	memcpy(at, bytes, len);
}

/* The quoted transport checksum in use, or NULL. */
static be16 *quoted_sum(const struct packet *p)
{
	uint8_t *l4 = p->frame->data + p->inner_l4;

	if (p->inner_has_l4 && p->inner.proto == (p->v6 ? PROTO_ICMPV6 : PROTO_ICMP))
		return &((struct icmp_hdr *)l4)->checksum;
	if (!p->inner_has_l4_sum)
		return NULL;
	if (p->inner.proto == PROTO_TCP)
		return &((struct tcp_hdr *)l4)->checksum;
	return &((struct udp_hdr *)l4)->checksum;
}

static void quoted_sum_follows(struct packet *p, const void *from, const void *to, size_t len)
{
	be16 *sum = quoted_sum(p);

	if (!sum)
		return;
	be16 new = sum_field(p->inner.proto, checksum_update(be16_get(*sum), from, to, len));
	set_quoted(p, sum, &new, sizeof(new));
}

static void set_quoted_addresses(struct packet *p, const struct tuple *to)
{
	uint8_t *l3 = p->frame->data + p->inner_l3;

	if (p->v6) {
		struct ipv6_hdr *ip = (struct ipv6_hdr *)l3;
		struct ip_addr new[2] = { to->src, to->dst };
		quoted_sum_follows(p, &ip->src, new, sizeof(new));
		set_quoted(p, &ip->src, &new[0], sizeof(new[0]));
		set_quoted(p, &ip->dst, &new[1], sizeof(new[1]));
		return;
	}
	struct ipv4_hdr *ip = (struct ipv4_hdr *)l3;
	be32 old[2] = { ip->src, ip->dst }, new[2] = { ip_to_v4(to->src), ip_to_v4(to->dst) };
	be16 sum = be16_of(checksum_update(be16_get(ip->checksum), old, new, sizeof(new)));
	if (p->inner.proto != PROTO_ICMP)
		quoted_sum_follows(p, old, new, sizeof(new));
	set_quoted(p, &ip->checksum, &sum, sizeof(sum));
	set_quoted(p, &ip->src, &new[0], sizeof(new[0]));
	set_quoted(p, &ip->dst, &new[1], sizeof(new[1]));
}

void rewrite_inner(struct packet *p, const struct tuple *to)
{
	ensure(p->class == PKT_ICMP_ERROR);
	ensure(to->proto == p->inner.proto && to->kind == p->inner.kind);
	ensure(ip_is_v4(to->src) != p->v6 && ip_is_v4(to->dst) != p->v6);
	set_quoted_addresses(p, to);
	p->inner.src = to->src;
	p->inner.dst = to->dst;
	if (!p->inner_has_l4)
		return;

	uint8_t *l4 = p->frame->data + p->inner_l4;
	if (p->inner.kind) {
		struct icmp_hdr *icmp = (struct icmp_hdr *)l4;
		be16 id = be16_of(icmp->type == p->inner.kind ? to->sport : to->dport);
		quoted_sum_follows(p, &icmp->a, &id, sizeof(id));
		set_quoted(p, &icmp->a, &id, sizeof(id));
	} else if (p->inner.proto == PROTO_TCP || p->inner.proto == PROTO_UDP) {
		be16 ports[2] = { be16_of(to->sport), be16_of(to->dport) };
		quoted_sum_follows(p, l4, ports, sizeof(ports));
		set_quoted(p, l4, ports, sizeof(ports));
	} else {
		return;
	}
	p->inner.sport = to->sport;
	p->inner.dport = to->dport;
}

void rewrite_ttl(struct packet *p)
{
	ensure(p->ttl > 1);
	p->ttl--;
	if (p->v6) {
		pkt_ipv6(p)->hop_limit = p->ttl;
		return;
	}
	struct ipv4_hdr *ip = pkt_ipv4(p);
	/* ~m + m' of a word whose first byte is one less, whatever it is */
	static const uint8_t less[4] = { 0xfe, 0xff };
	ip->checksum = checksum_changed(ip->checksum, native_load4(less));
	ip->ttl = p->ttl;
}

void rewrite_id(struct packet *p, uint16_t id)
{
	struct ipv4_hdr *ip = pkt_ipv4(p);
	be16 was[2] = { ip->id }, now[2] = { be16_of(id) };

	ip->checksum = checksum_changed(ip->checksum, native_change4(was, now));
	ip->id = now[0];
	p->id = id;
}

void rewrite_link(struct packet *p, struct mac dst, struct mac src)
{
	struct eth_hdr *eth = pkt_eth(p);

	eth->dst = dst;
	eth->src = src;
	p->broadcast = mac_is_group(dst);
}

void rewrite_finish_checksum(struct packet *p)
{
	be16 *sum = l4_sum(p);

	if (!is_partial(p))
		return;
	ensure(sum != NULL);
	/* the field holds the pseudo header's sum and so adds it here */
	*sum = sum_field(p->tuple.proto, sum_finish(sum_bytes(0, p->frame->data + p->l4, p->data_len)));
	p->frame->offload.flags &= (uint8_t)~OFFLOAD_NEEDS_CSUM;
	p->frame->offload.csum_start = 0;
	p->frame->offload.csum_offset = 0;
}
