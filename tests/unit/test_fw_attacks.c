/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* The pipeline as an attacker meets it: a hostile client, and a hostile peer on the uplink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "checksum.h"
#include "lab_assert.h"

#define WEB ip_v4(93, 184, 216, 34)

enum { SECOND = 1000000000, L3 = ETH_BYTES, L4 = ETH_BYTES + IPV4_MIN_BYTES, DATA_MAX = 1024 };

static const char *const all[] = { "action=accept", NULL };
static const char *const nothing[] = { NULL };

static int setup(void **state)
{
	struct lab *l = lab_new(4096);
	lab_rules(l, C1, VERDICT_DROP, all);
	lab_rules(l, C2, VERDICT_DROP, all);
	for (int i = 0; i < 8; i++)
		lab_after(l, 1);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;
	assert_true(lab_conserved(l));
	/* all that waits comes back in the end: nothing leaked */
	for (int i = 0; i < 40; i++) {
		lab_after(l, SECOND);
		for (struct frame *f; (f = lab_take(l));)
			lab_give(l, f);
	}
	assert_int_equal(l->free.count + l->fw.spare.count, LAB_FRAMES);
	lab_free(l);
	return 0;
}

static struct lab_packet up(uint8_t proto, uint16_t sport, uint16_t dport)
{
	return (struct lab_packet){ .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = WEB,
				    .proto = proto, .sport = sport, .dport = dport, .flags = TCP_SYN, .seq = 1000 };
}

static struct lab_packet up2(uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct lab_packet p = up(proto, sport, dport);
	p.port = 2;
	p.src = LAB_C2_MAC;
	p.from = C2;
	return p;
}

static struct lab_packet down(uint8_t proto, uint16_t sport, uint16_t dport)
{
	return (struct lab_packet){ .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = WEB, .to = UP,
				    .proto = proto, .sport = sport, .dport = dport };
}

/* TCP 40000 > 80 of client 1, established: the client is at 1001, the other side at 5001. */
static uint32_t connect(struct lab *l)
{
	uint32_t flow;
	enum ct_dir dir;
	struct lab_packet syn = up(PROTO_TCP, 40000, 80), synack = down(PROTO_TCP, 80, 40000), ack = syn;
	synack.flags = TCP_SYN | TCP_ACK;
	synack.seq = 5000;
	synack.ack = 1001;
	ack.flags = TCP_ACK;
	ack.seq = 1001;
	ack.ack = 5001;
	parsed(l, lab_send(l, &syn));
	parsed(l, lab_send(l, &synack));
	parsed(l, lab_send(l, &ack));
	struct tuple t = { .src = C1, .dst = WEB, .sport = 40000, .dport = 80, .proto = PROTO_TCP };
	assert_true(ct_find(l->fw.ct, &t, &flow, &dir));
	assert_int_equal(ct_flow(l->fw.ct, flow)->state, TCPS_ESTABLISHED);
	return flow;
}

/* --- TCP ------------------------------------------------------------------------------ */

static void test_impossible_flags(void **state)
{
	struct lab *l = *state;
	static const uint8_t flags[] = { 0, TCP_SYN | TCP_FIN, TCP_SYN | TCP_RST, TCP_FIN, TCP_FIN | TCP_RST | TCP_ACK,
					 TCP_SYN | TCP_FIN | TCP_ACK, TCP_FIN | TCP_PSH | TCP_URG, 0x3f, 0xff };
	uint32_t flow = connect(l);
	uint32_t flows = ct_count(l->fw.ct);
	for (size_t i = 0; i < array_len(flags); i++) {
		struct lab_packet p = up(PROTO_TCP, 40001, 80);
		p.flags = flags[i];
		assert_dropped(l, &p, DROP_TCP_FLAGS);
		p = down(PROTO_TCP, 80, 40000);
		p.seq = 5001;
		p.ack = 1001;
		p.flags = flags[i];
		assert_dropped(l, &p, DROP_TCP_FLAGS);
	}
	assert_int_equal(ct_count(l->fw.ct), flows);
	assert_int_equal(ct_flow(l->fw.ct, flow)->state, TCPS_ESTABLISHED);
}

