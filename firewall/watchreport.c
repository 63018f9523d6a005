// SPDX-License-Identifier: ISC
/* Hands the records of a watch to its reader, a line at a time. */
#include "jsonline.h"
#include "status.h"
#include "told.h"

enum { LINE_BYTES = 1380 }; /* of a frame, in one line: base64 makes 1840 characters of them */

static bool take_u32(struct cursor *c, uint32_t max, uint32_t *n)
{
	return parse_u32(c, max, n) && (c->left == 0 || parse_word(c, " "));
}

static const char *begin_start(struct watchreport *r, struct fw *fw, struct cursor c, const struct status_facts *facts)
{
	struct watch_wish wish;
	struct text fault = text_on(r->fault);
	if (!take_u32(&c, UINT32_MAX, &wish.snaplen) || !take_u32(&c, UINT32_MAX, &wish.count) ||
	    !take_u32(&c, WATCH_SECONDS_MAX, &wish.seconds))
		return "three numbers are wanted: bytes of each frame, packets, seconds";
	if (!match_parse(&wish.match, (const char *)c.at, c.left, &fault))
		return r->fault;
	struct watch_session *s = watch_start(fw->watch, &wish, facts->now_ns, facts->unix_ns - facts->now_ns);
	if (!s)
		return "two others look at packets now; one that nobody reads is over in ten seconds";
	told_watches(fw, facts->now_ns);
	r->id = s->id;
	r->ports = true;
	r->stage = WATCHREPORT_STATE;
	return NULL;
}

const char *watchreport_begin(struct watchreport *r, struct fw *fw, const char *words, size_t len,
			      const struct status_facts *facts)
{
	struct cursor c = cursor_of(words, len);
	*r = (struct watchreport){ .stage = WATCHREPORT_END };
	if (!fw->watch)
		return "there is no room for watches";
	watch_tick(fw->watch, facts->now_ns);
	if (parse_word(&c, "start "))
		return begin_start(r, fw, c, facts);
	bool stop = parse_word(&c, "stop ");
	if (!stop && !parse_word(&c, "read "))
		return "start, read or stop is wanted";
	struct watch_session *s = parse_u32(&c, UINT32_MAX, &r->id) && !c.left ? watch_find(fw->watch, r->id) : NULL;
	if (!s)
		return "no such watch, or it is over and was read";
	s->heard_ns = facts->now_ns;
	r->until = s->tail;
	r->stage = stop ? WATCHREPORT_STATE : WATCHREPORT_PACKET;
	r->reads = !stop;
	if (stop)
		watch_end_session(fw->watch, s, "stopped");
	told_watches(fw, facts->now_ns);
	return NULL;
}

/* --- lines ---------------------------------------------------------------------------- */

static void port_members(const struct fw *fw, uint16_t port, bool in, struct text *t)
{
	if (port >= PORT_COUNT)
		return;
	json_u64(t, in ? "in_port" : "out_port", port);
	json_text(t, in ? "in_name" : "out_name", fw->port[port].config.name);
}

static void tuple_members(const struct watch_record *r, struct text *t)
{
	const struct tuple *p = r->came.proto ? &r->came : &r->left;
	if (ip_is_zero(p->src) && ip_is_zero(p->dst)) {
		if (r->arp)
			json_text(t, "proto", "arp");
		return;
	}
	json_tuple(t, p);
	if (p->proto == PROTO_TCP)
		json_u64(t, "tcp_flags", r->tcp_flags);
	if (p->proto == PROTO_ICMP)
		json_u64(t, "icmp_type", r->icmp_type);
	if (!r->came.proto || r->out_port >= PORT_COUNT || r->flow == WATCH_NO_FLOW)
		return;
	json_ip(t, "to_src", r->left.src);
	json_u64(t, "to_sport", r->left.sport);
	json_ip(t, "to_dst", r->left.dst);
	json_u64(t, "to_dport", r->left.dport);
}

static void flow_members(const struct watch_record *r, struct text *t)
{
	static const char *const how[] = { [WATCH_NO_FLOW] = "none", [WATCH_FOUND] = "found", [WATCH_OPENED] = "opened" };
	json_text(t, "flow", how[r->flow <= WATCH_OPENED ? r->flow : WATCH_NO_FLOW]);
	if (r->has_state) {
		const struct flow flow = { .orig.proto = r->came.proto ? r->came.proto : r->left.proto, .state = r->state };
		json_text(t, "state", flow_state_word(&flow));
		json_text(t, "direction", r->up ? "orig" : "reply");
	}
	if (!ip_is_zero(r->client))
		json_ip(t, "client", r->client);
	if (r->rule != NONE)
		json_rule_number(t, "rule", r->rule);
	if (r->rule_id[0])
		json_text(t, "rule_id", r->rule_id);
	if (r->generation)
		json_u64(t, "generation", r->generation);
	if (!ip_is_zero(r->next_hop))
		json_ip(t, "next_hop", r->next_hop);
}

