/* SPDX-License-Identifier: ISC */
/*
 * packetfile.h: the IPv4 packets of a capture file (pcap or pcapng, Ethernet,
 * raw IP or Linux cooked), each as what identifies its flow.
 */
#ifndef PACKETFILE_H
#define PACKETFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKETFILE_REASON_BYTES = 320 };

struct packetfile_packet {
	size_t number; /* in the file, from 1, as capture tools count */
	char src[16], dst[16];
	uint8_t proto;
	uint16_t sport, dport; /* ICMP: identifier and type; other protocols: 0 */
};

/* What is not IPv4, cut short or a later fragment is passed over. Return false to stop. */
typedef bool packetfile_take(void *context, const struct packetfile_packet *);
/* false: the file cannot be read, and why. */
bool packetfile_each(const char *file, packetfile_take *take, void *context, char reason[PACKETFILE_REASON_BYTES]);

#endif
