// SPDX-License-Identifier: ISC
/*
 * What a watch sees of a packet on its way: what it was before, and where it is behind it. Between the two
 * nothing is different from a packet that nobody looks at.
 */
#include "fw.h"
#include "told.h"
#include "watch.h"

/* The flow a packet is of, in the packet's direction; false: none. */
static bool flow_of(struct fw *fw, const struct tuple *key, uint32_t *index, enum ct_dir *dir)
{
	return ct_find(fw->ct, key, index, dir) && ct_flow(fw->ct, *index);
}

static struct ip_addr client_of(const struct fw *fw, uint16_t port, struct ip_addr source)
{
	const struct fw_port *p = &fw->port[port < PORT_COUNT ? port : 0];
	if (port == PORT_UPLINK || port >= PORT_COUNT || p->config.addr_count == 0)
		return (struct ip_addr){ { 0 } };
	return fw_port_owns(p, source) ? source : p->config.addr[0];
}

/* What the flow says of it. */
static void note_flow(struct fw *fw, struct watch *w, enum watch_flow how)
{
	struct watch_record *r = &w->record;
	uint32_t index;
	enum ct_dir dir;
	if (!w->facts.has_tuple || !flow_of(fw, &w->key, &index, &dir))
		return;
	const struct flow *flow = ct_flow(fw->ct, index);
	r->flow = (uint8_t)how;
	r->up = dir == CT_ORIG;
	r->state = flow->state;
	r->has_state = true;
	r->left = ct_translated(flow, dir);
	w->facts.inside = dir == CT_ORIG ? flow->orig : tuple_reverse(&flow->orig);
	if (flow->port == PORT_UPLINK)
		return; /* a question of the firewall itself */
	r->rule = flow->rule;
	r->generation = flow->generation;
	r->client = flow->orig.src;
}

static void note_tuple(struct watch *w, const struct packet *p)
{
	struct watch_record *r = &w->record;
	r->arp = w->facts.arp = p->class == PKT_ARP;
	if (r->arp)
		return;
	w->facts.has_tuple = true;
	w->facts.came = w->facts.inside = w->key = r->came = p->tuple;
	if (p->class == PKT_TCP)
		r->tcp_flags = p->tcp.flags;
	if (p->class == PKT_ICMP_QUERY || p->class == PKT_ICMP_ERROR || p->class == PKT_ICMP_OTHER)
		r->icmp_type = p->icmp_type;
	if (p->class == PKT_ICMP_ERROR)
		w->key = tuple_reverse(&p->inner); /* travels as that flow's answers do */
}

static bool anyone_may_want(const struct watch *w)
{
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++)
		if (w->session[i].state == WATCH_RUNS && match_may_hit(&w->session[i].match, &w->facts))
			return true;
	return false;
}

static void start(struct fw *fw, struct watch *w)
{
	w->record = (struct watch_record){ .ns = fw->now_ns, .in_port = PORT_NONE, .out_port = PORT_NONE, .rule = NONE };
	w->facts = (struct match_facts){ .fate = MATCH_FATE_PASSED };
}

void watch_begin(struct fw *fw, struct frame *f)
{
	struct watch *w = fw->watch;
	struct packet p;
	uint32_t len = f->len < WATCH_SNAP_MAX ? f->len : WATCH_SNAP_MAX;
	start(fw, w);
	w->record.in_port = f->port;
	w->record.in_len = len;
	bool parsed = pkt_parse(f, &p) == DROP_NONE;
	if (parsed)
		note_tuple(w, &p);
	w->record.client = client_of(fw, f->port, w->facts.came.src);
	note_flow(fw, w, WATCH_FOUND);
	w->facts.client = w->record.client;
	/* which client a flow that the world opens leads to shows behind it */
	bool inbound = f->port == PORT_UPLINK && w->record.flow == WATCH_NO_FLOW && fw->cross.inbound != NONE;
	w->wanted = inbound || anyone_may_want(w);
	w->frame = f;
	w->sent = fw->tx.tail;
	if (w->wanted)
		memcpy(w->head, f->data, len);
}

/* Who refused it: what the rules say is the same a moment later. */
static void note_refusal(struct fw *fw, struct watch_record *r)
{
	uint32_t client, rule;
	enum drop reason = (enum drop)r->reason;
	if (told_refuser(fw, &r->came, r->in_port, reason, &rule))
		r->rule = rule;
	else if (reason != DROP_CLOSED)
		return;
	if (policy_find(fw->policy, r->client, &client))
		r->generation = policy_generation(fw->policy, client);
}

