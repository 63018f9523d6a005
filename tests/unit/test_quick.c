/* links: netstack/quick.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/rewrite.c netstack/checksum.c netstack/addr.c netstack/text.c netstack/hash.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_quick.c: usual packets, damaged at random, go the short way and the
 * long one: what the short way takes, both see and leave alike, byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "checksum.h"
#include "hash.h"
#include "quick.h"
#include "rewrite.h"

enum { FRAME_BYTES = 256, L3 = ETH_BYTES, L4 = L3 + IPV4_MIN_BYTES, ROUNDS = 200000 };

struct made {
	uint8_t bytes[FRAME_BYTES];
	struct frame f;
};

static struct secret dice = { { 21, 22 }, 0 };

static uint32_t rnd(uint32_t bound)
{
	return random_below(&dice, bound);
}

static void sum_header(uint8_t *data)
{
	struct ipv4_hdr ip;
	memcpy(&ip, data + L3, sizeof(ip));
	ip.checksum = be16_of(0);
	ip.checksum = be16_of(sum_finish(sum_bytes(0, &ip, sizeof(ip))));
	memcpy(data + L3, &ip, sizeof(ip));
}

static void sum_transport(uint8_t *data, bool tcp, uint32_t bytes)
{
	struct ipv4_hdr ip;
	uint8_t *at = data + L4 + (tcp ? offsetof(struct tcp_hdr, checksum) : offsetof(struct udp_hdr, checksum));
	memcpy(&ip, data + L3, sizeof(ip));
	memset(at, 0, 2);
	sum64 sum = sum_pseudo(ip_of_v4(ip.src), ip_of_v4(ip.dst), ip.proto, bytes);
	uint16_t word = sum_finish(sum_bytes(sum, data + L4, bytes));
	if (!tcp && rnd(8) == 0)
		return; /* none */
	be16 field = be16_of(!tcp && !word ? 0xffff : word);
	memcpy(at, &field, sizeof(field));
}

static void make(struct made *m)
{
	static const uint8_t flags[] = { TCP_ACK, TCP_ACK, TCP_ACK, TCP_SYN, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK,
					 TCP_RST, TCP_RST | TCP_ACK };
	bool tcp = rnd(2);
	uint32_t header = tcp ? 20 + 4 * rnd(4) : 8, payload = rnd(3) ? rnd(100) : 0, bytes = header + payload;
	uint8_t *data = m->bytes + FRAME_HEADROOM_BYTES;
	for (size_t i = 0; i < sizeof(m->bytes); i++)
		m->bytes[i] = (uint8_t)rnd(256);
	struct eth_hdr eth = { { { 2, 0, 0, 0, 0, 2 } }, { { 2, 0, 0, 0, 0, 1 } }, be16_of(ETHERTYPE_IPV4) };
	struct ipv4_hdr ip = { 0x45, 0, be16_of((uint16_t)(IPV4_MIN_BYTES + bytes)), be16_of((uint16_t)rnd(65536)),
			       be16_of(rnd(2) ? IPV4_DF : 0), (uint8_t)(2 + rnd(254)), tcp ? PROTO_TCP : PROTO_UDP,
			       be16_of(0), { { 10, 137, 0, (uint8_t)rnd(256) } }, { { 1, 2, (uint8_t)rnd(256), 4 } } };
	memcpy(data, &eth, sizeof(eth));
	memcpy(data + L3, &ip, sizeof(ip));
	if (tcp) {
		data[L4 + 12] = (uint8_t)(header / 4 << 4);
		data[L4 + 13] = (uint8_t)(flags[rnd(array_len(flags))] | (rnd(2) ? TCP_PSH : 0));
		static const uint8_t offers[] = { 1, 3, 3, 7, 4, 2, 0 }; /* window scale; SACK permitted; the end */
		memcpy(data + L4 + 20, offers, header == 24 ? 4 : header > 24 ? sizeof(offers) : 0);
	} else {
		be16 len = be16_of((uint16_t)bytes);
		memcpy(data + L4 + 4, &len, sizeof(len));
	}
	sum_transport(data, tcp, bytes);
	sum_header(data);
	m->f = (struct frame){ .buffer = m->bytes, .room = FRAME_BYTES, .data = data, .len = L4 + bytes + rnd(4) };
	switch (rnd(6)) {
	case 0:
		m->f.offload.flags = OFFLOAD_DATA_VALID;
		break;
	case 1:
		m->f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 0, L4, tcp ? 16 : 6 };
		break;
	case 2:
		m->f.offload = (struct offload){ (uint8_t)rnd(4), (uint8_t)(rnd(4) ? 0 : rnd(6)), 7, (uint16_t)rnd(90),
						 (uint16_t)(L4 + rnd(2)), (uint16_t)(rnd(2) ? 16 : 6) };
		break;
	}
}

