// SPDX-License-Identifier: ISC
/* Cuts the flow that an operator names. */
#include "flowkill.h"
#include "jsonline.h"

static bool take_proto(struct cursor *c, uint8_t *proto)
{
	static const uint8_t named[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMPV6, PROTO_ICMP };
	uint32_t n;
	for (size_t i = 0; i < array_len(named); i++) {
		char buffer[16];
		struct text word = text_on(buffer);
		text_proto(&word, named[i]);
		text_char(&word, ' ');
		if (parse_word(c, buffer)) {
			*proto = named[i];
			return true;
		}
	}
	if (!parse_u32(c, UINT8_MAX, &n) || !parse_word(c, " "))
		return false;
	*proto = (uint8_t)n;
	return true;
}

static bool take_end(struct cursor *c, struct ip_addr *ip, uint16_t *port)
{
	uint32_t n;
	if (!parse_ip(c, ip) || !parse_word(c, " ") || !parse_u32(c, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

const char *flowkill_begin(struct flowkill *k, const char *words, size_t len)
{
	struct cursor c = cursor_of(words, len);
	*k = (struct flowkill){ .done = false };
	if (!take_proto(&c, &k->tuple.proto))
		return "the protocol must be tcp, udp, icmp, icmpv6 or a number";
	if (!take_end(&c, &k->tuple.src, &k->tuple.sport))
		return "the source must be an address and a port";
	if (!parse_word(&c, " ") || !take_end(&c, &k->tuple.dst, &k->tuple.dport) || c.left)
		return "the destination must be an address and a port, and nothing behind";
	return NULL;
}

static uint32_t cut(struct fw *fw, const struct tuple *t)
{
	uint32_t flow;
	enum ct_dir dir;
	/* The other direction is another flow's opener, or nobody's. */
	if (!ct_find(fw->ct, t, &flow, &dir) || flow_side(ct_flow(fw->ct, flow), dir) != CT_ORIG)
		return 0;
	ct_cut(fw->ct, flow);
	return 1;
}

bool flowkill_next(struct flowkill *k, struct fw *fw, struct text *line)
{
	uint32_t count = 0, kinds = k->tuple.proto == PROTO_ICMP || k->tuple.proto == PROTO_ICMPV6 ? 256 : 1;
	if (k->done)
		return false;
	for (uint32_t kind = 0; kind < kinds; kind++) {
		k->tuple.kind = (uint8_t)kind;
		count += cut(fw, &k->tuple);
	}
	json_begin(line, "killed");
	json_u64(line, "count", count);
	json_end(line);
	k->done = true;
	return true;
}
