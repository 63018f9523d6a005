// SPDX-License-Identifier: ISC
/* What the appliance says of itself, a JSON line each. */
#include "jsonline.h"
#include "rulereport.h"
#include "statuslines.h"

enum { NS_PER_S = 1000000000 };

void status_appliance(struct fw *fw, const struct status_facts *facts, uint64_t now_ns, struct text *t)
{
	const struct ct_stats *ct = ct_stats(fw->ct);
	json_begin(t, "appliance");
	json_u64(t, "schema", STATUS_SCHEMA);
	json_text(t, "platform", facts->platform);
	json_u64(t, "uptime_s", (now_ns - facts->started_ns) / NS_PER_S);
	json_text(t, "store", facts->store);
	json_u64(t, "generation", facts->generation);
	if (facts->confirm_by_ns)
		json_u64(t, "confirm_left_s", facts->confirm_by_ns > now_ns ? (facts->confirm_by_ns - now_ns) / NS_PER_S : 0);
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
	json_bool(t, "panic", policy_blocks(fw->policy)->panic);
	json_u64(t, "isolated", policy_blocks(fw->policy)->count);
	json_end(t);
}

void status_port(const struct fw *fw, uint32_t number, struct text *t)
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

void status_client(const struct policy_view *view, struct text *t)
{
	json_begin(t, "client");
	json_owner(t, "ip", view->ip);
	json_text(t, "state", view->state == POLICY_OPEN ? "open" : "closed");
	json_u64(t, "rules", view->rules ? ruleset_count(view->rules) : 0);
	json_text(t, "policy", view->rules && ruleset_policy(view->rules) == VERDICT_ACCEPT ? "accept" : "drop");
	json_u64(t, "generation", view->generation);
	json_bool(t, "attached", view->attached);
	json_bool(t, "isolated", view->isolated);
	json_text(t, "error", view->error);
	json_end(t);
}

void status_drop(const struct fw *fw, enum drop reason, struct text *t)
{
	json_begin(t, "drop");
	json_text(t, "reason", drop_word(reason));
	json_text(t, "text", drop_text(reason));
	json_u64(t, "count", fw->drops[reason]);
	json_end(t);
}

/* As the opener says it, and what becomes of it: its own side translated, or, from the world, the other. */
static void status_ends(const struct flow *flow, struct text *t)
{
	static const char *const kind[] = {
		[FLOW_OUTWARD] = "outward", [FLOW_INBOUND] = "inbound", [FLOW_BETWEEN] = "between",
	};
	bool inbound = flow->kind == FLOW_INBOUND;
	struct tuple opener = inbound ? flow_reply(flow) : flow->orig;
	json_tuple(t, &opener);
	json_ip(t, "nat_ip", inbound ? flow->orig.src : flow->nat_ip);
	json_u64(t, "nat_port", inbound ? flow->orig.sport : flow->nat_port);
	json_text(t, "kind", kind[flow->kind]);
}

void status_flow(const struct fw *fw, const struct flow *flow, uint64_t now_ns, struct text *t)
{
	json_begin(t, "flow");
	status_ends(flow, t);
	json_text(t, "state", flow_state_word(flow));
	json_ip(t, "client", flow->orig.src);
	json_rule_number(t, "rule", flow->rule);
	json_u64(t, "idle_s", now_ns > flow->touched_ns ? (now_ns - flow->touched_ns) / NS_PER_S : 0);
	json_u64(t, "up_packets", flow->sent[CT_ORIG].packets);
	json_u64(t, "up_bytes", flow->sent[CT_ORIG].bytes);
	json_u64(t, "down_packets", flow->sent[CT_REPLY].packets);
	json_u64(t, "down_bytes", flow->sent[CT_REPLY].bytes);
	json_rule_id(t, "rule_id", fw, flow->rule);
	json_end(t);
}

void status_platform(const struct status_facts *facts, struct text *t)
{
	json_begin(t, "platform");
	json_text(t, "name", facts->platform);
	if (facts->counters) {
		text_char(t, ',');
		facts->counters(t);
	}
	json_end(t);
}
