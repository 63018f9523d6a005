// SPDX-License-Identifier: ISC
/*
 * A burst: in stages over all its packets as far as nothing is changed, so that
 * the memory they need is on its way in time; then one by one, in order of
 * arrival, the usual ones from their flow to the way out, those that open one by
 * opening.c, all others fw.c's.
 *
 * What from_client, from_uplink and the checks before them would find out about
 * such a packet depends on its tuple, its port and the configuration alone.
 * They found it out for another packet of the flow, and `epoch` and `generation`
 * tell that nothing has changed since.
 */
#include "burst.h"
#include "watch.h"

static inline void arrive(struct fw *fw, const struct burst *b, struct frame *f, struct arrival *a)
{
	struct fw_port *port = &fw->port[f->port < PORT_COUNT ? f->port : 0];
	port->rx_packets++;
	port->rx_bytes += f->len;
	a->item = NONE;
	a->from = f->port;
	a->usual = quick_parse(f, &a->q);
	if (!a->usual)
		return;
	const struct quick_tuple *t = &a->q.tuple;
	a->item = 0;
	a->hash = flow_key_hash_v4(b->ct.key, (uint32_t)t->addresses, (uint32_t)(t->addresses >> 32), t->ports,
				   a->q.proto);
	table_prefetch(b->ct.index, a->hash);
}

/* It is of no flow, so perhaps the first of one: both of its buckets will be written to. */
static inline void expect_opening(const struct burst *b, struct arrival *a)
{
	const struct quick_tuple *t = &a->q.tuple;
	if (!a->usual || !b->opens)
		return;
	a->reply_hash = flow_key_hash_v4(b->ct.key, (uint32_t)(t->addresses >> 32), b->ours,
					 t->ports >> 16 | t->ports << 16, a->q.proto);
	table_prefetch(b->ct.index, a->reply_hash);
}

static inline void look_up(const struct burst *b, struct arrival *a)
{
	if (a->item != NONE)
		a->item = table_first(b->ct.index, a->hash);
	if (a->item == NONE) {
		expect_opening(b, a);
		return;
	}
	const uint8_t *flow = (const uint8_t *)&b->ct.flow[a->item / 2];
	__builtin_prefetch(flow);
	__builtin_prefetch(flow + 64, 1);
	if (a->q.proto == PROTO_TCP)
		__builtin_prefetch(flow + 128, 1);
}

/* The tuple as the flow has it, in both of its directions. */
static inline bool is_orig(const struct flow *f, const struct quick *q)
{
	uint32_t src = (uint32_t)q->tuple.addresses, dst = (uint32_t)(q->tuple.addresses >> 32);
	uint64_t last = q->tuple.ports | (uint64_t)q->proto << 32;
	return (quick_ip_differs(&f->orig.src, src) | quick_ip_differs(&f->orig.dst, dst) |
		(quick_load8((const uint8_t *)&f->orig + offsetof(struct tuple, sport)) ^ last)) == 0;
}

static inline bool is_reply(const struct flow *f, const struct quick *q)
{
	uint32_t src = (uint32_t)q->tuple.addresses, dst = (uint32_t)(q->tuple.addresses >> 32);
	return (quick_ip_differs(&f->orig.dst, src) | quick_ip_differs(&f->nat_ip, dst)) == 0 &&
	       (f->orig.dport | (uint32_t)f->nat_port << 16) == q->tuple.ports && f->orig.proto == q->proto &&
	       !f->orig.kind;
}

static struct quick_tuple leaves(const struct flow *f, enum ct_dir dir)
{
	if (dir == CT_ORIG)
		return (struct quick_tuple){ quick_addresses(&f->nat_ip, &f->orig.dst),
					     f->nat_port | (uint32_t)f->orig.dport << 16 };
	return (struct quick_tuple){ quick_addresses(&f->orig.dst, &f->orig.src),
				     f->orig.dport | (uint32_t)f->orig.sport << 16 };
}

