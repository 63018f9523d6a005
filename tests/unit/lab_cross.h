/* SPDX-License-Identifier: ISC */
/*
 * lab_cross.h: two clients and the world, whose packets are UDP or the beginning of TCP, for tests of what they open to one
 * another. Include cmocka.h first.
 */
#ifndef LAB_CROSS_H
#define LAB_CROSS_H

#include "cross_rule.h"
#include "lab_assert.h"

#define PEER ip_v4(198, 51, 100, 7)

static const char *const nothing[] = { NULL };
static const char *const one_way[] = {
	"action=drop dst4=10.137.0.6 proto=udp dstports=9",
	"action=accept src4=10.137.0.5 dst4=10.137.0.6",
	NULL,
};

static inline int setup(void **state)
{
	struct lab *l = lab_new(256);
	struct frame_queue none = { 0 };
	neigh_set(l->fw.neigh, 1, C1, LAB_C1_MAC, &none);
	neigh_set(l->fw.neigh, 2, C2, LAB_C2_MAC, &none);
	*state = l;
	return 0;
}

static inline struct lab_packet from_world(uint8_t proto, uint16_t sport, uint16_t dport)
{
	return (struct lab_packet){ .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = PEER, .to = UP,
				    .proto = proto, .sport = sport, .dport = dport, .flags = TCP_SYN, .seq = 100 };
}

static inline struct lab_packet from_client(uint16_t port, struct ip_addr to, uint8_t proto, uint16_t sport, uint16_t dport)
{
	return (struct lab_packet){ .port = port, .src = port == 1 ? LAB_C1_MAC : LAB_C2_MAC, .dst = LAB_FW_MAC,
				    .from = port == 1 ? C1 : C2, .to = to, .proto = proto, .sport = sport,
				    .dport = dport, .flags = TCP_SYN, .seq = 100 };
}

/* It came out at this port as this tuple; its bytes stay until the next one is sent. */
static inline struct packet comes_out(struct lab *l, const struct lab_packet *in, uint16_t port, struct ip_addr src,
			       uint16_t sport, struct ip_addr dst, uint16_t dport)
{
	struct packet p = parsed(l, lab_send(l, in));
	assert_int_equal(p.frame->port, port);
	assert_memory_equal(p.tuple.src.b, src.b, sizeof(src.b));
	assert_memory_equal(p.tuple.dst.b, dst.b, sizeof(dst.b));
	assert_int_equal(p.tuple.sport, sport);
	assert_int_equal(p.tuple.dport, dport);
	assert_true(pkt_l4_sum_ok(&p));
	return p;
}

static inline void set(struct lab_packet *p, uint8_t flags, uint32_t seq, uint32_t ack)
{
	p->flags = flags;
	p->seq = seq;
	p->ack = ack;
}

/* Quotes what came out, as a router or the host there would. */
static inline struct lab_packet error_about(const struct packet *out, struct lab_packet back, uint8_t quote[28])
{
	memcpy(quote, out->frame->data + ETH_BYTES, 28);
	back.to = out->tuple.src;
	back.proto = PROTO_ICMP;
	back.type = 3;
	back.code = 3;
	back.sport = back.dport = 0;
	back.payload = quote;
	back.payload_len = 28;
	return back;
}

#endif
