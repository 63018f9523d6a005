/* SPDX-License-Identifier: ISC */
/* parse_offload.c: offload metadata, believed as far as the headers bear them out. */
#include "parse.h"
#include "segment.h"

/* Segmentation is only ever asked for of the transport it is named after. */
static bool gso_names(const struct packet *p, uint8_t gso_type)
{
	switch (gso_type) {
	case GSO_TCPV4:
	case GSO_TCPV4 | GSO_ECN:
		return p->class == PKT_TCP && !p->v6;
	case GSO_TCPV6:
	case GSO_TCPV6 | GSO_ECN:
		return p->class == PKT_TCP && p->v6;
	case GSO_UDP_L4:
		return p->class == PKT_UDP;
	}
	return false; /* GSO_UDP would make fragments that nobody has looked at */
}

static bool gso_fits(const struct packet *p)
{
	const struct offload *o = &p->frame->offload;
	uint32_t payload_bytes = p->end - p->payload;

	/* virtio 5.1.6.2: a segmented packet always needs its checksum */
	if (!(o->flags & OFFLOAD_NEEDS_CSUM) || !o->gso_size || !gso_names(p, o->gso_type))
		return false;
	if (p->payload > SEGMENT_HEADER_MAX_BYTES)
		return false;
	if (payload_bytes <= o->gso_size)
		return true;
	/* one was judged: it must not become many */
	if (p->class == PKT_TCP && p->tcp.flags & (TCP_SYN | TCP_RST))
		return false;
	return payload_bytes <= (uint32_t)o->gso_size * SEGMENT_PIECES_MAX;
}

static bool partial_fits(const struct packet *p)
{
	const struct offload *o = &p->frame->offload;

	/* the sum of a datagram in pieces cannot be made from one piece */
	if (p->has_fragments || o->csum_start != p->l4)
		return false;
	if (p->class == PKT_TCP)
		return o->csum_offset == offsetof(struct tcp_hdr, checksum);
	if (p->class != PKT_UDP || o->csum_offset != offsetof(struct udp_hdr, checksum))
		return false;
	/* bytes behind the datagram would be summed by some and not by others */
	return be16_get(pkt_udp(p)->len) == p->data_len;
}

/*
 * Before the outer packet is rewritten: no metadata of ours could speak of the
 * inner one any more. Its sender might have sent these bytes itself.
 */
static bool finish_inner(struct packet *p)
{
	struct frame *f = p->frame;

	if (p->has_fragments || (p->class != PKT_UDP && p->class != PKT_OTHER))
		return false;
	if (f->offload.flags != OFFLOAD_NEEDS_CSUM || f->offload.csum_start < p->payload)
		return false;
	f->len = p->end;
	return segment_finish_checksum(f);
}

enum drop parse_offload(struct packet *p)
{
	struct offload *o = &p->frame->offload;
	bool partial = o->flags & OFFLOAD_NEEDS_CSUM, cut = o->gso_type != GSO_NONE;

	if (o->flags & ~(OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID))
		return DROP_OFFLOAD;
	if (!partial && !cut) {
		o->hdr_len = o->gso_size = o->csum_start = o->csum_offset = 0;
		return DROP_NONE;
	}
	if (partial_fits(p) && (!cut || gso_fits(p))) {
		o->hdr_len = p->payload;
		if (!cut)
			o->gso_size = 0;
		return DROP_NONE;
	}
	if (!finish_inner(p))
		return DROP_OFFLOAD;
	/* the outer sum, taken for the partial one, is complete */
	*o = (struct offload){ 0 };
	return parse_any(p->frame, p);
}
