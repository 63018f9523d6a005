/* SPDX-License-Identifier: ISC */
/* lab_usual.h: two clients that may do everything, a server, and what the first client sends it. Include cmocka.h first. */
#ifndef LAB_USUAL_H
#define LAB_USUAL_H

#include "lab_assert.h"

#define WEB ip_v4(93, 184, 216, 34)
#define SECOND 1000000000ull

static inline int setup(void **state)
{
	struct lab *l = lab_new(1024);
	static const char *const all[] = { "action=accept", NULL };
	lab_rules(l, C1, VERDICT_DROP, all);
	lab_rules(l, C2, VERDICT_DROP, all);
	*state = l;
	return 0;
}

static inline struct lab_packet tcp_up(uint8_t flags, uint32_t seq, uint32_t ack)
{
	return (struct lab_packet){ .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = WEB,
				    .proto = PROTO_TCP, .sport = 40000, .dport = 80, .flags = flags, .seq = seq,
				    .ack = ack };
}

static inline struct lab_packet udp_up(uint16_t sport, uint16_t dport)
{
	return (struct lab_packet){ .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = WEB,
				    .proto = PROTO_UDP, .sport = sport, .dport = dport, .payload = "hello",
				    .payload_len = 5 };
}

#endif