static void test_wrong_segments_do_not_move_a_flow(void **state)
{
	static const struct {
		const char *what;
		uint8_t flags;
		uint32_t seq, ack;
		enum drop reason;
	} t[] = {
		{ "RST outside the window", TCP_RST, 5001 + 900000, 0, DROP_TCP_WINDOW },
		{ "RST behind the window", TCP_RST, 5001u - 70000u, 0, DROP_TCP_WINDOW },
		{ "RST inside, not exact: the client will ask", TCP_RST, 5001 + 100, 0, DROP_NONE },
		{ "RST that acknowledges what was not sent", TCP_RST | TCP_ACK, 5001, 999999, DROP_TCP_WINDOW },
		{ "SYN of the other side", TCP_SYN, 5001, 0, DROP_TCP_STATE },
		{ "FIN outside the window", TCP_FIN | TCP_ACK, 5001 + 900000, 1001, DROP_TCP_WINDOW },
		{ "data outside the window", TCP_ACK, 5001 + 900000, 1001, DROP_TCP_WINDOW },
		{ "acknowledges what was not sent", TCP_ACK, 5001, 1001 + 900000, DROP_TCP_WINDOW },
		{ "SYN-ACK with another number", TCP_SYN | TCP_ACK, 777, 1001, DROP_TCP_STATE },
	};
	struct lab *l = *state;
	uint32_t flow = connect(l);
	for (size_t i = 0; i < array_len(t); i++) {
		struct lab_packet p = down(PROTO_TCP, 80, 40000);
		p.flags = t[i].flags;
		p.seq = t[i].seq;
		p.ack = t[i].ack;
		uint64_t touched = ct_flow(l->fw.ct, flow)->touched_ns;
		l->now_ns += 1000;
		if (t[i].reason != DROP_NONE)
			assert_dropped(l, &p, t[i].reason);
		else
			parsed(l, lab_send(l, &p));
		if (ct_flow(l->fw.ct, flow)->state != TCPS_ESTABLISHED || ct_flow(l->fw.ct, flow)->touched_ns != touched)
			fail_msg("%s", t[i].what);
	}
}

/* --- bytes that are changed by hand ------------------------------------------------------- */

static void fix_ip(struct frame *f)
{
	struct ipv4_hdr ip;
	uint8_t *at = f->data + L3;
	size_t header = (size_t)(at[0] & 15) * 4;
	memset(at + offsetof(struct ipv4_hdr, checksum), 0, 2);
	be16 sum = be16_of(sum_finish(sum_bytes(0, at, header < sizeof(ip) ? sizeof(ip) : header)));
	memcpy(at + offsetof(struct ipv4_hdr, checksum), &sum, sizeof(sum));
}

static void rst_sum(struct frame *f) { f->data[L4 + 16] ^= 1; }
static void cut_tcp(struct frame *f) { f->data[L3 + 3] = 20 + 19; }
static void cut_ip(struct frame *f) { f->len = L3 + 19; }
static void total_beyond(struct frame *f) { f->data[L3 + 2] = 8; }
static void total_below(struct frame *f) { f->data[L3 + 2] = 0, f->data[L3 + 3] = 19; }
static void header_beyond(struct frame *f) { f->data[L3] = 0x4f; }
static void header_below(struct frame *f) { f->data[L3] = 0x44; }
static void version(struct frame *f) { f->data[L3] = 0x65; }
static void offset_below(struct frame *f) { f->data[L4 + 12] = 0x40; }
static void offset_beyond(struct frame *f) { f->data[L4 + 12] = 0xf0; }
static void group_source(struct frame *f) { f->data[6] |= 1; }
static void vlan(struct frame *f) { f->data[12] = 0x81, f->data[13] = 0; }
static void udp_long(struct frame *f) { f->data[L4 + 5] = 200; }
static void udp_short(struct frame *f) { f->data[L4 + 5] = 7; }
static void udp_zero(struct frame *f) { f->data[L4 + 5] = 0; }
static void tiny_first(struct frame *f) { f->data[L3 + 3] = 20 + 16, f->data[L3 + 6] = 0x20; }
static void over_flags(struct frame *f) { f->data[L3 + 7] = 1; }
static void past_the_end(struct frame *f) { f->data[L3 + 6] = 0x1f, f->data[L3 + 7] = 0xff; }
static void odd_piece(struct frame *f) { f->data[L3 + 6] = 0x20, f->data[L3 + 3] = 20 + 23; }

