// SPDX-License-Identifier: ISC
/*
 * The pipeline on one page: what happens to a frame, in order.
 *
 * A frame is owned by exactly one of: the caller, the queues tx, done, spare
 * and again, the neighbour cache, the fragment tracker. Every function below
 * that takes a packet passes its frame on before it returns.
 */
#include "cross.h"
#include "fw.h"

enum {
	SWEEP_SLOTS = 1024, /* of the flow table, looked at per poll for older generations */
	ICMP_UNREACHABLE = 3,
	ICMP_NET_UNREACHABLE = 0,
	ICMP_FRAG_NEEDED = 4,
	ICMP_PROHIBITED = 13,
	ICMP_TIME_EXCEEDED = 11,
};

/* What the stages find out about one packet on its way. */
struct way {
	uint16_t from, out;
	bool first_fragment;
	uint32_t handle; /* of the datagram in pieces */
	uint32_t flow;
	enum ct_dir dir;
};

void fw_drop(struct fw *fw, struct frame *f, uint16_t from, enum drop reason)
{
	fw->drops[reason]++;
	fw->lost++;
	if (from < PORT_COUNT)
		fw->port[from].drops++;
	fw_tell_drop(fw, f, from, reason);
	frames_put(&fw->done, f);
}

/* The first fragment's fate is the fate of the datagram. */
static void decide(struct fw *fw, const struct way *w, const struct fragment_way *way)
{
	struct frame_queue released = { 0 };
	if (!w->first_fragment)
		return;
	fragments_decide(fw->fragments, w->handle, way, &released);
	for (struct frame *f; (f = frames_take(&released));)
		frames_put(&fw->again, f);
}

static void refuse(struct fw *fw, struct packet *p, const struct way *w, enum drop reason)
{
	decide(fw, w, &(struct fragment_way){ .reason = reason });
	fw_drop(fw, p->frame, w->from, reason);
}

static void refuse_aloud(struct fw *fw, struct packet *p, const struct way *w, enum drop reason, uint8_t type,
			 uint8_t code, uint32_t info)
{
	decide(fw, w, &(struct fragment_way){ .reason = reason });
	/* one purse for all would tell a client when answers about another's flow are sent (SAD DNS) */
	if (w->from == PORT_UPLINK && !limit_allows(&fw->port[w->out].error_limit, fw->now_ns))
		fw_drop(fw, p->frame, w->from, reason);
	else
		fw_refuse(fw, p, w->from, reason, type, code, info);
}

uint32_t fw_wire_bytes(const struct packet *p)
{
	uint32_t whole = p->end - p->l3, segment = (uint32_t)p->payload - p->l3 + p->frame->offload.gso_size;
	return p->frame->offload.gso_type != GSO_NONE && segment < whole ? segment : whole;
}

