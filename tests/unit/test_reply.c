/* links: netstack/reply.c netstack/rewrite.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/* test_reply.c: the answers byte by byte where it matters, and when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "craft.h"
#include "reply.h"

/* A frame in a buffer with `spare` bytes behind it. */
static struct frame roomy(const uint8_t *b, size_t len, size_t spare)
{
	uint8_t bytes[2 * CRAFT_ROOM + 1600] = { 0 };
	memcpy(bytes, b, len);
	struct frame f = exact_frame(bytes, len + spare);
	f.len = (uint32_t)len;
	return f;
}

/* The checksums of the answer are those made from nothing, and it says it needs no offload. */
static void assert_complete(const struct frame *f)
{
	uint8_t b[2 * CRAFT_ROOM];
	assert_true(f->len <= sizeof(b));
	memcpy(b, f->data, f->len);
	naive_fix(b + ETH_BYTES, 20, f->len - V4_L4, b[23]);
	assert_memory_equal(f->data, b, f->len);
	assert_int_equal(f->offload.flags | f->offload.gso_type | f->offload.gso_size, 0);
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	assert_memory_equal(f->data, macs, sizeof(macs));
	assert_int_equal(f->data[22], 64);
}

static void answers_arp(void **state)
{
	static const uint8_t want[] = { 2, 0, 0, 0, 0, 2, 2, 7, 7, 7, 7, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2,
	                                2, 7, 7, 7, 7, 7, 10, 137, 0, 1, 2, 0, 0, 0, 0, 2, 10, 137, 0, 5 };
	struct mac ours = { { 2, 7, 7, 7, 7, 7 } };
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_ARP, b);
	struct packet p;
	(void)state;
	memset(b, 0xff, 6);
	struct frame f = roomy(b, len + 18, 0); /* with padding */
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_true(reply_arp(&p, ours));
	assert_int_equal(f.len, sizeof(want));
	assert_memory_equal(f.data, want, sizeof(want));
	assert_false(reply_arp(&p, ours)); /* it is a reply itself now */
	free(f.buffer);

	b[22] |= 1; /* a group as its sender */
	f = roomy(b, len, 0);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_false(reply_arp(&p, ours));
	assert_memory_equal(f.data, b, len);
	free(f.buffer);
}

static void answers_echo_without_options(void **state)
{
	uint8_t data[4 + sizeof(sample_echo)] = { 1, 1, 1, 0 };
	(void)state;
	memcpy(data + 4, sample_echo, sizeof(sample_echo));
	for (size_t options = 0; options <= 4; options += 4) {
		uint8_t b[CRAFT_ROOM] = { 0 };
		struct packet p;
		link_header(b, ETHERTYPE_IPV4);
		size_t len = ETH_BYTES + craft_ipv4(b + ETH_BYTES, PROTO_ICMP, data + 4 - options, options,
		                                    sizeof(sample_echo) + options);
		struct frame f = roomy(b, len, 0);
		f.offload.flags = OFFLOAD_DATA_VALID;
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_true(reply_echo(&p));
		assert_complete(&f);
		assert_int_equal(f.len, V4_L4 + sizeof(sample_echo));
		assert_int_equal(p.icmp_type, 0);
		assert_true(ip_eq(p.tuple.src, ip_v4(192, 0, 2, 9)) && ip_eq(p.tuple.dst, ip_v4(10, 137, 0, 5)));
		assert_int_equal(p.tuple.dport, 0x7701);
		assert_memory_equal(f.data + V4_L4 + 4, sample_echo + 4, sizeof(sample_echo) - 4);
		assert_false(reply_echo(&p));
		free(f.buffer);
	}
}

