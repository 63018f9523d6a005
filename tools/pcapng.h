/* SPDX-License-Identifier: ISC */
/*
 * pcapng.h: writes a capture file as draft-ietf-opsawg-pcapng has it, one section, nanosecond stamps, Ethernet. Numbers
 * are this machine's; a reader sees their order by the magic. Errors stay on the stream: look at ferror at the end.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum pcapng_way { PCAPNG_NO_WAY, PCAPNG_IN, PCAPNG_OUT };

struct pcapng_packet {
	uint32_t interface;
	uint64_t unix_ns;
	const uint8_t *bytes;
	uint32_t kept, len;  /* of the frame: in bytes, and on the wire */
	enum pcapng_way way;
	uint64_t id;         /* the same for one packet at two interfaces; 0: none */
	const char *comment; /* NULL: none */
};

struct pcapng_statistics {
	uint32_t interface;
	uint64_t begun_ns, ended_ns;
	uint64_t seen, lost;
};

void pcapng_begin(FILE *, const char *application, const char *comment);
/* Interfaces are numbered from 0 in the order of these; before their first packet. */
void pcapng_interface(FILE *, const char *name, const char *description, uint32_t snaplen);
void pcapng_put(FILE *, const struct pcapng_packet *);
void pcapng_statistics(FILE *, const struct pcapng_statistics *);

#endif
