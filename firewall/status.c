// SPDX-License-Identifier: ISC
/* The appliance's own account of itself, one JSON line at a time. */
#include "jsonline.h"
#include "status.h"

enum { NS_PER_S = 1000000000 };

static void appliance_line(struct fw *fw, const struct status_facts *facts, uint64_t now_ns, struct text *t)
{
	const struct ct_stats *ct = ct_stats(fw->ct);
	json_begin(t, "appliance");
	json_u64(t, "schema", STATUS_SCHEMA);
	json_text(t, "platform", facts->platform);
	json_u64(t, "uptime_s", (now_ns - facts->started_ns) / NS_PER_S);
	json_text(t, "store", facts->store);
	json_ip(t, "uplink_ip", fw->uplink.ip);
	json_ip(t, "gateway", fw->uplink.gateway);
	json_u64(t, "flows", ct_count(fw->ct));
	json_u64(t, "flow_capacity", ct_capacity(fw->ct));
	json_u64(t, "client_share", ct_share(fw->ct));
	json_u64(t, "opened", ct->opened);
	json_u64(t, "closed", ct->closed);
	json_u64(t, "expired", ct->expired);
	json_u64(t, "evicted", ct->evicted);
	json_u64(t, "cut", ct->cut);
	json_u64(t, "port_collisions", ct->port_collisions);
	json_u64(t, "neighbours", neigh_count(fw->neigh));
	json_u64(t, "datagrams", fragments_count(fw->fragments));
	json_u64(t, "rules_free", policy_rules_free(fw->policy));
	json_u64(t, "clients_walked", policy_rules_walked(fw->policy));
	json_end(t);
}

static void port_line(const struct fw *fw, uint32_t number, struct text *t)
{
	const struct fw_port *p = &fw->port[number];
	json_begin(t, "port");
	json_u64(t, "port", number);
	json_text(t, "role", number == PORT_UPLINK ? "uplink" : "client");
	json_text(t, "name", p->config.name);
	json_ip(t, "ip", number == PORT_UPLINK ? fw->uplink.ip : p->config.addr[0]);
	json_text(t, "link", p->up ? "up" : "down");
	json_u64(t, "mtu", p->config.mtu);
	json_u64(t, "rx_packets", p->rx_packets);
	json_u64(t, "rx_bytes", p->rx_bytes);
	json_u64(t, "tx_packets", p->tx_packets);
	json_u64(t, "tx_bytes", p->tx_bytes);
	json_u64(t, "drops", p->drops);
	json_end(t);
}

static void client_line(const struct policy_view *view, struct text *t)
{
	json_begin(t, "client");
	json_ip(t, "ip", view->ip);
	json_text(t, "state", view->state == POLICY_OPEN ? "open" : "closed");
	json_u64(t, "rules", view->rules ? ruleset_count(view->rules) : 0);
	json_text(t, "policy", view->rules && ruleset_policy(view->rules) == VERDICT_ACCEPT ? "accept" : "drop");
	json_u64(t, "generation", view->generation);
	json_bool(t, "attached", view->attached);
	json_text(t, "error", view->error);
	json_end(t);
}

static void drop_line(const struct fw *fw, enum drop reason, struct text *t)
{
	json_begin(t, "drop");
	json_text(t, "reason", drop_word(reason));
	json_text(t, "text", drop_text(reason));
	json_u64(t, "count", fw->drops[reason]);
	json_end(t);
}

static void flow_line(const struct flow *flow, uint64_t now_ns, struct text *t)
{
	char buffer[16];
	struct text proto = text_on(buffer);
	text_proto(&proto, flow->orig.proto);
	json_begin(t, "flow");
	json_text(t, "proto", buffer);
	json_ip(t, "src", flow->orig.src);
	json_u64(t, "sport", flow->orig.sport);
	json_ip(t, "dst", flow->orig.dst);
	json_u64(t, "dport", flow->orig.dport);
	json_ip(t, "nat_ip", flow->nat_ip);
	json_u64(t, "nat_port", flow->nat_port);
	json_text(t, "state", flow_state_word(flow));
	json_ip(t, "client", flow->orig.src);
	if (flow->rule == RULE_POLICY)
		json_text(t, "rule", "policy");
	else
		json_u64(t, "rule", flow->rule);
	json_u64(t, "idle_s", now_ns > flow->touched_ns ? (now_ns - flow->touched_ns) / NS_PER_S : 0);
	json_u64(t, "up_packets", flow->sent[CT_ORIG].packets);
	json_u64(t, "up_bytes", flow->sent[CT_ORIG].bytes);
	json_u64(t, "down_packets", flow->sent[CT_REPLY].packets);
	json_u64(t, "down_bytes", flow->sent[CT_REPLY].bytes);
	json_end(t);
}

/* --- one line after the other ------------------------------------------------------ */

