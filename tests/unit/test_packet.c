/* links: netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/packet_text.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/drop.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/* test_packet.c: what is read from good packets, and the reason each bad one is dropped for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "craft.h"

static void samples_are_read(void **state)
{
	static const struct { enum sample sample; enum pkt_class class; const char *text; } rows[] = {
		{ S_TCP, PKT_TCP, "tcp 10.137.0.5:40000 > 192.0.2.9:80 S seq 16909060 win 64240 scale 7 sack ttl 64" },
		{ S_UDP, PKT_UDP, "udp 10.137.0.5:12345 > 192.0.2.9:53 length 13 ttl 64" },
		{ S_ECHO, PKT_ICMP_QUERY,
		  "icmp 10.137.0.5 > 192.0.2.9 query 8 id 30465 type 8 code 0 seq 3 ttl 64" },
		{ S_ERROR, PKT_ICMP_ERROR, "icmp 10.137.0.5 > 192.0.2.9 type 3 code 3 "
		  "about (udp 10.137.0.5:12345 > 192.0.2.9:53) ttl 64" },
		{ S_ERROR_ECHO, PKT_ICMP_ERROR, "icmp 10.137.0.5 > 192.0.2.9 type 3 code 3 "
		  "about (icmp 10.137.0.5 > 192.0.2.9 query 8 id 30465) ttl 64" },
		{ S_ARP, PKT_ARP, "arp who-has 10.137.0.1 tell 10.137.0.5" },
		{ S_OPTIONS, PKT_UDP, "udp 10.137.0.5:12345 > 192.0.2.9:53 length 13 ttl 64" },
		{ S_OTHER, PKT_OTHER, "47 10.137.0.5 > 192.0.2.9 ttl 64" },
		{ S_ROUTER, PKT_ICMP_OTHER, "icmp 10.137.0.5 > 192.0.2.9 type 10 code 0 ttl 64" },
		{ S_TCP6, PKT_TCP, "tcp [2001:db8::5]:40000 > [2001:db8:1::9]:80 S seq 16909060 win 64240 "
		  "scale 7 sack ttl 64" },
		{ S_UDP6, PKT_UDP, "udp [2001:db8::5]:12345 > [2001:db8:1::9]:53 length 13 ttl 64" },
		{ S_ECHO6, PKT_ICMP_QUERY,
		  "icmpv6 2001:db8::5 > 2001:db8:1::9 query 128 id 30465 type 128 code 0 seq 3 ttl 64" },
		{ S_ERROR6, PKT_ICMP_ERROR, "icmpv6 2001:db8::5 > 2001:db8:1::9 type 1 code 4 "
		  "about (tcp [2001:db8::5]:40000 > [2001:db8:1::9]:80) ttl 64" },
		{ S_CHAIN6, PKT_UDP, "udp [2001:db8::5]:12345 > [2001:db8:1::9]:53 length 13 ttl 64" },
	};
	_Static_assert(array_len(rows) == SAMPLE_COUNT, "every sample");
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(rows[i].sample, b);
		struct packet p;
		char line[200];
		struct text t = text_on(line);
		/* Ethernet padding is trimmed, whatever it holds */
		b[len] = b[len + 1] = 0xaa;
		struct frame f = exact_frame(b, len + 2);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		text_packet(&t, &p);
		assert_string_equal(line, rows[i].text);
		assert_int_equal(p.class, rows[i].class);
		assert_int_equal(f.len, len);
		assert_int_equal(p.end, len);
		assert_false(p.broadcast);
		free(f.buffer);
	}
}

/* A row changes up to two places of a sample; lengths behind it are made right only by hand. */
struct bad {
	enum drop want;
	enum sample sample;
	unsigned at;
	const char *bytes;
	unsigned len;
	unsigned at2;
	const char *bytes2;
	unsigned len2;
	bool fix; /* the checksums are made right again */
};
#define AT(offset, string) (offset), (string), sizeof(string) - 1
#define NO 0, "", 0

