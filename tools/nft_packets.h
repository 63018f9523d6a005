/* SPDX-License-Identifier: ISC */
/*
 * nft_packets.h: kinds of packets as our rules can say them, and lists of such kinds.
 */
#ifndef NFT_PACKETS_H
#define NFT_PACKETS_H

#include "rule.h"

enum {
	NFT_ANY_PROTO = -1,
	NFT_TCP_UDP = -2,
	NFT_ANY_TYPE = -1,
	NFT_KINDS_MAX = 4096, /* in a list: what a rule with large sets takes apart */
};

/* To this network, of this protocol, to these ports or of this ICMP type: all of it. */
struct nft_packets {
	struct ip_prefix net;
	int proto;
	uint16_t lo, hi;
	int type;
};

/* Starts as zeros: no packets. nft_kinds_free() empties it. */
struct nft_kinds {
	struct nft_packets *item;
	size_t count, room;
	bool cut; /* NFT_KINDS_MAX was not enough */
};

struct nft_packets nft_all_packets(void);
bool nft_is_all(const struct nft_kinds *); /* one of them is every packet */

void nft_kinds_add(struct nft_kinds *, const struct nft_packets *);
void nft_kinds_free(struct nft_kinds *);
struct nft_kinds nft_kinds_all(void);
struct nft_kinds nft_kinds_copy(const struct nft_kinds *);
/* What is in both. */
struct nft_kinds nft_kinds_meet(const struct nft_kinds *, const struct nft_kinds *);

void nft_add_net(struct nft_kinds *, struct ip_prefix);
void nft_add_nets_between(struct nft_kinds *, uint32_t first, uint32_t last); /* IPv4 addresses, host byte order */
void nft_add_nets_outside(struct nft_kinds *, uint32_t first, uint32_t last);
/* proto: IANA number or NFT_TCP_UDP. */
void nft_add_ports(struct nft_kinds *, int proto, uint16_t lo, uint16_t hi);
void nft_add_ports_outside(struct nft_kinds *, int proto, uint16_t lo, uint16_t hi);
void nft_add_proto(struct nft_kinds *, int proto);
void nft_add_type(struct nft_kinds *, uint8_t icmp_type);

/* The store line for them; false: no rule can say it (another protocol than tcp, udp and icmp). */
bool nft_packets_rule(const struct nft_packets *, enum rule_verdict, struct text *);

#endif
