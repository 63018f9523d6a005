// SPDX-License-Identifier: ISC
/* Ring flags to offload metadata and back; checksums and segmentation for peers without. */
#include "netoffload.h"

#include "checksum.h"
#include "framepool.h"
#include "headers.h"
#include "segment.h"
#include "xen_abi.h"

enum { TCP_SUM_OFFSET = 16, UDP_SUM_OFFSET = 6 };

struct transport {
	bool v6;
	uint8_t proto;
	uint16_t l4;
	struct ip_addr src, dst;
};

static bool is_v6(const struct frame *f)
{
	return f->len >= ETH_BYTES && be16_get(((const struct eth_hdr *)f->data)->type) == ETHERTYPE_IPV6;
}

static bool find_v4(struct cursor *c, struct transport *t)
{
	const struct ipv4_hdr *ip = (const void *)take(c, IPV4_MIN_BYTES);
	if (!ip || ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5)
		return false;
	size_t options = (size_t)(ip->version_ihl & 15) * 4 - IPV4_MIN_BYTES;
	if (be16_get(ip->flags_offset) & (IPV4_MF | IPV4_OFFSET_MASK) || !take(c, options))
		return false;
	t->proto = ip->proto;
	t->l4 = (uint16_t)(ETH_BYTES + IPV4_MIN_BYTES + options);
	t->src = ip_of_v4(ip->src);
	t->dst = ip_of_v4(ip->dst);
	return true;
}

static bool find_v6(struct cursor *c, struct transport *t)
{
	const struct ipv6_hdr *ip = (const void *)take(c, IPV6_BYTES);
	if (!ip)
		return false;
	*t = (struct transport){ .v6 = true, .proto = ip->next, .l4 = ETH_BYTES + IPV6_BYTES,
				 .src = ip->src, .dst = ip->dst };
	return true;
}

/* The transport header whose checksum can be blank, all of it inside the frame. */
static bool find_transport(const struct frame *f, struct transport *t)
{
	struct cursor c = cursor_of(f->data, f->len);
	const struct eth_hdr *eth = (const void *)take(&c, ETH_BYTES);
	*t = (struct transport){ 0 };
	if (!eth)
		return false;
	uint16_t type = be16_get(eth->type);
	if (!(type == ETHERTYPE_IPV4 ? find_v4(&c, t) : type == ETHERTYPE_IPV6 && find_v6(&c, t)))
		return false;
	return (t->proto == PROTO_TCP && c.left >= TCP_MIN_BYTES) ||
	       (t->proto == PROTO_UDP && c.left >= UDP_BYTES);
}

static bool super_frame(struct frame *f, const struct transport *t, struct netmarks marks)
{
	struct tcp_hdr *tcp = (void *)(f->data + t->l4);
	uint16_t header = (uint16_t)((tcp->offset >> 4) * 4);
	if (t->proto != PROTO_TCP || marks.gso_size == 0 || (marks.gso_type == NETGSO_TCPV6) != t->v6 ||
	    header < TCP_MIN_BYTES || header > f->len - t->l4)
		return false;
	f->offload.gso_type = t->v6 ? GSO_TCPV6 : GSO_TCPV4;
	f->offload.gso_size = marks.gso_size;
	f->offload.hdr_len = (uint16_t)(t->l4 + header);
	if (!marks.csum_blank)
		tcp->checksum = be16_of(sum_fold(sum_pseudo(t->src, t->dst, PROTO_TCP, f->len - t->l4)));
	return true;
}

bool netoffload_in(struct frame *f, struct netmarks marks)
{
	struct transport t;
	f->offload = (struct offload){ 0 };
	if (!marks.csum_blank && !marks.gso_type) {
		f->offload.flags = marks.data_validated ? OFFLOAD_DATA_VALID : 0;
		return true;
	}
	if (!find_transport(f, &t))
		return false;
	f->offload = (struct offload){
		.flags = OFFLOAD_NEEDS_CSUM,
		.csum_start = t.l4,
		.csum_offset = t.proto == PROTO_TCP ? TCP_SUM_OFFSET : UDP_SUM_OFFSET,
	};
	return !marks.gso_type || super_frame(f, &t, marks);
}

struct netmarks netoffload_out(const struct frame *f)
{
	const struct offload *o = &f->offload;
	struct netmarks marks = {
		.csum_blank = o->flags & OFFLOAD_NEEDS_CSUM,
		.data_validated = o->flags & (OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID),
	};
	if (o->gso_type != GSO_NONE) {
		marks.gso_type = (o->gso_type & ~GSO_ECN) == GSO_TCPV6 ? NETGSO_TCPV6 : NETGSO_TCPV4;
		marks.gso_size = o->gso_size;
	}
	return marks;
}

static bool takes_super_frame(const struct frame *f, const struct netcaps *caps)
{
	if (!caps->sg || !(f->offload.flags & OFFLOAD_NEEDS_CSUM))
		return false;
	switch (f->offload.gso_type & ~GSO_ECN) {
	case GSO_TCPV4:
		return caps->gso4 && caps->csum4;
	case GSO_TCPV6:
		return caps->gso6 && caps->csum6;
	default:
		return false;
	}
}

static bool cut(struct frame *f, struct frame_queue *out)
{
	struct segments all;
	struct segment one;
	if (!segment_begin(&all, f))
		return false;
	while (segment_next(&all, &one)) {
		uint32_t len = one.header_bytes + one.payload_bytes;
		struct frame *piece = framepool_take(len);
		if (!piece || !frame_reset(piece, len)) {
			if (piece)
				framepool_give(piece);
			return false; /* what is cut already goes: TCP sends the rest again */
		}
		memcpy(piece->data, one.header, one.header_bytes);
		memcpy(piece->data + one.header_bytes, one.payload, one.payload_bytes);
		piece->port = f->port;
		frames_put(out, piece);
	}
	return true;
}

bool netoffload_fit(struct frame *f, const struct netcaps *caps, struct frame_queue *out)
{
	bool ok;
	if (f->offload.gso_type != GSO_NONE && !takes_super_frame(f, caps)) {
		ok = cut(f, out);
		framepool_give(f);
		return ok;
	}
	ok = f->len <= UINT16_MAX && (caps->sg || f->len <= XEN_PAGE_BYTES);
	if (ok && f->offload.gso_type == GSO_NONE && !(is_v6(f) ? caps->csum6 : caps->csum4))
		ok = segment_finish_checksum(f);
	if (ok)
		frames_put(out, f);
	else
		framepool_give(f);
	return ok;
}
