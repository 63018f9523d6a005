/* SPDX-License-Identifier: ISC */
/*
 * latency_capture.h: packets with their times, from a capture file or an interface.
 */
#ifndef LATENCY_CAPTURE_H
#define LATENCY_CAPTURE_H

#include "latency_key.h"

enum { LATENCY_CAPTURE_REASON = 320 };

struct latency_packet {
	uint64_t ns;
	struct latency_key key;
};

struct latency_capture {
	void *pcap;
	int link;
	uint32_t payload_max;
	uint64_t packets, passed_over; /* passed over: not IPv4, or cut short */
	bool live, over;
};

/* A file (pcap, pcapng). False: why. */
bool latency_capture_file(struct latency_capture *, const char *file, char reason[LATENCY_CAPTURE_REASON]);
/* IF, or IF@NETNS for one in a named network namespace; filter in libpcap's language, or NULL. */
bool latency_capture_live(struct latency_capture *, const char *interface, const char *filter,
			  char reason[LATENCY_CAPTURE_REASON]);
/* 1: a packet; 0: none now (live), or the end (over is set); -1: the file is damaged, and where. */
int latency_capture_next(struct latency_capture *, struct latency_packet *, char reason[LATENCY_CAPTURE_REASON]);
/* Readable when packets may be there; -1 for files. */
int latency_capture_fd(const struct latency_capture *);
/* What the kernel could not hand over. */
uint64_t latency_capture_dropped(const struct latency_capture *);
void latency_capture_close(struct latency_capture *);

#endif
