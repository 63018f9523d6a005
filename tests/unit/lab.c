// SPDX-License-Identifier: ISC
/* The workbench of lab.h. */
#include <stdlib.h>
#include <string.h>
#include "checksum.h"
#include "cross_rule.h"
#include "lab.h"
#include "status.h"

const struct mac LAB_FW_MAC = { { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };
const struct mac LAB_UP_MAC = { { 2, 0, 0, 0, 0, 2 } };
const struct mac LAB_GW_MAC = { { 2, 0, 0, 0, 0, 1 } };
const struct mac LAB_C1_MAC = { { 2, 0, 0, 0, 1, 5 } };
const struct mac LAB_C2_MAC = { { 2, 0, 0, 0, 1, 6 } };

enum { MEMORY_BYTES = 6 << 20, BENCH_BYTES = 2 << 20 };

static void reclaim(struct lab *l)
{
	for (struct frame *f; (f = frames_take(&l->fw.done));)
		frames_put(&l->free, f);
	while (l->fw.spare.count < FW_SPARE_FRAMES && l->free.count)
		frames_put(&l->fw.spare, frames_take(&l->free));
}

static void attach(struct lab *l, uint16_t port, struct mac ours, struct ip_addr ip)
{
	struct fw_port_config c = { .mtu = 1500, .ours = ours };
	if (port != PORT_UPLINK) {
		c.addr_count = 1;
		c.addr[0] = ip;
	}
	fw_attach(&l->fw, port, &c, l->now_ns);
}

struct lab *lab_new(uint32_t flows)
{
	static const struct secret secret = { { 1, 2 }, 0 };
	struct lab *l = calloc(1, sizeof(*l));
	uint8_t *memory = aligned_alloc(64, MEMORY_BYTES);
	memset(memory, 0, MEMORY_BYTES);
	struct arena arena = { memory, MEMORY_BYTES };
	const uint64_t seed[2] = { 3, 4 };
	const struct fw_sizes sizes = { flows, 64, 32 };
	l->now_ns = 1000000000;
	for (int i = 0; i < LAB_FRAMES; i++) {
		l->frames[i].buffer = malloc(LAB_FRAME_BYTES);
		l->frames[i].room = LAB_FRAME_BYTES;
		frames_put(&l->free, &l->frames[i]);
	}
	l->policy = policy_new(&arena, &secret, 64, 8192);
	if (!l->policy || !fw_init(&l->fw, &arena, &sizes, l->policy, seed))
		abort();
	l->memory = memory;
	reclaim(l);
	struct fw_uplink uplink = { ip_v4(10, 0, 0, 2), 24, ip_v4(10, 0, 0, 1) };
	fw_set_uplink(&l->fw, &uplink);
	attach(l, PORT_UPLINK, LAB_UP_MAC, uplink.ip);
	attach(l, 1, LAB_FW_MAC, ip_v4(10, 137, 0, 5));
	attach(l, 2, LAB_FW_MAC, ip_v4(10, 137, 0, 6));
	struct frame_queue none = { 0 };
	neigh_set(l->fw.neigh, PORT_UPLINK, uplink.gateway, LAB_GW_MAC, &none);
	for (struct frame *f; (f = lab_take(l));)
		lab_give(l, f);
	return l;
}

void lab_free(struct lab *l)
{
	for (int i = 0; i < LAB_FRAMES; i++)
		free(l->frames[i].buffer);
	free(l->memory);
	free(l);
}

static void stage(struct lab *l, struct ip_addr owner, enum rule_verdict policy, const char *const *lines)
{
	enum rule_kind kind = cross_kind(owner);
	policy_stage(l->policy, owner, policy);
	for (uint16_t n = 0; lines && lines[n]; n++) {
		struct parsed_rule parsed;
		struct rule_error error;
		size_t len = strlen(lines[n]);
		if (kind == RULE_OUTWARD ? !rule_parse(lines[n], len, false, &parsed, &error) :
					   !cross_rule_parse(kind, lines[n], len, &parsed, &error))
			abort();
		parsed.rule.number = n;
		parsed.rule.account = accounts_of_rule(policy_accounts(l->policy), owner, &parsed);
		policy_stage_rule(l->policy, &parsed.rule);
	}
	if (!policy_publish(l->policy))
		abort();
	fw_rules_changed(&l->fw);
}

void lab_rules(struct lab *l, struct ip_addr client, enum rule_verdict policy, const char *const *lines)
{
	stage(l, client, policy, lines);
}

void lab_cross_rules(struct lab *l, enum rule_kind kind, const char *const *lines)
{
	stage(l, cross_owner(kind), VERDICT_DROP, lines);
}

/* --- frames -------------------------------------------------------------------------- */

static size_t put_transport(uint8_t *at, const struct lab_packet *p)
{
	bool later = p->fragment & IPV4_OFFSET_MASK;
	size_t header = later ? 0 : p->proto == PROTO_TCP ? 20 : p->proto == PROTO_UDP || p->proto == PROTO_ICMP ? 8 : 0;
	size_t len = header + p->payload_len;
	memset(at, 0, header);
	if (p->payload_len)
		memcpy(at + header, p->payload, p->payload_len);
	sum64 pseudo = sum_pseudo(p->from, p->to, p->proto, (uint32_t)len);
	if (later) {
		return len;
	} else if (p->proto == PROTO_TCP) {
		struct tcp_hdr h = { be16_of(p->sport), be16_of(p->dport), be32_of(p->seq), be32_of(p->ack), 0x50,
				     p->flags, be16_of(65535), be16_of(0), be16_of(0) };
		memcpy(at, &h, sizeof(h));
		h.checksum = be16_of(sum_finish(sum_bytes(pseudo, at, len)));
		memcpy(at, &h, sizeof(h));
	} else if (p->proto == PROTO_UDP) {
		struct udp_hdr h = { be16_of(p->sport), be16_of(p->dport), be16_of((uint16_t)len), be16_of(0) };
		memcpy(at, &h, sizeof(h));
		h.checksum = be16_of(sum_finish(sum_bytes(pseudo, at, len)));
		if (!(p->fragment & IPV4_MF)) /* a first piece's sum covers what is not here */
			memcpy(at, &h, sizeof(h));
	} else if (p->proto == PROTO_ICMP) {
		struct icmp_hdr h = { p->type, p->code, be16_of(0), be16_of(p->sport), be16_of(1) };
		memcpy(at, &h, sizeof(h));
		h.checksum = be16_of(sum_finish(sum_bytes(0, at, len)));
		memcpy(at, &h, sizeof(h));
	}
	return len;
}

struct frame *lab_frame(struct lab *l, const struct lab_packet *p)
{
	struct frame *f = frames_take(&l->free);
	if (!f || !frame_reset(f, 0))
		abort();
	size_t len = put_transport(f->data + ETH_BYTES + IPV4_MIN_BYTES, p);
	struct eth_hdr eth = { p->dst, p->src, be16_of(ETHERTYPE_IPV4) };
	struct ipv4_hdr ip = { 0x45, 0, be16_of((uint16_t)(IPV4_MIN_BYTES + len)), be16_of(p->id), be16_of(p->fragment),
			       p->ttl ? p->ttl : 64, p->proto, be16_of(0), ip_to_v4(p->from), ip_to_v4(p->to) };
	ip.checksum = be16_of(sum_finish(sum_bytes(0, &ip, sizeof(ip))));
	memcpy(f->data, &eth, sizeof(eth));
	memcpy(f->data + ETH_BYTES, &ip, sizeof(ip));
	f->len = (uint32_t)(ETH_BYTES + IPV4_MIN_BYTES + len);
	f->port = p->port;
	return f;
}

struct frame *lab_take(struct lab *l)
{
	struct frame *f = frames_take(&l->fw.tx);
	reclaim(l);
	return f;
}

struct frame *lab_send(struct lab *l, const struct lab_packet *p)
{
	struct frame *f = lab_frame(l, p);
	fw_input(&l->fw, &f, 1, l->now_ns);
	return lab_take(l);
}

void lab_arp(struct lab *l, uint16_t port, struct ip_addr ip, struct mac mac)
{
	struct frame *f = frames_take(&l->free);
	struct mac ours = port == PORT_UPLINK ? LAB_UP_MAC : LAB_FW_MAC;
	struct eth_hdr eth = { ours, mac, be16_of(ETHERTYPE_ARP) };
	struct arp_hdr reply = { be16_of(1), be16_of(ETHERTYPE_IPV4), 6, 4, be16_of(2), mac, ip_to_v4(ip), ours,
				 ip_to_v4(l->fw.uplink.ip) };
	if (!f || !frame_reset(f, ETH_BYTES + ARP_BYTES))
		abort();
	memcpy(f->data, &eth, sizeof(eth));
	memcpy(f->data + ETH_BYTES, &reply, sizeof(reply));
	f->port = port;
	fw_input(&l->fw, &f, 1, l->now_ns);
	reclaim(l);
}

void lab_give(struct lab *l, struct frame *f)
{
	if (f)
		frames_put(&l->free, f);
}

void lab_after(struct lab *l, uint64_t ns)
{
	l->now_ns += ns;
	fw_poll(&l->fw, l->now_ns);
	reclaim(l);
}

bool lab_conserved(struct lab *l)
{
	return ct_valid(l->fw.ct) && neigh_valid(l->fw.neigh) && fragments_valid(l->fw.fragments) &&
	       l->free.count + l->fw.spare.count + l->fw.tx.count + l->fw.done.count <= LAB_FRAMES;
}

void lab_answer(struct lab *l, const char *request, char *all, size_t room)
{
	char line[STATUS_LINE_BYTES];
	struct status_facts facts = { .platform = "test", .now_ns = l->now_ns, .unix_ns = l->now_ns };
	struct status s;
	size_t len = 0;
	status_begin(&s, &l->fw, &facts, request, strlen(request));
	for (;;) {
		struct text t = text_on(line);
		if (!status_next(&s, &l->fw, &facts, l->now_ns, &t))
			break;
		ensure(len + t.len < room && !strstr(line, "\"type\":\"cut\""));
		memcpy(all + len, line, t.len);
		len += t.len;
	}
	all[len] = 0;
}

struct lab_bench *lab_bench_new(void)
{
	struct lab_bench *b = calloc(1, sizeof(*b));
	b->lab = lab_new(256);
	b->memory = aligned_alloc(64, BENCH_BYTES);
	memset(b->memory, 0, BENCH_BYTES);
	b->arena = (struct arena){ b->memory, BENCH_BYTES };
	return b;
}

void lab_bench_free(struct lab_bench *b)
{
	lab_free(b->lab);
	free(b->memory);
	free(b);
}

const char *lab_ask(struct lab_bench *b, const char *request)
{
	lab_answer(b->lab, request, b->all, sizeof(b->all));
	return b->all;
}
