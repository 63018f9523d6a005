// SPDX-License-Identifier: ISC
/* rewrite_onward.c: what most packets become, in one go over their headers. */
#include "checksum.h"
#include "rewrite.h"

/* What one less in the first byte of a native word adds: ~m + m - 1. */
enum { TTL_LESS = 0xfffe };

static inline void follow(be16 *sum, const struct packet *p, uint64_t addresses, uint64_t ports)
{
	if (p->frame->offload.flags & OFFLOAD_NEEDS_CSUM) {
		*sum = partial_changed(*sum, addresses);
		return;
	}
	be16 new = checksum_changed(*sum, native_add(addresses, ports));
	/* RFC 768: a computed zero is sent as all ones */
	*sum = p->class == PKT_UDP && !be16_get(new) ? be16_of(0xffff) : new;
}

void rewrite_onward(const struct packet *p, const struct onward *to)
{
	uint8_t *data = p->frame->data;
	struct eth_hdr *eth = (struct eth_hdr *)data;
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(data + p->l3);
	uint8_t *l4 = data + p->l4;
	uint64_t addresses = native_change8(&ip->src, &to->src);
	/* whole words: a compiler puts a struct of two be16 together byte by byte */
	uint16_t sport = native_word(to->sport), dport = native_word(to->dport);
	uint64_t change = native_change2(l4, sport) + native_change2(l4 + 2, dport);

	ip->checksum = checksum_changed(ip->checksum, native_add(addresses, TTL_LESS));
	ip->ttl--;
	memcpy(&ip->src, &to->src, sizeof(ip->src) + sizeof(ip->dst));
	memcpy(l4, &sport, sizeof(sport));
	memcpy(l4 + 2, &dport, sizeof(dport));
	if (p->class == PKT_TCP)
		follow(&((struct tcp_hdr *)l4)->checksum, p, addresses, change);
	else if (p->has_l4_sum)
		follow(&((struct udp_hdr *)l4)->checksum, p, addresses, change);
	eth->dst = to->link_dst;
	eth->src = to->link_src;
}
