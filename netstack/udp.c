/* SPDX-License-Identifier: ISC */
/* udp.c: builds a UDP datagram from nothing. */
#include "udp.h"
#include "checksum.h"

enum { L3 = ETH_BYTES, L4 = ETH_BYTES + IPV4_MIN_BYTES, PAYLOAD = L4 + UDP_BYTES, TTL = 64 };

static void put_udp(struct frame *f, const struct tuple *to, uint16_t len)
{
	struct udp_hdr *udp = (struct udp_hdr *)(f->data + L4);
	*udp = (struct udp_hdr){ be16_of(to->sport), be16_of(to->dport), be16_of(len), be16_of(0) };
	uint16_t sum = sum_finish(sum_bytes(sum_pseudo(to->src, to->dst, PROTO_UDP, len), udp, len));
	udp->checksum = be16_of(sum ? sum : 0xffff); /* 0 says that there is none */
}

bool udp_build(struct frame *f, const struct tuple *to, const void *payload, size_t len, struct packet *p)
{
	if (len > IP_MAX_BYTES - IPV4_MIN_BYTES - UDP_BYTES || !frame_reset(f, PAYLOAD + len))
		return false;
	*(struct eth_hdr *)f->data = (struct eth_hdr){ .type = be16_of(ETHERTYPE_IPV4) };
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(f->data + L3);
	*ip = (struct ipv4_hdr){
		.version_ihl = 0x45,
		.total_len = be16_of((uint16_t)(IPV4_MIN_BYTES + UDP_BYTES + len)),
		.flags_offset = be16_of(IPV4_DF),
		.ttl = TTL,
		.proto = PROTO_UDP,
		.src = ip_to_v4(to->src),
		.dst = ip_to_v4(to->dst),
	};
	ip->checksum = be16_of(sum_finish(sum_bytes(0, ip, sizeof(*ip))));
	memcpy(f->data + PAYLOAD, payload, len);
	put_udp(f, to, (uint16_t)(UDP_BYTES + len));
	return pkt_parse(f, p) == DROP_NONE;
}
