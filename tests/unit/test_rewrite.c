/* links: netstack/rewrite.c netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/* test_rewrite.c: every store, against bytes stored plainly and checksums made from nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "craft.h"
#include "rewrite.h"

enum { ROUNDS = 400 };

static struct ip_addr random_ip(uint64_t *seed, bool v6)
{
	struct ip_addr ip;
	if (!v6)
		return ip_of_v4(be32_of(craft_random(seed)));
	for (int i = 0; i < 16; i++)
		ip.b[i] = (uint8_t)craft_random(seed);
	return ip;
}

static struct tuple random_tuple(uint64_t *seed, const struct tuple *like)
{
	bool v6 = !ip_is_v4(like->src);
	struct tuple to = { .src = random_ip(seed, v6), .dst = random_ip(seed, v6),
	                    .proto = like->proto, .kind = like->kind };
	if (like->proto == PROTO_TCP || like->proto == PROTO_UDP || like->kind)
		to.sport = (uint16_t)craft_random(seed);
	if (like->proto == PROTO_TCP || like->proto == PROTO_UDP)
		to.dport = (uint16_t)craft_random(seed);
	return to;
}

/* Stores a tuple into the packet at ip without a thought for checksums. */
static void naive_store(uint8_t *ip, size_t l4, const struct tuple *to)
{
	if (ip[0] >> 4 == 6) {
		memcpy(ip + 8, to->src.b, 16);
		memcpy(ip + 24, to->dst.b, 16);
	} else {
		memcpy(ip + 12, to->src.b + 12, 4);
		memcpy(ip + 16, to->dst.b + 12, 4);
	}
	if (to->kind) {
		store16(ip + l4 + 4, to->sport);
	} else if (to->proto == PROTO_TCP || to->proto == PROTO_UDP) {
		store16(ip + l4, to->sport);
		store16(ip + l4 + 2, to->dport);
	}
}

/* A sample with random payload bytes and right checksums, and the offset of its transport. */
static size_t random_sample(enum sample s, uint8_t *b, uint64_t *seed, size_t *l4)
{
	size_t len = craft_sample(s, b);

	*l4 = s == S_OPTIONS ? 32 : s == S_CHAIN6 ? 72 : s >= S_TCP6 ? 40 : 20;
	if (s != S_ERROR && s != S_ERROR_ECHO && s != S_ERROR6)
		store16(b + len - 3, craft_random(seed));
	uint8_t proto = s == S_CHAIN6 ? PROTO_UDP : s >= S_TCP6 ? b[20] : b[23];
	naive_fix(b + ETH_BYTES, *l4, len - ETH_BYTES - *l4, proto);
	return len;
}

static void tuples_are_rewritten(void **state)
{
	uint64_t seed = 3;
	(void)state;
	for (enum sample s = 0; s < SAMPLE_COUNT; s++)
		for (unsigned round = 0; s != S_ARP && round < ROUNDS; round++) {
			uint8_t b[CRAFT_ROOM];
			size_t l4, len = random_sample(s, b, &seed, &l4);
			struct frame f = exact_frame(b, len);
			struct packet p, again;
			assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
			struct tuple to = random_tuple(&seed, &p.tuple);

			rewrite_tuple(&p, &to);
			assert_true(tuple_eq(&p.tuple, &to));
			naive_store(b + ETH_BYTES, l4, &to);
			naive_fix(b + ETH_BYTES, l4, len - ETH_BYTES - l4, to.proto);
			assert_memory_equal(f.data, b, len);
			assert_int_equal(pkt_parse(&f, &again), DROP_NONE);
			assert_true(tuple_eq(&again.tuple, &to));
			free(f.buffer);
		}
}