static inline uint64_t mac_word(const struct mac *m)
{
	uint16_t last;
	memcpy(&last, m->b + 4, sizeof(last));
	return quick_load4(m->b) | (uint64_t)last << 32;
}

/* Of a frame, where more bytes follow. */
static inline uint64_t mac_word_at(const uint8_t *at)
{
	return quick_load8(at) & UINT64_C(0xffffffffffff);
}

/* The frame is the port's, and tells nothing new about who sent it. */
static inline bool link_holds(const struct fw_port *port, const struct frame *f, enum ct_dir dir)
{
	return mac_word_at(f->data) == mac_word(&port->config.ours) &&
	       (dir == CT_REPLY || (port->theirs_known &&
				    mac_word_at(f->data + sizeof(struct mac)) == mac_word(&port->theirs)));
}

/* NULL: not known without asking. */
static inline const struct mac *neighbour(const struct fw *fw, const struct fw_port *out, const struct flow *flow,
					  enum ct_dir dir)
{
	if (out->theirs_known)
		return &out->theirs;
	if (dir == CT_REPLY || fw->now_ns >= fw->gateway_until_ns)
		return NULL;
	bool on_link = ((quick_load4(flow->orig.dst.b + 12) ^ fw->uplink_net) & fw->uplink_mask) == 0;
	return on_link ? NULL : &fw->gateway_mac;
}

/* Where the next hop has to be found first; the link header follows then. */
static void send_asking(struct fw *fw, const struct quick *q, const struct flow *flow, enum ct_dir dir, uint16_t out)
{
	const struct mac none = { { 0 } };
	struct packet p = { .frame = q->frame, .tuple = ct_translated(flow, dir) };
	quick_rewrite(q, leaves(flow, dir), &none, &none);
	fw_route(fw, &p, out, ct_index(fw->ct, flow));
}

static inline __attribute__((always_inline)) void send(struct fw *fw, const struct quick *q, const struct flow *flow,
						       enum ct_dir dir, uint16_t to)
{
	struct fw_port *out = &fw->port[to];
	const struct mac *mac = neighbour(fw, out, flow, dir);
	if (!mac) {
		send_asking(fw, q, flow, dir, to);
		return;
	}
	quick_rewrite(q, leaves(flow, dir), mac, &out->config.ours);
	/* as by fw_send; a port that has flows is attached */
	out->tx_packets++;
	out->tx_bytes += q->frame->len;
	q->frame->port = to;
	frames_put(&fw->tx, q->frame);
}

/*
 * Sends a packet on whose flow was admitted by today's rules and checked under
 * today's configuration. False: it was not touched, and goes the whole way.
 */
static inline __attribute__((always_inline)) bool pass(struct fw *fw, const struct burst *b, const struct arrival *a)
{
	const struct quick *q = &a->q;
	uint32_t index = a->item / 2;
	enum ct_dir dir = (enum ct_dir)(a->item % 2);
	if (a->item == NONE)
		return false;
	struct flow *flow = &b->ct.flow[index];
	if (!(dir == CT_ORIG ? is_orig(flow, q) : is_reply(flow, q)))
		return false;
	uint16_t from = dir == CT_ORIG ? flow->port : PORT_UPLINK, to = dir == CT_ORIG ? PORT_UPLINK : flow->port;
	const struct fw_port *out = &fw->port[to];
	if (flow->epoch != fw->epoch || flow->generation != (uint32_t)b->generation[flow->client] ||
	    q->frame->port != from || !link_holds(&fw->port[from], q->frame, dir) || !out->up ||
	    q->bytes > out->config.mtu)
		return false;
	enum drop reason = DROP_NONE;
	if (q->proto == PROTO_TCP)
		reason = ct_pass(fw->ct, index, dir, &q->tcp, q->bytes, b->ct.now_ns);
	else if (!ct_pass_quietly(flow, dir, q->bytes, b->ct.now_ns))
		reason = ct_pass(fw->ct, index, dir, NULL, q->bytes, b->ct.now_ns);
	if (reason != DROP_NONE)
		fw_drop(fw, q->frame, from, reason);
	else
		send(fw, q, flow, dir, to);
	return true;
}