static void quotes_in_errors(void **state)
{
	static const size_t payloads[] = { 0, 1, 492, 493, 520, 521, 1400 };
	struct ip_addr from = ip_v4(192, 0, 2, 1);
	(void)state;
	for (size_t i = 0; i < array_len(payloads); i++) {
		uint8_t b[1600] = { 0 }, data[1500] = { 0x30, 0x39, 0, 53 };
		struct packet p;
		link_header(b, ETHERTYPE_IPV4);
		store16(data + 4, (uint32_t)(8 + payloads[i]));
		store16(data + 6, 1);
		memset(data + 8, 'q', payloads[i]);
		size_t len = ETH_BYTES + craft_ipv4(b + ETH_BYTES, PROTO_UDP, data, 0, 8 + payloads[i]);
		size_t quote = len - ETH_BYTES < 548 ? len - ETH_BYTES : 548;
		struct frame f = roomy(b, len, 28);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_true(reply_icmp_error(&p, from, 3, 4, 1400));
		assert_complete(&f);
		assert_int_equal(f.len, V4_L4 + 8 + quote);
		assert_int_equal(f.data[15], 0xc0);
		assert_int_equal(p.icmp_type * 256 + p.icmp_code, 3 * 256 + 4);
		assert_int_equal(be16_get(pkt_icmp(&p)->b), 1400);
		assert_int_equal(be16_get(pkt_icmp(&p)->a), 0);
		assert_memory_equal(f.data + V4_L4 + 8, b + ETH_BYTES, quote);
		assert_true(ip_eq(p.tuple.src, from) && ip_eq(p.tuple.dst, ip_v4(10, 137, 0, 5)));
		assert_false(reply_icmp_error(&p, from, 3, 4, 0)); /* never about an error */
		free(f.buffer);
	}
}

static void quotes_with_whole_checksums(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_TCP, b), segment = len - V4_L4;
	uint32_t whole = load16(b + V4_L4 + 16);
	struct packet p;
	(void)state;
	store16(b + V4_L4 + 16, naive_pseudo(b + ETH_BYTES, PROTO_TCP, segment));
	struct frame f = roomy(b, len, 28);
	f.offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_TCPV4, 74, 1448, V4_L4, 16 };
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_true(reply_icmp_error(&p, ip_v4(1, 2, 3, 4), 11, 0, 0));
	assert_complete(&f);
	assert_int_equal(load16(f.data + V4_L4 + 8 + 20 + 16), whole);
	free(f.buffer);
}

/* A host behind would not have seen them (RFC 1122 4.1.3.4, RFC 9293 3.1). */
static void wrong_sums_are_not_answered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(i ? S_TCP : S_UDP, b);
		struct packet p;
		b[V4_L4 + 13] = i ? TCP_ACK : b[V4_L4 + 13];
		naive_fix(b + ETH_BYTES, 20, len - V4_L4, i ? PROTO_TCP : PROTO_UDP);
		b[len - 1] ^= 1;
		struct frame f = roomy(b, len, 28);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_false(reply_icmp_error(&p, ip_v4(1, 2, 3, 4), 3, 13, 0));
		assert_false(reply_rst(&p));
		assert_memory_equal(f.data, b, len);
		f.data[len - 1] ^= 1;
		assert_true(reply_icmp_error(&p, ip_v4(1, 2, 3, 4), 3, 13, 0));
		free(f.buffer);
	}
}

static void no_room_leaves_the_frame(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_UDP, b);
	struct packet p;
	(void)state;
	struct frame f = roomy(b, len, 27);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_false(reply_icmp_error(&p, ip_v4(1, 2, 3, 4), 11, 0, 0));
	assert_memory_equal(f.data, b, len);
	assert_int_equal(f.len, len);
	free(f.buffer);
}

