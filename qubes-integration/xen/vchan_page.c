// SPDX-License-Identifier: ISC
/*
 * The shared page and the pages of the rings. The orders and grant references
 * of a foreign page are read once; a page of our own that a peer still maps
 * lingers in a short list, and while that is full we are no server to anybody.
 */
#include "vchan_page.h"
#include "barrier.h"
#include "grant.h"
#include "xenpage.h"

static struct {
	void *page;
	uint32_t ref;
} lingering[VCHAN_LINGER_MAX];

static void collect_lingering(void)
{
	for (unsigned i = 0; i < VCHAN_LINGER_MAX; i++)
		if (lingering[i].page && grant_end(lingering[i].ref)) {
			xenpage_give(lingering[i].page);
			lingering[i].page = NULL;
		}
}

static unsigned free_place(void)
{
	unsigned i = 0;
	while (i < VCHAN_LINGER_MAX && lingering[i].page)
		i++;
	return i;
}

static uint32_t order_pages(uint16_t order)
{
	return order < VCHAN_ORDER_PAGE ? 0 : 1u << (order - VCHAN_ORDER_PAGE);
}

/* Two rings of one size cannot both lie inside the page. */
static bool orders_fit(uint16_t left, uint16_t right)
{
	if (left < VCHAN_ORDER_SMALL || left > VCHAN_ORDER_MAX)
		return false;
	if (right < VCHAN_ORDER_SMALL || right > VCHAN_ORDER_MAX)
		return false;
	return left != right || left >= VCHAN_ORDER_PAGE;
}

static void unmap_pages(struct vchan_ring *r)
{
	for (unsigned i = 0; i < VCHAN_PAGES_MAX && r->page_bytes == XEN_PAGE_BYTES; i++)
		if (r->page[i])
			grant_unmap(r->page[i]);
	*r = (struct vchan_ring){ .size = 0 };
}

static void unmap_all(struct vchan *v)
{
	unmap_pages(&v->in);
	unmap_pages(&v->out);
	grant_unmap(v->page);
	v->page = NULL;
}

/* Where the ring's bytes are; refs: its part of the page's list. */
static bool place(struct vchan *v, struct vchan_ring *r, uint16_t order, const uint32_t *refs)
{
	uint32_t n = order_pages(order);
	r->size = 1u << order;
	if (n == 0) {
		r->page_bytes = r->size;
		r->page[0] = (uint8_t *)v->page + r->size;
		return true;
	}
	r->page_bytes = XEN_PAGE_BYTES;
	for (uint32_t i = 0; i < n; i++) {
		r->page[i] = grant_map(v->peer, refs[i], false);
		if (!r->page[i])
			return false;
	}
	return true;
}

/* Which of the page's indices are whose. Ours go on from where the page says. */
static void adopt_indices(struct vchan *v)
{
	struct vchan_page *p = v->page;
	struct vchan_ring *left = v->server ? &v->in : &v->out;
	struct vchan_ring *right = v->server ? &v->out : &v->in;
	left->peers = v->server ? &p->left_prod : &p->left_cons;
	left->ours = v->server ? &p->left_cons : &p->left_prod;
	right->peers = v->server ? &p->right_cons : &p->right_prod;
	right->ours = v->server ? &p->right_prod : &p->right_cons;
	left->at = shared_get32(left->ours);
	right->at = shared_get32(right->ours);
}

bool vchan_page_map(struct vchan *v, uint32_t ref)
{
	uint32_t refs[2 * VCHAN_PAGES_MAX], ready, room;
	uint16_t order[2];
	v->page = grant_map(v->peer, ref, false);
	if (!v->page)
		return false;
	shared_copy(order, &v->page->left_order, sizeof(order));
	shared_copy(refs, v->page->grants, sizeof(refs));
	bool ok = orders_fit(order[0], order[1]) && place(v, &v->out, order[0], refs) &&
		  place(v, &v->in, order[1], refs + order_pages(order[0]));
	if (ok) {
		adopt_indices(v);
		ok = vchan_ring_ready(&v->in, &ready) && vchan_ring_room(&v->out, &room);
	}
	if (!ok)
		unmap_all(v);
	return ok;
}

bool vchan_page_make(struct vchan *v)
{
	collect_lingering();
	if (free_place() == VCHAN_LINGER_MAX)
		return false;
	v->page = xenpage_take();
	if (!v->page)
		return false;
	*v->page = (struct vchan_page){
		.left_order = VCHAN_ORDER_SMALL, .right_order = VCHAN_ORDER_HALF,
		.cli_live = VCHAN_NOT_YET, .srv_live = VCHAN_CONNECTED, .cli_notify = VCHAN_WRITE,
	};
	/* rings inside the page: nothing to map, nothing to fail */
	place(v, &v->in, VCHAN_ORDER_SMALL, NULL);
	place(v, &v->out, VCHAN_ORDER_HALF, NULL);
	adopt_indices(v);
	v->ref = grant_give(v->peer, v->page, false);
	if (v->ref == GRANT_NONE) {
		xenpage_give(v->page);
		v->page = NULL;
	}
	return v->page;
}

void vchan_page_drop(struct vchan *v)
{
	if (!v->page)
		return;
	if (!v->server) {
		unmap_all(v);
		return;
	}
	collect_lingering();
	unsigned at = free_place();
	if (grant_end(v->ref)) {
		xenpage_give(v->page);
	} else if (at < VCHAN_LINGER_MAX) {
		lingering[at].page = v->page;
		lingering[at].ref = v->ref;
	}
	/* else: the page is lost, bounded by the number of servers that stood when the list was full */
	v->page = NULL;
}
