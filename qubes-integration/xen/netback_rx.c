// SPDX-License-Identifier: ISC
/* From frontends: a burst's packets copied out of their grants by one hypercall, and answered. */
#include "evtchn.h"
#include "framepool.h"
#include "headers.h"
#include "vif.h"

enum { VIF_SHARE = 32, FRAME_MIN_BYTES = ETH_BYTES };

/* A packet whose bytes are under way. */
struct arrival {
	struct frame *frame;
	struct vif *vif;
	uint32_t response, slots; /* its first, and how many */
	uint32_t op, ops;
	struct netmarks marks;
};

struct burst {
	struct arrival at[PLATFORM_BURST_MAX];
	uint32_t count, ops;
};

/* The requests of one packet, extra ones left out of `data`. */
struct packet_slots {
	struct nettx_request data[VIF_SLOTS_MAX];
	uint32_t count;        /* of data */
	uint32_t extras, used; /* slots of extra info; all slots */
	uint32_t total;
	struct netmarks marks;
};

static bool gather_extras(struct vif *v, uint32_t avail, struct packet_slots *p)
{
	struct netextra e;
	do {
		if (p->used == avail || p->used == VIF_SLOTS_MAX) {
			vif_break(v, "broken: a packet's extra info does not end");
			return false;
		}
		e = netextra_at(v->tx.page, v->tx.req_cons + p->used, NETRING_TX_WORDS);
		if (e.type == 0 || e.type > NETEXTRA_LAST) {
			vif_break(v, "broken: extra info of an unknown kind");
			return false;
		}
		if (e.type == NETEXTRA_GSO) {
			if ((e.gso_type != NETGSO_TCPV4 && e.gso_type != NETGSO_TCPV6) || e.gso_size == 0) {
				vif_break(v, "broken: segmentation of an unknown kind");
				return false;
			}
			p->marks.gso_type = e.gso_type;
			p->marks.gso_size = e.gso_size;
		}
		p->used++;
		p->extras++;
	} while (e.flags & NETEXTRA_MORE);
	return true;
}

/* The first request's size is the whole packet's; what the others do not hold is its own. */
static bool gather(struct vif *v, uint32_t avail, struct packet_slots *p)
{
	struct nettx_request r = nettx_request_at(v->tx.page, v->tx.req_cons);
	*p = (struct packet_slots){ .total = r.size, .count = 1, .used = 1 };
	p->marks.csum_blank = r.flags & NETTX_CSUM_BLANK;
	p->marks.data_validated = r.flags & NETTX_DATA_VALIDATED;
	p->data[0] = r;
	if (r.flags & NETTX_EXTRA_INFO && !gather_extras(v, avail, p))
		return false;
	while (r.flags & NETTX_MORE_DATA) {
		if (p->used == avail || p->used == VIF_SLOTS_MAX) {
			vif_break(v, "broken: a packet does not end");
			return false;
		}
		r = nettx_request_at(v->tx.page, v->tx.req_cons + p->used);
		if (r.size > p->data[0].size) {
			vif_break(v, "broken: a packet's parts are more than the whole");
			return false;
		}
		p->data[0].size = (uint16_t)(p->data[0].size - r.size);
		p->data[p->count++] = r;
		p->used++;
	}
	for (uint32_t i = 0; i < p->count; i++)
		if (p->data[i].offset > XEN_PAGE_BYTES ||
		    p->data[i].size > XEN_PAGE_BYTES - p->data[i].offset) {
			vif_break(v, "broken: a packet leaves its page");
			return false;
		}
	return true;
}

/* Answers p's requests; they are shown by vif_notify() at the burst's end. */
static void answer(struct vif *v, const struct packet_slots *p, int16_t status)
{
	nettx_response_put(v->tx.page, v->tx.rsp_prod++, p->data[0].id, status);
	for (uint32_t i = 0; i < p->extras; i++)
		nettx_response_put(v->tx.page, v->tx.rsp_prod++, 0, NETIF_NULL);
	for (uint32_t i = 1; i < p->count; i++)
		nettx_response_put(v->tx.page, v->tx.rsp_prod++, p->data[i].id, status);
	v->tx.req_cons += p->used;
	v->tx_pushed = true;
}

static uint32_t add_ops(struct vif *v, const struct packet_slots *p, struct frame *f, uint32_t first)
{
	uint32_t n = first;
	uint8_t *to = f->data;
	for (uint32_t i = 0; i < p->count; i++) {
		uint32_t offset = p->data[i].offset, left = p->data[i].size;
		while (left) {
			uint32_t room = XEN_PAGE_BYTES - (uint32_t)((uintptr_t)to % XEN_PAGE_BYTES);
			uint32_t part = left < room ? left : room;
			netback.op[n++] = (struct grant_copy_op){
				.ref = p->data[i].ref, .domid = v->domid, .offset = (uint16_t)offset,
				.len = (uint16_t)part, .local = to,
			};
			to += part;
			offset += part;
			left -= part;
		}
	}
	return n - first;
}