static void errors_only_where_allowed(void **state)
{
	static const struct { enum sample sample; bool allowed; } classes[] = {
		{ S_TCP, true }, { S_UDP, true }, { S_ECHO, true }, { S_OPTIONS, true }, { S_OTHER, true },
		{ S_ERROR, false }, { S_ERROR_ECHO, false }, { S_ARP, false }, { S_ROUTER, false },
	};
	static const struct { uint8_t src[4], dst[4]; uint8_t mac; uint16_t place; bool allowed; } rows[] = {
		{ { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, 2, 0, true },
		{ { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, 3, 0, false },
		{ { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, 255, 0, false },
		{ { 10, 0, 0, 1 }, { 224, 0, 0, 2 }, 2, 0, false },
		{ { 10, 0, 0, 1 }, { 255, 255, 255, 255 }, 2, 0, false },
		{ { 0, 0, 0, 0 }, { 10, 0, 0, 2 }, 2, 0, false },
		{ { 127, 0, 0, 1 }, { 10, 0, 0, 2 }, 2, 0, false },
		{ { 239, 0, 0, 1 }, { 10, 0, 0, 2 }, 2, 0, false },
		{ { 250, 0, 0, 1 }, { 10, 0, 0, 2 }, 2, 0, false },
		{ { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, 2, 1, false },
	};
	uint8_t b[CRAFT_ROOM];
	struct packet p;
	(void)state;
	for (size_t i = 0; i < array_len(classes); i++) {
		struct frame f = roomy(b, craft_sample(classes[i].sample, b), 0);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_int_equal(reply_error_allowed(&p), classes[i].allowed);
		free(f.buffer);
	}
	for (size_t i = 0; i < array_len(rows); i++) {
		size_t len = craft_sample(S_UDP, b);
		b[0] = rows[i].mac;
		memcpy(b + 26, rows[i].src, 4);
		memcpy(b + 30, rows[i].dst, 4);
		store16(b + 20, rows[i].place);
		naive_fix(b + ETH_BYTES, 20, len - V4_L4, PROTO_UDP);
		struct frame f = roomy(b, len, 28);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_int_equal(reply_error_allowed(&p), rows[i].allowed);
		assert_int_equal(reply_icmp_error(&p, ip_v4(1, 2, 3, 4), 3, 1, 0), rows[i].allowed);
		free(f.buffer);
	}
}

static void resets(void **state)
{
	static const struct { uint8_t flags, want; uint32_t seq, ack; } rows[] = {
		{ TCP_SYN, TCP_RST | TCP_ACK, 0, 0x01020304 + 4 },
		{ TCP_SYN | TCP_ACK, TCP_RST, 0x0a0b0c0d, 0 },
		{ TCP_ACK, TCP_RST, 0x0a0b0c0d, 0 },
		{ TCP_FIN | TCP_ACK | TCP_PSH, TCP_RST, 0x0a0b0c0d, 0 },
		{ TCP_RST, 0, 0, 0 },
		{ TCP_RST | TCP_ACK, 0, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		uint8_t b[CRAFT_ROOM];
		size_t len = craft_sample(S_TCP, b);
		struct packet p;
		b[V4_L4 + 13] = rows[i].flags;
		store16(b + V4_L4 + 8, 0x0a0b);
		store16(b + V4_L4 + 10, 0x0c0d);
		naive_fix(b + ETH_BYTES, 20, len - V4_L4, PROTO_TCP);
		struct frame f = roomy(b, len, 0);
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		assert_int_equal(reply_rst(&p), rows[i].want != 0);
		if (rows[i].want) {
			assert_complete(&f);
			assert_int_equal(f.len, V4_L4 + TCP_MIN_BYTES);
			assert_int_equal(p.tcp.flags, rows[i].want);
			assert_int_equal(p.tcp.seq, rows[i].seq);
			assert_int_equal(p.tcp.ack, rows[i].ack);
			assert_int_equal(p.tuple.sport, 80);
			assert_int_equal(p.tuple.dport, 40000);
		} else {
			assert_memory_equal(f.data, b, len);
		}
		free(f.buffer);
	}
}

static void asks_arp(void **state)
{
	static const uint8_t want[] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
	                                2, 0, 0, 0, 0, 9, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2 };
	uint8_t buffer[FRAME_HEADROOM_BYTES + sizeof(want)];
	struct frame f = { .buffer = buffer, .room = sizeof(buffer), .offload = { .flags = 1 } };
	struct mac sender = { { 2, 0, 0, 0, 0, 9 } };
	struct packet p;
	(void)state;
	memset(buffer, 0xaa, sizeof(buffer));
	assert_true(build_arp_request(&f, sender, ip_v4(10, 0, 0, 1), ip_v4(10, 0, 0, 2)));
	assert_int_equal(f.len, sizeof(want));
	assert_memory_equal(f.data, want, sizeof(want));
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	f.room--;
	assert_false(build_arp_request(&f, sender, ip_v4(10, 0, 0, 1), ip_v4(10, 0, 0, 2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_arp),
		cmocka_unit_test(answers_echo_without_options),
		cmocka_unit_test(quotes_in_errors),
		cmocka_unit_test(quotes_with_whole_checksums),
		cmocka_unit_test(wrong_sums_are_not_answered),
		cmocka_unit_test(no_room_leaves_the_frame),
		cmocka_unit_test(errors_only_where_allowed),
		cmocka_unit_test(resets),
		cmocka_unit_test(asks_arp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
