/* links: netstack/segment.c netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_segment.c: any frame with any metadata; what can be cut is cut into
 * packets whose payloads are the super-frame's, whose lengths are their own
 * and whose checksums a plain sum finds right. Input: 10 bytes of metadata
 * (struct offload), then the frame.
 */
#include <stdlib.h>

#include "checksum.h"
#include "craft.h"
#include "segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* `ip` is one whole packet of len bytes, its transport at l4: its lengths and checksums are right. */
static void packet_is_right(uint8_t *ip, size_t l4, size_t len, uint8_t proto)
{
	bool v6 = ip[0] >> 4 == 6;
	uint8_t *at = ip + l4, *field = at + (proto == PROTO_TCP ? 16 : 6);
	uint32_t sum = load16(field);

	ensure(v6 ? load16(ip + 4) == len - 40 : load16(ip + 2) == len && naive_add(0, ip, l4) == 0xffff);
	ensure(proto == PROTO_TCP || (load16(at + 4) == len - l4 && sum));
	/* made anew from the pseudo header; both zeros are the same sum */
	store16(field, 0);
	uint32_t want = ~naive_add(naive_pseudo(ip, proto, len - l4), at, len - l4) & 0xffff;
	ensure(want == sum || (sum == 0xffff && !want));
}

static void cut(const struct frame *f)
{
	static uint8_t whole[1 << 17];
	struct segments s;
	struct segment g;
	size_t done = 0, pieces = 0, last = 0;

	if (!segment_begin(&s, f))
		return;
	size_t expected = s.left;
	ensure(segment_needed(f) && expected && expected <= SEGMENT_PIECES_MAX);
	for (; segment_next(&s, &g); pieces++) {
		ensure(g.header_bytes <= sizeof(g.header) && g.payload == f->data + g.header_bytes + done);
		ensure(pieces == 0 || (g.payload_bytes && g.payload_bytes <= last));
		last = g.payload_bytes;
		done += g.payload_bytes;
		memcpy(whole, g.header, g.header_bytes);
		memcpy(whole + g.header_bytes, g.payload, g.payload_bytes);
		packet_is_right(whole + ETH_BYTES, f->offload.csum_start - (size_t)ETH_BYTES,
		                g.header_bytes + g.payload_bytes - ETH_BYTES,
		                f->offload.gso_type == GSO_UDP_L4 ? PROTO_UDP : PROTO_TCP);
	}
	ensure(pieces == expected && g.header_bytes + done == f->len && !segment_next(&s, &g));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct offload offload;

	if (len < sizeof(offload))
		return 0;
	memcpy(&offload, bytes, sizeof(offload));
	struct frame f = exact_frame(bytes + sizeof(offload), len - sizeof(offload));
	f.offload = offload;
	cut(&f);

	bool partial = offload.flags & OFFLOAD_NEEDS_CSUM, single = offload.gso_type == GSO_NONE;
	size_t end = (size_t)offload.csum_start + offload.csum_offset + 2;
	ensure(segment_finish_checksum(&f) == (single && (!partial || end <= f.len)));
	ensure(!single || !partial || end > f.len || !(f.offload.flags & OFFLOAD_NEEDS_CSUM));
	free(f.buffer);
	return 0;
}