/* Takes v's next packet. False: no more of v in this burst. */
static bool take_packet(struct vif *v, uint32_t avail, struct burst *b)
{
	struct packet_slots p;
	if (!gather(v, avail, &p))
		return false;
	if (p.total < FRAME_MIN_BYTES) {
		netback.rx_bad++;
		answer(v, &p, NETIF_ERROR);
		return true;
	}
	struct frame *f = framepool_take(p.total);
	if (!f) {
		netback.frames_short++;
		return false;
	}
	f->len = p.total;
	struct arrival *a = &b->at[b->count++];
	*a = (struct arrival){ .frame = f, .vif = v, .response = v->tx.rsp_prod, .slots = p.used, .op = b->ops,
			       .marks = p.marks };
	a->ops = add_ops(v, &p, f, b->ops);
	b->ops += a->ops;
	answer(v, &p, NETIF_OKAY);
	return true;
}

static bool burst_full(const struct burst *b, size_t max)
{
	return b->count >= max || b->ops + VIF_OPS_PER_PACKET > VIF_OPS;
}

static void take_vif(struct vif *v, struct burst *b, size_t max)
{
	for (uint32_t taken = 0; taken < VIF_SHARE && !burst_full(b, max); taken++) {
		int32_t avail = netring_requests(&v->tx);
		if (avail == NETRING_BAD) {
			vif_break(v, "broken: its tx ring's index jumped");
			return;
		}
		if (avail == 0 && !netring_want_requests(&v->tx, 1)) {
			vif_bit_clear(netback.rx_ready, v->number);
			return;
		}
		if (avail && !take_packet(v, (uint32_t)avail, b))
			return;
	}
}

static bool is_its(struct ip_addr ip, const struct netport *p)
{
	return ip_eq(ip, p->addr[0]) || ip_eq(ip, p->told);
}

/* Is the frame from the port's own address? Only then it shows where the client is. */
static bool is_clients(const struct frame *f, const struct netport *p)
{
	const struct eth_hdr *eth = (const void *)f->data;
	uint16_t type = be16_get(eth->type);
	const uint8_t *ip = f->data + ETH_BYTES;
	if (type == ETHERTYPE_IPV4 && f->len >= ETH_BYTES + IPV4_MIN_BYTES)
		return is_its(ip_of_v4(((const struct ipv4_hdr *)ip)->src), p);
	if (type == ETHERTYPE_ARP && f->len >= ETH_BYTES + ARP_BYTES)
		return is_its(ip_of_v4(((const struct arp_hdr *)ip)->sender_ip), p);
	return false;
}

static bool copied(const struct arrival *a)
{
	for (uint32_t i = 0; i < a->ops; i++)
		if (netback.op[a->op + i].status != 0)
			return false;
	return true;
}

static void answer_failed(const struct arrival *a)
{
	for (uint32_t i = 0; i < a->slots; i++) {
		uint16_t id;
		int16_t status;
		nettx_response_at(a->vif->tx.page, a->response + i, &id, &status);
		if (status != NETIF_NULL)
			nettx_response_put(a->vif->tx.page, a->response + i, id, NETIF_ERROR);
	}
}

static bool deliver(const struct arrival *a)
{
	struct vif *v = a->vif;
	struct frame *f = a->frame;
	struct netport *p = &netback.port[v->port];
	if (!copied(a)) {
		netback.rx_copy_failed++;
		answer_failed(a);
		return false;
	}
	if (!netoffload_in(f, a->marks)) {
		netback.rx_bad++;
		return false;
	}
	f->port = v->port;
	if (p->vifs > 1 && p->via != v->number && is_clients(f, p))
		p->via = v->number;
	netback.rx_packets++;
	netback.rx_bytes += f->len;
	netback.rx_super += f->offload.gso_type != GSO_NONE;
	return true;
}

size_t netback_rx(struct frame *burst[], size_t max)
{
	struct burst b = { .count = 0 };
	uint32_t i = netback.rx_next, start = i;
	bool wrapped = false;
	max = max < PLATFORM_BURST_MAX ? max : PLATFORM_BURST_MAX;
	while (!burst_full(&b, max)) {
		i = vif_bit_next(netback.rx_ready, i);
		if (wrapped && i >= start)
			break;
		if (i == NETBACK_VIFS_MAX) {
			wrapped = true;
			i = 0;
			continue;
		}
		take_vif(&netback.vif[i++], &b, max);
		netback.rx_next = i % NETBACK_VIFS_MAX;
	}
	if (b.ops) {
		grant_copy(netback.op, b.ops);
		netback.rx_bursts++;
	}
	size_t n = 0;
	for (uint32_t k = 0; k < b.count; k++) {
		if (deliver(&b.at[k]))
			burst[n++] = b.at[k].frame;
		else
			framepool_give(b.at[k].frame);
	}
	for (uint32_t k = 0; k < netback.live_count; k++)
		vif_notify(&netback.vif[netback.live[k]]);
	return n;
}

void vif_notify(struct vif *v)
{
	if (!v->tx_pushed && !v->rx_pushed)
		return;
	bool tx = v->tx_pushed && netring_push_responses(&v->tx);
	bool rx = v->rx_pushed && netring_push_responses(&v->rx);
	v->tx_pushed = v->rx_pushed = false;
	if ((tx || rx) && !v->broken) {
		netback.notifies++;
		evtchn_notify(v->evtchn);
	}
}
