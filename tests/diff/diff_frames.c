// SPDX-License-Identifier: ISC
/* Steps as frames: what is sent, cut into fragments; and fragments joined again. */
#include <string.h>

#include "checksum.h"
#include "diff.h"
#include "diff_lab.h"

enum { QUOTE_MAX = 96 };

bool diff_parse(struct diff_frame *bytes, struct frame *f, struct packet *p)
{
	*f = (struct frame){
		.buffer = bytes->bytes, .room = DIFF_FRAME_MAX, .data = bytes->bytes, .len = (uint32_t)bytes->len,
		.port = bytes->port,
	};
	return pkt_parse(f, p) == DROP_NONE;
}

/* The bytes of a packet, by the unit tests' own builder. */
static void build(const struct lab_packet *p, struct diff_frame *to)
{
	static struct lab *bench;
	if (!bench)
		bench = lab_new(16);
	struct frame *f = lab_frame(bench, p);
	ensure(f->len <= sizeof(to->bytes));
	to->port = p->port;
	to->len = f->len;
	memcpy(to->bytes, f->data, f->len);
	lab_give(bench, f);
}

/* --- fragments ------------------------------------------------------------------------- */

static struct ipv4_hdr *ip_of(struct diff_frame *f)
{
	return (struct ipv4_hdr *)(f->bytes + ETH_BYTES);
}

static void set_place(struct diff_frame *f, size_t data_len, unsigned place)
{
	struct ipv4_hdr *ip = ip_of(f);
	ip->total_len = be16_of((uint16_t)(IPV4_MIN_BYTES + data_len));
	ip->flags_offset = be16_of((uint16_t)place);
	ip->checksum = be16_of(0);
	ip->checksum = be16_of(sum_finish(sum_bytes(0, ip, IPV4_MIN_BYTES)));
	f->len = ETH_BYTES + IPV4_MIN_BYTES + data_len;
}

static void cut(const struct diff_frame *whole, const struct diff_step *s, struct diff_frames *in)
{
	enum { HEAD = ETH_BYTES + IPV4_MIN_BYTES, FIRST_MIN = 24 };
	size_t data = whole->len - HEAD, pieces = s->pieces;
	size_t each = (data / pieces + 7) / 8 * 8;
	each = each < FIRST_MIN ? FIRST_MIN : each;
	for (size_t at = 0; at < data; at += each) {
		size_t n = data - at < each ? data - at : each;
		struct diff_frame *f = &in->frame[in->count++];
		memcpy(f->bytes, whole->bytes, HEAD);
		memcpy(f->bytes + HEAD, whole->bytes + HEAD + at, n);
		f->port = whole->port;
		set_place(f, n, (unsigned)(at / 8) | (at + n < data ? IPV4_MF : 0));
	}
	for (size_t i = 0; s->backwards && i < in->count / 2; i++) {
		struct diff_frame swap = in->frame[i];
		in->frame[i] = in->frame[in->count - 1 - i];
		in->frame[in->count - 1 - i] = swap;
	}
}

/* Adds a fragment to the datagram; true: it is whole now. */
static bool join_one(struct diff_frame *datagram, size_t *have, size_t *want, struct diff_frame *piece)
{
	enum { HEAD = ETH_BYTES + IPV4_MIN_BYTES };
	unsigned place = be16_get(ip_of(piece)->flags_offset);
	size_t at = (place & IPV4_OFFSET_MASK) * 8u, n = piece->len - HEAD;
	if (at + n > DIFF_FRAME_MAX - HEAD)
		return false;
	if (!*have) {
		memcpy(datagram->bytes, piece->bytes, HEAD);
		datagram->port = piece->port;
	}
	memcpy(datagram->bytes + HEAD + at, piece->bytes + HEAD, n);
	*have += n;
	if (!(place & IPV4_MF))
		*want = at + n;
	return *want && *have == *want;
}

