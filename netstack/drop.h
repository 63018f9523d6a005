/* SPDX-License-Identifier: ISC */
/*
 * drop.h: every reason for which a frame ends here. One list: it is the enum,
 * the counter table, the metric names and the log text.
 */
#ifndef DROP_H
#define DROP_H

#include "base.h"

#define DROP_LIST(X) \
	X(NONE, "none", "not dropped") \
	/* link and headers */ \
	X(FRAME_SHORT, "frame-short", "frame shorter than its headers") \
	X(LINK_SOURCE, "link-source", "group address as Ethernet source") \
	X(NOT_FOR_US, "not-for-us", "Ethernet destination is another machine") \
	X(ETHERTYPE, "ethertype", "neither ARP, IPv4 nor IPv6") \
	X(ARP_MALFORMED, "arp-malformed", "ARP packet malformed") \
	X(ARP_SPOOFED, "arp-spoofed", "ARP sender is not the port's client") \
	X(ARP_CONSUMED, "arp-consumed", "ARP packet taken in") \
	X(IP_HEADER, "ip-header", "IP header malformed (version, lengths)") \
	X(IP_CHECKSUM, "ip-checksum", "IPv4 header checksum wrong") \
	X(IP_OPTIONS, "ip-options", "IPv4 source-route or malformed options") \
	X(IPV6, "ipv6", "IPv6 is not forwarded yet") \
	X(L4_SHORT, "l4-short", "transport header cut short") \
	X(L4_HEADER, "l4-header", "transport header malformed") \
	X(L4_CHECKSUM, "l4-checksum", "transport checksum wrong") \
	X(TCP_FLAGS, "tcp-flags", "impossible TCP flag combination") \
	X(OFFLOAD, "offload", "offload metadata does not fit the frame") \
	/* fragments (RFC 815, 1858, 3128) */ \
	X(FRAGMENT_TINY, "fragment-tiny", "first fragment without its whole transport header") \
	X(FRAGMENT_OVERLAP, "fragment-overlap", "fragment overlaps another") \
	X(FRAGMENT_SIZE, "fragment-size", "fragment length not a multiple of 8, empty or past 65535") \
	X(FRAGMENT_LIMIT, "fragment-limit", "too many fragments or datagrams in pieces") \
	X(FRAGMENT_TIMEOUT, "fragment-timeout", "first fragment never came") \
	/* addresses */ \
	X(SPOOFED, "spoofed", "source address does not belong to the port") \
	X(MARTIAN, "martian", "source or destination cannot be forwarded") \
	X(CLIENT_ADDRESS, "client-address", "client's address seen on the uplink side") \
	X(INTER_CLIENT, "inter-client", "traffic between clients") \
	X(TTL, "ttl", "time to live exceeded") \
	X(TOO_BIG, "too-big", "larger than the way out, and may not be fragmented") \
	X(NO_ROUTE, "no-route", "no uplink, address or gateway") \
	X(NEIGHBOUR, "neighbour", "next hop did not answer") \
	X(NEIGHBOUR_FULL, "neighbour-full", "too many packets waiting for the next hop") \
	/* rules and flows */ \
	X(RULE, "rule", "refused by a rule") \
	X(POLICY, "policy", "refused by the policy at the end of the rules") \
	X(CLOSED, "closed", "client has no valid rule set") \
	X(ISOLATED, "isolated", "the client is isolated") \
	X(PANIC, "panic", "panic is on: nothing is forwarded") \
	X(NEW_FROM_UPLINK, "new-from-uplink", "unsolicited from the uplink") \
	X(CT_INVALID, "ct-invalid", "belongs to no flow and cannot open one") \
	X(TCP_WINDOW, "tcp-window", "TCP segment outside the window") \
	X(TCP_STATE, "tcp-state", "TCP segment impossible in this state") \
	X(ICMP_UNRELATED, "icmp-unrelated", "ICMP error about no flow of ours") \
	X(FLOW_CUT, "flow-cut", "flow forbidden by newer rules") \
	X(FLOW_FULL, "flow-full", "flow table full") \
	X(FLOW_SHARE, "flow-share", "client's share of the flow table used up") \
	X(NAT_PORTS, "nat-ports", "no free port for translation") \
	/* to the firewall itself */ \
	X(LOCAL_REFUSED, "local-refused", "to the firewall itself, refused") \
	X(LOCAL_SILENT, "local-silent", "to the firewall itself, ignored") \
	X(LOCAL_CONSUMED, "local-consumed", "to the firewall itself, taken in") \
	/* ends of the appliance */ \
	X(PORT_GONE, "port-gone", "port detached or link down") \
	X(TX_FULL, "tx-full", "way out is full") \
	X(NO_BUFFER, "no-buffer", "no free frame for a reply")

enum drop {
#define DROP_ENUM_(name, word, text) DROP_##name,
	DROP_LIST(DROP_ENUM_)
#undef DROP_ENUM_
	DROP_COUNT
};

/* The metric and JSON name ("ip-checksum") and the sentence for a reader. */
const char *drop_word(enum drop);
const char *drop_text(enum drop);

#endif
