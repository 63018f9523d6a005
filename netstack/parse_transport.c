/* SPDX-License-Identifier: ISC */
/* parse_transport.c: the TCP, UDP and ICMP headers and their checksums. */
#include "parse.h"
#include "checksum.h"

/* The len bytes, with their pseudo header, sum up right; or it is not ours to verify. */
static bool sum_ok(const struct packet *p, const uint8_t *at, size_t len, bool pseudo)
{
	if (p->has_fragments || p->frame->offload.flags & (OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID))
		return true;
	const struct tuple *t = &p->tuple;
	sum64 sum = pseudo ? sum_pseudo(t->src, t->dst, t->proto, (uint32_t)len) : 0;
	return sum_fold(sum_bytes(sum, at, len)) == 0xffff;
}

bool pkt_l4_sum_ok(const struct packet *p)
{
	if (!p->has_l4_sum)
		return true;
	size_t len = p->class == PKT_UDP ? be16_get(pkt_udp(p)->len) : p->data_len;
	return sum_ok(p, p->frame->data + p->l4, len, p->tuple.proto != PROTO_ICMP);
}

/* The combinations that a TCP can send; PSH, ECE and CWR may come with any. */
static bool flags_ok(uint8_t flags)
{
	switch (flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG)) {
	case TCP_SYN:
	case TCP_SYN | TCP_URG:
	case TCP_SYN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK:
	case TCP_FIN | TCP_ACK:
	case TCP_FIN | TCP_ACK | TCP_URG:
	case TCP_ACK:
	case TCP_ACK | TCP_URG:
		return true;
	}
	return false;
}

bool parse_tcp_options(struct tcp_view *view, struct cursor c)
{
	enum { END = 0, NOP = 1, SCALE = 3, SACK_PERMITTED = 4, SCALE_MAX = 14 };
	uint8_t kind, len;

	while (get_u8(&c, &kind) && kind != END) {
		struct cursor body;

		if (kind == NOP)
			continue;
		if (!get_u8(&c, &len) || len < 2 || !carve(&c, len - 2u, &body))
			return false;
		if (kind == SACK_PERMITTED && !body.left)
			view->sack_permitted = true;
		if (kind == SCALE && body.left == 1) {
			view->has_scale = true;
			view->scale = body.at[0] < SCALE_MAX ? body.at[0] : SCALE_MAX;
		}
	}
	return true;
}

static enum drop parse_tcp(struct packet *p, struct cursor c)
{
	struct cursor segment = c, header;

	if (c.left < TCP_MIN_BYTES)
		return parse_short(p);
	const struct tcp_hdr *tcp = (const struct tcp_hdr *)c.at;
	size_t header_bytes = (size_t)(tcp->offset >> 4) * 4;
	if (header_bytes < TCP_MIN_BYTES)
		return DROP_L4_HEADER;
	if (!carve(&c, header_bytes, &header))
		return parse_short(p);
	/* a receiver would not see it, so it must not move our state either; data alone moves none */
	bool moves = tcp->flags & (TCP_SYN | TCP_FIN | TCP_RST) || !c.left;
	if (moves && !sum_ok(p, segment.at, segment.left, true))
		return DROP_L4_CHECKSUM;
	if (!flags_ok(tcp->flags))
		return DROP_TCP_FLAGS;

	uint32_t controls = (tcp->flags & TCP_SYN ? 1u : 0u) + (tcp->flags & TCP_FIN ? 1u : 0u);
	tcp_view_of(&p->tcp, tcp, (uint32_t)c.left + controls);
	take(&header, TCP_MIN_BYTES);
	if (tcp->flags & TCP_SYN && !parse_tcp_options(&p->tcp, header))
		return DROP_L4_HEADER;
	p->class = PKT_TCP;
	p->has_l4_sum = true;
	p->payload = parse_offset(p, c.at);
	parse_ports(&p->tuple, segment.at);
	return DROP_NONE;
}

static enum drop parse_udp(struct packet *p, struct cursor c)
{
	if (c.left < UDP_BYTES)
		return parse_short(p);

