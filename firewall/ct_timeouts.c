/* SPDX-License-Identifier: ISC */
/*
 * ct_timeouts.c: the class a flow is in follows from its protocol and state,
 * so that it need not be stored, and cannot be stale.
 */
#include "conntrack.h"

#define SECOND_NS UINT64_C(1000000000)

static const uint16_t seconds[] = {
#define CT_CLASS_SECONDS_(name, seconds) [CT_CLASS_##name] = seconds,
	CT_CLASS_LIST(CT_CLASS_SECONDS_)
#undef CT_CLASS_SECONDS_
};
_Static_assert(array_len(seconds) == CT_CLASS_COUNT, "a time per class");

static const uint8_t tcp_class[] = {
	[TCPS_NONE] = CT_CLASS_CLOSED,
	[TCPS_SYN_SENT] = CT_CLASS_SYN_SENT,
	[TCPS_SYN_BOTH] = CT_CLASS_SYN_RECV,
	[TCPS_BOTH_ORIG] = CT_CLASS_SYN_RECV,
	[TCPS_BOTH_REPLY] = CT_CLASS_SYN_RECV,
	[TCPS_SYN_RECV] = CT_CLASS_SYN_RECV,
	[TCPS_ESTABLISHED] = CT_CLASS_ESTABLISHED,
	[TCPS_FIN_WAIT] = CT_CLASS_FIN_WAIT,
	[TCPS_CLOSE_WAIT] = CT_CLASS_CLOSE_WAIT,
	[TCPS_LAST_ACK] = CT_CLASS_LAST_ACK,
	[TCPS_TIME_WAIT] = CT_CLASS_TIME_WAIT,
	[TCPS_CLOSED] = CT_CLASS_CLOSED,
};
_Static_assert(array_len(tcp_class) == TCPS_COUNT, "a class per state");

uint64_t ct_class_ns(enum ct_class class)
{
	return seconds[class] * SECOND_NS;
}

uint64_t ct_slack_ns(enum ct_class class)
{
	enum { FIRM_PART = 32, EVICTABLE_PART = 4 }; /* of the class's time; of a second */
	return class < CT_CLASS_EVICTABLE ? SECOND_NS / EVICTABLE_PART : ct_class_ns(class) / FIRM_PART;
}

enum ct_class ct_class_of(uint8_t proto, uint8_t state)
{
	bool replied = state == FLOW_REPLIED;
	switch (proto) {
	case PROTO_TCP:
		return tcp_class[state];
	case PROTO_UDP:
		return replied ? CT_CLASS_UDP_REPLIED : CT_CLASS_UDP_UNREPLIED;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return CT_CLASS_ICMP;
	}
	return replied ? CT_CLASS_OTHER_REPLIED : CT_CLASS_OTHER_UNREPLIED;
}

enum ct_class flow_class(const struct flow *f)
{
	return ct_class_of(f->orig.proto, f->state);
}

uint64_t flow_expires_ns(const struct flow *f)
{
	return f->touched_ns + ct_class_ns(flow_class(f));
}

const char *flow_state_word(const struct flow *f)
{
	if (f->orig.proto == PROTO_TCP)
		return tcp_state_word(f->state);
	return f->state == FLOW_REPLIED ? "replied" : "unreplied";
}
