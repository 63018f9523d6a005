/* links: netstack/quick.c netstack/reply.c netstack/rewrite.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/packet_text.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * fuzz_packet.c: any frame; both ways through agree, and what is parsed can be
 * written as text, rewritten, answered, and parsed again. Input: 8 bytes of offload metadata and
 * translation, then the frame. Flags 0x80 and 0x40 have the IPv4 header's
 * checksum and that of a quoted one made right, which no mutation hits.
 */
#include <stdlib.h>

#include "checksum.h"
#include "quick.h"
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

static void same_frame(const struct frame *a, const struct frame *b, size_t len)
{
	ensure(a->len == b->len && !memcmp(&a->offload, &b->offload, sizeof(a->offload)));
	ensure(!memcmp(a->data, b->data, len));
}

/* What quick.h takes, the long way takes, sees the same in it and leaves it the same; what it does not, it leaves. */
static void quick_agrees(const struct control *control, const uint8_t *bytes, size_t len)
{
	struct frame f = copy_of(control, bytes, len, 0), g = copy_of(control, bytes, len, 0);
	struct mac dst = { { 2, 0, 0, 0, 0, 1 } }, src = { { 2, 0, 0, 0, 0, 7 } };
	struct quick q;
	struct packet p;

	if (quick_parse(&f, &q)) {
		ensure(pkt_parse(&g, &p) == DROP_NONE && p.tuple.proto == q.proto && q.bytes == p.end - p.l3);
		same_frame(&f, &g, len);
		ensure(quick_addresses(&p.tuple.src, &p.tuple.dst) == q.tuple.addresses);
		ensure((p.tuple.sport | (uint32_t)p.tuple.dport << 16) == q.tuple.ports);
		ensure(p.class != PKT_TCP || tcp_eq(&p.tcp, &q.tcp));
		struct tuple to = other(control, &p.tuple, true);
		rewrite_tuple(&p, &to);
		rewrite_ttl(&p);
		rewrite_link(&p, dst, src);
		quick_rewrite(&q, (struct quick_tuple){ quick_addresses(&to.src, &to.dst),
		                                        to.sport | (uint32_t)to.dport << 16 }, &dst, &src);
	}
	same_frame(&f, &g, len);
	free(f.buffer);
	free(g.buffer);
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

	quick_agrees(&control, bytes, len);
	struct frame f = copy_of(&control, bytes, len, 0);
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
