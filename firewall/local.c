// SPDX-License-Identifier: ISC
/* What is sent to the firewall itself, and what it says to those it refuses. */
#include "fw.h"

enum {
	ICMP_ECHO_REQUEST = 8,
	ICMP_UNREACHABLE = 3,
	ICMP_HOST_PROHIBITED = 10,
	PORT_BOOTP_CLIENT = 68,
};

/* Our address towards a sender: the one it named, else the uplink's; who has none yet speaks as the dummy of RFC 7600. */
static struct ip_addr own_address(const struct fw *fw, const struct packet *p)
{
	if (fw_is_ours(fw, p->tuple.dst))
		return p->tuple.dst;
	if (!ip_is_zero(fw->uplink.ip) && ip_is_v4(fw->uplink.ip))
		return fw->uplink.ip;
	for (uint32_t i = 0; i < fw->ours_count; i++)
		if (ip_is_v4(fw->ours[i]))
			return fw->ours[i];
	return ip_v4(192, 0, 0, 8);
}

void fw_refuse(struct fw *fw, struct packet *p, uint16_t from, enum drop reason, uint8_t type, uint8_t code,
	       uint32_t info)
{
	struct ip_addr ours = own_address(fw, p);
	struct mac sender = pkt_eth(p)->src;
	struct frame *f = p->frame;
	bool may = reply_error_allowed(p) &&
		   (from == PORT_UPLINK || limit_allows(&fw->port[from].icmp_limit, fw->now_ns));
	if (!may) {
		fw_drop(fw, f, from, reason);
		return;
	}
	fw->drops[reason]++;
	fw->lost++;
	fw->port[from].drops++;
	fw_tell_drop(fw, f, from, reason);
	if (!reply_icmp_error(p, ours, type, code, info)) {
		frames_put(&fw->done, f);
		return;
	}
	struct packet answer = { .frame = f };
	rewrite_link(&answer, sender, fw->port[from].config.ours);
	fw_send(fw, f, from);
}

/* False: it is no probe, and was not touched. */
static bool reflect(struct fw *fw, struct packet *p, uint16_t from)
{
	switch (reflect_take(&fw->reflect, p, from, fw->now_ns)) {
	case REFLECT_ANSWERED:
		fw_send(fw, p->frame, from);
		return true;
	case REFLECT_LIMITED:
		fw_drop(fw, p->frame, from, DROP_LOCAL_SILENT);
		return true;
	case REFLECT_NOT_OURS:
		break;
	}
	return false;
}

void fw_local(struct fw *fw, struct packet *p, uint16_t from)
{
	if (from == PORT_UPLINK) {
		fw_drop(fw, p->frame, from, DROP_NEW_FROM_UPLINK);
		return;
	}
	if (p->has_fragments) {
		fw_drop(fw, p->frame, from, DROP_LOCAL_SILENT);
		return;
	}
	if (fw_is_stray(p)) {
		fw_drop(fw, p->frame, from, DROP_LOCAL_SILENT);
		return;
	}
	switch (p->class) {
	case PKT_ICMP_QUERY:
		if (p->icmp_type == ICMP_ECHO_REQUEST && limit_allows(&fw->port[from].icmp_limit, fw->now_ns) &&
		    reply_echo(p)) {
			fw_send(fw, p->frame, from);
			return;
		}
		fw_drop(fw, p->frame, from, DROP_LOCAL_SILENT);
		return;
	case PKT_ICMP_ERROR:
	case PKT_ICMP_OTHER:
		fw_drop(fw, p->frame, from, DROP_LOCAL_CONSUMED);
		return;
	case PKT_UDP:
		if (p->tuple.dport == PORT_BOOTP_CLIENT) {
			fw_drop(fw, p->frame, from, DROP_LOCAL_SILENT);
			return;
		}
		if (reflect(fw, p, from))
			return;
		break;
	case PKT_ARP:
	case PKT_TCP:
	case PKT_OTHER:
	case PKT_FRAGMENT:
		break;
	}
	fw_refuse(fw, p, from, DROP_LOCAL_REFUSED, ICMP_UNREACHABLE, ICMP_HOST_PROHIBITED, 0);
}
