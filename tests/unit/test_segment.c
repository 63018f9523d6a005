/* links: netstack/segment.c netstack/checksum.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_segment.c: super-frames of many shapes; the pieces put together again
 * are the super-frame, and each is a packet that byte-wise sums find right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "craft_super.h"

enum { CWR = 0x80, FLAGS_AT = 13 };

/* The n-th piece's TCP fields, which starts `done` bytes into the payload. */
static void tcp_is_right(const struct shape *s, const uint8_t *l4, size_t done, bool last)
{
	uint8_t flags = s->flags;

	if (!last)
		flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (done)
		flags &= (uint8_t)~CWR;
	if (flags & TCP_URG && done && done >= s->urgent)
		flags &= (uint8_t)~TCP_URG;
	assert_int_equal(l4[FLAGS_AT], flags);
	assert_int_equal(load16(l4 + 4) << 16 | load16(l4 + 6), (uint32_t)((size_t)SUPER_SEQ + done));
	if (flags & TCP_URG)
		assert_int_equal(load16(l4 + 18), s->urgent - done);
}

/* A whole piece in `got`: every length, the identification, both checksums. */
static void piece_is_right(const struct shape *s, uint8_t *got, size_t len, unsigned n, size_t done, bool last)
{
	uint8_t again[SUPER_ROOM], *ip = again + ETH_BYTES;
	size_t l4_len = len - ETH_BYTES - l3_bytes(s);

	memcpy(again, got, len);
	naive_fix(ip, l3_bytes(s), l4_len, transport(s));
	assert_memory_equal(again, got, len);
	if (s->v6) {
		assert_int_equal(load16(ip + 4), len - ETH_BYTES - 40);
	} else {
		assert_int_equal(load16(ip + 2), len - ETH_BYTES);
		assert_int_equal(load16(ip + 4), (uint16_t)(SUPER_ID + n));
	}
	if (s->udp)
		assert_int_equal(load16(ip + l3_bytes(s) + 4), l4_len);
	else
		tcp_is_right(s, ip + l3_bytes(s), done, last);

	struct frame f = { .buffer = got, .data = got, .room = (uint32_t)len, .len = (uint32_t)len };
	struct packet p;
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_int_equal(p.end, len);
}

static void super_is_cut(const struct shape *s)
{
	static uint8_t super[SUPER_ROOM], got[SUPER_ROOM];
	struct offload offload;
	size_t len = craft_super(s, super, &offload), header = len - s->payload, done = 0;
	size_t pieces = s->payload ? (s->payload + s->gso_size - 1) / s->gso_size : 1;
	struct frame f = exact_frame(super, len);
	struct segments cut;
	struct segment g;
	struct packet p;
	unsigned n = 0;

	f.offload = offload;
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE); /* what is cut here has come through there */
	assert_true(segment_needed(&f));
	assert_true(segment_begin(&cut, &f));
	assert_int_equal(cut.left, pieces);
	for (; segment_next(&cut, &g); n++) {
		assert_int_equal(g.header_bytes, header);
		assert_int_equal(g.payload_bytes, n + 1 < pieces ? s->gso_size : s->payload - done);
		assert_memory_equal(g.payload, super + header + done, g.payload_bytes);
		memcpy(got, g.header, header);
		memcpy(got + header, g.payload, g.payload_bytes);
		/* but for what must change, the header is the super-frame's */
		assert_memory_equal(got, super, ETH_BYTES + 2);
		assert_memory_equal(got + ETH_BYTES + l3_bytes(s), super + ETH_BYTES + l3_bytes(s), 4);
		piece_is_right(s, got, header + g.payload_bytes, n, done, n + 1 == pieces);
		done += g.payload_bytes;
		assert_int_equal(cut.left, pieces - n - 1);
	}
	assert_int_equal(n, pieces);
	assert_int_equal(done, s->payload);
	assert_memory_equal(f.data, super, len);
	free(f.buffer);
}

static void super_frames_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(shapes); i++)
		super_is_cut(&shapes[i]);
}

static void every_size_is_cut(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 600; n++)
		super_is_cut(&(struct shape){ .v6 = n & 1, .udp = n & 2, .payload = n, .gso_size = (uint16_t)(1 + n % 97),
		                              .flags = n & 2 ? 0 : TCP_ACK | TCP_PSH, .tcp_options = n % 5 * 4 });
}

/* A UDP sum of 0 would say that there is none: found by trying. */
static void zero_sums_become_ones(void **state)
{
	static uint8_t super[SUPER_ROOM];
	struct shape shape = { .udp = true, .payload = 200, .gso_size = 100 };
	struct offload offload;
	size_t len = craft_super(&shape, super, &offload);
	struct segments cut;
	struct segment g;
	struct frame f = { .buffer = super, .data = super, .room = SUPER_ROOM, .len = (uint32_t)len, .offload = offload };
	unsigned ones = 0;
	(void)state;
	for (uint32_t word = 0; word <= 0xffff; word++) {
		store16(super + 42, word);
		assert_true(segment_begin(&cut, &f) && segment_next(&cut, &g));
		uint32_t sum = load16(g.header + 40);
		assert_int_not_equal(sum, 0);
		ones += sum == 0xffff;
	}
	assert_in_range(ones, 1, 2); /* 0 and 0xffff are the same word to a sum */
}