/* TTL and size, told to the sender; false: p is gone. */
static bool can_leave(struct fw *fw, struct packet *p, const struct way *w)
{
	uint32_t mtu = fw->port[w->out].config.mtu;
	if (p->ttl <= 1) {
		refuse_aloud(fw, p, w, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
		return false;
	}
	if (fw_wire_bytes(p) > mtu) {
		refuse_aloud(fw, p, w, DROP_TOO_BIG, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, mtu);
		return false;
	}
	return true;
}

/* The stores into the live frame, then the way out. */
static void forward(struct fw *fw, struct packet *p, const struct way *w)
{
	const struct flow *flow = ct_flow(fw->ct, w->flow);
	struct tuple to = ct_translated(flow, w->dir);
	fw->forwarded = w->flow;
	rewrite_tuple(p, &to);
	rewrite_ttl(p);
	if (w->first_fragment) {
		struct fragment_way way = {
			.pass = true, .port = w->out, .id = (uint16_t)random_next(&fw->secret),
			.flow = w->flow, .flow_serial = flow->serial, .src = to.src, .dst = to.dst,
		};
		rewrite_id(p, way.id);
		decide(fw, w, &way);
	}
	fw_route(fw, p, w->out, w->flow);
}

/* --- flows and rules ------------------------------------------------------------- */

bool fw_flow_stands(struct fw *fw, uint32_t index)
{
	struct flow *flow = ct_flow(fw->ct, index);
	uint32_t client, rule;
	if (flow->port == PORT_UPLINK)
		return true; /* our own */
	/* no two clients have had this place and this generation */
	if ((uint32_t)policy_generation(fw->policy, flow->client) == flow->generation)
		return true;
	enum drop reason = policy_blocked(fw->policy, &flow->orig);
	if (reason != DROP_NONE) {
		ct_cut(fw->ct, index);
		return false;
	}
	reason = DROP_CLOSED;
	if (flow->kind != FLOW_OUTWARD) {
		client = flow->client;
		reason = cross_again(fw, flow, &rule);
	} else if (policy_find(fw->policy, flow->orig.src, &client)) {
		policy_judge(fw->policy, client, &flow->orig, &rule, &reason);
	}
	if (reason != DROP_NONE) {
		ct_cut(fw->ct, index);
		return false;
	}
	ct_readmit(fw->ct, index,
		   &(struct ct_admission){ client, (uint32_t)policy_generation(fw->policy, client), rule });
	return true;
}

/*
 * Can neither begin a flow nor be in the middle of one: invalid whatever the rules say (qubes.md 3.3), so nobody is
 * told. A lone ACK is neither: it may be of a connection that newer rules cut, and its sender is to learn of it.
 */
bool fw_is_stray(const struct packet *p)
{
	if (p->class == PKT_ICMP_QUERY)
		return p->icmp_type != p->tuple.kind; /* an answer */
	if (p->class != PKT_TCP)
		return false;
	uint8_t flags = p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN);
	return flags != TCP_SYN && flags != TCP_ACK;
}

/* The flow is new, and this is why it may be. */
static void admitted(struct fw *fw, const struct way *w, uint32_t client, uint32_t rule)
{
	ct_admit(policy_accounts(fw->policy), ct_flow(fw->ct, w->flow),
		 &(struct ct_admission){ client, (uint32_t)policy_generation(fw->policy, client), rule });
}

/* A packet that belongs to no flow yet: the rules decide. False: p is gone. */
static bool open_flow(struct fw *fw, struct packet *p, struct way *w)
{
	if (fw_is_stray(p)) {
		refuse(fw, p, w, DROP_CT_INVALID);
		return false;
	}
	const struct fw_verdict v = fw_judge(fw, p);
	if (v.reason != DROP_NONE) {
		fw->refused = (struct fw_refused){ p->tuple.src, v.reason == DROP_CLOSED ? NONE : v.client, v.rule };
		accounts_refuse(policy_accounts(fw->policy), rule_ref_account(v.rule), fw->now_ns);
		refuse_aloud(fw, p, w, v.reason, ICMP_UNREACHABLE, ICMP_PROHIBITED, 0);
		return false;
	}
	enum drop reason = ct_open(fw->ct, p, w->from, fw->uplink.ip, fw->now_ns, &w->flow);
	if (reason != DROP_NONE) {
		refuse(fw, p, w, reason);
		return false;
	}
	admitted(fw, w, v.client, v.rule);
	w->dir = CT_ORIG;
	return true;
}

static void track_and_forward(struct fw *fw, struct packet *p, struct way *w)
{
	enum drop reason = ct_track(fw->ct, w->flow, w->dir, p, fw->now_ns);
	if (reason != DROP_NONE)
		refuse(fw, p, w, reason);
	else
		forward(fw, p, w);
}