/* A client's packet that opens a flow, or is refused one. False: it was not touched, and goes the whole way. */
static __attribute__((noinline)) bool open(struct fw *fw, const struct burst *b, struct arrival *a)
{
	uint32_t index;
	enum drop reason;
	if (!a->usual || !b->opens || a->item != NONE || a->from == PORT_UPLINK || a->from >= PORT_COUNT ||
	    (a->q.proto == PROTO_TCP && !tcp_opens(&a->q.tcp)) || !link_holds(&fw->port[a->from], a->q.frame, CT_ORIG))
		return false;
	switch (fw_open_usual(fw, &a->q, a->hash, a->reply_hash, &index, &reason)) {
	case FW_OPENED:
		a->item = 2 * index; /* who looks on may want to know */
		send(fw, &a->q, &b->ct.flow[index], CT_ORIG, PORT_UPLINK);
		return true;
	case FW_REFUSED:
		fw_drop(fw, a->q.frame, a->from, reason);
		return true;
	case FW_OTHER_WAY:
		break;
	}
	return false;
}

static void take_one(struct fw *fw, struct frame *f)
{
	struct packet p;
	uint16_t from = f->port;
	enum drop reason = pkt_parse(f, &p);
	fw_take(fw, &p, f, from, reason);
}

/* The whole way; first fragments that were judged let others go. */
static void take_all(struct fw *fw, struct frame *f)
{
	take_one(fw, f);
	while ((f = frames_take(&fw->again)))
		take_one(fw, f);
}

static inline void finish(struct fw *fw, const struct burst *b, struct frame *f, struct arrival *a)
{
	if (pass(fw, b, a) || open(fw, b, a))
		return;
	fw->forwarded = NONE;
	take_all(fw, f);
	fw->judged = NULL;
	a->item = fw->forwarded == NONE ? NONE : 2 * fw->forwarded; /* it was a hint, and proved nothing */
}

/* --- measuring ---------------------------------------------------------------------- */

/* Finishes a block, and counts whose its packets are. */
static void finish_counted(struct fw *fw, const struct burst *b, struct frame *burst[], struct arrival *arrival,
			   struct latency_stretches *all, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		struct arrival *a = &arrival[i];
		uint64_t lost = fw->lost;
		finish(fw, b, burst[i], a);
		if (fw->lost == lost && a->item / 2 == all->flow && a->from == all->from)
			all->last->count++;
		else if (fw->lost != lost || a->item == NONE || burst[i]->port == a->from ||
			 !stretches_passed(all, b, burst[i]->port, a))
			stretches_add(all, fw, b, burst[i], a, fw->lost != lost);
	}
}

/* Notes how long the packets of a group stayed, whose last is finished. */
static void settle(struct fw *fw, const struct burst *b, const struct arrival *arrival, size_t first,
		   struct latency_group *group)
{
	struct latency *l = fw->latency;
	struct latency_stretches *all = l->stretches;
	uint32_t count[LATENCY_WAYS] = { 0 };
	for (uint32_t i = 0; i < all->count; i++)
		count[latency_way(all->of[i])] += all->of[i]->count;
	group->done = l->ticks();
	uint64_t ns = latency_done(l, group, count);
	if (l->by)
		latency_by_add(l->by, all->of, all->count, ns);
	if (latency_is_slow(l, ns))
		stretches_slow(fw, b, &arrival[first], ns, first, group);
	stretches_next_group(all);
}

/* --- the burst ---------------------------------------------------------------------- */

static inline void arrive_block(struct fw *fw, const struct burst *b, struct frame *burst[], struct arrival *arrival,
				size_t at, size_t n)
{
	for (size_t i = at; i < at + BURST_BLOCK && i < n; i++)
		arrive(fw, b, burst[i], &arrival[i]);
}