static void lies_are_refused(void **state)
{
	static const struct shape tcp = { .payload = 3000, .gso_size = 1000, .flags = TCP_ACK };
	static const struct shape tcp6 = { .v6 = true, .payload = 3000, .gso_size = 1000, .flags = TCP_ACK };
	static const struct shape udp = { .udp = true, .payload = 3000, .gso_size = 1000 };
	static const struct { const struct shape *shape; struct offload o; } rows[] = {
		{ &tcp, { 0, GSO_TCPV4, 0, 1000, 34, 16 } },                     /* no checksum asked for */
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 1000, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 0, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 2, 34, 16 } },       /* 1500 pieces */
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV6, 0, 1000, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, 0, 1000, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, 0, 1000, 34, 6 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_UDP, 0, 1000, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_ECN, 0, 1000, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, 2, 0, 1000, 34, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 34, 6 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 33, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 38, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 0, 16 } },
		{ &tcp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 65535, 16 } },
		{ &tcp6, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 54, 16 } },
		{ &tcp6, { OFFLOAD_NEEDS_CSUM, GSO_TCPV6, 0, 1000, 53, 16 } },
		{ &tcp6, { OFFLOAD_NEEDS_CSUM, GSO_TCPV6, 0, 1000, 190, 16 } },
		{ &udp, { OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1000, 34, 16 } },
		{ &udp, { OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, 0, 1000, 34, 16 } },
	};
	static uint8_t super[SUPER_ROOM];
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct offload honest;
		struct segments cut;
		size_t len = craft_super(rows[i].shape, super, &honest);
		struct frame f = exact_frame(super, len);
		struct packet p;

		f.offload = rows[i].o;
		assert_false(segment_begin(&cut, &f));
		if (rows[i].o.gso_type) /* without, it is an honest partial checksum */
			assert_int_equal(pkt_parse(&f, &p), DROP_OFFLOAD);
		f.offload = honest;
		for (uint32_t cut_at = 0; cut_at < 34 + 20; cut_at++) {
			f.len = cut_at;
			struct frame exact = exact_frame(f.data, cut_at);
			exact.offload = honest;
			bool whole = cut_at >= len - rows[i].shape->payload;
			assert_int_equal(segment_begin(&cut, &exact), whole);
			free(exact.buffer);
		}
		free(f.buffer);
	}
}

static void fragments_are_refused(void **state)
{
	static const struct shape shape = { .payload = 3000, .gso_size = 1000, .flags = TCP_ACK };
	static const uint16_t places[] = { IPV4_MF, 1, IPV4_MF | 1000 };
	static uint8_t super[SUPER_ROOM];
	(void)state;
	for (size_t i = 0; i < array_len(places); i++) {
		struct offload offload;
		struct segments cut;
		struct frame f = exact_frame(super, craft_super(&shape, super, &offload));
		f.offload = offload;
		assert_true(segment_begin(&cut, &f));
		store16(f.data + ETH_BYTES + 6, places[i]);
		assert_false(segment_begin(&cut, &f));
		free(f.buffer);
	}
}

static void partial_checksums_are_finished(void **state)
{
	static const enum sample samples[] = { S_TCP, S_UDP, S_TCP6, S_UDP6 };
	(void)state;
	for (size_t i = 0; i < array_len(samples); i++) {
		uint8_t b[CRAFT_ROOM], *ip = b + ETH_BYTES;
		size_t len = craft_sample(samples[i], b), l4 = i >= 2 ? 40 : 20, field = i % 2 ? 6 : 16;
		struct frame f = exact_frame(b, len);
		store16(f.data + ETH_BYTES + l4 + field,
		        naive_pseudo(ip, i % 2 ? PROTO_UDP : PROTO_TCP, len - ETH_BYTES - l4));
		f.offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID,
			.csum_start = (uint16_t)(ETH_BYTES + l4), .csum_offset = (uint16_t)field };
		assert_true(segment_finish_checksum(&f));
		assert_int_equal(f.offload.flags, OFFLOAD_DATA_VALID);
		assert_int_equal(f.offload.csum_start | f.offload.csum_offset, 0);
		assert_memory_equal(f.data, b, len);
		assert_true(segment_finish_checksum(&f)); /* nothing left to do */
		assert_memory_equal(f.data, b, len);
		free(f.buffer);
	}
}

static void fields_outside_are_refused(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_TCP, b);
	(void)state;
	for (uint32_t start = 0; start < len + 4; start++)
		for (uint32_t offset = 0; offset < len + 4; offset++) {
			struct frame f = exact_frame(b, len);
			f.offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM,
				.csum_start = (uint16_t)start, .csum_offset = (uint16_t)offset };
			bool inside = start + offset + 2 <= len;
			assert_int_equal(segment_finish_checksum(&f), inside);
			if (!inside)
				assert_memory_equal(f.data, b, len);
			free(f.buffer);
		}
	struct frame f = exact_frame(b, len);
	f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 0, 1, 34, 16 };
	assert_false(segment_finish_checksum(&f));
	f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_NONE, 0, 0, 65535, 65535 };
	assert_false(segment_finish_checksum(&f));
	assert_memory_equal(f.data, b, len);
	free(f.buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(super_frames_are_cut),
		cmocka_unit_test(every_size_is_cut),
		cmocka_unit_test(zero_sums_become_ones),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(fragments_are_refused),
		cmocka_unit_test(partial_checksums_are_finished),
		cmocka_unit_test(fields_outside_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