static const struct bad bad[] = {
	/* link */
	{ DROP_LINK_SOURCE, S_TCP, AT(6, "\x01"), NO, false },
	{ DROP_LINK_SOURCE, S_ARP, AT(6, "\xff\xff\xff\xff\xff\xff"), NO, false },
	{ DROP_ETHERTYPE, S_TCP, AT(12, "\x81\x00"), NO, false },
	{ DROP_ETHERTYPE, S_TCP, AT(12, "\x00\x2e"), NO, false },
	/* ARP */
	{ DROP_ARP_MALFORMED, S_ARP, AT(14, "\x00\x02"), NO, false },
	{ DROP_ARP_MALFORMED, S_ARP, AT(16, "\x86\xdd"), NO, false },
	{ DROP_ARP_MALFORMED, S_ARP, AT(18, "\x08"), NO, false },
	{ DROP_ARP_MALFORMED, S_ARP, AT(19, "\x10"), NO, false },
	{ DROP_ARP_MALFORMED, S_ARP, AT(20, "\x00\x00"), NO, false },
	{ DROP_ARP_MALFORMED, S_ARP, AT(20, "\x00\x03"), NO, false },
	/* IPv4 header */
	{ DROP_IP_HEADER, S_TCP, AT(14, "\x65"), NO, true },
	{ DROP_IP_HEADER, S_TCP, AT(14, "\x44"), NO, true },
	{ DROP_IP_HEADER, S_UDP, AT(14, "\x4f"), NO, false }, /* header beyond the packet */
	{ DROP_IP_HEADER, S_TCP, AT(16, "\x00\x13"), NO, true }, /* total below the header */
	{ DROP_IP_HEADER, S_TCP, AT(16, "\x00\x40"), NO, true }, /* total beyond the frame */
	{ DROP_IP_CHECKSUM, S_TCP, AT(24, "\x11\x11"), NO, false },
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(35, "\x83"), NO, true },     /* loose source route */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(35, "\x89"), NO, true },     /* strict source route */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(36, "\x0c"), NO, true },     /* one byte too long */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(36, "\x01"), NO, true },     /* shorter than itself */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(36, "\x00"), NO, true },
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(37, "\x03"), NO, true },     /* pointer into the option's head */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(43, "\x03"), NO, true },     /* router alert, length 3 */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(35, "\x44\x07\x04"), NO, true }, /* timestamp, pointer 4 */
	{ DROP_IP_OPTIONS, S_OPTIONS, AT(34, "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x07"), NO, true },
	{ DROP_NONE, S_OPTIONS, AT(35, "\x44\x07\x05"), NO, true },
	{ DROP_NONE, S_OPTIONS, AT(35, "\x82"), NO, true },
	{ DROP_NONE, S_OPTIONS, AT(34, "\x00\x83\x0b"), NO, true },   /* behind the end nothing is read */
	/* fragments */
	{ DROP_FRAGMENT_SIZE, S_UDP, AT(20, "\x20\x00"), NO, true },             /* 13 bytes and more to come */
	{ DROP_FRAGMENT_SIZE, S_UDP, AT(20, "\x20\x00"), AT(16, "\x00\x14"), true }, /* empty */
	{ DROP_FRAGMENT_SIZE, S_UDP, AT(20, "\x1f\xfe"), NO, true },             /* 65520 + 13 + 20 */
	{ DROP_NONE, S_UDP, AT(20, "\x1f\xfb"), NO, true },                      /* 65496 + 13 + 20 */
	{ DROP_FRAGMENT_TINY, S_TCP, AT(20, "\x00\x01"), NO, true },
	{ DROP_FRAGMENT_TINY, S_TCP, AT(20, "\x00\x02"), NO, true },
	{ DROP_NONE, S_TCP, AT(20, "\x00\x03"), NO, true },
	{ DROP_NONE, S_UDP, AT(20, "\x00\x01"), NO, true },
	{ DROP_FRAGMENT_TINY, S_TCP, AT(20, "\x20\x00"), AT(16, "\x00\x24"), true }, /* 16 bytes */
	{ DROP_FRAGMENT_TINY, S_TCP, AT(20, "\x20\x00"), AT(16, "\x00\x34"), true }, /* 32 of 40 header bytes */
	{ DROP_NONE, S_TCP, AT(20, "\x20\x00"), AT(16, "\x00\x3c"), true },          /* 40 */
	{ DROP_NONE, S_UDP, AT(20, "\x20\x00"), AT(16, "\x00\x1c"), true },          /* 8 */
	{ DROP_FRAGMENT_TINY, S_ERROR, AT(20, "\x20\x00"), AT(16, "\x00\x24"), true }, /* quote cut */
	/* transport */
	{ DROP_L4_SHORT, S_TCP, AT(16, "\x00\x27"), NO, true },
	{ DROP_L4_SHORT, S_TCP, AT(46, "\xf0"), NO, true },
	{ DROP_L4_HEADER, S_TCP, AT(46, "\x40"), NO, true },
	{ DROP_L4_HEADER, S_TCP, AT(55, "\x01"), NO, true },  /* option shorter than itself */
	{ DROP_L4_HEADER, S_TCP, AT(72, "\x04"), NO, true },  /* option beyond the header */
	{ DROP_L4_CHECKSUM, S_TCP, AT(76, "!"), NO, false },
	{ DROP_L4_CHECKSUM, S_TCP, AT(50, "\x00\x00"), NO, false },
	{ DROP_TCP_FLAGS, S_TCP, AT(47, "\x00"), NO, true },
	{ DROP_L4_SHORT, S_UDP, AT(16, "\x00\x1b"), NO, true },
	{ DROP_L4_HEADER, S_UDP, AT(38, "\x00\x07"), NO, true },
	{ DROP_L4_HEADER, S_UDP, AT(38, "\x00\x0e"), NO, true },
	{ DROP_NONE, S_UDP, AT(42, "H"), NO, false }, /* wrong, and left to its receiver */
	{ DROP_NONE, S_UDP, AT(42, "H"), AT(40, "\x00\x00"), false }, /* no checksum */
	{ DROP_L4_SHORT, S_ECHO, AT(16, "\x00\x1b"), NO, true },
	{ DROP_L4_CHECKSUM, S_ECHO, AT(42, "H"), NO, false },
	/* quoted packets; the ICMP data starts at 42 */
	{ DROP_L4_SHORT, S_ERROR, AT(16, "\x00\x2f"), NO, true },
	{ DROP_IP_HEADER, S_ERROR, AT(42, "\x55"), NO, true },
	{ DROP_IP_HEADER, S_ERROR, AT(42, "\x44"), NO, true },
	{ DROP_L4_SHORT, S_ERROR, AT(42, "\x4f"), NO, true },
	{ DROP_IP_CHECKSUM, S_ERROR, AT(50, "\x33"), NO, true },
	/* IPv6; the header starts at 14, the transport at 54 */
	{ DROP_IP_HEADER, S_TCP6, AT(14, "\x50"), NO, false },
	{ DROP_IP_HEADER, S_TCP6, AT(18, "\x01\x00"), NO, false },
	{ DROP_MARTIAN, S_TCP6, AT(22, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04"), NO, true },
	{ DROP_MARTIAN, S_TCP6, AT(38, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04"), NO, true },
	{ DROP_L4_CHECKSUM, S_TCP6, AT(94, "!"), NO, false },
	{ DROP_L4_CHECKSUM, S_UDP6, AT(60, "\x00\x00"), NO, false },
	{ DROP_L4_CHECKSUM, S_ECHO6, AT(62, "!"), NO, false },
	{ DROP_L4_SHORT, S_TCP6, AT(18, "\x00\x13"), NO, false },
	{ DROP_MARTIAN, S_ERROR6, AT(70, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04"), NO, true },
	{ DROP_IP_HEADER, S_ERROR6, AT(62, "\x40"), NO, true },
	{ DROP_L4_SHORT, S_ERROR6, AT(18, "\x00\x20"), NO, true },
	{ DROP_IP_OPTIONS, S_CHAIN6, AT(56, "\xc2"), NO, false },    /* jumbogram */
	{ DROP_IP_OPTIONS, S_CHAIN6, AT(57, "\x05"), NO, false },    /* router alert beyond the header */
	{ DROP_IP_OPTIONS, S_CHAIN6, AT(72, "\x00"), NO, false },    /* routing type 0 */
	{ DROP_IP_HEADER, S_CHAIN6, AT(62, "\x00"), NO, false },     /* second hop-by-hop */
	{ DROP_IP_HEADER, S_CHAIN6, AT(55, "\xff"), NO, false },     /* beyond the packet */
	{ DROP_IP_HEADER, S_CHAIN6, AT(78, "\x2c"), NO, false },     /* fragment in a fragment */
	{ DROP_FRAGMENT_SIZE, S_CHAIN6, AT(81, "\x01"), NO, false }, /* 13 bytes and more to come */
	{ DROP_FRAGMENT_SIZE, S_CHAIN6, AT(80, "\xff\xf8"), NO, false },
	{ DROP_FRAGMENT_TINY, S_CHAIN6, AT(78, "\x06\x00\x00\x08"), NO, false },
	{ DROP_NONE, S_CHAIN6, AT(80, "\x00\x10"), NO, false },
};

static void each_fault_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		const struct bad *row = &bad[i];
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(row->sample, b);
		struct packet p;
		memcpy(b + row->at, row->bytes, row->len);
		memcpy(b + row->at2, row->bytes2, row->len2);
		if (row->fix) {
			uint8_t *ip = b + ETH_BYTES;
			bool v6 = row->sample >= S_TCP6;
			size_t l4 = v6 ? 40 : row->sample == S_OPTIONS ? 32 : 20;
			size_t total = v6 ? 40 + load16(ip + 4) : load16(ip + 2);
			/* the length in the packet may lie on purpose */
			if (total < l4 || total > len - ETH_BYTES)
				total = len - ETH_BYTES;
			naive_fix(ip, l4, total - l4, v6 ? ip[6] : ip[9]);
		}
		struct frame f = exact_frame(b, len);
		enum drop got = pkt_parse(&f, &p);
		if (got != row->want)
			fail_msg("row %zu: %s, not %s", i, drop_word(got), drop_word(row->want));
		free(f.buffer);
	}
}

static void frames_cut_anywhere_are_dropped(void **state)
{
	(void)state;
	for (enum sample s = 0; s < SAMPLE_COUNT; s++) {
		uint8_t b[CRAFT_ROOM];
		size_t whole = craft_sample(s, b);
		for (size_t len = 0; len < whole; len++) {
			struct packet p;
			struct frame f = exact_frame(b, len);
			enum drop got = pkt_parse(&f, &p);
			size_t headers = s >= S_TCP6 ? V6_L4 : s == S_ARP ? whole : V4_L4;
			assert_int_equal(got, len < headers ? DROP_FRAME_SHORT : DROP_IP_HEADER);
			free(f.buffer);
		}
	}
}

/* The length fields lie along with the frame, so that the inner parsers are cut. */
static void packets_cut_anywhere_are_safe(void **state)
{
	(void)state;
	for (enum sample s = 0; s < SAMPLE_COUNT; s++) {
		uint8_t b[CRAFT_ROOM];
		size_t whole = craft_sample(s, b);
		size_t l4 = s >= S_TCP6 ? V6_L4 : s == S_OPTIONS ? V4_L4 + 12 : V4_L4;
		for (size_t len = l4; s != S_ARP && len < whole; len++) {
			struct packet p;
			char line[200];
			struct text t = text_on(line);
			store16(b + (s >= S_TCP6 ? 18 : 16), (uint32_t)(s >= S_TCP6 ? len - V6_L4 : len - ETH_BYTES));
			naive_fix(b + ETH_BYTES, l4 - ETH_BYTES, len - l4, 255);
			struct frame f = exact_frame(b, len);
			f.offload.flags = OFFLOAD_DATA_VALID;
			enum drop got = pkt_parse(&f, &p);
			if (got == DROP_NONE)
				text_packet(&t, &p);
			else
				assert_true(got == DROP_L4_SHORT || got == DROP_L4_HEADER || got == DROP_IP_HEADER);
			if (got == DROP_NONE)
				assert_int_equal(p.end, len);
			free(f.buffer);
		}
	}
}

static void tcp_flags_as_conntrack_knows_them(void **state)
{
	static const uint8_t good[] = { TCP_SYN, TCP_SYN | TCP_URG, TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK,
	                                TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK | TCP_URG, TCP_ACK, TCP_ACK | TCP_URG };
	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(S_TCP, b);
		bool ok = false;
		struct packet p;
		for (size_t i = 0; i < array_len(good); i++)
			ok = ok || (flags & 0x37) == good[i];
		b[V4_L4 + 13] = (uint8_t)flags;
		naive_fix(b + ETH_BYTES, 20, len - V4_L4, PROTO_TCP);
		struct frame f = exact_frame(b, len);
		assert_int_equal(pkt_parse(&f, &p), ok ? DROP_NONE : DROP_TCP_FLAGS);
		if (ok) {
			assert_int_equal(p.tcp.segment_len, 3 + !!(flags & TCP_SYN) + !!(flags & TCP_FIN));
			assert_int_equal(p.tcp.has_scale, !!(flags & TCP_SYN));
		}
		free(f.buffer);
	}
}

static void icmp_queries_have_a_direction(void **state)
{
	static const struct { uint8_t type, kind; bool reply; } rows[] = {
		{ 8, 8, false }, { 0, 8, true }, { 13, 13, false }, { 14, 13, true },
		{ 15, 15, false }, { 16, 15, true }, { 17, 17, false }, { 18, 17, true },
		{ 128, 128, false }, { 129, 128, true },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		uint8_t b[CRAFT_ROOM];
		bool v6 = rows[i].type >= 128;
		size_t len = craft_sample(v6 ? S_ECHO6 : S_ECHO, b), l4 = v6 ? V6_L4 : V4_L4;
		struct packet p;
		b[l4] = rows[i].type;
		naive_fix(b + ETH_BYTES, l4 - ETH_BYTES, len - l4, v6 ? PROTO_ICMPV6 : PROTO_ICMP);
		struct frame f = exact_frame(b, len);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_int_equal(p.class, PKT_ICMP_QUERY);
		assert_int_equal(p.tuple.kind, rows[i].kind);
		assert_int_equal(p.tuple.sport, rows[i].reply ? 0 : 0x7701);
		assert_int_equal(p.tuple.dport, rows[i].reply ? 0x7701 : 0);
		free(f.buffer);
	}
}

/* Wrong sums: what moves a state is dropped, data is left to its receiver, and neither is answered. */
static void wrong_sums_move_nothing(void **state)
{
	static const struct { uint8_t flags; bool data; enum drop want; } rows[] = {
		{ TCP_SYN, true, DROP_L4_CHECKSUM }, { TCP_RST, true, DROP_L4_CHECKSUM },
		{ TCP_FIN | TCP_ACK, true, DROP_L4_CHECKSUM }, { TCP_ACK, false, DROP_L4_CHECKSUM },
		{ TCP_RST, false, DROP_L4_CHECKSUM }, { TCP_ACK, true, DROP_NONE }, { TCP_ACK | TCP_URG, true, DROP_NONE },
	};
	(void)state;
	for (size_t i = 0; i < 2 * array_len(rows); i++) {
		bool v6 = i % 2;
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(v6 ? S_TCP6 : S_TCP, b), l4 = v6 ? V6_L4 : V4_L4;
		struct packet p;
		len -= rows[i / 2].data ? 0 : 3;
		store16(b + (v6 ? 18 : 16), (uint32_t)(v6 ? len - V6_L4 : len - ETH_BYTES));
		b[l4 + 13] = rows[i / 2].flags;
		naive_fix(b + ETH_BYTES, l4 - ETH_BYTES, len - l4, PROTO_TCP);
		struct frame f = exact_frame(b, len);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_true(pkt_l4_sum_ok(&p));
		f.data[l4 + 17] ^= 1;
		assert_int_equal(pkt_parse(&f, &p), rows[i / 2].want);
		if (rows[i / 2].want == DROP_NONE)
			assert_false(pkt_l4_sum_ok(&p));
		f.offload.flags = OFFLOAD_DATA_VALID; /* somebody else's word */
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_true(pkt_l4_sum_ok(&p));
		free(f.buffer);
	}
}

static void fragments_and_quotes_tell_their_place(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_UDP, b);
	struct packet p;
	(void)state;
	store16(b + 20, 0x2000 | 185);
	store16(b + 16, 28);
	naive_fix(b + ETH_BYTES, 20, 8, 255);
	struct frame f = exact_frame(b, len);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_int_equal(p.class, PKT_FRAGMENT);
	assert_true(p.has_fragments && p.more_fragments && !p.has_l4_sum);
	assert_int_equal(p.fragment_offset, 1480);
	assert_int_equal(p.data_len, 8);
	assert_int_equal(p.id, 0x1234);
	assert_int_equal(p.tuple.sport | p.tuple.dport, 0);
	free(f.buffer);

	len = craft_sample(S_ERROR, b);
	f = exact_frame(b, len);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_true(p.inner_has_l4 && p.inner_has_l4_sum);
	assert_int_equal(p.inner_l3, 42);
	assert_int_equal(p.inner_l4, 62);
	free(f.buffer);

	/* seven quoted transport bytes are not enough for the ports */
	store16(b + 16, 20 + 8 + 20 + 7);
	naive_fix(b + ETH_BYTES, 20, 8 + 20 + 7, PROTO_ICMP);
	f = exact_frame(b, len);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_false(p.inner_has_l4 || p.inner_has_l4_sum);
	assert_int_equal(p.inner.sport, 0);
	free(f.buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_read),
		cmocka_unit_test(each_fault_has_its_reason),
		cmocka_unit_test(frames_cut_anywhere_are_dropped),
		cmocka_unit_test(packets_cut_anywhere_are_safe),
		cmocka_unit_test(tcp_flags_as_conntrack_knows_them),
		cmocka_unit_test(icmp_queries_have_a_direction),
		cmocka_unit_test(wrong_sums_move_nothing),
		cmocka_unit_test(fragments_and_quotes_tell_their_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