static void source_route(struct frame *f)
{
	static const uint8_t option[8] = { 131, 7, 4, 8, 8, 8, 8, 0 };
	memmove(f->data + L4 + 8, f->data + L4, f->len - L4);
	memcpy(f->data + L4, option, sizeof(option));
	f->len += 8;
	f->data[L3] = 0x47;
	f->data[L3 + 3] = (uint8_t)(f->data[L3 + 3] + 8);
}

static void test_lies_in_headers(void **state)
{
	static const struct {
		const char *what;
		uint8_t proto;
		void (*lie)(struct frame *);
		enum drop reason;
	} t[] = {
		{ "TCP checksum", PROTO_TCP, rst_sum, DROP_L4_CHECKSUM },
		{ "TCP header cut by the IP length", PROTO_TCP, cut_tcp, DROP_L4_SHORT },
		{ "IP header cut by the frame", PROTO_TCP, cut_ip, DROP_FRAME_SHORT },
		{ "total length beyond the frame", PROTO_UDP, total_beyond, DROP_IP_HEADER },
		{ "total length below the header", PROTO_UDP, total_below, DROP_IP_HEADER },
		{ "header beyond the packet", PROTO_UDP, header_beyond, DROP_IP_HEADER },
		{ "header of 16 bytes", PROTO_UDP, header_below, DROP_IP_HEADER },
		{ "version 6 in an IPv4 frame", PROTO_UDP, version, DROP_IP_HEADER },
		{ "data offset 4", PROTO_TCP, offset_below, DROP_L4_HEADER },
		{ "data offset beyond the segment", PROTO_TCP, offset_beyond, DROP_L4_SHORT },
		{ "group address as source", PROTO_UDP, group_source, DROP_LINK_SOURCE },
		{ "VLAN tag", PROTO_UDP, vlan, DROP_ETHERTYPE },
		{ "UDP length beyond the packet", PROTO_UDP, udp_long, DROP_L4_HEADER },
		{ "UDP length 7", PROTO_UDP, udp_short, DROP_L4_HEADER },
		{ "UDP length 0", PROTO_UDP, udp_zero, DROP_L4_HEADER },
		{ "source route", PROTO_UDP, source_route, DROP_IP_OPTIONS },
		{ "first piece without the flags", PROTO_TCP, tiny_first, DROP_FRAGMENT_TINY },
		{ "piece over the flags (RFC 3128)", PROTO_TCP, over_flags, DROP_FRAGMENT_TINY },
		{ "piece past 65535 bytes", PROTO_UDP, past_the_end, DROP_FRAGMENT_SIZE },
		{ "piece of odd size", PROTO_TCP, odd_piece, DROP_FRAGMENT_SIZE },
	};
	struct lab *l = *state;
	uint32_t flow = connect(l);
	for (size_t i = 0; i < 2 * array_len(t); i++) {
		struct lab_packet p = i % 2 ? down(t[i / 2].proto, 80, 40000) : up(t[i / 2].proto, 40000, 80);
		p.flags = TCP_RST;
		p.seq = i % 2 ? 5001 : 1001; /* it would end the flow if it were believed */
		p.payload = "0123456789abcdef0123456789";
		p.payload_len = 26;
		struct frame *f = lab_frame(l, &p);
		uint64_t before = l->fw.drops[t[i / 2].reason];
		t[i / 2].lie(f);
		fix_ip(f);
		fw_input(&l->fw, &f, 1, l->now_ns);
		f = lab_take(l);
		if (f || l->fw.drops[t[i / 2].reason] != before + 1)
			fail_msg("%s: passed, or dropped for something else", t[i / 2].what);
	}
	assert_int_equal(ct_flow(l->fw.ct, flow)->state, TCPS_ESTABLISHED);
	assert_int_equal(ct_count(l->fw.ct), 1);
}

