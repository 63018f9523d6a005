// SPDX-License-Identifier: ISC
/* The pages that the uplink's backend sees: its rings, and one page for every slot. */
#include "evtchn.h"
#include "grant.h"
#include "netfront_nic.h"
#include "xenpage.h"

enum { STUCK_MAX = 16 };

/* Ring pages whose backend had not let go when the connection ended. */
static struct { void *page; uint32_t ref; } stuck[STUCK_MAX];

/* Pages that a former backend still uses stay out of this connection. */
static void lend(struct nic_pages *p, uint16_t domid, bool readonly)
{
	p->idle_count = 0;
	for (uint32_t i = 0; i < NIC_PAGES; i++) {
		uint8_t *page = p->base + (size_t)i * XEN_PAGE_BYTES;
		p->busy[i] = false;
		if (p->ref[i] && !grant_end(p->ref[i]))
			continue;
		memset(page, 0, XEN_PAGE_BYTES); /* what the last backend was sent is not this one's */
		p->ref[i] = grant_give(domid, page, readonly);
		if (p->ref[i])
			p->idle[p->idle_count++] = (uint16_t)i;
	}
}

static void take_back(struct nic_pages *p)
{
	p->idle_count = 0;
	for (uint32_t i = 0; i < NIC_PAGES; i++) {
		p->busy[i] = false;
		if (p->ref[i] && grant_end(p->ref[i]))
			p->ref[i] = 0;
	}
}

static void ring_back(void *page, uint32_t ref)
{
	if (!page)
		return;
	if (!ref || grant_end(ref)) {
		xenpage_give(page);
		return;
	}
	for (uint32_t i = 0; i < STUCK_MAX; i++)
		if (!stuck[i].page) {
			stuck[i].page = page;
			stuck[i].ref = ref;
			return;
		}
	/* the page is lost: STUCK_MAX backends each kept one for good */
}

bool nic_sweep(void)
{
	bool none = true;
	for (uint32_t i = 0; i < STUCK_MAX; i++) {
		if (!stuck[i].page)
			continue;
		if (grant_end(stuck[i].ref)) {
			xenpage_give(stuck[i].page);
			stuck[i].page = NULL;
		} else {
			none = false;
		}
	}
	struct nic_pages *both[] = { &nic.tx_pages, &nic.rx_pages };
	for (uint32_t k = 0; k < array_len(both) && !nic.tx.page; k++)
		for (uint32_t i = 0; i < NIC_PAGES; i++) {
			if (both[k]->ref[i] && grant_end(both[k]->ref[i]))
				both[k]->ref[i] = 0;
			none = none && !both[k]->ref[i];
		}
	return none;
}

void nic_post(void)
{
	struct nic_pages *p = &nic.rx_pages;
	while (p->idle_count && netring_room(&nic.rx)) {
		uint16_t page = p->idle[--p->idle_count];
		nic.posted[nic.rx.req_prod % NETRING_SLOTS] = page;
		p->busy[page] = true;
		netrx_request_put(nic.rx.page, nic.rx.req_prod++,
				  (struct netrx_request){ .id = page, .ref = p->ref[page] });
	}
}

static bool ring_new(uint16_t domid, struct netring_front *ring, uint32_t *ref)
{
	struct netring_page *page = xenpage_take();
	if (!page)
		return false;
	*ring = netring_front_new(page);
	*ref = grant_give(domid, page, false);
	return *ref != GRANT_NONE;
}

bool nic_lend(uint16_t domid)
{
	if (!ring_new(domid, &nic.tx, &nic.tx_ref) || !ring_new(domid, &nic.rx, &nic.rx_ref) ||
	    !evtchn_alloc_unbound(domid, &nic.evtchn)) {
		nic_take_back();
		return false;
	}
	lend(&nic.tx_pages, domid, true);
	lend(&nic.rx_pages, domid, false);
	if (nic.tx_pages.idle_count < NIC_PAGES_MIN || nic.rx_pages.idle_count < NIC_PAGES_MIN) {
		nic_take_back();
		return false;
	}
	nic_post();
	(void)netring_push_requests(&nic.rx);
	return true;
}

void nic_take_back(void)
{
	nic_drop_backlog();
	evtchn_close(nic.evtchn);
	ring_back(nic.tx.page, nic.tx_ref);
	ring_back(nic.rx.page, nic.rx_ref);
	take_back(&nic.tx_pages);
	take_back(&nic.rx_pages);
	nic.tx = nic.rx = (struct netring_front){ 0 };
	nic.evtchn = nic.tx_ref = nic.rx_ref = 0;
	nic.rx_ready = false;
}

struct netfront_held netfront_held(void)
{
	struct netfront_held held = { .channels = nic.evtchn != 0, .frames = nic.backlog.count };
	for (uint32_t i = 0; i < NIC_PAGES; i++) {
		held.pages += nic.tx_pages.ref[i] != 0;
		held.pages += nic.rx_pages.ref[i] != 0;
	}
	for (uint32_t i = 0; i < STUCK_MAX; i++)
		held.pages += stuck[i].page != NULL;
	held.pages += nic.tx.page ? 2 : 0;
	return held;
}
