// SPDX-License-Identifier: ISC
/* Events of what changes outside of packets' way: ports, rules, the store, names, watches. */
#include "cross.h"
#include "events.h"
#include "jsonline.h"
#include "told.h"

void told_start(struct fw *fw, const char *platform, uint64_t now_ns)
{
	if (!fw->events)
		return;
	struct text t = events_begin(fw->events, "start", now_ns);
	json_text(&t, "platform", platform);
	events_end(fw->events, &t);
}

void told_port(struct fw *fw, uint16_t port, const char *what, uint64_t now_ns)
{
	if (!fw->events || port >= PORT_COUNT)
		return;
	const struct fw_port_config *c = &fw->port[port].config;
	struct text t = events_begin(fw->events, "port", now_ns);
	json_text(&t, "what", what);
	json_u64(&t, "port", port);
	json_text(&t, "name", c->name);
	json_ip(&t, "ip", port == PORT_UPLINK ? fw->uplink.ip : c->addr[0]);
	events_end(fw->events, &t);
}

static void tell_client(struct fw *fw, const struct policy_view *v, uint64_t now_ns)
{
	struct text t = events_begin(fw->events, "client", now_ns);
	json_ip(&t, "client", v->ip);
	json_text(&t, "state", v->state == POLICY_OPEN ? "open" : "closed");
	json_u64(&t, "rules", v->rules ? ruleset_count(v->rules) : 0);
	json_u64(&t, "generation", v->generation);
	if (v->error[0])
		json_text(&t, "error", v->error);
	events_end(fw->events, &t);
}

void told_clients(struct fw *fw, uint64_t now_ns)
{
	if (!fw->events)
		return;
	for (uint32_t i = policy_next(fw->policy, NONE); i != NONE; i = policy_next(fw->policy, i)) {
		struct policy_view v = policy_show(fw->policy, i);
		if (fw->events->client[i] == v.generation)
			continue;
		fw->events->client[i] = v.generation;
		tell_client(fw, &v, now_ns);
	}
}

void told_generation(struct fw *fw, uint64_t number, bool unconfirmed, uint64_t now_ns)
{
	struct events *e = fw->events;
	if (!e || (number == e->generation && unconfirmed == e->unconfirmed))
		return;
	/* all else that happens to one is logged, and told by its line */
	if (number == e->generation && number) {
		struct text t = events_begin(e, "generation", now_ns);
		json_u64(&t, "generation", number);
		json_text(&t, "text", "confirmed");
		events_end(e, &t);
	}
	e->generation = number;
	e->unconfirmed = unconfirmed;
}

void told_store(struct fw *fw, const char *state, uint64_t now_ns)
{
	if (!fw->events || fw->events->store == state)
		return;
	fw->events->store = state;
	struct text t = events_begin(fw->events, "store", now_ns);
	json_text(&t, "state", state);
	events_end(fw->events, &t);
}

static void word_member(struct text *t, const char *name, const uint8_t *at, size_t len)
{
	text_put(t, ",\"");
	text_put(t, name);
	text_put(t, "\":");
	text_json(t, (const char *)at, len);
}

void told_line(struct fw *fw, const char *line, size_t len, const char *word, uint64_t now_ns)
{
	struct cursor c = cursor_of(line, len);
	size_t name = 0;
	if (!fw->events || !parse_word(&c, word) || !parse_word(&c, " "))
		return;
	while (name < c.left && c.at[name] != ':')
		name++;
	if (name == c.left)
		return;
	struct text t = events_begin(fw->events, word, now_ns);
	struct cursor digits = { c.at, name };
	uint32_t number;
	if (parse_u32(&digits, UINT32_MAX, &number) && !digits.left)
		json_u64(&t, word, number);
	else
		word_member(&t, word, c.at, name);
	take(&c, name + 1);
	parse_word(&c, " ");
	word_member(&t, "text", c.at, c.left);
	events_end(fw->events, &t);
}

void told_watches(struct fw *fw, uint64_t now_ns)
{
	for (uint32_t i = 0; fw->events && i < WATCH_SESSIONS; i++) {
		const struct watch_session *s = &fw->watch->session[i];
		bool ran = fw->events->watch[i].state == WATCH_RUNS, runs = s->state == WATCH_RUNS;
		if (s->id == fw->events->watch[i].id && runs == ran)
			continue;
		fw->events->watch[i].id = s->id;
		fw->events->watch[i].state = s->state;
		struct text t = events_begin(fw->events, "watch", now_ns);
		json_u64(&t, "id", s->id);
		json_text(&t, "state", runs ? "runs" : "ended");
		if (!runs)
			json_text(&t, "why", s->ended);
		events_end(fw->events, &t);
	}
}

/* A piece of a datagram behind the first: what the rule was asked about is not in it. */
static bool is_later_piece(const struct tuple *t)
{
	bool ports = t->proto == PROTO_TCP || t->proto == PROTO_UDP;
	return ports && t->sport == 0 && t->dport == 0;
}

/* Rules change between bursts only: what they say now is what they said. */
bool told_refuser(const struct fw *fw, const struct tuple *tuple, uint16_t from, enum drop reason, uint32_t *rule)
{
	struct cross_lead lead = { .rule = NONE };
	uint32_t client;
	enum drop again = DROP_NONE;
	*rule = NONE;
	if ((reason != DROP_RULE && reason != DROP_POLICY) || is_later_piece(tuple))
		return false;
	if (from == PORT_UPLINK) {
		again = cross_inbound(fw, tuple, &lead);
		*rule = lead.rule;
	} else if (fw_is_protected(fw, tuple->dst)) {
		again = cross_between(fw, tuple, rule);
	} else if (policy_find(fw->policy, tuple->src, &client)) {
		policy_judge(fw->policy, client, tuple, rule, &again);
	}
	return again == reason;
}