/* RFC 1812 5.2.7.1. As in Linux a route is looked for before the rules are asked, so they do not matter. */
static void no_route(struct fw *fw, struct packet *p, const struct way *w)
{
	if (fw_is_stray(p))
		refuse(fw, p, w, DROP_NO_ROUTE);
	else
		refuse_aloud(fw, p, w, DROP_NO_ROUTE, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
}

static void from_client(struct fw *fw, struct packet *p, struct way *w)
{
	w->out = PORT_UPLINK;
	if (!fw_uplink_ready(fw)) {
		no_route(fw, p, w);
		return;
	}
	if (!can_leave(fw, p, w))
		return;
	bool found = ct_find(fw->ct, &p->tuple, &w->flow, &w->dir);
	if (found && (w->dir != CT_ORIG || ct_flow(fw->ct, w->flow)->port != w->from ||
		      ct_flow(fw->ct, w->flow)->kind == FLOW_BETWEEN)) {
		refuse(fw, p, w, DROP_CT_INVALID);
		return;
	}
	bool opens = !(found && fw_flow_stands(fw, w->flow));
	if (opens && !open_flow(fw, p, w))
		return;
	/* the answers come from whom it goes to and go to our own address: they are checked with it */
	ct_flow(fw->ct, w->flow)->epoch = fw->uplink_plain ? fw->epoch : 0;
	if (opens)
		forward(fw, p, w);
	else
		track_and_forward(fw, p, w);
}

/* From the world, of no flow: it leads to a client, or it is refused in silence. */
static void from_nobody(struct fw *fw, struct packet *p, struct way *w)
{
	struct cross_lead lead;
	enum drop reason = fw_is_stray(p) ? DROP_NEW_FROM_UPLINK : cross_inbound(fw, &p->tuple, &lead);
	if (reason == DROP_RULE)
		accounts_refuse(policy_accounts(fw->policy), rule_ref_account(lead.rule), fw->now_ns);
	if (reason != DROP_NONE) {
		refuse(fw, p, w, reason);
		return;
	}
	w->out = lead.port;
	w->dir = CT_REPLY;
	if (!can_leave(fw, p, w))
		return;
	reason = ct_open_inbound(fw->ct, p, lead.port, lead.to, lead.to_port, fw->now_ns, &w->flow);
	if (reason != DROP_NONE) {
		refuse(fw, p, w, reason);
		return;
	}
	admitted(fw, w, fw->cross.inbound, lead.rule);
	/* whom the answers go to was checked with the rest */
	ct_flow(fw->ct, w->flow)->epoch = fw->uplink_plain ? fw->epoch : 0;
	forward(fw, p, w);
}

static void from_uplink(struct fw *fw, struct packet *p, struct way *w)
{
	bool found = ct_find(fw->ct, &p->tuple, &w->flow, &w->dir);
	if (!found && fw->cross.inbound != NONE) {
		from_nobody(fw, p, w);
		return;
	}
	if (!found || w->dir != CT_REPLY || ct_flow(fw->ct, w->flow)->kind == FLOW_BETWEEN) {
		refuse(fw, p, w, DROP_NEW_FROM_UPLINK);
		return;
	}
	if (!fw_flow_stands(fw, w->flow)) {
		refuse(fw, p, w, DROP_FLOW_CUT);
		return;
	}
	if (ct_flow(fw->ct, w->flow)->port == PORT_UPLINK) {
		refuse(fw, p, w, fw_own_take(fw, p, w->flow));
		return;
	}
	w->out = ct_flow(fw->ct, w->flow)->port;
	if (!can_leave(fw, p, w))
		return;
	track_and_forward(fw, p, w);
}

/* --- between clients ------------------------------------------------------------- */

static bool open_between(struct fw *fw, struct packet *p, struct way *w)
{
	uint32_t rule = RULE_POLICY;
	enum drop reason = fw_is_stray(p) ? DROP_CT_INVALID : cross_between(fw, &p->tuple, &rule);
	if (reason == DROP_RULE || reason == DROP_INTER_CLIENT)
		accounts_refuse(policy_accounts(fw->policy), rule_ref_account(rule), fw->now_ns);
	if (reason == DROP_RULE) {
		refuse_aloud(fw, p, w, reason, ICMP_UNREACHABLE, ICMP_PROHIBITED, 0);
		return false;
	}
	if (reason != DROP_NONE) {
		refuse(fw, p, w, reason);
		return false;
	}
	if (!can_leave(fw, p, w))
		return false;
	const struct ip_addr untranslated = { { 0 } };
	reason = ct_open(fw->ct, p, w->from, untranslated, fw->now_ns, &w->flow);
	if (reason != DROP_NONE) {
		refuse(fw, p, w, reason);
		return false;
	}
	admitted(fw, w, fw->cross.between, rule);
	ct_flow(fw->ct, w->flow)->kind = FLOW_BETWEEN;
	w->dir = CT_ORIG;
	return true;
}

/* The epoch of such a flow stays 0, so burst.c, which knows of the uplink alone, leaves all its packets to this. */
static void to_client(struct fw *fw, struct packet *p, struct way *w)
{
	w->out = fw_port_of(fw, p->tuple.dst);
	if (w->out == PORT_NONE || w->out == w->from) {
		refuse(fw, p, w, DROP_INTER_CLIENT);
		return;
	}
	bool found = ct_find(fw->ct, &p->tuple, &w->flow, &w->dir);
	if (found && ct_flow(fw->ct, w->flow)->kind != FLOW_BETWEEN) {
		refuse(fw, p, w, DROP_CT_INVALID);
		return;
	}
	if (found && fw_flow_stands(fw, w->flow)) {
		if (can_leave(fw, p, w))
			track_and_forward(fw, p, w);
	} else if (open_between(fw, p, w)) {
		forward(fw, p, w);
	}
}

/* --- fragments ------------------------------------------------------------------- */

/* A later piece goes where its first one went, as long as that flow lives and is admitted. */
static void follow(struct fw *fw, struct packet *p, struct way *w, const struct fragment_way *way)
{
	const struct flow *flow = ct_flow(fw->ct, way->flow);
	w->out = way->port;
	if (!flow || flow->serial != way->flow_serial || !fw_flow_stands(fw, way->flow)) {
		fw_drop(fw, p->frame, w->from, DROP_FLOW_CUT);
		return;
	}
	if (!can_leave(fw, p, w))
		return;
	struct tuple to = { .src = way->src, .dst = way->dst, .proto = p->tuple.proto };
	rewrite_tuple(p, &to);
	rewrite_ttl(p);
	rewrite_id(p, way->id);
	fw_route(fw, p, w->out, way->flow);
}

/* True: p is a whole datagram or a first fragment to be judged. Else p is taken care of. */
static bool in_order(struct fw *fw, struct packet *p, struct way *w)
{
	struct frame_queue dropped = { 0 };
	struct fragment_way way;
	enum drop reason = DROP_NONE;
	bool judge = false;
	if (!p->has_fragments)
		return true;
	switch (fragments_take(fw->fragments, p, fw->now_ns, &w->handle, &way, &reason, &dropped)) {
	case FRAGMENT_JUDGE:
		w->first_fragment = judge = true;
		break;
	case FRAGMENT_FOLLOW:
		if (way.pass)
			follow(fw, p, w, &way);
		else
			fw_drop(fw, p->frame, w->from, way.reason);
		break;
	case FRAGMENT_HELD:
		break;
	case FRAGMENT_DROP:
		fw_drop(fw, p->frame, w->from, reason);
		break;
	}
	for (struct frame *f; (f = frames_take(&dropped));)
		fw_drop(fw, f, w->from, reason);
	return judge;
}

/* --- sources and destinations ------------------------------------------------------ */

static bool for_us(const struct fw *fw, const struct packet *p, uint16_t from)
{
	const struct eth_hdr *eth = pkt_eth(p);
	return mac_is_group(eth->dst) || mac_eq(eth->dst, fw->port[from].config.ours);
}

/* A client's own frames say best where it is. */
static void learn_client(struct fw *fw, const struct packet *p, uint16_t from)
{
	struct fw_port *port = &fw->port[from];
	if (from == PORT_UPLINK || !mac_eq(port->config.theirs, (struct mac){ { 0 } }))
		return;
	port->theirs = pkt_eth(p)->src;
	port->theirs_known = true;
}

static void judge(struct fw *fw, struct packet *p, uint16_t from)
{
	struct way w = { .from = from, .out = PORT_NONE, .flow = NONE };
	enum drop reason = p->v6 ? DROP_IPV6 : fw_admits(fw, &p->tuple, from);
	if (reason == DROP_NONE && p->broadcast)
		reason = DROP_MARTIAN;
	if (reason == DROP_NONE && from != PORT_UPLINK)
		reason = policy_blocked(fw->policy, &p->tuple);
	if (reason != DROP_NONE) {
		fw_drop(fw, p->frame, from, reason);
		return;
	}
	learn_client(fw, p, from);
	bool ours = fw_is_ours(fw, p->tuple.dst);
	bool across = from != PORT_UPLINK && !ours && fw_is_protected(fw, p->tuple.dst);
	if (from != PORT_UPLINK && ours)
		fw_local(fw, p, from);
	else if (across && fw->cross.between == NONE)
		fw_drop(fw, p->frame, from, DROP_INTER_CLIENT);
	else if (!in_order(fw, p, &w))
		return;
	else if (p->class == PKT_ICMP_ERROR && !p->has_fragments)
		fw_related(fw, p, from);
	else if (from == PORT_UPLINK)
		from_uplink(fw, p, &w);
	else if (across)
		to_client(fw, p, &w);
	else
		from_client(fw, p, &w);
}

void fw_take(struct fw *fw, struct packet *p, struct frame *f, uint16_t from, enum drop reason)
{
	if (from >= PORT_COUNT || !fw->port[from].attached)
		reason = DROP_PORT_GONE;
	else if (reason == DROP_NONE && !for_us(fw, p, from))
		reason = DROP_NOT_FOR_US;
	if (reason != DROP_NONE)
		fw_drop(fw, f, from, reason);
	else if (p->class == PKT_ARP)
		fw_arp(fw, p, from);
	else
		judge(fw, p, from);
}

/* --- timers ------------------------------------------------------------------------ */

static void ask_neighbours(struct fw *fw)
{
	struct frame_queue gone = { 0 };
	struct neigh_request ask[FW_SPARE_FRAMES];
	size_t max = fw->spare.count < array_len(ask) ? fw->spare.count : array_len(ask);
	size_t n = neigh_poll(fw->neigh, fw->now_ns, ask, max, &gone);
	for (size_t i = 0; i < n; i++) {
		struct frame *f = frames_take(&fw->spare);
		if (build_arp_request(f, fw->port[ask[i].port].config.ours, fw->uplink.ip, ask[i].target))
			fw_send(fw, f, ask[i].port);
		else
			fw_drop(fw, f, ask[i].port, DROP_NO_BUFFER);
	}
	for (struct frame *f; (f = frames_take(&gone));)
		fw_drop(fw, f, f->port, DROP_NEIGHBOUR);
}

/* Flows that are silent are judged again too, a few at a time. */
static void sweep(struct fw *fw)
{
	for (uint32_t n = 0; fw->sweep_left && n < SWEEP_SLOTS; n++, fw->sweep_left--) {
		if (ct_flow(fw->ct, fw->sweep))
			fw_flow_stands(fw, fw->sweep);
		fw->sweep = fw->sweep + 1 < ct_capacity(fw->ct) ? fw->sweep + 1 : 0;
	}
}

void fw_rules_changed(struct fw *fw)
{
	cross_refresh(fw);
	/* goes on from where it is: rules that keep changing must not keep it at the start */
	fw->sweep_left = ct_capacity(fw->ct);
}

void fw_poll(struct fw *fw, uint64_t now_ns)
{
	struct frame_queue gone = { 0 };
	const struct frame *last = fw->tx.tail;
	fw->now_ns = now_ns;
	ct_poll(fw->ct, now_ns);
	ask_neighbours(fw);
	fragments_poll(fw->fragments, now_ns, &gone);
	for (struct frame *f; (f = frames_take(&gone));)
		fw_drop(fw, f, f->port, DROP_FRAGMENT_TIMEOUT);
	sweep(fw);
	fw_tell_sent(fw, last);
	fw_tell_poll(fw);
}

uint64_t fw_deadline(const struct fw *fw)
{
	if (fw->sweep_left)
		return fw->now_ns;
	uint64_t deadline = ct_deadline(fw->ct);
	uint64_t neigh = neigh_deadline(fw->neigh), fragments = fragments_deadline(fw->fragments);
	uint64_t told = fw_tell_deadline(fw);
	deadline = neigh < deadline ? neigh : deadline;
	deadline = told < deadline ? told : deadline;
	return fragments < deadline ? fragments : deadline;
}