	const struct udp_hdr *udp = (const struct udp_hdr *)c.at;
	uint16_t len = be16_get(udp->len);
	/* shorter than the IP payload is allowed; a first fragment is shorter than its datagram */
	if (len < UDP_BYTES || (len > c.left && !p->has_fragments))
		return DROP_L4_HEADER;
	p->has_l4_sum = p->frame->offload.flags & OFFLOAD_NEEDS_CSUM || be16_get(udp->checksum);
	if (!p->has_l4_sum && p->v6) /* RFC 8200 8.1 */
		return DROP_L4_CHECKSUM;
	p->class = PKT_UDP;
	p->payload = (uint16_t)(p->l4 + UDP_BYTES);
	parse_ports(&p->tuple, c.at);
	return DROP_NONE;
}

static enum pkt_class icmp_class(bool v6, uint8_t type)
{
	if (v6)
		return type == 128 || type == 129 ? PKT_ICMP_QUERY :
		       type >= 1 && type <= 4 ? PKT_ICMP_ERROR : PKT_ICMP_OTHER;
	switch (type) {
	case 0: case 8:   /* echo */
	case 13: case 14: /* timestamp */
	case 15: case 16: /* information */
	case 17: case 18: /* address mask */
		return PKT_ICMP_QUERY;
	case 3: case 4: case 5: case 11: case 12:
		return PKT_ICMP_ERROR;
	}
	return PKT_ICMP_OTHER;
}

static enum drop parse_icmp(struct packet *p, struct cursor c)
{
	struct cursor message = c;
	const struct icmp_hdr *icmp = (const struct icmp_hdr *)take(&c, ICMP_BYTES);

	if (!icmp)
		return parse_short(p);
	if (!sum_ok(p, message.at, message.left, p->v6))
		return DROP_L4_CHECKSUM;
	p->icmp_type = icmp->type;
	p->icmp_code = icmp->code;
	p->class = icmp_class(p->v6, icmp->type);
	p->has_l4_sum = true;
	p->payload = parse_offset(p, c.at);
	parse_ports(&p->tuple, message.at);
	return p->class == PKT_ICMP_ERROR ? parse_quote(p, c) : DROP_NONE;
}

static void icmp_ports(struct tuple *t, const struct icmp_hdr *icmp)
{
	bool v6 = t->proto == PROTO_ICMPV6;

	if (icmp_class(v6, icmp->type) != PKT_ICMP_QUERY)
		return;
	/* RFC 792: replies are 0, 14, 16, 18 to 8, 13, 15, 17; RFC 4443: 129 to 128 */
	bool reply = v6 ? icmp->type == 129 : icmp->type != 8 && icmp->type % 2 == 0;
	uint16_t id = be16_get(icmp->a);
	t->sport = reply ? 0 : id;
	t->dport = reply ? id : 0;
	t->kind = !reply ? icmp->type : icmp->type == 0 ? 8 : (uint8_t)(icmp->type - 1);
}

void parse_ports(struct tuple *t, const uint8_t *transport)
{
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP) {
		const struct udp_hdr *ports = (const struct udp_hdr *)transport;
		t->sport = be16_get(ports->sport);
		t->dport = be16_get(ports->dport);
	} else if (t->proto == (ip_is_v4(t->src) ? PROTO_ICMP : PROTO_ICMPV6)) {
		/* the other family's ICMP is but some protocol */
		icmp_ports(t, (const struct icmp_hdr *)transport);
	}
}

enum drop parse_transport(struct packet *p, struct cursor c)
{
	if (p->fragment_offset) {
		p->class = PKT_FRAGMENT;
		return DROP_NONE;
	}
	p->class = PKT_OTHER;
	switch (p->tuple.proto) {
	case PROTO_TCP:
		return parse_tcp(p, c);
	case PROTO_UDP:
		return parse_udp(p, c);
	case PROTO_ICMP:
		return p->v6 ? DROP_NONE : parse_icmp(p, c);
	case PROTO_ICMPV6:
		return p->v6 ? parse_icmp(p, c) : DROP_NONE;
	}
	return DROP_NONE;
}