/* --- addresses ------------------------------------------------------------------------------ */

static void test_addresses_nobody_may_use(void **state)
{
	static const struct { uint8_t port, from[4], to[4]; enum drop reason; } t[] = {
		/* from a client: sources */
		{ 1, { 0, 0, 0, 0 }, { 93, 184, 216, 34 }, DROP_SPOOFED },
		{ 1, { 10, 137, 0, 6 }, { 93, 184, 216, 34 }, DROP_SPOOFED },
		{ 1, { 10, 0, 0, 2 }, { 93, 184, 216, 34 }, DROP_SPOOFED },
		{ 1, { 169, 254, 1, 1 }, { 93, 184, 216, 34 }, DROP_SPOOFED },
		{ 1, { 224, 0, 0, 1 }, { 93, 184, 216, 34 }, DROP_SPOOFED },
		{ 1, { 255, 255, 255, 255 }, { 93, 184, 216, 34 }, DROP_SPOOFED },
		/* and destinations; the first is LAND */
		{ 1, { 10, 137, 0, 5 }, { 10, 137, 0, 5 }, DROP_INTER_CLIENT },
		{ 1, { 10, 137, 0, 5 }, { 10, 137, 0, 6 }, DROP_INTER_CLIENT },
		{ 1, { 10, 137, 0, 5 }, { 0, 0, 0, 0 }, DROP_MARTIAN },
		{ 1, { 10, 137, 0, 5 }, { 127, 0, 0, 1 }, DROP_MARTIAN },
		{ 1, { 10, 137, 0, 5 }, { 239, 1, 2, 3 }, DROP_MARTIAN },
		{ 1, { 10, 137, 0, 5 }, { 240, 0, 0, 1 }, DROP_MARTIAN },
		{ 1, { 10, 137, 0, 5 }, { 255, 255, 255, 255 }, DROP_MARTIAN },
		{ 1, { 10, 137, 0, 5 }, { 169, 254, 169, 254 }, DROP_MARTIAN }, /* metadata of the host's cloud */
		{ 1, { 10, 137, 0, 5 }, { 10, 0, 0, 255 }, DROP_MARTIAN },
		{ 1, { 10, 137, 0, 5 }, { 10, 0, 0, 0 }, DROP_MARTIAN },
		/* from the uplink */
		{ 0, { 10, 0, 0, 2 }, { 10, 0, 0, 2 }, DROP_SPOOFED },
		{ 0, { 10, 137, 0, 5 }, { 10, 0, 0, 2 }, DROP_CLIENT_ADDRESS },
		{ 0, { 10, 137, 0, 6 }, { 10, 137, 0, 5 }, DROP_CLIENT_ADDRESS },
		{ 0, { 93, 184, 216, 34 }, { 10, 137, 0, 5 }, DROP_NEW_FROM_UPLINK },
		{ 0, { 0, 0, 0, 0 }, { 10, 0, 0, 2 }, DROP_MARTIAN },
		{ 0, { 127, 0, 0, 1 }, { 10, 0, 0, 2 }, DROP_MARTIAN },
		{ 0, { 224, 0, 0, 1 }, { 10, 0, 0, 2 }, DROP_MARTIAN },
		{ 0, { 93, 184, 216, 34 }, { 255, 255, 255, 255 }, DROP_MARTIAN },
		{ 0, { 93, 184, 216, 34 }, { 10, 0, 0, 2 }, DROP_NEW_FROM_UPLINK },
	};
	static const uint16_t places[] = { 0, IPV4_MF, 4 }; /* whole, and in pieces: the answer is the same */
	struct lab *l = *state;
	for (size_t i = 0; i < array_len(places) * array_len(t); i++) {
		const size_t n = i / array_len(places);
		struct lab_packet p = t[n].port ? up(PROTO_UDP, 1000, 53) : down(PROTO_UDP, 53, 1000);
		p.from = ip_v4(t[n].from[0], t[n].from[1], t[n].from[2], t[n].from[3]);
		p.to = ip_v4(t[n].to[0], t[n].to[1], t[n].to[2], t[n].to[3]);
		p.fragment = places[i % array_len(places)];
		p.payload = "12345678";
		p.payload_len = 8;
		if (p.fragment == 4 && t[n].reason == DROP_NEW_FROM_UPLINK)
			continue; /* may wait for its first piece */
		assert_dropped(l, &p, t[n].reason);
	}
	assert_int_equal(ct_count(l->fw.ct), 0);
}

