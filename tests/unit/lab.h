/* SPDX-License-Identifier: ISC */
/*
 * lab.h: a firewall on a workbench: the real core, frames made by hand, and
 * whatever came out. For the unit tests and fuzzers of the pipeline.
 */
#ifndef LAB_H
#define LAB_H

#include "fw.h"

enum { LAB_FRAMES = 256, LAB_FRAME_BYTES = 2048, LAB_ANSWER_BYTES = 1 << 18 };

struct lab {
	struct fw fw;
	struct policy *policy;
	struct frame frames[LAB_FRAMES];
	struct frame_queue free;
	uint8_t *memory;
	uint64_t now_ns;
};

extern const struct mac LAB_FW_MAC, LAB_UP_MAC, LAB_GW_MAC, LAB_C1_MAC, LAB_C2_MAC;
/* uplink 10.0.0.2/24 by 10.0.0.1; clients 10.137.0.5 (port 1) and 10.137.0.6 (port 2) */
struct lab *lab_new(uint32_t flows);
void lab_free(struct lab *);
/* Publishes store lines, `policy` last; NULL ends the list. */
void lab_rules(struct lab *, struct ip_addr client, enum rule_verdict policy, const char *const *lines);

/* The same for the inbound or the between rules. */
void lab_cross_rules(struct lab *, enum rule_kind, const char *const *lines);

/* A frame taken from the free ones, filled and given to the firewall; the answer is what it did. */
struct lab_packet {
	uint16_t port;
	struct mac src, dst;
	struct ip_addr from, to;
	uint8_t proto, ttl;
	uint16_t sport, dport;
	uint8_t flags;         /* TCP */
	uint32_t seq, ack;
	uint8_t type, code;    /* ICMP; sport is the identifier */
	const void *payload;
	size_t payload_len;
	uint16_t id, fragment; /* flags and offset field as on the wire */
};
struct frame *lab_frame(struct lab *, const struct lab_packet *);
/* Sends it in; returns the frame that came out, or NULL. Give it back with lab_give. */
struct frame *lab_send(struct lab *, const struct lab_packet *);
struct frame *lab_take(struct lab *); /* the next frame that came out */
/* Whoever has this address at this port answers a question for it by ARP. */
void lab_arp(struct lab *, uint16_t port, struct ip_addr, struct mac);
void lab_give(struct lab *, struct frame *);
void lab_after(struct lab *, uint64_t ns); /* time passes; timers run */
/* The whole answer to a request of the control protocol, NUL-terminated; it must fit, and no line may be cut. */
void lab_answer(struct lab *, const char *request, char *all, size_t room);
/* A lab whose operator looks on: memory for what that takes, and the answer to what he asked last. */
struct lab_bench {
	struct lab *lab;
	struct arena arena;
	void *memory;
	char all[LAB_ANSWER_BYTES];
};
struct lab_bench *lab_bench_new(void);
void lab_bench_free(struct lab_bench *);
const char *lab_ask(struct lab_bench *, const char *request);
/* Every frame is somewhere, once; tables hold. */
bool lab_conserved(struct lab *);

#endif
