// SPDX-License-Identifier: ISC
/* Reads capture files by libpcap and looks at the headers that name a flow. */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdio.h>
#include <string.h>

#include "packetfile.h"

enum { ETHERNET_BYTES = 14, VLAN_BYTES = 4, IPV4_BYTES = 20, PORTS_BYTES = 4, ICMP_ID_BYTES = 6, SLL2_BYTES = 20 };

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Where IPv4 begins in a frame of this link type, or len. */
static size_t find_ipv4(int link, const uint8_t *at, size_t len)
{
	size_t type = link == DLT_LINUX_SLL ? 14 : 12, skip = link == DLT_LINUX_SLL ? 16 : ETHERNET_BYTES;
	if (link == DLT_RAW || link == DLT_IPV4)
		return 0;
	if (link == DLT_LINUX_SLL2) {
		type = 0;
		skip = SLL2_BYTES;
	}
	while (skip <= len && (get16(at + type) == 0x8100 || get16(at + type) == 0x88a8)) {
		type = skip + 2;
		skip += VLAN_BYTES;
	}
	return skip <= len && get16(at + type) == 0x0800 ? skip : len;
}

static bool read_ipv4(const uint8_t *at, size_t len, struct packetfile_packet *p)
{
	if (len < IPV4_BYTES || at[0] >> 4 != 4)
		return false;
	size_t header = (size_t)(at[0] & 15) * 4;
	bool later_fragment = get16(at + 6) & 0x1fff;
	if (header < IPV4_BYTES || header > len || later_fragment)
		return false;
	p->proto = at[9];
	p->sport = p->dport = 0;
	inet_ntop(AF_INET, at + 12, p->src, sizeof(p->src));
	inet_ntop(AF_INET, at + 16, p->dst, sizeof(p->dst));
	at += header;
	len -= header;
	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) {
		if (len < PORTS_BYTES)
			return false;
		p->sport = get16(at);
		p->dport = get16(at + 2);
	} else if (p->proto == IPPROTO_ICMP) {
		if (len < ICMP_ID_BYTES)
			return false;
		p->sport = get16(at + 4);
		p->dport = at[0];
	}
	return true;
}

static bool is_known(int link)
{
	return link == DLT_EN10MB || link == DLT_RAW || link == DLT_IPV4 || link == DLT_LINUX_SLL ||
	       link == DLT_LINUX_SLL2;
}

bool packetfile_each(const char *file, packetfile_take *take, void *context, char reason[PACKETFILE_REASON_BYTES])
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	pcap_t *in = pcap_open_offline(file, why);
	if (!in) {
		snprintf(reason, PACKETFILE_REASON_BYTES, "%s", why);
		return false;
	}
	int link = pcap_datalink(in), got = is_known(link) ? 1 : PCAP_ERROR;
	if (got == PCAP_ERROR)
		snprintf(reason, PACKETFILE_REASON_BYTES, "frames of a kind that is not read here");
	bool more = got == 1;
	for (size_t number = 1; more && (got = pcap_next_ex(in, &header, &bytes)) == 1; number++) {
		struct packetfile_packet p = { .number = number };
		size_t at = find_ipv4(link, bytes, header->caplen);
		if (read_ipv4(bytes + at, header->caplen - at, &p))
			more = take(context, &p);
	}
	if (more && got == PCAP_ERROR)
		snprintf(reason, PACKETFILE_REASON_BYTES, "%s", pcap_geterr(in));
	pcap_close(in);
	return got != PCAP_ERROR;
}