static struct frame *arp_in(struct lab *l, uint16_t port, uint16_t operation, struct mac mac, struct ip_addr sender,
			    struct ip_addr target)
{
	struct frame *f = frames_take(&l->free);
	assert_true(frame_reset(f, ETH_BYTES + ARP_BYTES));
	struct eth_hdr eth = { port ? LAB_FW_MAC : LAB_UP_MAC, port ? LAB_C1_MAC : LAB_GW_MAC, be16_of(ETHERTYPE_ARP) };
	struct arp_hdr arp = { be16_of(1), be16_of(ETHERTYPE_IPV4), 6, 4, be16_of(operation), mac, ip_to_v4(sender),
			       { { 0 } }, ip_to_v4(target) };
	memcpy(f->data, &eth, sizeof(eth));
	memcpy(f->data + ETH_BYTES, &arp, sizeof(arp));
	f->port = port;
	fw_input(&l->fw, &f, 1, l->now_ns);
	return lab_take(l);
}

static void test_arp_lies(void **state)
{
	struct lab *l = *state;
	const struct mac evil = { { 2, 6, 6, 6, 6, 6 } }, group = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	uint32_t known = neigh_count(l->fw.neigh);
	for (uint16_t op = 1; op <= 2; op++) {
		assert_null(arp_in(l, 1, op, evil, C2, UP));
		assert_null(arp_in(l, 1, op, evil, UP, UP));
		assert_null(arp_in(l, 1, op, evil, WEB, UP));
		assert_null(arp_in(l, 1, op, group, C1, UP));
		assert_null(arp_in(l, 0, op, evil, UP, UP));
		assert_null(arp_in(l, 0, op, group, ip_v4(10, 0, 0, 1), UP));
	}
	assert_int_equal(l->fw.drops[DROP_ARP_SPOOFED], 12);
	/* nobody asked: not kept, for our address answered, for others not */
	assert_null(arp_in(l, 0, 2, evil, ip_v4(10, 0, 0, 77), UP));
	assert_null(arp_in(l, 0, 1, evil, ip_v4(10, 0, 0, 77), C1));
	parsed(l, arp_in(l, 0, 1, evil, ip_v4(10, 0, 0, 77), UP));
	assert_int_equal(neigh_count(l->fw.neigh), known);
	/* a client's own address is never claimed */
	assert_null(arp_in(l, 1, 1, LAB_C1_MAC, C1, C1));
}

/* --- pieces --------------------------------------------------------------------------------- */

static struct lab_packet piece(uint16_t id, uint16_t place, size_t len)
{
	static const uint8_t data[DATA_MAX];
	struct lab_packet p = up(PROTO_UDP, 4000, 53);
	p.id = id;
	p.fragment = place;
	p.payload = data;
	p.payload_len = len;
	return p;
}

static void test_overlap_ends_a_datagram(void **state)
{
	struct lab *l = *state;
	struct lab_packet first = piece(7, IPV4_MF, 24), over = piece(7, IPV4_MF | 3, 16), last = piece(7, 4, 8);
	parsed(l, lab_send(l, &first));
	assert_dropped(l, &over, DROP_FRAGMENT_OVERLAP);
	assert_dropped(l, &last, DROP_FRAGMENT_OVERLAP);
	assert_dropped(l, &first, DROP_FRAGMENT_OVERLAP);
}

static void test_pieces_do_not_outlive_the_rules(void **state)
{
	struct lab *l = *state;
	struct lab_packet first = piece(7, IPV4_MF, 24), last = piece(7, 4, 8);
	parsed(l, lab_send(l, &first));
	lab_rules(l, C1, VERDICT_DROP, nothing);
	/* before the sweep comes by */
	assert_dropped(l, &last, DROP_FLOW_CUT);
}

