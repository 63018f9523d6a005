/* SPDX-License-Identifier: ISC */
/*
 * latency_trial.h: one stream of probes at one rate and size, sent on a fixed schedule.
 *
 * Open loop: packet i is due at start + i / rate, whatever became of those before it, and its
 * latency counts from then. The series, named NAME, "NAME net" and so on:
 *   NAME        due time to the arrival of the reply (kernel's stamp)
 *   generator   due time to departure (kernel's stamp if it gives one): the tool's own error
 *   net         departure to arrival: the first less the second, packet by packet
 *   path        net less the reflector's own time
 *   out, back   the two ways apart, if both ends share a clock
 */
#ifndef LATENCY_TRIAL_H
#define LATENCY_TRIAL_H

#include <netinet/in.h>

#include "latency_run.h"

enum latency_carrier { LATENCY_UDP, LATENCY_TCP, LATENCY_ICMP };

struct latency_trial {
	enum latency_carrier carrier;
	struct sockaddr_in to;
	struct in_addr from; /* 0: any */
	uint32_t size;	     /* payload bytes, LATENCY_WIRE_BYTES to LATENCY_WIRE_MAX */
	double rate;	     /* packets a second */
	uint64_t duration_ns;
	uint64_t warmup_ns; /* of it, not recorded */
	uint64_t spin_ns;   /* how long before a packet is due the CPU is kept */
	bool one_way;
};

struct latency_outcome {
	uint64_t sent, received, lost, duplicated, reordered;
	uint64_t refused; /* by the local system: not sent */
	uint64_t overrun; /* left more than a whole interval late */
};

/*
 * Runs it and adds its series to the run. EXIT_YES of verbs.h also when packets were lost; otherwise
 * what was told on standard error.
 */
int latency_trial_run(const struct latency_trial *, struct latency_run *, const char *name,
		      struct latency_outcome *);

#endif
