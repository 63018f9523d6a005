/* links: netstack/packet.c netstack/parse_link.c netstack/parse_offload.c netstack/segment.c netstack/packet_text.c netstack/parse_ipv4.c netstack/parse_ipv6.c netstack/parse_transport.c netstack/parse_quote.c netstack/checksum.c netstack/drop.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_parse_plain.c: pkt_parse(), which has a short way for the packets that
 * most are, against the long way that it must not differ from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "craft.h"
#include "parse.h"

enum { FLAGS = V4_L4 + 13, NO_FLAGS = TCP_PSH };

struct sort { enum sample sample; uint8_t flags; bool data; };

static const struct sort sorts[] = {
	{ S_UDP, 0, true }, { S_TCP, TCP_ACK, true }, { S_TCP, TCP_ACK | TCP_PSH, true }, { S_TCP, TCP_ACK, false },
	{ S_TCP, TCP_SYN, true }, { S_TCP, TCP_SYN | TCP_ACK, false }, { S_TCP, TCP_RST, false },
	{ S_TCP, TCP_FIN | TCP_ACK, true }, { S_TCP, NO_FLAGS, true }, { S_ECHO, 0, true }, { S_OPTIONS, 0, true },
	{ S_UDP6, 0, true }, { S_OTHER, 0, true },
};

static size_t craft_sort(const struct sort *sort, uint8_t *b)
{
	size_t len = craft_sample(sort->sample, b);

	if (sort->sample != S_TCP)
		return len;
	len -= sort->data ? 0 : 3;
	store16(b + ETH_BYTES + 2, (uint32_t)(len - ETH_BYTES));
	b[FLAGS] = sort->flags;
	naive_fix(b + ETH_BYTES, 20, len - V4_L4, PROTO_TCP);
	return len;
}

static void same(const struct packet *a, const struct packet *b)
{
	assert_int_equal(a->class, b->class);
	assert_true(a->l3 == b->l3 && a->l4 == b->l4 && a->payload == b->payload && a->end == b->end);
	assert_true(a->v6 == b->v6 && a->dont_fragment == b->dont_fragment && a->broadcast == b->broadcast);
	assert_true(a->has_fragments == b->has_fragments && a->more_fragments == b->more_fragments);
	assert_true(a->has_l4_sum == b->has_l4_sum && a->ttl == b->ttl && a->id == b->id);
	assert_true(a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code);
	assert_true(a->fragment_offset == b->fragment_offset && a->data_len == b->data_len);
	assert_true(a->frame == b->frame && tuple_eq(&a->tuple, &b->tuple));
	if (a->class == PKT_TCP) {
		assert_true(a->tcp.seq == b->tcp.seq && a->tcp.ack == b->tcp.ack && a->tcp.flags == b->tcp.flags);
		assert_true(a->tcp.segment_len == b->tcp.segment_len && a->tcp.window == b->tcp.window);
		assert_true(a->tcp.scale == b->tcp.scale && a->tcp.has_scale == b->tcp.has_scale);
		assert_true(a->tcp.sack_permitted == b->tcp.sack_permitted);
	}
}

/* Both ways give the same answer, and see the same where it is yes; is it? */
static bool parsed_alike(const uint8_t *bytes, size_t len)
{
	struct frame f = exact_frame(bytes, len);
	struct packet a, b;

	/* whatever the one leaves out is told from what the other leaves out */
	memset(&a, 0xaa, sizeof(a));
	memset(&b, 0x55, sizeof(b));
	enum drop long_way = parse_any(&f, &b), drop = pkt_parse(&f, &a);
	assert_int_equal(drop, long_way);
	if (drop == DROP_NONE) {
		same(&a, &b);
		assert_int_equal(f.len, a.end);
	}
	assert_memory_equal(f.data, bytes, len);
	free(f.buffer);
	return drop == DROP_NONE;
}

static void cut_frames_are_seen_alike(void **state)
{
	uint8_t b[CRAFT_ROOM];
	(void)state;
	for (size_t i = 0; i < array_len(sorts); i++) {
		size_t len = craft_sort(&sorts[i], b);
		for (size_t cut = 0; cut < len + 9; cut++) /* and padded ones */
			assert_int_equal(parsed_alike(b, cut), cut >= len && sorts[i].flags != NO_FLAGS);
	}
}

/* Every byte of the headers made every other one, the IPv4 checksum made right again or not. */
static void changed_bytes_are_seen_alike(void **state)
{
	unsigned good = 0;
	(void)state;
	for (size_t i = 0; i < array_len(sorts); i++)
		for (size_t at = 0; at < V4_L4 + 22; at++)
			for (unsigned value = 0; value < 512; value++) {
				uint8_t b[CRAFT_ROOM];
				size_t len = craft_sort(&sorts[i], b);
				if (at >= len)
					continue;
				b[at] = (uint8_t)value;
				if (value > 255)
					naive_fix(b + ETH_BYTES, 20, len - V4_L4, 255);
				good += parsed_alike(b, len);
			}
	assert_true(good > 10000); /* enough of them are packets still */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_frames_are_seen_alike),
		cmocka_unit_test(changed_bytes_are_seen_alike),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