static void packet_line(const struct fw *fw, const struct watch_session *s, const struct watch_record *r, struct text *t)
{
	static const char *const fate[] = { [MATCH_FATE_PASSED] = "passed", [MATCH_FATE_DROPPED] = "dropped",
					    [MATCH_FATE_HELD] = "held", [MATCH_FATE_TAKEN] = "taken" };
	json_begin(t, "packet");
	json_u64(t, "number", r->number);
	json_u64(t, "unix_ns", r->ns + s->wall_offset);
	json_text(t, "fate", fate[r->fate <= MATCH_FATE_TAKEN ? r->fate : MATCH_FATE_TAKEN]);
	if (r->fate == MATCH_FATE_DROPPED || r->fate == MATCH_FATE_TAKEN)
		json_text(t, "reason", drop_word((enum drop)r->reason));
	port_members(fw, r->in_port, true, t);
	port_members(fw, r->out_port, false, t);
	json_u64(t, "in_len", r->in_len);
	json_u64(t, "in_bytes", r->in_bytes);
	json_u64(t, "out_len", r->out_len);
	json_u64(t, "out_bytes", r->out_bytes);
	tuple_members(r, t);
	flow_members(r, t);
	json_end(t);
}

static void state_line(const struct watch_session *s, struct text *t)
{
	json_begin(t, "watch");
	json_u64(t, "id", s->id);
	json_text(t, "state", s->state == WATCH_RUNS ? "runs" : "ended");
	json_text(t, "why", s->ended);
	json_u64(t, "matched", s->matched);
	json_u64(t, "lost", s->lost);
	json_bool(t, "left", s->head != s->tail);
	json_end(t);
}

static void port_line(const struct fw *fw, const struct watch_session *s, uint32_t port, struct text *t)
{
	const struct fw_port *p = &fw->port[port];
	json_begin(t, "watchport");
	json_u64(t, "port", port);
	json_text(t, "name", p->config.name);
	json_ip(t, "ip", port == PORT_UPLINK ? fw->uplink.ip : p->config.addr[0]);
	json_u64(t, "mtu", p->config.mtu);
	json_u64(t, "seen", s->seen_at[port]);
	json_u64(t, "lost", s->lost_at[port]);
	json_end(t);
}

/* --- one after the other --------------------------------------------------------------- */

/* The next stage behind the bytes that were sent. */
static void behind_bytes(struct watchreport *r, struct watch_session *s)
{
	if (r->at < r->record.in_bytes + r->record.out_bytes)
		return;
	watch_pop(s);
	r->stage = WATCHREPORT_PACKET;
}

static void next_packet(struct watchreport *r, const struct fw *fw, struct watch_session *s, struct text *t)
{
	if (s->head >= r->until || !watch_peek(s, &r->record)) {
		r->stage = WATCHREPORT_STATE;
		return;
	}
	packet_line(fw, s, &r->record, t);
	r->at = 0;
	r->stage = WATCHREPORT_BYTES;
	behind_bytes(r, s);
}

static void next_bytes(struct watchreport *r, struct watch_session *s, struct text *t)
{
	uint8_t bytes[LINE_BYTES];
	const struct watch_record *p = &r->record;
	bool in = r->at < p->in_bytes;
	uint32_t left = in ? p->in_bytes - r->at : p->in_bytes + p->out_bytes - r->at;
	uint32_t n = left < LINE_BYTES ? left : LINE_BYTES;
	watch_bytes(s, r->at, bytes, n);
	json_begin(t, "bytes");
	json_u64(t, "number", p->number);
	json_text(t, "side", in ? "in" : "out");
	json_u64(t, "at", in ? r->at : r->at - p->in_bytes);
	json_base64(t, "data", bytes, n);
	json_end(t);
	r->at += n;
	behind_bytes(r, s);
}

static void next_state(struct watchreport *r, const struct watch_session *s, struct text *t)
{
	r->over = r->reads && s->state == WATCH_ENDED && s->head == s->tail;
	state_line(s, t);
	r->ports = r->ports || r->over;
	r->stage = r->ports ? WATCHREPORT_PORTS : WATCHREPORT_END;
}

static bool next_port(struct watchreport *r, struct fw *fw, struct watch_session *s, struct text *t)
{
	while (r->port < PORT_COUNT && !fw->port[r->port].attached && !s->seen_at[r->port])
		r->port++;
	if (r->port < PORT_COUNT) {
		port_line(fw, s, r->port++, t);
		return true;
	}
	if (r->over)
		watch_free(fw->watch, s);
	r->stage = WATCHREPORT_END;
	return false;
}

bool watchreport_next(struct watchreport *r, struct fw *fw, uint64_t now_ns, struct text *line)
{
	struct watch_session *s = watch_find(fw->watch, r->id);
	if (!s) /* the reader was too slow for it */
		return false;
	s->heard_ns = now_ns;
	switch (r->stage) {
	case WATCHREPORT_PACKET:
		next_packet(r, fw, s, line);
		return true;
	case WATCHREPORT_BYTES:
		next_bytes(r, s, line);
		return true;
	case WATCHREPORT_STATE:
		next_state(r, s, line);
		return true;
	case WATCHREPORT_PORTS:
		return next_port(r, fw, s, line);
	case WATCHREPORT_END:
		break;
	}
	return false;
}