static void test_refused_first_piece_takes_all_with_it(void **state)
{
	struct lab *l = *state;
	struct lab_packet first = piece(9, IPV4_MF, 24), last = piece(9, 4, 8);
	lab_rules(l, C1, VERDICT_DROP, nothing);
	parsed(l, lab_send(l, &first));
	assert_dropped(l, &last, DROP_POLICY);
}

static void test_strangers_pieces_do_not_shut_others_out(void **state)
{
	struct lab *l = *state;
	struct lab_packet out = piece(1, 0, 8), first = down(PROTO_UDP, 53, 4000), last = first, stray = first;
	parsed(l, lab_send(l, &out));
	stray.from = ip_v4(198, 51, 100, 66);
	stray.fragment = IPV4_MF;
	stray.payload = first.payload = last.payload = out.payload;
	stray.payload_len = first.payload_len = 24;
	last.payload_len = 8;
	for (uint16_t id = 0; id < 100; id++) {
		stray.id = id;
		stray.fragment = id % 2 ? IPV4_MF : IPV4_MF | 4;
		lab_give(l, lab_send(l, &stray));
	}
	first.id = last.id = 7;
	first.fragment = IPV4_MF;
	last.fragment = 4;
	assert_int_equal(parsed(l, lab_send(l, &first)).frame->port, 1);
	assert_int_equal(parsed(l, lab_send(l, &last)).frame->port, 1);
	assert_true(fragments_count(l->fw.fragments) <= 8);
}

/* --- ICMP errors ------------------------------------------------------------------------------ */

struct quote { uint8_t bytes[28]; };

static struct quote quote_of(const struct tuple *t, uint32_t seq)
{
	struct quote q;
	struct ipv4_hdr ip = { 0x45, 0, be16_of(40), be16_of(0), be16_of(0), 60, t->proto, be16_of(0), ip_to_v4(t->src),
			       ip_to_v4(t->dst) };
	ip.checksum = be16_of(sum_finish(sum_bytes(0, &ip, sizeof(ip))));
	be16 ports[2] = { be16_of(t->sport), be16_of(t->dport) };
	be32 number = be32_of(seq);
	memcpy(q.bytes, &ip, sizeof(ip));
	memcpy(q.bytes + 20, ports, sizeof(ports));
	memcpy(q.bytes + 24, &number, sizeof(number));
	return q;
}

static void test_forged_errors(void **state)
{
	struct lab *l = *state;
	const struct tuple seen = { .src = UP, .dst = WEB, .sport = 40000, .dport = 80, .proto = PROTO_TCP };
	struct tuple t[6] = { seen, seen, seen, seen, seen, tuple_reverse(&seen) };
	t[1].sport++;
	t[2].dst = ip_v4(93, 184, 216, 35);
	t[3].proto = PROTO_UDP;
	t[4].src = C1;
	connect(l);
	for (size_t i = 0; i < array_len(t); i++) {
		struct quote q = quote_of(&t[i], 1001);
		struct lab_packet p = down(PROTO_ICMP, 0, 0);
		p.type = 3;
		p.code = 1;
		p.payload = &q;
		p.payload_len = sizeof(q);
		if (i == 0)
			parsed(l, lab_send(l, &p)); /* the real one */
		else
			assert_dropped(l, &p, DROP_ICMP_UNRELATED);
	}
}

static struct lab_packet error_about(const struct quote *q, uint8_t type)
{
	struct lab_packet p = down(PROTO_ICMP, 0, 0);
	p.from = ip_v4(198, 51, 100, 1);
	p.type = type;
	p.payload = q;
	p.payload_len = sizeof(*q);
	return p;
}

