/* SPDX-License-Identifier: ISC */
/*
 * reply.h: answers, built in place over the frame that asked for them, and
 * the few frames we send unasked. All leave with complete checksums, no
 * offload metadata, and no stale byte of the old frame; nothing is answered
 * whose own checksum is wrong. On true *p is the parsed view of the answer;
 * its link addresses are those of p, exchanged.
 */
#ifndef REPLY_H
#define REPLY_H

#include "packet.h"

enum { ICMP_QUOTE_MAX_BYTES = 548 }; /* RFC 1812 4.3.2.3: error packets up to 576 bytes */

/* ARP reply: `ours` is what p->arp.target_ip is at. */
bool reply_arp(struct packet *, struct mac ours);
/* ICMP echo reply from the address that was asked. TTL 64. */
bool reply_echo(struct packet *);
/* The datagram back to its sender, from the port that was asked, with another byte `at` there in what it carries. TTL 64. */
bool reply_udp(struct packet *, size_t at, uint8_t byte);

/*
 * May an ICMP error be sent about p (RFC 1812 4.3.2.7)? Not about an ICMP
 * error, a group or broadcast link or IP destination, a fragment beyond the
 * first, or a source that names no single host.
 */
bool reply_error_allowed(const struct packet *);
/*
 * ICMPv4 error about p, from `from` back to p's source, quoting as much as
 * fits (548 bytes), TTL 64, TOS 0xc0. `info` is the MTU for 3/4, else 0.
 * False: not allowed or does not fit the buffer; the frame is then untouched.
 */
bool reply_icmp_error(struct packet *, struct ip_addr from, uint8_t type, uint8_t code, uint32_t info);
/* TCP reset that answers p (RFC 9293 3.10.7.1). False for a reset, or when it does not fit. */
bool reply_rst(struct packet *);

/* ARP request for `target`, or gratuitous when sender_ip is target. f is emptied first. */
bool build_arp_request(struct frame *f, struct mac sender, struct ip_addr sender_ip, struct ip_addr target);

#endif