void diff_join(struct diff_frames *frames)
{
	struct diff_frame datagram = { 0 };
	size_t have = 0, want = 0, kept = 0;
	for (size_t i = 0; i < frames->count; i++) {
		struct diff_frame *f = &frames->frame[i];
		unsigned place = be16_get(ip_of(f)->flags_offset);
		if (!(place & (IPV4_MF | IPV4_OFFSET_MASK))) {
			frames->frame[kept++] = *f;
		} else if (join_one(&datagram, &have, &want, f)) {
			set_place(&datagram, want, place & IPV4_DF);
			frames->frame[kept++] = datagram;
			have = want = 0;
		}
	}
	/* pieces without the rest are something else than nothing */
	if (have && kept < DIFF_FRAMES_MAX) {
		set_place(&datagram, have, IPV4_MF);
		frames->frame[kept++] = datagram;
	}
	frames->count = kept;
}

/* --- packets that are about others ------------------------------------------------------- */

/* asked: the port at which it went in. */
static bool make_reply(struct lab_packet *p, struct diff_frame *seen, uint16_t asked)
{
	struct frame f;
	struct packet out;
	if (!diff_parse(seen, &f, &out) || seen->port == asked || out.class == PKT_ICMP_ERROR)
		return false;
	p->port = seen->port;
	p->from = out.tuple.dst;
	p->to = out.tuple.src;
	p->proto = out.tuple.proto;
	p->sport = out.tuple.dport;
	p->dport = out.tuple.sport;
	if (p->proto == PROTO_ICMP) {
		p->type = out.icmp_type == 8 ? 0 : (uint8_t)(out.icmp_type + 1);
		p->sport = out.tuple.sport;
	}
	return true;
}

static bool make_error(struct lab_packet *p, struct diff_frame *seen, bool from_client)
{
	struct frame f;
	struct packet quoted;
	if (!diff_parse(seen, &f, &quoted) || (seen->port == PORT_UPLINK) == from_client ||
	    quoted.class == PKT_ICMP_ERROR)
		return false;
	if (from_client)
		p->from = quoted.tuple.dst;
	p->to = quoted.tuple.src;
	p->proto = PROTO_ICMP;
	p->sport = 0;
	p->payload = seen->bytes + ETH_BYTES;
	p->payload_len = seen->len - ETH_BYTES < QUOTE_MAX ? seen->len - ETH_BYTES : QUOTE_MAX;
	return true;
}

bool diff_make(const struct diff_case *c, size_t number, const struct diff_trace *t, struct diff_frames *in)
{
	static const uint8_t payload[DIFF_PAYLOAD_MAX] = { 0, 0, 0, 0, 's', 't', 'e', 'r', 'n', [100] = 1, [999] = 2 };
	const struct diff_step *s = &c->step[number];
	struct diff_frame seen = t->out[s->about], whole;
	struct lab_packet p = s->p;
	uint8_t summed[DIFF_PAYLOAD_MAX];
	p.payload = payload;
	p.payload_len = s->payload_len;
	in->count = 0;
	if (p.proto != PROTO_TCP && p.proto != PROTO_UDP && p.proto != PROTO_ICMP && p.payload_len >= 4) {
		/* the kernel's reject looks for a checksum in every protocol, and is silent where it finds none */
		memcpy(summed, payload, p.payload_len);
		be16 sum = be16_of(sum_finish(sum_bytes(0, payload, p.payload_len)));
		memcpy(summed + 2, &sum, sizeof(sum));
		p.payload = summed;
	}
	bool about = true;
	switch (s->kind) {
	case DIFF_SEND:
		break;
	case DIFF_CHANGE:
		return false;
	case DIFF_REPLY:
		about = seen.len && make_reply(&p, &seen, c->step[s->about].p.port);
		break;
	case DIFF_ERROR:
		about = seen.len && make_error(&p, &seen, false);
		break;
	case DIFF_CLIENT_ERROR:
		about = seen.len && make_error(&p, &seen, true);
		p.port = seen.port;
		break;
	}
	if (!about)
		return false;
	p.src = diff_mac(p.port);
	p.dst = diff_our_mac(p.port);
	build(&p, &whole);
	if (s->pieces > 1)
		cut(&whole, s, in);
	else
		in->frame[in->count++] = whole;
	return true;
}
