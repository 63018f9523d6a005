/* links: netstack/reply.c netstack/rewrite.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/packet_text.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_packet.c: any frame; both ways to parse agree, and what is parsed can be
 * written as text, rewritten, answered, and parsed again. Input: 8 bytes of offload metadata and
 * translation, then the frame. Flags 0x80 and 0x40 have the IPv4 header's
 * checksum and that of a quoted one made right, which no mutation hits.
 */
#include <stdlib.h>

#include "checksum.h"
#include "parse.h"
#include "reply.h"
#include "rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MEND_HEADER = 0x80, MEND_QUOTE = 0x40 };

struct control {
	uint8_t flags, gso_type, gso_size, csum_start, csum_offset;
	uint8_t address, port_high, port_low;
};

/* Makes the checksum of the IPv4 header at `at` right when it is all there; returns its length. */
static size_t mend_header(uint8_t *bytes, size_t len, size_t at)
{
	if (len < at + IPV4_MIN_BYTES)
		return 0;
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(bytes + at);
	size_t header_bytes = (ip->version_ihl & 15u) * 4;
	if (header_bytes < IPV4_MIN_BYTES || header_bytes > len - at)
		return 0;
	ip->checksum = be16_of(0);
	ip->checksum = be16_of(sum_finish(sum_bytes(0, ip, header_bytes)));
	return header_bytes;
}

static void mend(uint8_t flags, uint8_t *bytes, size_t len)
{
	if (!(flags & MEND_HEADER))
		return;
	size_t header_bytes = mend_header(bytes, len, ETH_BYTES);
	if (header_bytes && flags & MEND_QUOTE)
		mend_header(bytes, len, ETH_BYTES + header_bytes + ICMP_BYTES);
}

/* A copy with `spare` bytes of room behind the frame, none before it. */
static struct frame copy_of(const struct control *control, const uint8_t *bytes, size_t len, size_t spare)
{
	uint8_t *buffer = malloc(len + spare ? len + spare : 1);

	ensure(buffer != NULL);
	memcpy(buffer, bytes, len);
	mend(control->flags, buffer, len);
	return (struct frame){
		.buffer = buffer, .data = buffer, .room = (uint32_t)(len + spare), .len = (uint32_t)len,
		.offload = { .flags = control->flags & 3, .gso_type = control->gso_type, .gso_size = control->gso_size,
		             .csum_start = control->csum_start, .csum_offset = control->csum_offset },
	};
}

static struct tuple other(const struct control *control, const struct tuple *t, bool with_ports)
{
	struct tuple to = *t;
	uint16_t port = (uint16_t)(control->port_high << 8 | control->port_low);

	to.src.b[15] = control->address;
	to.dst.b[13] ^= control->address;
	if (!with_ports)
		return to;
	if (t->kind) /* which of the two is in use tells the direction */
		*(t->sport ? &to.sport : &to.dport) = t->sport | t->dport ? port : 0;
	else if (t->proto == PROTO_TCP || t->proto == PROTO_UDP)
		to.sport = port;
	return to;
}

static void rewrite_all(const struct control *control, struct packet *p)
{
	struct mac link = { { 2, 0, 0, 0, 0, 1 } };
	struct packet again;
	struct tuple to = p->tuple, inner = { 0 };

	rewrite_link(p, link, link);
	if (p->class != PKT_ARP) {
		to = other(control, &p->tuple, p->class != PKT_FRAGMENT);
		rewrite_tuple(p, &to);
		if (p->ttl > 1)
			rewrite_ttl(p);
		if (!p->v6)
			rewrite_id(p, control->port_low);
	}
	if (p->class == PKT_ICMP_ERROR) {
		inner = other(control, &p->inner, p->inner_has_l4);
		rewrite_inner(p, &inner);
	}
	ensure(pkt_parse(p->frame, &again) == DROP_NONE);
	ensure(again.class == p->class && tuple_eq(&again.tuple, &to));
	ensure(p->class != PKT_ICMP_ERROR || tuple_eq(&again.inner, &inner));
	ensure(again.ttl == p->ttl && again.id == p->id);
	rewrite_finish_checksum(p);
}

static void answer(unsigned which, struct packet *p)
{
	struct mac ours = { { 2, 0, 0, 0, 0, 9 } };
	struct ip_addr from = ip_v4(192, 0, 2, 1);
	uint32_t len = p->frame->len;
	bool answered = which == 0 ? reply_arp(p, ours) : which == 1 ? reply_echo(p) :
	                which == 2 ? reply_rst(p) : reply_icmp_error(p, from, 3, 1, 0);

	if (!answered) {
		ensure(p->frame->len == len);
		return;
	}
	/* wholly right: nothing is left to offload or to trust */
	ensure(!p->frame->offload.flags && pkt_parse(p->frame, p) == DROP_NONE);
}

static bool tcp_eq(const struct tcp_view *a, const struct tcp_view *b)
{
	return a->seq == b->seq && a->ack == b->ack && a->segment_len == b->segment_len && a->window == b->window &&
	       a->flags == b->flags && a->scale == b->scale && a->has_scale == b->has_scale &&
	       a->sack_permitted == b->sack_permitted;
}

/* pkt_parse() has a short way; the long one gives the same answer and sees the same. */
static void ways_agree(struct frame *f)
{
	struct packet a, b;
	enum drop long_way = parse_any(f, &b), drop = pkt_parse(f, &a);

	ensure(drop == long_way || (drop == DROP_OFFLOAD && long_way == DROP_NONE));
	if (drop != DROP_NONE)
		return;
	/* completing a tunnel's inner sum changes what there is to see */
	ensure(parse_any(f, &b) == DROP_NONE);
	ensure(a.frame == b.frame && a.class == b.class && a.l3 == b.l3 && a.l4 == b.l4 && a.payload == b.payload);
	ensure(a.end == b.end && a.v6 == b.v6 && a.has_fragments == b.has_fragments);
	ensure(a.more_fragments == b.more_fragments && a.icmp_type == b.icmp_type && a.icmp_code == b.icmp_code);
	ensure(a.dont_fragment == b.dont_fragment && a.broadcast == b.broadcast && a.has_l4_sum == b.has_l4_sum);
	ensure(a.ttl == b.ttl && a.id == b.id && a.fragment_offset == b.fragment_offset && a.data_len == b.data_len);
	ensure(tuple_eq(&a.tuple, &b.tuple) && (a.class != PKT_TCP || tcp_eq(&a.tcp, &b.tcp)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct control control;
	struct packet p;
	char line[400];
	struct text t = text_on(line);

	if (len < sizeof(control))
		return 0;
	memcpy(&control, bytes, sizeof(control));
	bytes += sizeof(control);
	len -= sizeof(control);

	struct frame f = copy_of(&control, bytes, len, 0);
	ways_agree(&f);
	free(f.buffer);
	f = copy_of(&control, bytes, len, 0);
	bool good = pkt_parse(&f, &p) == DROP_NONE;
	if (good) {
		ensure(p.end == f.len && p.end <= len && p.l4 <= p.payload && p.payload <= p.end);
		text_packet(&t, &p);
		ensure(!t.cut);
		rewrite_all(&control, &p);
	}
	free(f.buffer);
	for (unsigned which = 0; good && which < 4; which++) {
		f = copy_of(&control, bytes, len, control.port_low % 64);
		ensure(pkt_parse(&f, &p) == DROP_NONE);
		answer(which, &p);
		free(f.buffer);
	}
	return 0;
}