static void publish(struct fw *fw, struct watch *w, const uint8_t *in, const uint8_t *out)
{
	struct watch_record *r = &w->record;
	char number[12];
	struct text t = text_on(number), id = text_on(r->rule_id);
	if (r->rule != NONE)
		accounts_id(policy_accounts(fw->policy), rule_ref_account(r->rule), &id);
	if (rule_ref_number(r->rule) == RULE_POLICY)
		text_put(&t, "policy");
	else
		text_u64(&t, rule_ref_number(r->rule));
	w->facts.rule = r->rule != NONE ? number : NULL;
	w->facts.rule_id = r->rule_id[0] ? r->rule_id : NULL;
	w->facts.client = r->client;
	r->fate = (uint8_t)w->facts.fate;
	w->facts.reason = (enum drop)r->reason;
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++) {
		struct watch_session *s = &w->session[i];
		if (s->state != WATCH_RUNS || !match_hits(&s->match, &w->facts))
			continue;
		watch_put(s, r, in, out);
		if (s->left == 0)
			watch_end_session(w, s, "count");
	}
}

static void note_out(struct fw *fw, struct watch_record *r, const struct frame *f)
{
	r->out_port = f->port;
	r->out_len = f->len < WATCH_SNAP_MAX ? f->len : WATCH_SNAP_MAX;
	if (r->fate == MATCH_FATE_PASSED && r->flow != WATCH_NO_FLOW)
		r->next_hop = fw_next_hop(fw, f->port, r->left.dst);
}

/* The frame, if it is among those that were sent since. */
static const struct frame *sent_itself(const struct fw *fw, const struct watch *w)
{
	const struct frame *f = w->sent ? w->sent->next : fw->tx.head;
	while (f && f != w->frame)
		f = f->next;
	return f;
}

/* One that nobody saw come in now: held until now, or the firewall's own. */
static void sent_late(struct fw *fw, struct frame *f)
{
	struct watch *w = fw->watch;
	struct packet p;
	start(fw, w);
	if (pkt_parse(f, &p) == DROP_NONE) {
		note_tuple(w, &p);
		/* as its answer would find it */
		w->key = tuple_reverse(p.class == PKT_ICMP_ERROR ? &w->key : &p.tuple);
		note_flow(fw, w, WATCH_FOUND);
		w->record.up = !w->record.up;
		w->facts.inside = tuple_reverse(&w->facts.inside);
		if (w->record.flow == WATCH_NO_FLOW)
			w->facts.inside = w->facts.came;
		w->record.left = p.tuple;
		w->record.came = (struct tuple){ .proto = 0 };
	}
	note_out(fw, &w->record, f);
	publish(fw, w, NULL, f->data);
}

static void sent_others(struct fw *fw, const struct frame *last, const struct frame *but)
{
	struct frame *f = last ? last->next : fw->tx.head;
	for (; f && watch_runs(fw->watch); f = f->next)
		if (f != but)
			sent_late(fw, f);
}

void watch_sent(struct fw *fw, const struct frame *last)
{
	if (!fw->watch->frame)
		sent_others(fw, last, NULL);
}

void watch_drop(struct fw *fw, const struct frame *f, uint16_t from, enum drop reason)
{
	struct watch *w = fw->watch;
	if (w->frame == f) {
		bool taken = reason == DROP_ARP_CONSUMED || reason == DROP_LOCAL_CONSUMED;
		w->facts.fate = taken ? MATCH_FATE_TAKEN : MATCH_FATE_DROPPED;
		w->record.reason = (uint8_t)reason;
		return;
	}
	if (w->frame)
		return; /* told of when it was held; here there is only one place */
	start(fw, w);
	w->facts.fate = MATCH_FATE_DROPPED;
	w->record.reason = (uint8_t)reason;
	w->record.in_port = from;
	w->record.in_len = f->len < WATCH_SNAP_MAX ? f->len : WATCH_SNAP_MAX;
	publish(fw, w, f->data, NULL);
}

void watch_end(struct fw *fw)
{
	struct watch *w = fw->watch;
	const struct frame *frame = w->frame, *last = w->sent;
	if (frame && w->wanted) {
		const struct frame *out = sent_itself(fw, w);
		struct watch_record *r = &w->record;
		if (r->flow == WATCH_NO_FLOW)
			note_flow(fw, w, WATCH_OPENED);
		if (w->facts.fate == MATCH_FATE_PASSED && !out)
			w->facts.fate = MATCH_FATE_HELD;
		r->fate = (uint8_t)w->facts.fate;
		if (w->facts.fate == MATCH_FATE_DROPPED && r->flow == WATCH_NO_FLOW)
			note_refusal(fw, r);
		if (out)
			note_out(fw, r, out);
		publish(fw, w, w->head, out ? out->data : NULL);
	}
	w->frame = NULL;
	sent_others(fw, last, frame);
}
