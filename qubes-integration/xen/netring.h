/* SPDX-License-Identifier: ISC */
/*
 * netring.h: the two shared rings of a Xen network device (xen/include/public
 * io/netif.h, io/ring.h), seen from either end.
 *
 * The page belongs to the peer as much as to us: every index and slot is read
 * once into a local, and an index that cannot be is reported, not corrected.
 * Indices run freely; a slot is index % NETRING_SLOTS. Responses take the slots
 * of the requests they answer.
 */
#ifndef NETRING_H
#define NETRING_H

#include "barrier.h"

enum {
	NETRING_SLOTS = 256,
	NETRING_TX_WORDS = 3, /* of a slot: requests of 12 bytes, */
	NETRING_RX_WORDS = 2, /* and of 8 */
	NETRING_BAD = -1,     /* instead of a count: the peer's index lies */
};

/* Flags differ by direction: tx is frontend to backend. */
enum { NETTX_CSUM_BLANK = 1, NETTX_DATA_VALIDATED = 2, NETTX_MORE_DATA = 4, NETTX_EXTRA_INFO = 8 };
enum { NETRX_DATA_VALIDATED = 1, NETRX_CSUM_BLANK = 2, NETRX_MORE_DATA = 4, NETRX_EXTRA_INFO = 8 };
enum { NETIF_OKAY = 0, NETIF_NULL = 1, NETIF_ERROR = -1 };
enum { NETEXTRA_GSO = 1, NETEXTRA_LAST = 5, NETEXTRA_MORE = 1, NETGSO_TCPV4 = 1, NETGSO_TCPV6 = 2 };

struct netring_page {
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
	uint32_t pad[12];
	uint32_t slot[1008];
};
_Static_assert(sizeof(struct netring_page) == 4096, "one page");

struct nettx_request { uint32_t ref; uint16_t offset, flags, id, size; };
struct netrx_request { uint16_t id; uint32_t ref; };
struct netrx_response { uint16_t id, offset, flags; int16_t status; };
struct netextra { uint8_t type, flags; uint16_t gso_size; uint8_t gso_type; };

/* --- slots: whole words, each read or written once --------------------------------- */

static inline uint32_t netring_word(const struct netring_page *page, uint32_t i, uint32_t words, uint32_t word)
{
	return __atomic_load_n(&page->slot[i % NETRING_SLOTS * words + word], __ATOMIC_RELAXED);
}

static inline void netring_put(struct netring_page *page, uint32_t i, uint32_t words, uint32_t word, uint32_t value)
{
	__atomic_store_n(&page->slot[i % NETRING_SLOTS * words + word], value, __ATOMIC_RELAXED);
}

static inline uint32_t netring_pair(uint16_t low, uint16_t high)
{
	return low | (uint32_t)high << 16;
}

static inline struct nettx_request nettx_request_at(const struct netring_page *page, uint32_t i)
{
	uint32_t b = netring_word(page, i, NETRING_TX_WORDS, 1), c = netring_word(page, i, NETRING_TX_WORDS, 2);
	return (struct nettx_request){
		.ref = netring_word(page, i, NETRING_TX_WORDS, 0),
		.offset = (uint16_t)b, .flags = (uint16_t)(b >> 16), .id = (uint16_t)c, .size = (uint16_t)(c >> 16),
	};
}

static inline void nettx_request_put(struct netring_page *page, uint32_t i, struct nettx_request r)
{
	netring_put(page, i, NETRING_TX_WORDS, 0, r.ref);
	netring_put(page, i, NETRING_TX_WORDS, 1, netring_pair(r.offset, r.flags));
	netring_put(page, i, NETRING_TX_WORDS, 2, netring_pair(r.id, r.size));
}

static inline void nettx_response_put(struct netring_page *page, uint32_t i, uint16_t id, int16_t status)
{
	netring_put(page, i, NETRING_TX_WORDS, 0, netring_pair(id, (uint16_t)status));
}

static inline void nettx_response_at(const struct netring_page *page, uint32_t i, uint16_t *id, int16_t *status)
{
	uint32_t a = netring_word(page, i, NETRING_TX_WORDS, 0);
	*id = (uint16_t)a;
	*status = (int16_t)(a >> 16);
}

static inline struct netrx_request netrx_request_at(const struct netring_page *page, uint32_t i)
{
	return (struct netrx_request){ .id = (uint16_t)netring_word(page, i, NETRING_RX_WORDS, 0),
				       .ref = netring_word(page, i, NETRING_RX_WORDS, 1) };
}

