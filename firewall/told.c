// SPDX-License-Identifier: ISC
/* What fw has to tell: drops and late packets to those who look on, and events to the ring. */
#include "events.h"
#include "fw.h"
#include "jsonline.h"
#include "rulereport.h"
#include "told.h"
#include "watch.h"

static uint16_t known(uint16_t port)
{
	return port < PORT_COUNT ? port : PORT_UPLINK;
}

static void port_members(const struct fw *fw, uint16_t port, struct text *t)
{
	json_u64(t, "port", known(port));
	json_text(t, "name", fw->port[known(port)].config.name);
}

/* --- drops ------------------------------------------------------------------------------ */

/* As far as its first bytes tell: it may be anything. */
static bool glance(const struct frame *f, struct tuple *t)
{
	enum { IPV4_ADDRESSES = 12, PORTS_BYTES = 4 };
	struct cursor c = cursor_of(f->data, f->len), ip;
	struct eth_hdr eth;
	const uint8_t *at = take(&c, sizeof(eth));
	if (!at)
		return false;
	memcpy(&eth, at, sizeof(eth));
	if (be16_get(eth.type) != ETHERTYPE_IPV4 || !c.left || c.at[0] >> 4 != 4 ||
	    !carve(&c, (size_t)(c.at[0] & 15) * 4, &ip) || ip.left < IPV4_MIN_BYTES)
		return false;
	struct ipv4_hdr h;
	memcpy(&h, ip.at, sizeof(h));
	*t = (struct tuple){ .src = ip_of_v4(h.src), .dst = ip_of_v4(h.dst), .proto = h.proto };
	bool first = !(be16_get(h.flags_offset) & IPV4_OFFSET_MASK);
	if ((t->proto == PROTO_TCP || t->proto == PROTO_UDP) && first && c.left >= PORTS_BYTES) {
		get_be16(&c, &t->sport);
		get_be16(&c, &t->dport);
	} else if (t->proto == PROTO_ICMP && first && c.left) {
		t->kind = c.at[0];
	}
	return true;
}

static void tuple_members(const struct tuple *p, struct text *t)
{
	json_tuple(t, p);
	if (p->proto == PROTO_ICMP)
		json_u64(t, "icmp_type", p->kind);
}

static void tell(struct fw *fw, const struct frame *f, uint16_t from, enum drop reason, uint32_t suppressed)
{
	struct text t = events_begin(fw->events, "drop", fw->now_ns);
	const struct fw_port *port = &fw->port[known(from)];
	struct tuple tuple;
	uint32_t rule;
	json_text(&t, "reason", drop_word(reason));
	json_text(&t, "text", drop_text(reason));
	port_members(fw, from, &t);
	if (from != PORT_UPLINK && port->config.addr_count)
		json_ip(&t, "client", port->config.addr[0]);
	if (glance(f, &tuple)) {
		tuple_members(&tuple, &t);
		if (told_refuser(fw, &tuple, from, reason, &rule)) {
			json_rule_number(&t, "rule", rule);
			json_rule_id(&t, "rule_id", fw, rule);
		}
	}
	if (suppressed)
		json_u64(&t, "suppressed", suppressed);
	events_end(fw->events, &t);
}

/* Taken in, and so no loss. */
static bool is_loss(enum drop reason)
{
	return reason != DROP_ARP_CONSUMED && reason != DROP_LOCAL_CONSUMED;
}

void fw_tell_drop(struct fw *fw, const struct frame *f, uint16_t from, enum drop reason)
{
	uint32_t suppressed;
	if (watch_runs(fw->watch))
		watch_drop(fw, f, from, reason);
	if (fw->events && is_loss(reason) && events_allow(fw->events, from, reason, fw->now_ns, &suppressed))
		tell(fw, f, from, reason, suppressed);
}

static void tell_suppressed(struct fw *fw)
{
	uint32_t at = 0, count;
	uint16_t port;
	enum drop reason;
	while (events_suppressed(fw->events, fw->now_ns, &at, &port, &reason, &count)) {
		struct text t = events_begin(fw->events, "suppressed", fw->now_ns);
		json_text(&t, "reason", drop_word(reason));
		port_members(fw, port, &t);
		json_u64(&t, "count", count);
		events_end(fw->events, &t);
	}
}

/* --- packets of nobody's ------------------------------------------------------------------ */

void fw_tell_sent(struct fw *fw, const struct frame *last)
{
	if (watch_runs(fw->watch))
		watch_sent(fw, last);
}

/* --- by the clock -------------------------------------------------------------------------- */

void fw_tell_poll(struct fw *fw)
{
	if (fw->watch) {
		watch_tick(fw->watch, fw->now_ns);
		told_watches(fw, fw->now_ns);
	}
	if (fw->events && fw->now_ns >= fw->events->sweep_ns)
		tell_suppressed(fw);
}

uint64_t fw_tell_deadline(const struct fw *fw)
{
	uint64_t watch = fw->watch ? watch_deadline(fw->watch) : UINT64_MAX;
	uint64_t events = fw->events ? fw->events->sweep_ns : UINT64_MAX;
	return watch < events ? watch : events;
}