static void partial_checksums_follow_addresses_only(void **state)
{
	static const enum sample samples[] = { S_TCP, S_UDP, S_TCP6, S_UDP6 };
	uint64_t seed = 4;
	(void)state;
	for (unsigned round = 0; round < 4 * ROUNDS; round++) {
		uint8_t b[CRAFT_ROOM], *ip = b + ETH_BYTES;
		size_t l4, len = random_sample(samples[round % 4], b, &seed, &l4), segment = len - ETH_BYTES - l4;
		uint8_t proto = round % 2 ? PROTO_UDP : PROTO_TCP;
		size_t field = l4 + (proto == PROTO_TCP ? 16 : 6);
		store16(ip + field, naive_pseudo(ip, proto, segment));
		struct frame f = exact_frame(b, len);
		struct packet p;
		f.offload = (struct offload){ .flags = OFFLOAD_NEEDS_CSUM,
			.csum_start = (uint16_t)(ETH_BYTES + l4), .csum_offset = (uint16_t)(field - l4) };
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		struct tuple to = random_tuple(&seed, &p.tuple);

		rewrite_tuple(&p, &to);
		naive_store(ip, l4, &to);
		naive_fix(ip, l4, segment, proto);
		uint32_t whole = load16(ip + field);
		store16(ip + field, naive_pseudo(ip, proto, segment));
		assert_memory_equal(f.data, b, len);

		rewrite_finish_checksum(&p);
		assert_int_equal(f.offload.flags, 0);
		store16(ip + field, whole);
		assert_memory_equal(f.data, b, len);
		rewrite_finish_checksum(&p); /* nothing left to do */
		assert_memory_equal(f.data, b, len);
		free(f.buffer);
	}
}

static void quotes_are_rewritten(void **state)
{
	static const enum sample samples[] = { S_ERROR, S_ERROR_ECHO, S_ERROR6 };
	uint64_t seed = 5;
	(void)state;
	for (unsigned round = 0; round < 3 * ROUNDS; round++) {
		enum sample s = samples[round % 3];
		uint8_t b[CRAFT_ROOM], *ip = b + ETH_BYTES;
		size_t l4, len = random_sample(s, b, &seed, &l4);
		uint8_t *inner = ip + l4 + 8;
		size_t inner_l4 = s == S_ERROR6 ? 40 : 20;
		struct frame f = exact_frame(b, len);
		struct packet p, again;
		assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
		struct tuple to = random_tuple(&seed, &p.inner);
		struct tuple outer = random_tuple(&seed, &p.tuple);

		rewrite_inner(&p, &to);
		rewrite_addresses(&p, outer.src, outer.dst);
		naive_store(inner, inner_l4, &to);
		naive_fix(inner, inner_l4, (size_t)(b + len - inner) - inner_l4, to.proto);
		naive_store(ip, l4, &outer);
		naive_fix(ip, l4, len - ETH_BYTES - l4, outer.proto);
		assert_memory_equal(f.data, b, len);
		assert_true(tuple_eq(&p.inner, &to));
		assert_int_equal(pkt_parse(&f, &again), DROP_NONE);
		assert_true(tuple_eq(&again.inner, &to) && tuple_eq(&again.tuple, &outer));
		free(f.buffer);
	}
}

/* A quote cut at any length: what is there is rewritten, the outer checksum stays right. */
static void cut_quotes_are_rewritten(void **state)
{
	static const enum sample samples[] = { S_ERROR, S_ERROR_ECHO, S_ERROR6 };
	uint64_t seed = 6;
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint8_t b[CRAFT_ROOM];
		bool v6 = samples[i] == S_ERROR6;
		size_t whole = craft_sample(samples[i], b), l4 = v6 ? 40 : 20;
		for (size_t len = ETH_BYTES + l4 + 8 + l4; len <= whole; len++) {
			struct packet p, again;
			store16(b + (v6 ? 18 : 16), (uint32_t)(len - ETH_BYTES - (v6 ? 40 : 0)));
			naive_fix(b + ETH_BYTES, l4, len - ETH_BYTES - l4, v6 ? PROTO_ICMPV6 : PROTO_ICMP);
			struct frame f = exact_frame(b, len);
			assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
			struct tuple to = random_tuple(&seed, &p.inner);
			if (!p.inner_has_l4)
				to.sport = to.dport = 0;
			rewrite_inner(&p, &to);
			assert_int_equal(pkt_parse(&f, &again), DROP_NONE);
			assert_true(tuple_eq(&again.inner, &to));
			free(f.buffer);
		}
	}
}

