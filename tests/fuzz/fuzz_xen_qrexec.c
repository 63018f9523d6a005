/* links: qubes-integration/xen/qrexec.c qubes-integration/xen/qrexec_call.c qubes-integration/xen/qrexec_trigger.c qubes-integration/xen/qrexec_wire.c qubes-integration/xen/vchan.c qubes-integration/xen/vchan_page.c qubes-integration/xen/vchan_ring.c netstack/text.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
/*
 * A hostile dom0 and a hostile caller: the input is a script of what they do to
 * the shared pages, bytes to send, indices and life bytes overwritten, time passing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qrexec.h"
#include "xen_lab.h"
#include "xenstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static _Alignas(4096) struct vchan_page pages[4][2]; /* of calls, and what is behind them */
static _Alignas(4096) uint8_t rings[4][2][4096];
static uint64_t wall;
static bool uplink;

static bool uplink_up(void) { return uplink; }
static void set_wall(uint64_t seconds) { wall = seconds; }
static const struct qrexec_host host = { uplink_up, set_wall };

static void advertise(unsigned n)
{
	char path[80], text[16];
	struct vchan_page *p = &pages[n][0];
	memset(p, 0, sizeof(*p));
	*p = (struct vchan_page){ .left_order = 12, .right_order = 12, .cli_live = 2, .srv_live = 1, .cli_notify = 1,
				  .grants = { xen_lab_offer(rings[n][0]), xen_lab_offer(rings[n][1]) } };
	snprintf(text, sizeof(text), "%u", xen_lab_offer(p));
	snprintf(path, sizeof(path), "/local/domain/0/data/vchan/5/%u/ring-ref", n);
	xen_lab_put(path, text);
	snprintf(path, sizeof(path), "/local/domain/0/data/vchan/5/%u/event-channel", n);
	xen_lab_put(path, "9");
}

static void step(uint64_t now)
{
	char path[XS_PATH_BYTES], bytes[100];
	uint32_t token;
	struct platform_event e;
	while (xs_event(path, &token))
		qrexec_look(token);
	qrexec_poll(now);
	for (unsigned n = 0; n < 4 && qrexec_event(&e); n++)
		ensure(e.channel == CHANNEL_CONTROL);
	if (qrexec_read(bytes, sizeof(bytes)) > 0)
		qrexec_write("{\"type\":\"x\"}\n", 13);
	if (now % 3 == 0)
		qrexec_write(".\n", 2);
}

static struct vchan_page *agent_page(void)
{
	static uint32_t ref;
	const char *text = xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref");
	if (text)
		ref = (uint32_t)atoi(text);
	return xen_lab_lent(ref);
}

/* Bytes into a ring as a well-behaved peer would write them. */
static void send(uint32_t *prod, uint32_t cons, uint8_t *ring, uint32_t size, struct cursor *in, uint8_t n)
{
	uint8_t byte;
	while (n-- > 0 && *prod - cons < size && get_u8(in, &byte))
		ring[(*prod)++ % size] = byte;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor in = cursor_of(bytes, len);
	uint8_t op, arg;
	uint64_t now = 1000000000;
	xen_lab_reset();
	qrexec_init(&host);
	uplink = false;
	for (unsigned n = 0; n < 4; n++)
		advertise(n);
	step(now);
	while (get_u8(&in, &op) && get_u8(&in, &arg)) {
		struct vchan_page *a = agent_page(), *c = &pages[op >> 4 & 3][0];
		uint8_t *ring = rings[op >> 4 & 3][1];
		switch (op & 15) {
		case 0: case 1: case 2:
			if (a)
				send(&a->left_prod, a->left_cons, (uint8_t *)a + 1024, 1024, &in, arg);
			break;
		case 3: case 4: case 5:
			send(&c->right_prod, c->right_cons, ring, 4096, &in, arg);
			break;
		case 6:
			if (a)
				a->cli_live = arg & 3;
			break;
		case 7:
			c->srv_live = arg & 3;
			break;
		case 8: /* reads everything */
			if (a)
				a->right_cons = a->right_prod;
			c->left_cons = c->left_prod;
			break;
		case 9: /* any byte of the heads */
			((uint8_t *)c)[arg & 31] = op;
			if (a && (op & 64))
				((uint8_t *)a)[arg & 31] = op;
			break;
		case 10:
			now += (uint64_t)arg * 250000000;
			break;
		case 11:
			uplink = arg & 1;
			break;
		case 12:
			advertise(op >> 4 & 3);
			break;
		default:
			xen_lab_peer_maps = arg & 1;
			break;
		}
		step(++now);
	}
	xen_lab_peer_maps = false;
	qrexec_init(&host);
	/* a page that lingered is found at the next close */
	struct vchan v = { 0 };
	ensure(vchan_listen(&v, 0, 1));
	vchan_close(&v);
	ensure(xen_lab_live() == 0);
	return 0;
}
