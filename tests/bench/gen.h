/* SPDX-License-Identifier: ISC */
/*
 * gen.h: the traffic of the benchmark. One program, one verb a run, one JSON
 * object on stdout; exit 0 when that object is whole.
 */
#ifndef GEN_H
#define GEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gen_options {
	const char *ns, *peer_ns; /* network namespaces; NULL: the present one */
	const char *dev, *peer_dev;
	uint8_t dmac[6];
	struct in_addr src, dst;
	uint16_t port;            /* destination (first of a range) */
	uint32_t payload, flows;
	bool fresh;               /* every packet is a new 5-tuple */
	uint32_t first;           /* number of the first one */
	uint32_t conc;            /* connections at once */
	double secs, rate;        /* rate 0: as fast as it goes */
	int cpu, peer_cpu;        /* -1: wherever */
	bool spin, echo;
	char **command;           /* after "--" */
};

enum { GEN_BURST = 64, GEN_FRAME_BYTES = 2048, GEN_CPS_PORTS = 8 };

int gen_pps(const struct gen_options *);
int gen_sink(const struct gen_options *);
int gen_rtt(const struct gen_options *);
int gen_cps(const struct gen_options *);
int gen_first(const struct gen_options *);
int gen_ctflush(const struct gen_options *);

/* --- gen.c: what the verbs share ------------------------------------------------ */
_Noreturn void gen_fail(const char *what); /* with errno */
double gen_now(void);                      /* seconds, monotonic */
double gen_cpu_seconds(void);              /* of this process */
void gen_pin(int cpu);
void gen_enter(const char *ns);            /* sockets opened from here on live there */
int gen_udp(uint16_t port);                /* bound to it, large buffers; 0: any */
void gen_give_up_after(int fd, double secs); /* receive timeout */
void gen_die_with_parent(void);
/* Latencies in seconds: sorts them; q of 0..1. */
void gen_sort(double *, size_t n);
double gen_quantile(const double *sorted, size_t n, double q);

/* genframe.c: a whole UDP frame, its payload i & 0xff; its length. */
struct gen_flow { uint16_t sport, dport; };
size_t gen_frame(uint8_t *at, const struct gen_options *, const uint8_t smac[6]);
/* Gives the frame that flow; the checksum stays right. */
void gen_frame_flow(uint8_t *at, uint32_t base_sum, struct gen_flow);
/* What gen_frame_flow wants: the sum of everything but the ports. */
uint32_t gen_frame_sum(const uint8_t *at);
int gen_packet_socket(const char *dev, uint8_t mac[6]); /* sends on dev, receives nothing */

#endif