static inline void netrx_request_put(struct netring_page *page, uint32_t i, struct netrx_request r)
{
	netring_put(page, i, NETRING_RX_WORDS, 0, r.id);
	netring_put(page, i, NETRING_RX_WORDS, 1, r.ref);
}

static inline struct netrx_response netrx_response_at(const struct netring_page *page, uint32_t i)
{
	uint32_t a = netring_word(page, i, NETRING_RX_WORDS, 0), b = netring_word(page, i, NETRING_RX_WORDS, 1);
	return (struct netrx_response){ (uint16_t)a, (uint16_t)(a >> 16), (uint16_t)b, (int16_t)(b >> 16) };
}

static inline void netrx_response_put(struct netring_page *page, uint32_t i, struct netrx_response r)
{
	netring_put(page, i, NETRING_RX_WORDS, 0, netring_pair(r.id, r.offset));
	netring_put(page, i, NETRING_RX_WORDS, 1, netring_pair(r.flags, (uint16_t)r.status));
}

/* An extra-info slot stands in a request's place (tx) or a response's (rx). */
static inline struct netextra netextra_at(const struct netring_page *page, uint32_t i, uint32_t words)
{
	uint32_t a = netring_word(page, i, words, 0), b = netring_word(page, i, words, 1);
	return (struct netextra){ (uint8_t)a, (uint8_t)(a >> 8), (uint16_t)(a >> 16), (uint8_t)b };
}

static inline void netextra_put(struct netring_page *page, uint32_t i, uint32_t words, struct netextra e)
{
	netring_put(page, i, words, 0, netring_pair((uint16_t)(e.type | e.flags << 8), e.gso_size));
	netring_put(page, i, words, 1, e.gso_type);
}

/* --- the backend's end ----------------------------------------------------------------- */

struct netring_back { struct netring_page *page; uint32_t req_cons, rsp_prod, pushed; };

/* Requests not taken yet, or NETRING_BAD. */
static inline int32_t netring_requests(const struct netring_back *r)
{
	uint32_t prod = shared_get32(&r->page->req_prod);
	return prod - r->rsp_prod <= NETRING_SLOTS && prod - r->req_cons <= NETRING_SLOTS ?
		(int32_t)(prod - r->req_cons) : NETRING_BAD;
}

/* Asks for an event when there are `more` requests beyond those taken; true: they are there already. */
static inline bool netring_want_requests(struct netring_back *r, uint32_t more)
{
	shared_set32(&r->page->req_event, r->req_cons + more);
	shared_fence();
	return shared_get32(&r->page->req_prod) - r->req_cons >= more;
}

/* Shows the responses up to rsp_prod; true: the peer asked to be told. */
static inline bool netring_push_responses(struct netring_back *r)
{
	uint32_t old = r->pushed;
	shared_set32(&r->page->rsp_prod, r->rsp_prod);
	r->pushed = r->rsp_prod;
	shared_fence();
	return r->rsp_prod - shared_get32(&r->page->rsp_event) < r->rsp_prod - old;
}

/* --- the frontend's end ------------------------------------------------------------------ */

struct netring_front { struct netring_page *page; uint32_t req_prod, rsp_cons, pushed; };

/* An empty ring on a zeroed page of ours. */
static inline struct netring_front netring_front_new(struct netring_page *page)
{
	page->req_event = page->rsp_event = 1;
	return (struct netring_front){ .page = page };
}

static inline uint32_t netring_room(const struct netring_front *r)
{
	return NETRING_SLOTS - (r->req_prod - r->rsp_cons);
}

static inline int32_t netring_responses(const struct netring_front *r)
{
	uint32_t n = shared_get32(&r->page->rsp_prod) - r->rsp_cons;
	return n <= r->pushed - r->rsp_cons ? (int32_t)n : NETRING_BAD;
}

static inline bool netring_want_responses(struct netring_front *r, uint32_t more)
{
	shared_set32(&r->page->rsp_event, r->rsp_cons + more);
	shared_fence();
	return shared_get32(&r->page->rsp_prod) - r->rsp_cons >= more;
}

static inline bool netring_push_requests(struct netring_front *r)
{
	uint32_t old = r->pushed;
	shared_set32(&r->page->req_prod, r->req_prod);
	r->pushed = r->req_prod;
	shared_fence();
	return r->req_prod - shared_get32(&r->page->req_event) < r->req_prod - old;
}

#endif