static void damage(struct made *m)
{
	uint32_t header = L4 + 24;
	for (uint32_t n = rnd(3); n; n--)
		m->f.data[rnd(header)] = (uint8_t)(rnd(2) ? rnd(256) : 1u << rnd(8));
	if (rnd(4) == 0)
		m->f.len = rnd(m->f.len + 1);
	if (rnd(2))
		sum_header(m->f.data);
}

static void copy_of(const struct made *m, struct made *to)
{
	*to = *m;
	to->f.buffer = to->bytes;
	to->f.data = to->bytes + (m->f.data - m->f.buffer);
}

static void same_frame(const struct made *a, const struct made *b)
{
	assert_memory_equal(a->bytes, b->bytes, sizeof(a->bytes));
	assert_int_equal(a->f.len, b->f.len);
	assert_memory_equal(&a->f.offload, &b->f.offload, sizeof(a->f.offload));
}

static void same_view(const struct quick *q, const struct packet *p)
{
	uint32_t ports;
	assert_false(p->v6 || p->has_fragments || p->broadcast != mac_is_group(pkt_eth(p)->dst));
	assert_int_equal(p->class, q->proto == PROTO_TCP ? PKT_TCP : PKT_UDP);
	assert_int_equal(p->tuple.proto, q->proto);
	assert_true(!quick_ip_differs(&p->tuple.src, (uint32_t)q->tuple.addresses) &&
		    !quick_ip_differs(&p->tuple.dst, (uint32_t)(q->tuple.addresses >> 32)));
	memcpy(&ports, (const uint8_t *)&p->tuple + offsetof(struct tuple, sport), sizeof(ports));
	assert_true(ports == q->tuple.ports && q->bytes == p->end - p->l3 && p->ttl > 1);
	if (p->class != PKT_TCP)
		return;
	assert_true(p->tcp.seq == q->tcp.seq && p->tcp.ack == q->tcp.ack && p->tcp.segment_len == q->tcp.segment_len);
	assert_true(p->tcp.window == q->tcp.window && p->tcp.flags == q->tcp.flags);
	assert_true(q->tcp.scale == p->tcp.scale && q->tcp.has_scale == p->tcp.has_scale &&
		    q->tcp.sack_permitted == p->tcp.sack_permitted);
}

/* The address and ports that it leaves with; now and then hardly any change. */
static struct quick_tuple elsewhere(struct tuple *to)
{
	if (rnd(8)) {
		be32 src = { { 10, 200, 0, (uint8_t)rnd(256) } };
		to->src = ip_of_v4(src);
		to->sport = (uint16_t)rnd(65536);
	}
	if (rnd(2)) {
		to->dst = ip_v4(198, 18, (uint8_t)rnd(256), 9);
		to->dport = (uint16_t)rnd(65536);
	}
	return (struct quick_tuple){ quick_addresses(&to->src, &to->dst), to->sport | (uint32_t)to->dport << 16 };
}

static void test_as_the_long_way(void **state)
{
	(void)state;
	static struct made made, quick, slow;
	static const struct mac far = { { 2, 9, 9, 9, 9, 1 } }, ours = { { 2, 9, 9, 9, 9, 2 } };
	uint32_t taken = 0, refused = 0;
	for (uint32_t n = 0; n < ROUNDS; n++) {
		struct quick q;
		struct packet p;
		memset(&q, 0, sizeof(q));
		make(&made);
		if (n % 2)
			damage(&made);
		copy_of(&made, &quick);
		copy_of(&made, &slow);
		bool usual = quick_parse(&quick.f, &q);
		if (!usual) {
			same_frame(&made, &quick);
			refused++;
			continue;
		}
		taken++;
		memset(&p, 0xa5, sizeof(p));
		assert_int_equal(pkt_parse(&slow.f, &p), DROP_NONE);
		same_view(&q, &p);
		same_frame(&slow, &quick);
		struct tuple to = p.tuple;
		struct quick_tuple quick_to = elsewhere(&to);
		quick_rewrite(&q, quick_to, &far, &ours);
		rewrite_tuple(&p, &to);
		rewrite_ttl(&p);
		rewrite_link(&p, far, ours);
		same_frame(&slow, &quick);
	}
	assert_true(taken > ROUNDS / 3 && refused > ROUNDS / 10);
}

/* What is made here without damage is usual: or the short way would be no way at all. */
static void test_usual_is_taken(void **state)
{
	(void)state;
	static struct made made;
	for (uint32_t n = 0; n < 10000; n++) {
		struct quick q;
		make(&made);
		made.f.offload = (struct offload){ 0 };
		assert_true(quick_parse(&made.f, &q));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_long_way),
		cmocka_unit_test(test_usual_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
