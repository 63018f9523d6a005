/* SPDX-License-Identifier: ISC */
/*
 * headers.h: the wire layouts, by their RFC field names.
 */
#ifndef HEADERS_H
#define HEADERS_H

#include "addr.h"

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_IPV6 = 0x86dd };
enum { PROTO_HOPOPTS = 0, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ROUTING = 43,
       PROTO_FRAGMENT = 44, PROTO_ICMPV6 = 58, PROTO_NONE = 59, PROTO_DSTOPTS = 60 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };
enum { IPV4_DF = 0x4000, IPV4_MF = 0x2000, IPV4_OFFSET_MASK = 0x1fff };
enum { ETH_BYTES = 14, ARP_BYTES = 28, IPV4_MIN_BYTES = 20, IPV6_BYTES = 40, UDP_BYTES = 8,
       TCP_MIN_BYTES = 20, ICMP_BYTES = 8, IP_MAX_BYTES = 65535 };

struct eth_hdr { struct mac dst, src; be16 type; };

/* RFC 826, for Ethernet and IPv4 */
struct arp_hdr {
	be16 hardware, protocol;
	uint8_t hardware_len, protocol_len;
	be16 operation; /* 1 request, 2 reply */
	struct mac sender_mac;
	be32 sender_ip;
	struct mac target_mac;
	be32 target_ip;
};

/* RFC 791 */
struct ipv4_hdr {
	uint8_t version_ihl, tos;
	be16 total_len, id, flags_offset;
	uint8_t ttl, proto;
	be16 checksum;
	be32 src, dst;
};

/* RFC 8200 */
struct ipv6_hdr {
	be32 version_class_label;
	be16 payload_len;
	uint8_t next, hop_limit;
	struct ip_addr src, dst;
};

/* RFC 768 */
struct udp_hdr { be16 sport, dport, len, checksum; };

/* RFC 9293 */
struct tcp_hdr {
	be16 sport, dport;
	be32 seq, ack;
	uint8_t offset, flags;
	be16 window, checksum, urgent;
};

/* RFC 792, RFC 4443: `a` and `b` are identifier and sequence number of a query; b the MTU of 3/4. */
struct icmp_hdr {
	uint8_t type, code;
	be16 checksum, a, b;
};

_Static_assert(sizeof(struct eth_hdr) == ETH_BYTES, "RFC 894");
_Static_assert(sizeof(struct arp_hdr) == ARP_BYTES, "RFC 826");
_Static_assert(sizeof(struct ipv4_hdr) == IPV4_MIN_BYTES, "RFC 791");
_Static_assert(sizeof(struct ipv6_hdr) == IPV6_BYTES, "RFC 8200");
_Static_assert(sizeof(struct udp_hdr) == UDP_BYTES, "RFC 768");
_Static_assert(sizeof(struct tcp_hdr) == TCP_MIN_BYTES, "RFC 9293");
_Static_assert(sizeof(struct icmp_hdr) == ICMP_BYTES, "RFC 792");

#endif
