// SPDX-License-Identifier: ISC
/*
 * opening.c: the first packet of a flow, when it is a usual one: what judge and
 * from_client (fw.c) ask, in the order of what it costs. What is said no to is
 * not touched, and is told apart there.
 */
#include "fw.h"
#include "quick.h"

/* The policy's client that sends from this address at this port; NONE: not the port's, or to be asked for. */
static uint32_t client_of(const struct fw_port *port, uint32_t src)
{
	for (uint32_t i = 0; i < port->config.addr_count; i++)
		if (!quick_ip_differs(&port->config.addr[i], src))
			return port->client[i];
	return NONE;
}

/* As fw_admits and judge see a destination: one that a router leads to, and neither us nor a client. */
static bool leads_out(const struct fw *fw, uint32_t raw)
{
	enum { FIRST_UNICAST = 0x01000000, MULTICAST = (int)0xe0000000, LOOPBACK_NET = 127, LINK_LOCAL = 0xa9fe };
	uint32_t dst = __builtin_bswap32(raw);
	if (dst < FIRST_UNICAST || dst >= (uint32_t)MULTICAST || dst >> 24 == LOOPBACK_NET || dst >> 16 == LINK_LOCAL)
		return false;
	if (!((raw ^ fw->uplink_net) & fw->uplink_mask)) {
		uint32_t host = ~__builtin_bswap32(fw->uplink_mask);
		if ((dst & host) == 0 || (dst & host) == host)
			return false;
	}
	if (!quick_ip_differs(&fw->uplink.ip, raw))
		return false;
	for (uint32_t i = 0; i < fw->ours_count; i++)
		if (!quick_ip_differs(&fw->ours[i], raw))
			return false;
	return !fw_is_protected_v4(fw, raw);
}

/* 16 bytes in two words. */
static void put_v4(struct ip_addr *ip, uint32_t raw)
{
	const uint64_t words[2] = { 0, (uint64_t)raw << 32 | 0xffff0000u };
	memcpy(ip->b, words, sizeof(words));
}

/* Field by field: a struct of this size would be cleared by a slow loop first. */
static void fill(struct ct_opening *o, const struct quick *q, uint64_t hash, uint64_t reply_hash)
{
	put_v4(&o->tuple.src, (uint32_t)q->tuple.addresses);
	put_v4(&o->tuple.dst, (uint32_t)(q->tuple.addresses >> 32));
	o->tuple.sport = (uint16_t)q->tuple.ports;
	o->tuple.dport = (uint16_t)(q->tuple.ports >> 16);
	o->tuple.proto = q->proto;
	o->tuple.kind = 0;
	o->tuple.zero = 0;
	o->hash = hash;
	o->reply_hash = reply_hash;
	o->tcp = q->proto == PROTO_TCP ? &q->tcp : NULL;
	o->bytes = q->bytes;
	o->port = q->frame->port;
}

enum fw_opening fw_open_usual(struct fw *fw, const struct quick *q, uint64_t hash, uint64_t reply_hash, uint32_t *flow,
			      enum drop *reason)
{
	const struct fw_port *port = &fw->port[q->frame->port];
	uint32_t client = client_of(port, (uint32_t)q->tuple.addresses), rule;
	struct ct_opening o;
	if (client == NONE || q->bytes > fw->port[PORT_UPLINK].config.mtu)
		return FW_OTHER_WAY;
	if (!leads_out(fw, (uint32_t)(q->tuple.addresses >> 32)))
		return FW_OTHER_WAY;
	fill(&o, q, hash, reply_hash);
	if (ct_knows(fw->ct, hash, &o.tuple))
		return FW_OTHER_WAY;
	policy_judge(fw->policy, client, &o.tuple, &rule, reason);
	if (*reason != DROP_NONE) {
		/* its sender may be told */
		fw->judged = q->frame;
		fw->verdict = (struct fw_verdict){ client, rule, *reason };
		return FW_OTHER_WAY;
	}
	*reason = ct_open_new(fw->ct, &o, fw->uplink.ip, flow);
	if (*reason != DROP_NONE)
		return FW_REFUSED;
	struct flow *f = ct_flow(fw->ct, *flow);
	ct_admit(policy_accounts(fw->policy), f,
		 &(struct ct_admission){ client, (uint32_t)policy_generation(fw->policy, client), rule });
	f->epoch = fw->uplink_plain ? fw->epoch : 0;
	return FW_OPENED;
}

struct fw_verdict fw_judge(const struct fw *fw, const struct packet *p)
{
	struct fw_verdict v = { NONE, RULE_POLICY, DROP_CLOSED };
	if (fw->judged == p->frame)
		return fw->verdict;
	if (policy_find(fw->policy, p->tuple.src, &v.client))
		policy_judge(fw->policy, v.client, &p->tuple, &v.rule, &v.reason);
	return v;
}
