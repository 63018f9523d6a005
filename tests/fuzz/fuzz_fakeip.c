/* links: qubes-integration/fakeip.c qubes-integration/fakeip_frame.c netstack/rewrite.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/addr.c netstack/text.c */
// SPDX-License-Identifier: ISC
/*
 * A mapped client's frames: offload metadata, then any bytes. What parsed still
 * parses after it was translated in, and translated out it is what it was, when
 * it did not name the real address itself.
 */
#include <stdlib.h>
#include <string.h>
#include "fakeip_frame.h"
#include "packet.h"

enum { PORT = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* 192.168.1.77 is seen, 10.137.0.5 is meant. */
static const struct ip_addr visible = { { [10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168, [14] = 1, [15] = 77 } };
static const struct ip_addr real = { { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = 137, [14] = 0, [15] = 5 } };

/* 192.168.1.1 is seen, 10.138.0.1 is meant. */
static const struct ip_addr seen = { { [10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168, [14] = 1, [15] = 1 } };
static const struct fakeip_ours ours = {
	.gateway = { { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = 138, [14] = 0, [15] = 1 } },
	.uplink = { { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = 137, [14] = 0, [15] = 6 } },
};

static bool names_real(const struct frame *f)
{
	for (uint32_t i = 0; i + 4 <= f->len; i++)
		if (!memcmp(f->data + i, real.b + 12, 4) || !memcmp(f->data + i, ours.gateway.b + 12, 4))
			return true;
	return false;
}

/* As it came in, with source and destination changed round: what would be the answer to it. */
static void turn(struct frame *f, const struct packet *p)
{
	struct ipv4_hdr *ip = (struct ipv4_hdr *)(f->data + p->l3);
	be32 src = ip->src;
	ip->src = ip->dst;
	ip->dst = src;
}

/* One's complement has two zeros; a sum that was carried on may come back as the other. */
static void one_zero(uint8_t *sum)
{
	if (sum[0] == 0xff && sum[1] == 0xff)
		sum[0] = sum[1] = 0;
}

static void one_zero_each(uint8_t *frame, const struct packet *p)
{
	static const uint8_t at[] = { [PKT_TCP] = 16, [PKT_UDP] = 6, [PKT_ICMP_QUERY] = 2 };
	one_zero(frame + p->l3 + 10);
	if (p->class == PKT_TCP || p->class == PKT_UDP || p->class == PKT_ICMP_QUERY)
		one_zero(frame + p->l4 + at[p->class]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor in = cursor_of(bytes, len);
	struct fakeip table = { .count = 1 };
	struct fakeip_ports ports = { 0 };
	struct packet p;
	const uint8_t *meta = take(&in, sizeof(struct offload));
	if (!meta)
		return 0;
	struct frame f = { .room = (uint32_t)(FRAME_HEADROOM_BYTES + in.left), .port = PORT };
	struct frame *burst[1] = { &f };
	f.buffer = malloc(f.room);
	ensure(f.buffer && frame_reset(&f, in.left));
	memcpy(f.data, in.at, in.left);
	memcpy(&f.offload, meta, sizeof(f.offload));
	table.entry[0].real = real;
	table.entry[0].visible = visible;
	if (in.left % 2)
		table.entry[0].gateway = seen; /* the bytes' meaning stays, and with it the corpus */
	fakeip_attach(&ports, &table, PORT, real, &ours);

	bool plain = !names_real(&f), parses = pkt_parse(&f, &p) == DROP_NONE;
	uint8_t *before = malloc(f.len + 1);
	uint32_t size = f.len;
	memcpy(before, f.data, size);
	fakeip_in(&ports, burst, 1);
	ensure(f.len == size);
	ensure(parses || !memcmp(before, f.data, size));
	ensure(!parses || pkt_parse(&f, &p) == DROP_NONE);
	if (parses && plain && p.class != PKT_ARP && p.class != PKT_ICMP_ERROR && !p.v6 && !ip_eq(p.tuple.dst, visible) &&
	    !ip_eq(p.tuple.src, seen)) {
		turn(&f, &p);
		struct frame_queue q = { 0 };
		frames_put(&q, &f);
		fakeip_out(&ports, &q);
		if (pkt_parse(&f, &p) == DROP_NONE) {
			turn(&f, &p);
			one_zero_each(before, &p);
			one_zero_each(f.data, &p);
			ensure(!memcmp(before, f.data, size));
		}
	}
	free(before);
	free(f.buffer);
	return 0;
}
