/* links: netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/packet_text.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/drop.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/* test_parse_offload.c: offload metadata that fit the frame, and those that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "craft.h"
#include "segment.h"

static void offload_must_fit(void **state)
{
	enum { NEEDS = OFFLOAD_NEEDS_CSUM, VALID = OFFLOAD_DATA_VALID };
	static const struct { enum sample sample; struct offload offload; enum drop want; } rows[] = {
		{ S_TCP, { VALID, GSO_NONE, 0, 0, 0, 0 }, DROP_NONE },
		{ S_TCP, { NEEDS, GSO_NONE, 0, 0, 34, 16 }, DROP_NONE },
		{ S_TCP, { NEEDS, GSO_NONE, 0, 0, 33, 16 }, DROP_OFFLOAD },
		{ S_TCP, { NEEDS, GSO_NONE, 0, 0, 34, 6 }, DROP_OFFLOAD },
		{ S_TCP, { NEEDS, GSO_TCPV4, 74, 1448, 34, 16 }, DROP_NONE },
		{ S_TCP, { NEEDS, GSO_TCPV4 | GSO_ECN, 74, 1448, 34, 16 }, DROP_NONE },
		{ S_TCP, { NEEDS, GSO_TCPV4, 74, 0, 34, 16 }, DROP_OFFLOAD },
		{ S_TCP, { VALID, GSO_TCPV4, 74, 1448, 34, 16 }, DROP_OFFLOAD },
		{ S_TCP, { NEEDS, GSO_TCPV6, 74, 1448, 34, 16 }, DROP_OFFLOAD },
		{ S_TCP, { NEEDS, GSO_UDP_L4, 74, 1448, 34, 16 }, DROP_OFFLOAD },
		{ S_TCP, { NEEDS, 9, 74, 1448, 34, 16 }, DROP_OFFLOAD },
		{ S_UDP, { NEEDS, GSO_NONE, 0, 0, 34, 6 }, DROP_NONE },
		{ S_UDP, { NEEDS, GSO_UDP_L4, 42, 4, 34, 6 }, DROP_NONE },
		{ S_UDP, { NEEDS, GSO_UDP_L4 | GSO_ECN, 42, 4, 34, 6 }, DROP_OFFLOAD },
		{ S_UDP, { NEEDS, GSO_NONE, 0, 0, 34, 16 }, DROP_OFFLOAD },
		{ S_UDP, { NEEDS, GSO_NONE, 0, 0, 41, 2 }, DROP_OFFLOAD }, /* not all inside the payload: the front, */
		{ S_UDP, { NEEDS, GSO_NONE, 0, 0, 42, 4 }, DROP_OFFLOAD }, /* and the back */
		{ S_UDP, { NEEDS, GSO_UDP_L4, 0, 2, 42, 2 }, DROP_OFFLOAD },
		{ S_UDP, { NEEDS | VALID, GSO_NONE, 0, 0, 42, 2 }, DROP_OFFLOAD },
		{ S_ECHO, { NEEDS, GSO_NONE, 0, 0, 34, 2 }, DROP_OFFLOAD },
		{ S_OTHER, { NEEDS, GSO_NONE, 0, 0, 33, 6 }, DROP_OFFLOAD },
		{ S_ARP, { NEEDS, GSO_NONE, 0, 0, 14, 6 }, DROP_OFFLOAD },
		{ S_TCP6, { NEEDS, GSO_TCPV6, 94, 1428, 54, 16 }, DROP_NONE },
		{ S_TCP6, { NEEDS, GSO_TCPV4, 94, 1428, 54, 16 }, DROP_OFFLOAD },
		{ S_TCP, { NEEDS, GSO_TCPV4, 74, 3, 34, 16 }, DROP_NONE },    /* a SYN with 3 bytes in one piece, */
		{ S_TCP, { NEEDS, GSO_TCPV4, 74, 2, 34, 16 }, DROP_OFFLOAD }, /* and in two */
		{ S_UDP, { NEEDS, GSO_UDP, 42, 4, 34, 6 }, DROP_OFFLOAD },
		{ S_UDP, { NEEDS, GSO_ECN, 42, 4, 34, 6 }, DROP_OFFLOAD },
		{ S_UDP, { 4, GSO_NONE, 0, 0, 0, 0 }, DROP_OFFLOAD },
		{ S_CHAIN6, { NEEDS, GSO_NONE, 0, 0, 86, 6 }, DROP_NONE },
		{ S_CHAIN6, { NEEDS, GSO_UDP_L4, 0, 2, 86, 6 }, DROP_NONE },
		{ S_CHAIN6, { NEEDS, GSO_UDP_L4, 0, 2, 54, 6 }, DROP_OFFLOAD },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(rows[i].sample, b);
		struct packet p;
		/* no checksum of the transport is right any more */
		if (rows[i].sample != S_ARP)
			b[len - 1] ^= 0x55;
		struct frame f = exact_frame(b, len);
		f.offload = rows[i].offload;
		enum drop got = pkt_parse(&f, &p);
		if (got != rows[i].want)
			fail_msg("row %zu: %s, not %s", i, drop_word(got), drop_word(rows[i].want));
		/* the hint is made, not believed */
		bool used = f.offload.flags & NEEDS;
		assert_int_equal(got == DROP_NONE ? f.offload.hdr_len : 0, got == DROP_NONE && used ? p.payload : 0);
		free(f.buffer);
	}
}