static void wrong_checksums_stay_wrong(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_TCP, b);
	uint64_t seed = 7;
	struct packet p;
	(void)state;
	b[len - 1] ^= 1;
	struct frame f = exact_frame(b, len);
	f.offload.flags = OFFLOAD_DATA_VALID;
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	struct tuple to = random_tuple(&seed, &p.tuple);
	rewrite_tuple(&p, &to);
	f.offload.flags = 0;
	assert_int_equal(pkt_parse(&f, &p), DROP_L4_CHECKSUM);
	free(f.buffer);
}

static void udp_zero_is_kept_and_never_made(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_UDP, b);
	struct packet p;
	(void)state;
	store16(b + V4_L4 + 6, 0);
	struct frame f = exact_frame(b, len);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	struct tuple to = p.tuple;
	to.sport = 99;
	to.src = ip_v4(9, 9, 9, 9);
	rewrite_tuple(&p, &to);
	assert_int_equal(be16_get(pkt_udp(&p)->checksum), 0);
	free(f.buffer);

	/* the source port that makes the computed sum zero */
	bool met = false;
	craft_sample(S_UDP, b);
	f = exact_frame(b, len);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	for (uint32_t port = 0; port < 65536; port++) {
		to = p.tuple;
		to.sport = (uint16_t)port;
		rewrite_tuple(&p, &to);
		uint16_t sum = be16_get(pkt_udp(&p)->checksum);
		assert_int_not_equal(sum, 0);
		met = met || sum == 0xffff;
	}
	assert_true(met);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	free(f.buffer);
}

static void later_fragments_keep_their_data(void **state)
{
	uint8_t b[CRAFT_ROOM];
	size_t len = craft_sample(S_UDP, b);
	struct packet p;
	(void)state;
	store16(b + 20, 185);
	naive_fix(b + ETH_BYTES, 20, 0, PROTO_UDP);
	struct frame f = exact_frame(b, len);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	struct tuple to = { ip_v4(9, 8, 7, 6), ip_v4(1, 2, 3, 4), 7, 8, PROTO_UDP, 0, 0 };
	rewrite_tuple(&p, &to);
	rewrite_id(&p, 0xbeef);
	to.sport = to.dport = 0;
	assert_true(tuple_eq(&p.tuple, &to));
	assert_memory_equal(f.data + V4_L4, b + V4_L4, len - V4_L4);
	assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
	assert_true(tuple_eq(&p.tuple, &to));
	assert_int_equal(p.id, 0xbeef);
	free(f.buffer);
}

static void ttl_id_and_link(void **state)
{
	(void)state;
	for (unsigned ttl = 2; ttl < 256; ttl++)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			uint8_t b[CRAFT_ROOM], *ip = b + ETH_BYTES;
			size_t len = craft_sample(v6 ? S_TCP6 : S_TCP, b);
			struct mac dst = { { 2, 9, 9, 9, 9, 1 } }, src = { { 2, 9, 9, 9, 9, 2 } };
			struct packet p;
			ip[v6 ? 7 : 8] = (uint8_t)ttl;
			naive_fix(ip, v6 ? 40 : 20, sizeof(sample_tcp), PROTO_TCP);
			struct frame f = exact_frame(b, len);
			assert_int_equal(pkt_parse(&f, &p), DROP_NONE);
			rewrite_ttl(&p);
			ip[v6 ? 7 : 8]--;
			if (!v6) {
				rewrite_id(&p, (uint16_t)(ttl * 257));
				store16(ip + 4, ttl * 257);
			}
			rewrite_link(&p, dst, src);
			memcpy(b, dst.b, 6);
			memcpy(b + 6, src.b, 6);
			naive_fix(ip, v6 ? 40 : 20, sizeof(sample_tcp), PROTO_TCP);
			assert_memory_equal(f.data, b, len);
			assert_int_equal(p.ttl, ttl - 1);
			free(f.buffer);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuples_are_rewritten),
		cmocka_unit_test(partial_checksums_follow_addresses_only),
		cmocka_unit_test(quotes_are_rewritten),
		cmocka_unit_test(cut_quotes_are_rewritten),
		cmocka_unit_test(wrong_checksums_stay_wrong),
		cmocka_unit_test(udp_zero_is_kept_and_never_made),
		cmocka_unit_test(later_fragments_keep_their_data),
		cmocka_unit_test(ttl_id_and_link),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
