// SPDX-License-Identifier: ISC
/* What came out, in words that are the same when the two sides agree. */
#include <string.h>

#include "checksum.h"
#include "diff.h"
#include "diff_lab.h"

static uint32_t fingerprint(const uint8_t *bytes, size_t n)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * 16777619u;
	return h;
}

static bool has_ports(const struct tuple *t)
{
	return t->proto == PROTO_TCP || t->proto == PROTO_UDP || (t->proto == PROTO_ICMP && t->kind);
}

static void say_port(struct text *t, unsigned port)
{
	text_char(t, ':');
	text_u64(t, port);
}

/* A port that had to be changed is another; which, is the side's own affair. */
static void say_source(struct text *t, struct diff_trace *trace, const struct tuple *was, const struct tuple *is,
		       bool chosen)
{
	text_ip(t, is->src);
	if (!has_ports(is))
		return;
	uint16_t before = was->sport, after = is->sport;
	if (before != after) {
		trace->handed_out[after / 8] |= (uint8_t)(1 << after % 8);
		/* the kernel goes on with the new one also where the old one would be free */
		trace->handed_out[before / 8] |= (uint8_t)(1 << before % 8);
	}
	if (chosen)
		text_put(t, ":any");
	else if (before != after)
		text_put(t, ":another");
	else
		say_port(t, after);
}

static void say_error(struct text *t, const struct packet *p)
{
	text_put(t, "icmp ");
	text_u64(t, p->icmp_type);
	text_char(t, '/');
	text_u64(t, p->icmp_code);
	text_put(t, " from ");
	text_ip(t, p->tuple.src);
	text_put(t, " about ");
	text_proto(t, p->inner.proto);
	text_char(t, ' ');
	text_ip(t, p->inner.src);
	/* at the uplink the port is the translated one */
	if (p->frame->port != PORT_UPLINK)
		say_port(t, p->inner.sport);
	text_put(t, " > ");
	text_ip(t, p->inner.dst);
	if (p->frame->port != PORT_UPLINK)
		say_port(t, p->inner.dport);
}

static void say_passed(struct text *t, struct diff_trace *trace, const struct packet *p, const struct tuple *was,
		       bool chosen)
{
	/* an answer of the firewall's: its DF bit is its own affair */
	bool own = ip_eq(p->tuple.src, DIFF_FIREWALL) && p->frame->port != PORT_UPLINK;
	text_proto(t, p->tuple.proto);
	text_char(t, ' ');
	if (p->frame->port == PORT_UPLINK) {
		say_source(t, trace, was, &p->tuple, chosen);
	} else {
		text_ip(t, p->tuple.src);
		say_port(t, p->tuple.sport);
	}
	text_put(t, " > ");
	text_ip(t, p->tuple.dst);
	say_port(t, p->tuple.dport);
	if (p->class == PKT_TCP) {
		text_put(t, " flags ");
		text_hex(t, p->tcp.flags, 2);
		text_put(t, " seq ");
		text_u64(t, p->tcp.seq);
		text_put(t, " ack ");
		text_u64(t, p->tcp.ack);
	}
	if (p->class == PKT_ICMP_QUERY) {
		text_put(t, " type ");
		text_u64(t, p->icmp_type);
	}
	text_put(t, p->dont_fragment && !own ? " DF data " : " data ");
	text_u64(t, p->end - p->payload);
	text_char(t, '/');
	text_hex(t, fingerprint(p->frame->data + p->payload, p->end - p->payload), 8);
}

/* The receiver's view: the parser leaves the sum of what is only forwarded alone. */
static bool sum_is_right(const struct packet *p)
{
	const struct tuple *t = &p->tuple;
	const uint8_t *at = p->frame->data + p->l4;
	bool pseudo = t->proto == PROTO_TCP || t->proto == PROTO_UDP;
	if (p->has_fragments || (!pseudo && t->proto != PROTO_ICMP) || (t->proto == PROTO_UDP && !p->has_l4_sum))
		return true;
	sum64 sum = pseudo ? sum_pseudo(t->src, t->dst, t->proto, p->data_len) : 0;
	return sum_fold(sum_bytes(sum, at, p->data_len)) == 0xffff;
}

static void say_frame(struct text *t, struct diff_trace *trace, struct diff_frame *bytes, const struct tuple *was,
		      bool chosen)
{
	static const char *const ports[] = { "up: ", "c1: ", "c2: " };
	struct frame f;
	struct packet p;
	text_put(t, ports[bytes->port]);
	if (!diff_parse(bytes, &f, &p)) {
		text_put(t, "a malformed packet");
		return;
	}
	if (p.class == PKT_ICMP_ERROR)
		say_error(t, &p);
	else
		say_passed(t, trace, &p, was, chosen);
	text_put(t, " ttl ");
	text_u64(t, p.ttl);
	text_put(t, p.more_fragments ? " incomplete" : "");
	text_put(t, sum_is_right(&p) ? "" : " wrong sum");
	if (!mac_eq(pkt_eth(&p)->dst, diff_mac(bytes->port)) || !mac_eq(pkt_eth(&p)->src, diff_our_mac(bytes->port)))
		text_put(t, " for another machine");
}

void diff_say(struct diff_trace *trace, size_t number, struct diff_frames *out, bool chosen, char words[DIFF_WORDS])
{
	struct text t = text_of(words, DIFF_WORDS);
	struct frame f;
	struct packet sent;
	struct tuple was = { .kind = 0 };
	struct diff_frame in = trace->in[number];
	if (in.len && diff_parse(&in, &f, &sent))
		was = sent.tuple;
	diff_join(out);
	for (size_t i = 0; i < out->count; i++) {
		text_put(&t, i ? "; " : "");
		say_frame(&t, trace, &out->frame[i], &was, chosen);
	}
	if (!out->count)
		text_put(&t, "nothing");
}