static bool is_word(const char *request, size_t len, const char *word)
{
	struct cursor c = cursor_of(request, len);
	return parse_word(&c, word) && c.left == 0;
}

static void enter(struct status *s, enum status_stage stage)
{
	s->stage = stage;
	s->index = 0;
}

void status_begin(struct status *s, const struct fw *fw, const char *request, size_t len)
{
	struct cursor c = cursor_of(request, len);
	enter(s, STATUS_ERROR);
	s->error = "unknown request";
	if (parse_word(&c, "explain ")) {
		s->error = explain_begin(&s->explain, fw, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_EXPLAIN;
	} else if (parse_word(&c, "latency")) {
		s->error = latency_report_begin(&s->latency, fw->latency, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_LATENCY;
	} else if (parse_word(&c, "names")) {
		s->error = names_status_begin(&s->names, fw, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_NAMES;
	} else if (parse_word(&c, "kill ")) {
		s->error = flowkill_begin(&s->kill, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_KILL;
	} else if (is_word(request, len, "status")) {
		s->stage = STATUS_APPLIANCE;
	} else if (is_word(request, len, "flows")) {
		s->stage = STATUS_FLOWS;
	}
}

static void next_port(struct status *s, const struct fw *fw, struct text *t)
{
	while (s->index < PORT_COUNT && !fw->port[s->index].attached)
		s->index++;
	if (s->index < PORT_COUNT) {
		port_line(fw, s->index++, t);
		return;
	}
	enter(s, STATUS_CLIENTS);
	s->index = NONE;
}

static void next_client(struct status *s, const struct fw *fw, struct text *t)
{
	uint32_t client = policy_next(fw->policy, s->index);
	if (client == NONE) {
		enter(s, STATUS_DROPS);
		return;
	}
	struct policy_view view = policy_show(fw->policy, client);
	client_line(&view, t);
	s->index = client;
}

static void next_drop(struct status *s, const struct fw *fw, struct text *t)
{
	while (s->index < DROP_COUNT && fw->drops[s->index] == 0)
		s->index++;
	if (s->index < DROP_COUNT)
		drop_line(fw, (enum drop)s->index++, t);
	else
		enter(s, STATUS_PLATFORM);
}

static void next_flow(struct status *s, struct fw *fw, uint64_t now_ns, struct text *t)
{
	uint32_t i = ct_next(fw->ct, s->index);
	if (i == NONE) {
		enter(s, STATUS_END);
		return;
	}
	flow_line(ct_flow(fw->ct, i), now_ns, t);
	s->index = i + 1;
}

static void platform_line(const struct status_facts *facts, struct text *t)
{
	json_begin(t, "platform");
	json_text(t, "name", facts->platform);
	if (facts->counters) {
		text_char(t, ',');
		facts->counters(t);
	}
	json_end(t);
}

static bool next(struct status *s, struct fw *fw, const struct status_facts *facts, uint64_t now_ns,
		 struct text *line)
{
	switch (s->stage) {
	case STATUS_APPLIANCE:
		appliance_line(fw, facts, now_ns, line);
		enter(s, STATUS_PORTS);
		return true;
	case STATUS_PORTS:
		next_port(s, fw, line);
		return true;
	case STATUS_CLIENTS:
		next_client(s, fw, line);
		return true;
	case STATUS_DROPS:
		next_drop(s, fw, line);
		return true;
	case STATUS_PLATFORM:
		platform_line(facts, line);
		enter(s, STATUS_END);
		return true;
	case STATUS_FLOWS:
		next_flow(s, fw, now_ns, line);
		return true;
	case STATUS_EXPLAIN:
		if (!explain_next(&s->explain, fw, line))
			enter(s, STATUS_END);
		return true;
	case STATUS_LATENCY:
		if (!latency_report_next(&s->latency, fw->latency, line))
			enter(s, STATUS_END);
		return true;
	case STATUS_NAMES:
		if (!names_status_next(&s->names, fw, now_ns, line))
			enter(s, STATUS_END);
		return true;
	case STATUS_KILL:
		if (!flowkill_next(&s->kill, fw, line))
			enter(s, STATUS_END);
		return true;
	case STATUS_ERROR:
		json_begin(line, "error");
		json_text(line, "error", s->error);
		json_end(line);
		enter(s, STATUS_END);
		return true;
	case STATUS_END:
		text_put(line, ".\n");
		enter(s, STATUS_IDLE);
		return true;
	case STATUS_IDLE:
		break;
	}
	return false;
}

bool status_next(struct status *s, struct fw *fw, const struct status_facts *facts, uint64_t now_ns,
		 struct text *line)
{
	bool more = next(s, fw, facts, now_ns, line);
	if (line->cut) { /* without its newline it would keep its reader waiting */
		line->len = 0;
		line->cut = false;
		json_begin(line, "cut");
		json_end(line);
	}
	return more;
}