static void offload_is_canonical(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_UDP, b);
	struct frame f = exact_frame(b, len);
	struct packet p;
	(void)state;
	f.offload = (struct offload){ OFFLOAD_DATA_VALID, GSO_NONE, 1, 2, 3, 4 };
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_memory_equal(&f.offload, &((struct offload){ .flags = OFFLOAD_DATA_VALID }), sizeof(f.offload));
	f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_NONE, 1, 2, 34, 6 };
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_memory_equal(&f.offload, &((struct offload){ OFFLOAD_NEEDS_CSUM, GSO_NONE, 42, 0, 34, 6 }),
	                    sizeof(f.offload));
	free(f.buffer);
}

/* 2000 bytes of UDP: 1024 pieces are the most. */
static void super_frames_have_few_pieces(void **state)
{
	uint8_t b[2100], data[2008] = { 0, 9, 0, 9, 2008 >> 8, 2008 & 0xff, 1, 1 };
	(void)state;
	link_header(b, ETHERTYPE_IPV4);
	size_t len = ETH_BYTES + craft_ipv4(b + ETH_BYTES, PROTO_UDP, data, 0, sizeof(data));
	for (uint16_t size = 1; size < 4; size++) {
		struct frame f = exact_frame(b, len);
		struct packet p;
		f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, 0, size, 34, 6 };
		assert_int_equal(pkt_parse(&f, &p), size == 1 ? DROP_OFFLOAD : DROP_NONE);
		free(f.buffer);
	}
}

/* An IPv6 chain that leaves no room for the headers of pieces. */
static void super_frames_have_short_headers(void **state)
{
	(void)state;
	for (unsigned eights = 1; eights < 24; eights++) {
		uint8_t b[CRAFT_ROOM], data[CRAFT_ROOM] = { PROTO_UDP, (uint8_t)(eights - 1), 1, (uint8_t)(eights * 8 - 4) };
		size_t chain = eights * 8, header = V6_L4 + chain + UDP_BYTES;
		memcpy(data + chain, sample_udp, sizeof(sample_udp));
		link_header(b, ETHERTYPE_IPV6);
		size_t len = ETH_BYTES + craft_ipv6(b + ETH_BYTES, PROTO_DSTOPTS, data, chain,
		                                    chain + sizeof(sample_udp), PROTO_UDP);
		struct frame f = exact_frame(b, len);
		struct packet p;
		f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, 0, 2, (uint16_t)(V6_L4 + chain), 6 };
		assert_int_equal(pkt_parse(&f, &p), header <= SEGMENT_HEADER_MAX_BYTES ? DROP_NONE : DROP_OFFLOAD);
		free(f.buffer);
	}
}

/* A packet in a tunnel, its sum left to us; the outer sums are those of the whole, or there is none. */
static void inner_sums_are_finished(void **state)
{
	enum { IPIP = 4 };
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint8_t whole[CRAFT_ROOM], b[CRAFT_ROOM], inner[CRAFT_ROOM] = { 0x12, 0xb5, 0x12, 0xb5 };
		size_t outer = i == 2 ? 0 : UDP_BYTES; /* 0: UDP with a sum, 1: without, 2: IP in IP */
		size_t len = outer + craft_ipv4(inner + outer, PROTO_TCP, sample_tcp, 0, sizeof(sample_tcp));
		uint8_t *field = b + V4_L4 + outer + 20 + 16;
		struct packet p;
		if (outer)
			store16(inner + 4, (uint32_t)len);
		if (i == 0)
			store16(inner + 6, 1); /* one is wanted */
		link_header(whole, ETHERTYPE_IPV4);
		len = ETH_BYTES + craft_ipv4(whole + ETH_BYTES, outer ? PROTO_UDP : IPIP, inner, 0, len);
		memcpy(b, whole, len);
		store16(field, naive_pseudo(b + V4_L4 + outer, PROTO_TCP, sizeof(sample_tcp)));
		struct frame f = exact_frame(b, len);
		f.offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM,
			.csum_start = (uint16_t)(V4_L4 + outer + 20), .csum_offset = 16 };
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_memory_equal(f.data, whole, len);
		assert_int_equal(f.offload.flags, 0);
		assert_int_equal(p.has_l4_sum, i == 0);
		assert_true(pkt_l4_sum_ok(&p));
		free(f.buffer);
	}
}

static void offload_refuses_fragments_and_trailers(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_TCP, b);
	struct packet p;
	(void)state;
	b[20] = 0x20;
	store16(b + 16, 20 + 40);
	naive_fix(b + ETH_BYTES, 20, 40, PROTO_TCP);
	struct frame f = exact_frame(b, len);
	f.offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };
	assert_int_equal(pkt_parse(&f, &p), DROP_OFFLOAD);
	free(f.buffer);

	len = craft_sample(S_UDP, b);
	store16(b + 38, 12);
	f = exact_frame(b, len);
	f.offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 };
	assert_int_equal(pkt_parse(&f, &p), DROP_OFFLOAD);
	free(f.buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offload_must_fit),
		cmocka_unit_test(offload_is_canonical),
		cmocka_unit_test(inner_sums_are_finished),
		cmocka_unit_test(super_frames_have_few_pieces),
		cmocka_unit_test(super_frames_have_short_headers),
		cmocka_unit_test(offload_refuses_fragments_and_trailers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
