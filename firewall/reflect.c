// SPDX-License-Identifier: ISC
/* Sends the probes of clients back to them. */
#include "reflect.h"

#include "reply.h"
#include "udp.h"

enum { REQUEST = 1, REPLY = 2, PROBE_BYTES = 16, KIND_AT = 3 };
static const uint8_t magic[] = { 'P', 'L', 'T', REQUEST };

void reflect_switch(struct reflect *r, uint16_t port, uint64_t now_ns)
{
	r->port = port;
	for (uint32_t i = 0; i < PORT_COUNT; i++)
		r->limit[i] = limit_of(REFLECT_PER_S, REFLECT_BURST, now_ns);
}

static bool is_probe(const struct reflect *r, const struct packet *p)
{
	if (!r->port || p->class != PKT_UDP || p->v6 || p->tuple.dport != r->port || p->has_fragments ||
	    p->frame->offload.gso_type != GSO_NONE)
		return false;
	struct cursor payload = udp_payload(p);
	return payload.left >= PROBE_BYTES && !memcmp(payload.at, magic, sizeof(magic)) && pkt_l4_sum_ok(p);
}

enum reflected reflect_take(struct reflect *r, struct packet *p, uint16_t from, uint64_t now_ns)
{
	if (from == PORT_UPLINK || from >= PORT_COUNT || !is_probe(r, p))
		return REFLECT_NOT_OURS;
	if (!limit_allows(&r->limit[from], now_ns)) {
		r->limited++;
		return REFLECT_LIMITED;
	}
	if (!reply_udp(p, KIND_AT, REPLY))
		return REFLECT_NOT_OURS;
	r->answered++;
	return REFLECT_ANSWERED;
}