static void test_errors_by_guess(void **state)
{
	struct lab *l = *state;
	const struct tuple seen = { .src = UP, .dst = WEB, .sport = 40000, .dport = 80, .proto = PROTO_TCP };
	connect(l);
	static const uint32_t wrong[] = { 1002, 1001 + 70000, 1001u - 70000u, 0x80000000 };
	for (size_t i = 0; i < array_len(wrong); i++) {
		struct quote q = quote_of(&seen, wrong[i]);
		struct lab_packet p = error_about(&q, 3);
		assert_dropped(l, &p, DROP_ICMP_UNRELATED);
	}
	struct quote q = quote_of(&seen, 1000);
	struct lab_packet redirect = error_about(&q, 5), quench = error_about(&q, 4), real = error_about(&q, 3);
	assert_dropped(l, &redirect, DROP_ICMP_UNRELATED);
	assert_dropped(l, &quench, DROP_ICMP_UNRELATED);
	parsed(l, lab_send(l, &real));
	/* larger than the client's link takes */
	l->fw.port[1].config.mtu = 48;
	assert_dropped(l, &real, DROP_TOO_BIG);
	l->fw.port[1].config.mtu = 1500;
	/* a flow that is no more admitted hears nothing */
	lab_rules(l, C1, VERDICT_DROP, nothing);
	assert_dropped(l, &real, DROP_FLOW_CUT);
}

static void test_error_of_another_client(void **state)
{
	struct lab *l = *state;
	connect(l);
	/* client 2 quotes the answer that client 1 was sent */
	const struct tuple answer = { .src = WEB, .dst = C1, .sport = 80, .dport = 40000, .proto = PROTO_TCP };
	struct quote q = quote_of(&answer, 5000);
	struct lab_packet p = error_about(&q, 3);
	p.port = 2;
	p.src = LAB_C2_MAC;
	p.dst = LAB_FW_MAC;
	p.from = C2;
	p.to = WEB;
	assert_dropped(l, &p, DROP_ICMP_UNRELATED);
	p.port = 1;
	p.src = LAB_C1_MAC;
	p.from = C1;
	struct packet out = parsed(l, lab_send(l, &p));
	assert_memory_equal(out.inner.dst.b, UP.b, sizeof(UP.b));
}

/* --- sharing ----------------------------------------------------------------------------------- */

/* How often the uplink is told, of `n` packets with a dying TTL about the flow. */
static int told(struct lab *l, const struct lab_packet *p, int n)
{
	int answers = 0;
	while (n-- > 0) {
		struct frame *f = lab_send(l, p);
		answers += f != NULL;
		lab_give(l, f);
	}
	return answers;
}

static void test_one_client_does_not_see_anothers_errors(void **state)
{
	struct lab *l = *state;
	struct lab_packet one = up(PROTO_UDP, 5001, 53), two = up2(PROTO_UDP, 5002, 53);
	parsed(l, lab_send(l, &one));
	parsed(l, lab_send(l, &two));
	struct lab_packet to_one = down(PROTO_UDP, 53, 5001), to_two = down(PROTO_UDP, 53, 5002);
	to_one.ttl = to_two.ttl = 1;
	assert_int_equal(told(l, &to_one, 200), 50);
	assert_int_equal(told(l, &to_two, 200), 50);
	/* and the answers that client 1 gets itself were not used up */
	one.ttl = 1;
	assert_int_equal(told(l, &one, 200), 50);
}

static void test_other_protocols_do_not_share_a_flow(void **state)
{
	struct lab *l = *state;
	/* ICMPv6 over IPv4 has no identifier: a second client cannot be told from the first */
	struct lab_packet one = up(PROTO_ICMPV6, 0, 0), two = up2(PROTO_ICMPV6, 0, 0);
	struct lab_packet gre = up(47, 0, 0), gre2 = up2(47, 0, 0);
	one.payload = two.payload = gre.payload = gre2.payload = "\x80\0\0\0\0\1\0\1";
	one.payload_len = two.payload_len = gre.payload_len = gre2.payload_len = 8;
	parsed(l, lab_send(l, &one));
	assert_dropped(l, &two, DROP_NAT_PORTS);
	parsed(l, lab_send(l, &gre));
	assert_dropped(l, &gre2, DROP_NAT_PORTS);
}

