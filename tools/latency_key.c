// SPDX-License-Identifier: ISC
/* What of a packet survives address translation, as one number. */
#include <string.h>

#include "latency_key.h"

enum { ETHERNET_BYTES = 14, VLAN_BYTES = 4, IPV4_BYTES = 20, TCP_BYTES = 20, UDP_BYTES = 8, ICMP_BYTES = 8, SLL_BYTES = 16,
       SLL2_BYTES = 20 };
/* Numbers of libpcap's link types and IANA's protocols, so that this file needs neither. */
enum { LINK_ETHERNET = 1, LINK_RAW = 12, LINK_SLL = 113, LINK_IPV4 = 228, LINK_SLL2 = 276 };
enum { ICMP = 1, TCP = 6, UDP = 17 };
enum { ECHO_REPLY = 0, ECHO = 8, TIMESTAMP = 13, TIMESTAMP_REPLY = 14 };

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static uint64_t mix(uint64_t h, uint64_t value)
{
	h = (h ^ value) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *at, size_t len)
{
	for (; len >= 8; at += 8, len -= 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		h = mix(h, word);
	}
	for (uint64_t i = 0; i < len; i++)
		h = mix(h, at[i] + (i << 8));
	return h;
}

bool latency_link_known(int link)
{
	return link == LINK_ETHERNET || link == LINK_RAW || link == LINK_IPV4 || link == LINK_SLL || link == LINK_SLL2;
}

size_t latency_find_ipv4(int link, const uint8_t *at, size_t len)
{
	size_t type = link == LINK_SLL ? 14 : 12, skip = link == LINK_SLL ? SLL_BYTES : ETHERNET_BYTES;
	if (link == LINK_RAW || link == LINK_IPV4)
		return 0;
	if (link == LINK_SLL2) {
		type = 0;
		skip = SLL2_BYTES;
	}
	while (skip <= len && (get16(at + type) == 0x8100 || get16(at + type) == 0x88a8)) {
		skip += VLAN_BYTES;
		type = skip - 2;
	}
	return skip <= len && get16(at + type) == 0x0800 ? skip : len;
}

struct transport {
	const uint8_t *at;
	size_t have;   /* captured bytes from `at` on */
	uint32_t size; /* bytes there were */
};

static bool key_tcp(const struct transport *t, struct latency_key *k, uint32_t *head)
{
	if (t->have < TCP_BYTES)
		return false;
	k->ends.sport = (uint16_t)get16(t->at);
	k->ends.dport = (uint16_t)get16(t->at + 2);
	k->opens = (t->at[13] & 0x12) == 0x02;
	k->content = mix(k->content, (uint64_t)get32(t->at + 4) << 32 | get32(t->at + 8));
	k->content = mix(k->content, t->at[13]);
	*head = (uint32_t)(t->at[12] >> 4) * 4;
	return *head >= TCP_BYTES;
}

static bool key_icmp(const struct transport *t, struct latency_key *k, uint32_t *head)
{
	if (t->have < ICMP_BYTES)
		return false;
	uint8_t type = t->at[0];
	k->content = mix(k->content, get16(t->at));
	*head = ICMP_BYTES;
	if (type == ECHO || type == TIMESTAMP || type == ECHO_REPLY || type == TIMESTAMP_REPLY) {
		bool request = type == ECHO || type == TIMESTAMP;
		*(request ? &k->ends.sport : &k->ends.dport) = (uint16_t)get16(t->at + 4);
		k->content = mix(k->content, get16(t->at + 6));
		return true;
	}
	/* An error quotes a packet, which is translated too: of it only length, number and protocol stay. */
	if (t->have >= ICMP_BYTES + IPV4_BYTES) {
		const uint8_t *inner = t->at + ICMP_BYTES;
		k->content = mix(k->content, (uint64_t)get32(inner) << 32 | (uint64_t)get16(inner + 4) << 8 | inner[9]);
	}
	*head = t->size;
	return true;
}

static bool key_transport(const struct transport *t, struct latency_key *k, uint32_t *head)
{
	*head = 0;
	if (k->ends.proto == TCP)
		return key_tcp(t, k, head);
	if (k->ends.proto == ICMP)
		return key_icmp(t, k, head);
	if (k->ends.proto != UDP)
		return true;
	if (t->have < UDP_BYTES)
		return false;
	k->ends.sport = (uint16_t)get16(t->at);
	k->ends.dport = (uint16_t)get16(t->at + 2);
	*head = UDP_BYTES;
	return true;
}

bool latency_key_of(const uint8_t *at, size_t len, uint32_t payload_max, struct latency_key *k)
{
	if (len < IPV4_BYTES || at[0] >> 4 != 4)
		return false;
	uint32_t header = (uint32_t)(at[0] & 15) * 4, total = get16(at + 2), head = 0;
	if (header < IPV4_BYTES || header > len || total < header)
		return false;
	uint32_t fragment = get16(at + 6) & 0x1fff;
	if (len > total)
		len = total;
	*k = (struct latency_key){ .ends = { .src = get32(at + 12), .dst = get32(at + 16), .proto = at[9] },
				   .ip_id = (uint16_t)get16(at + 4) };
	k->content = mix(mix(1, (uint64_t)(total - header) << 8 | at[9]), fragment);
	struct transport t = { at + header, len - header, total - header };
	if (!fragment && !key_transport(&t, k, &head))
		return false;
	if (head > t.size)
		return false;
	uint32_t payload = t.size - head < payload_max ? t.size - head : payload_max;
	if (t.have < head + payload)
		return false;
	k->content = mix_bytes(k->content, t.at + head, payload);
	return true;
}

uint64_t latency_flow_hash(const struct latency_ends *e)
{
	uint64_t a = mix(mix(e->proto, e->src), e->sport), b = mix(mix(e->proto, e->dst), e->dport);
	uint64_t h = mix(a + b, a ^ b);
	return h ? h : 1;
}
