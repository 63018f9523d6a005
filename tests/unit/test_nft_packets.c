/* links: tools/nft_packets.c rules/rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Kinds of packets: every operation against asking packet by packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "headers.h"
#include "nft_packets.h"

enum { ROUNDS = 300, PACKETS = 400 };

struct one {
	uint32_t dst;
	int proto, type; /* type: ICMP only */
	uint16_t port;   /* TCP and UDP only */
};

static uint64_t state = 7;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

/* Near the edges of what is drawn elsewhere, or anywhere. */
static uint32_t draw_ip(void)
{
	static const uint32_t near[] = { 0, 1, 0x0a000000, 0x0a0000ff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
	return draw(3) ? near[draw(array_len(near))] + draw(3) - 1 : draw(0x7fffffff) * 2 + draw(2);
}

static struct one draw_packet(void)
{
	static const int protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP, 47 };
	return (struct one){ draw_ip(), protos[draw(4)], (int)draw(4), (uint16_t)(draw(2) ? draw(8) : 65535 - draw(8)) };
}

static bool holds(const struct nft_packets *k, const struct one *p)
{
	bool ported = p->proto == PROTO_TCP || p->proto == PROTO_UDP;
	if (!ip_in_prefix(ip_of_v4(be32_of(p->dst)), k->net))
		return false;
	if (k->proto == NFT_TCP_UDP ? !ported : k->proto != NFT_ANY_PROTO && k->proto != p->proto)
		return false;
	if ((k->lo != 0 || k->hi != 65535) && !(ported && p->port >= k->lo && p->port <= k->hi))
		return false;
	return k->type == NFT_ANY_TYPE || (p->proto == PROTO_ICMP && p->type == k->type);
}

static bool has(const struct nft_kinds *k, const struct one *p)
{
	for (size_t i = 0; i < k->count; i++)
		if (holds(&k->item[i], p))
			return true;
	return false;
}

static void draw_kind(struct nft_kinds *k)
{
	static const int protos[] = { PROTO_TCP, PROTO_UDP, NFT_TCP_UDP };
	uint32_t a = draw_ip(), b = draw_ip();
	uint16_t lo = (uint16_t)draw(8), hi = (uint16_t)(draw(2) ? lo + draw(4) : 65535 - draw(8));
	switch (draw(6)) {
	case 0:
		nft_add_nets_between(k, a < b ? a : b, a < b ? b : a);
		break;
	case 1:
		nft_add_nets_outside(k, a < b ? a : b, a < b ? b : a);
		break;
	case 2:
		nft_add_ports(k, protos[draw(3)], lo, hi);
		break;
	case 3:
		nft_add_ports_outside(k, protos[draw(3)], lo, hi);
		break;
	case 4:
		nft_add_type(k, (uint8_t)draw(4));
		break;
	default:
		nft_add_proto(k, draw(2) ? PROTO_ICMP : 47);
	}
}

static void test_meet_is_both(void **s)
{
	(void)s;
	for (int round = 0; round < ROUNDS; round++) {
		struct nft_kinds a = { 0 }, b = { 0 };
		for (uint32_t n = 1 + draw(3); n > 0; n--) {
			draw_kind(&a);
			draw_kind(&b);
		}
		struct nft_kinds both = nft_kinds_meet(&a, &b);
		for (int i = 0; i < PACKETS; i++) {
			struct one p = draw_packet();
			assert_int_equal(has(&both, &p), has(&a, &p) && has(&b, &p));
		}
		nft_kinds_free(&a);
		nft_kinds_free(&b);
		nft_kinds_free(&both);
	}
}

static void test_ranges_are_exact(void **s)
{
	(void)s;
	for (int round = 0; round < ROUNDS; round++) {
		struct nft_kinds in = { 0 }, out = { 0 };
		uint32_t a = draw_ip(), b = draw_ip(), first = a < b ? a : b, last = a < b ? b : a;
		nft_add_nets_between(&in, first, last);
		nft_add_nets_outside(&out, first, last);
		const uint32_t edges[] = { first, last, first - 1, last + 1, draw_ip(), 0, UINT32_MAX };
		for (size_t i = 0; i < array_len(edges); i++) {
			struct one p = { .dst = edges[i], .proto = 47 };
			bool inside = edges[i] >= first && edges[i] <= last;
			assert_int_equal(has(&in, &p), inside);
			assert_int_equal(has(&out, &p), !inside);
		}
		nft_kinds_free(&in);
		nft_kinds_free(&out);
	}
}

static void test_all(void **s)
{
	(void)s;
	struct nft_kinds all = nft_kinds_all(), none = { 0 }, copy = nft_kinds_copy(&all);
	assert_true(nft_is_all(&all) && nft_is_all(&copy) && !nft_is_all(&none));
	nft_add_nets_between(&none, 0, UINT32_MAX);
	assert_int_equal(none.count, 1);
	assert_true(nft_is_all(&none));
	nft_kinds_free(&none);
	nft_add_ports(&none, PROTO_TCP, 0, 65535);
	assert_false(nft_is_all(&none));
	for (int i = 0; i < NFT_KINDS_MAX; i++)
		nft_add_type(&none, 8);
	assert_true(none.cut && none.count == NFT_KINDS_MAX);
	nft_kinds_free(&all);
	nft_kinds_free(&copy);
	nft_kinds_free(&none);
}

static void assert_rule(struct nft_packets p, const char *line)
{
	char buffer[RULE_TEXT];
	struct text t = text_on(buffer);
	assert_int_equal(nft_packets_rule(&p, VERDICT_DROP, &t), line != NULL);
	if (line)
		assert_string_equal(buffer, line);
}

static void test_rules(void **s)
{
	(void)s;
	struct nft_packets p = nft_all_packets();
	assert_rule(p, "action=drop");
	p.net = (struct ip_prefix){ ip_v4(10, 1, 0, 0), 16 };
	assert_rule(p, "action=drop dst4=10.1.0.0/16");
	p.proto = NFT_TCP_UDP;
	assert_rule(p, "action=drop dst4=10.1.0.0/16 dstports=0-65535");
	p.proto = PROTO_UDP;
	p.lo = p.hi = 53;
	assert_rule(p, "action=drop dst4=10.1.0.0/16 proto=udp dstports=53-53");
	p = nft_all_packets();
	p.proto = PROTO_ICMP;
	p.type = 8;
	assert_rule(p, "action=drop proto=icmp icmptype=8");
	p.type = NFT_ANY_TYPE;
	p.proto = 47;
	assert_rule(p, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meet_is_both),
		cmocka_unit_test(test_ranges_are_exact),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