static void test_sweep_reaches_everybody(void **state)
{
	struct lab *l = *state;
	for (uint16_t i = 0; i < 1500; i++) {
		struct lab_packet p = up2(PROTO_UDP, (uint16_t)(2000 + i), 53);
		parsed(l, lab_send(l, &p));
	}
	struct lab_packet mine = up(PROTO_UDP, 1000, 53);
	parsed(l, lab_send(l, &mine));
	lab_rules(l, C1, VERDICT_DROP, nothing);
	for (int i = 0; i < 4; i++) {
		lab_rules(l, C2, VERDICT_DROP, all); /* again and again */
		lab_after(l, 1);
	}
	assert_int_equal(ct_count(l->fw.ct), 1500);
}

/* --- configurations and offloads that must not hurt ----------------------------------------------- */

static void test_uplink_without_ipv4(void **state)
{
	struct lab *l = *state;
	struct fw_uplink v6 = { { { 0xfd, [15] = 1 } }, 64, { { 0xfd, [15] = 2 } } };
	fw_set_uplink(&l->fw, &v6);
	lab_give(l, lab_take(l));
	struct lab_packet p = up(PROTO_UDP, 1000, 53);
	for (p.ttl = 2; p.ttl > 0; p.ttl--) {
		struct packet out = parsed(l, lab_send(l, &p));
		assert_int_equal(out.icmp_type, 3);
		assert_int_equal(out.icmp_code, 0);
		assert_true(ip_is_v4(out.tuple.src));
	}
	assert_int_equal(l->fw.drops[DROP_NO_ROUTE], 2);
}

static void test_nothing_waits_for_a_link_that_is_down(void **state)
{
	struct lab *l = *state;
	connect(l);
	const struct tuple answer = { .src = WEB, .dst = C1, .sport = 80, .dport = 40000, .proto = PROTO_TCP };
	struct quote q = quote_of(&answer, 5000);
	struct lab_packet p = error_about(&q, 3);
	p.port = 1;
	p.src = LAB_C1_MAC;
	p.dst = LAB_FW_MAC;
	p.from = C1;
	p.to = WEB;
	assert_true(fw_link(&l->fw, PORT_UPLINK, false));
	assert_dropped(l, &p, DROP_PORT_GONE);
	assert_int_equal(neigh_count(l->fw.neigh), 0);
}

static void test_super_frame_with_large_segments(void **state)
{
	struct lab *l = *state;
	static const uint8_t data[DATA_MAX];
	static const struct { uint16_t gso_size; bool passes; } t[] = {
		{ 500, true }, { 572, true }, { 573, false }, { 9000, false },
	};
	l->fw.port[PORT_UPLINK].config.mtu = 600;
	for (size_t i = 0; i < array_len(t); i++) {
		struct lab_packet p = up(PROTO_UDP, (uint16_t)(3000 + i), 80);
		p.payload = data;
		p.payload_len = sizeof(data);
		struct frame *f = lab_frame(l, &p);
		f->offload = (struct offload){ OFFLOAD_NEEDS_CSUM, GSO_UDP_L4, L4 + 8, t[i].gso_size, L4, 6 };
		fw_input(&l->fw, &f, 1, l->now_ns);
		f = lab_take(l);
		assert_non_null(f);
		assert_int_equal(f->port, t[i].passes ? PORT_UPLINK : 1); /* or: too big, it is told */
		f->offload = (struct offload){ 0 };
		lab_give(l, f);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_impossible_flags), T(test_wrong_segments_do_not_move_a_flow), T(test_lies_in_headers),
		T(test_addresses_nobody_may_use), T(test_arp_lies), T(test_overlap_ends_a_datagram),
		T(test_pieces_do_not_outlive_the_rules), T(test_refused_first_piece_takes_all_with_it),
		T(test_strangers_pieces_do_not_shut_others_out), T(test_forged_errors), T(test_errors_by_guess),
		T(test_error_of_another_client),
		T(test_one_client_does_not_see_anothers_errors), T(test_other_protocols_do_not_share_a_flow),
		T(test_sweep_reaches_everybody), T(test_uplink_without_ipv4),
		T(test_nothing_waits_for_a_link_that_is_down), T(test_super_frame_with_large_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
