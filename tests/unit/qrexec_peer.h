/* SPDX-License-Identifier: ISC */
/*
 * qrexec_peer.h: dom0's end of the qrexec agent for its tests: client of the
 * agent's vchan, server of each call's, index by index, over xen_lab.h.
 */
#ifndef QREXEC_PEER_H
#define QREXEC_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "qrexec.h"
#include "xen_lab.h"
#include "xenstore.h"

enum { RING = 4096, CALLS = 8 };
#define SECOND UINT64_C(1000000000)

/* dom0's end of a connection */
struct peer {
	struct vchan_page *page;
	uint8_t *in, *out; /* rings that we read and write */
	uint32_t in_size, out_size;
	uint32_t *in_cons, *in_prod, *out_cons, *out_prod;
};

static struct peer agent, call[CALLS];
static bool uplink;
static uint64_t wall;
static uint64_t now;

static inline bool uplink_up(void) { return uplink; }
static inline void set_wall(uint64_t seconds) { wall = seconds; }
static const struct qrexec_host host = { uplink_up, set_wall };

static inline void step(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	while (xs_event(path, &token))
		qrexec_look(token);
	qrexec_poll(now);
}

static inline void put(struct peer *p, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		assert_true(*p->out_prod - *p->out_cons < p->out_size);
		p->out[*p->out_prod % p->out_size] = ((const uint8_t *)bytes)[i];
		++*p->out_prod;
	}
}

static inline void say(struct peer *p, uint32_t type, const void *body, uint32_t len)
{
	uint32_t header[2] = { type, len };
	put(p, header, sizeof(header));
	put(p, body, len);
}

static inline size_t get(struct peer *p, void *bytes, size_t len)
{
	size_t n = 0;
	for (; n < len && *p->in_cons != *p->in_prod; n++)
		((uint8_t *)bytes)[n] = p->in[(*p->in_cons)++ % p->in_size];
	return n;
}

/* The next message must be this one. */
static inline void expect(struct peer *p, uint32_t type, const void *body, uint32_t len)
{
	uint32_t header[2];
	uint8_t bytes[RING];
	assert_int_equal(get(p, header, sizeof(header)), sizeof(header));
	assert_int_equal(header[0], type);
	assert_int_equal(header[1], len);
	assert_int_equal(get(p, bytes, len), len);
	assert_memory_equal(bytes, body, len);
}

static inline void expect_silence(struct peer *p)
{
	assert_int_equal(*p->in_cons, *p->in_prod);
}

static inline void connect_agent(void)
{
	const char *ref = xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref");
	assert_non_null(ref);
	struct vchan_page *p = xen_lab_lent((uint32_t)atoi(ref));
	agent = (struct peer){ p, (uint8_t *)p + 2048, (uint8_t *)p + 1024, 2048, 1024,
			       &p->right_cons, &p->right_prod, &p->left_cons, &p->left_prod };
	p->cli_live = 1;
	step();
}

/* A daemon of version 2 is asked for nothing. */
static inline void greet_agent_as(uint32_t theirs)
{
	uint32_t ours = 3;
	connect_agent();
	expect(&agent, 0x300, &ours, 4);
	say(&agent, 0x300, &theirs, 4);
	step();
	expect_silence(&agent);
}

static inline void greet_agent(void)
{
	greet_agent_as(2);
}

static inline int setup(void **state)
{
	(void)state;
	qrexec_init(&host);
	xen_lab_reset();
	uplink = false;
	wall = 0;
	now = SECOND;
	step();
	return 0;
}

static inline void free_peer(struct peer *p)
{
	if (p->page) {
		free(p->in);
		free(p->out);
		free(p->page);
	}
	*p = (struct peer){ 0 };
}

/* All that the agent holds is given back. */
static inline int teardown(void **state)
{
	(void)state;
	qrexec_init(&host);
	for (unsigned i = 0; i < CALLS; i++)
		free_peer(&call[i]);
	return xen_lab_live() ? -1 : 0;
}

static inline void serve_call(unsigned n)
{
	char path[80], text[16];
	struct peer *p = &call[n];
	free_peer(p);
	struct vchan_page *page = p->page = aligned_alloc(4096, 4096);
	p->in = aligned_alloc(4096, RING);
	p->out = aligned_alloc(4096, RING);
	p->in_size = p->out_size = RING;
	*page = (struct vchan_page){ .left_order = 12, .right_order = 12, .cli_live = 2, .srv_live = 1,
				     .cli_notify = 1, .grants = { xen_lab_offer(p->in), xen_lab_offer(p->out) } };
	p->in_cons = &page->left_cons;
	p->in_prod = &page->left_prod;
	p->out_cons = &page->right_cons;
	p->out_prod = &page->right_prod;
	snprintf(text, sizeof(text), "%u", xen_lab_offer(page));
	snprintf(path, sizeof(path), "/local/domain/0/data/vchan/5/%u/ring-ref", 600 + n);
	xen_lab_put(path, text);
	snprintf(path, sizeof(path), "/local/domain/0/data/vchan/5/%u/event-channel", 600 + n);
	xen_lab_put(path, "33");
}

static inline void ask(unsigned n, const char *command)
{
	uint8_t body[1000] = { 0, 0, 0, 0, (uint8_t)(600 + n), (uint8_t)((600 + n) >> 8) };
	size_t len = strlen(command) + 1;
	memcpy(body + 8, command, len);
	say(&agent, 0x200, body, (uint32_t)(8 + len));
	step();
}

/* The call until both have greeted. */
static inline void open_call(unsigned n, const char *command)
{
	uint32_t ours = 3;
	serve_call(n);
	ask(n, command);
	say(&call[n], 0x300, &ours, 4);
	step();
	expect(&call[n], 0x300, &ours, 4);
}

static inline void expect_end(unsigned n, uint32_t code)
{
	uint32_t terminated[2] = { 0, 600 + n };
	expect(&call[n], 0x191, "", 0);
	expect(&call[n], 0x193, &code, 4);
	expect_silence(&call[n]);
	step();
	assert_int_equal(call[n].page->cli_live, 0);
	expect(&agent, 0x211, terminated, 8);
}

#endif
