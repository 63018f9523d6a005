/* SPDX-License-Identifier: ISC */
/*
 * segment.h: what a link does for a frame with offload metadata, done in
 * software for a way out that cannot: a partial checksum completed, a
 * super-frame cut into the packets that it stands for.
 *
 * Whoever fills the frame is not trusted: metadata that does not fit the
 * bytes gives false, and the caller drops the frame (DROP_OFFLOAD). The
 * headers are copied before they are looked at; payload bytes that change
 * meanwhile spoil a checksum and nothing else.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "frame.h"
#include "headers.h"

enum {
	SEGMENT_HEADER_MAX_BYTES = 192, /* Ethernet to transport: 134 with all options of IPv4 and TCP */
	/*
	 * Of one super-frame: 64 KiB in pieces of 64 bytes. A bound on the pieces, not on their size: small
	 * pieces of a short message are honest (UDP_SEGMENT allows one byte, at most 128 times).
	 */
	SEGMENT_PIECES_MAX = 1024,
};

/*
 * Completes a partial checksum (virtio 1.1, 5.1.6.2) in place, from csum_start
 * to the frame's end, and takes it off the metadata. A UDP sum of 0 becomes
 * 0xffff (RFC 768). True without NEEDS_CSUM: nothing to do. False, frame
 * untouched, for a super-frame (cut it up) and for a field outside the frame.
 */
bool segment_finish_checksum(struct frame *);

/* One packet of a super-frame: header bytes of its own, and a slice of the super-frame's payload. */
struct segment {
	uint8_t header[SEGMENT_HEADER_MAX_BYTES];
	uint32_t header_bytes;
	uint32_t payload_bytes; /* 0 only when the super-frame holds none */
	const uint8_t *payload; /* inside the frame: valid as long as that is */
};

/* A super-frame on its way into pieces. Callers read `left` only. */
struct segments {
	uint32_t left; /* pieces still to come */
	uint32_t piece_bytes;
	struct cursor payload; /* of the pieces still to come */
	uint32_t done_bytes;
	uint16_t done_pieces;
	uint16_t l4, header_bytes;
	uint8_t proto;
	bool v6;
	uint64_t pseudo; /* the pseudo header's sum but for the length */
	uint8_t header[SEGMENT_HEADER_MAX_BYTES]; /* as the super-frame has it */
};

/* Is f a super-frame, one to be cut up by segment_begin()? Else segment_finish_checksum() is enough. */
static inline bool segment_needed(const struct frame *f)
{
	return f->offload.gso_type != GSO_NONE;
}

/*
 * Starts on a super-frame: TCPV4, TCPV6 (with or without ECN) and UDP_L4 over
 * either. f is neither changed nor kept, its bytes must stay. False: not one
 * of these, or its metadata do not fit its headers.
 */
bool segment_begin(struct segments *, const struct frame *f);
/*
 * The next packet, all fields and checksums right and none left to offload:
 * IPv4 total length and identification (counted up), IPv6 payload length, UDP
 * length; TCP sequence number and urgent pointer, FIN and PSH on the last
 * only, CWR on the first only (RFC 3168 6.1.2). False: there is none left.
 */
bool segment_next(struct segments *, struct segment *);

#endif