static inline void look_up_block(const struct burst *b, struct arrival *arrival, size_t at, size_t n)
{
	for (size_t i = at - BURST_BLOCK; at >= BURST_BLOCK && i < at && i < n; i++)
		look_up(b, &arrival[i]);
}

/* The block at `at`, of n packets in all, is the last of its group. */
static inline bool ends_group(size_t at, size_t n)
{
	return at < n && ((at + BURST_BLOCK) % LATENCY_GROUP == 0 || n - at <= BURST_BLOCK);
}

/* As plain_burst, and looks at the clock after every stage of every group. */
static void measured_burst(struct fw *fw, const struct burst *b, struct frame *burst[], size_t n)
{
	struct arrival arrival[FW_BURST];
	struct latency_group group[FW_BURST / LATENCY_GROUP];
	struct latency *l = fw->latency;
	fw->refused.client = NONE;
	for (size_t at = 0; at < n + 2 * BURST_BLOCK; at += BURST_BLOCK) {
		arrive_block(fw, b, burst, arrival, at, n);
		if (l->stages && ends_group(at, n))
			group[at / LATENCY_GROUP].parsed = l->ticks();
		look_up_block(b, arrival, at, n);
		if (l->stages && at >= BURST_BLOCK && ends_group(at - BURST_BLOCK, n))
			group[(at - BURST_BLOCK) / LATENCY_GROUP].looked_up = l->ticks();
		if (at < 2 * BURST_BLOCK || at - 2 * BURST_BLOCK >= n)
			continue;
		size_t first = at - 2 * BURST_BLOCK, of = first / LATENCY_GROUP;
		size_t end = first + BURST_BLOCK < n ? first + BURST_BLOCK : n;
		finish_counted(fw, b, burst, arrival, l->stretches, first, end);
		if (ends_group(first, n))
			settle(fw, b, arrival, of * LATENCY_GROUP, &group[of]);
	}
}

/* Block by block: a packet's bucket has one block's time to come near, and its flow has one more. */
static void plain_burst(struct fw *fw, const struct burst *b, struct frame *burst[], size_t n)
{
	struct arrival arrival[FW_BURST];
	for (size_t at = 0; at < n + 2 * BURST_BLOCK; at += BURST_BLOCK) {
		arrive_block(fw, b, burst, arrival, at, n);
		look_up_block(b, arrival, at, n);
		if (at < 2 * BURST_BLOCK)
			continue;
		size_t end = at - BURST_BLOCK < n ? at - BURST_BLOCK : n;
		for (size_t i = at - 2 * BURST_BLOCK; i < end; i++)
			finish(fw, b, burst[i], &arrival[i]);
	}
}

static inline void one_burst(struct fw *fw, const struct burst *b, struct frame *burst[], size_t n)
{
	if (latency_runs(fw->latency))
		measured_burst(fw, b, burst, n);
	else
		plain_burst(fw, b, burst, n);
}

/* One at a time, so that it is seen what becomes of each. */
static __attribute__((noinline)) void looked_at(struct fw *fw, const struct burst *b, struct frame *burst[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		watch_begin(fw, burst[i]);
		one_burst(fw, b, &burst[i], 1);
		watch_end(fw);
	}
}

void fw_input(struct fw *fw, struct frame *burst[], size_t count, uint64_t now_ns)
{
	const struct burst b = { ct_view(fw->ct, now_ns), policy_generations(fw->policy), fw_uplink_ready(fw),
				 quick_load4(fw->uplink.ip.b + 12) };
	fw->now_ns = now_ns;
	latency_begin(fw->latency);
	for (size_t n; count; burst += n, count -= n) {
		n = count < FW_BURST ? count : FW_BURST;
		if (watch_runs(fw->watch))
			looked_at(fw, &b, burst, n);
		else
			one_burst(fw, &b, burst, n);
	}
}
