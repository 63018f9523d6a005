/* links: qubes-integration/xen/xenstore.c netstack/text.c netstack/arena.c */
// SPDX-License-Identifier: ISC
/*
 * The xenstore client against a daemon that says anything: the first byte is how much of it comes at a
 * time, the rest fills the ring; calls of every kind go on meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "evtchn.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenstore.h"
#include "xenwait.h"

static struct xen_store_ring ring;
static const uint8_t *said;
static size_t left, piece;
static uint64_t clock_ns;

static void daemon_turn(void)
{
	size_t n = left < piece ? left : piece;
	ring.req_cons = ring.req_prod;
	for (; n > 0 && ring.rsp_prod - ring.rsp_cons < XS_RING_BYTES; n--, left--)
		ring.rsp[ring.rsp_prod++ % XS_RING_BYTES] = *said++;
}

void evtchn_notify(uint32_t port)
{
	(void)port;
}

bool evtchn_pending(uint32_t port)
{
	(void)port;
	return true;
}

bool evtchn_given(uint32_t port)
{
	(void)port;
	return true;
}

uint64_t xenclock_now_ns(void)
{
	return clock_ns += 1000;
}

void xenwait_port(uint32_t port, uint64_t deadline_ns)
{
	(void)port;
	daemon_turn();
	if (left == 0)
		clock_ns = deadline_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t memory[128 * 1024];
	struct arena arena = { memory, sizeof(memory) };
	char path[XS_PATH_BYTES], names[256], *value = malloc(40);
	uint32_t token, tx;
	size_t n = 0;
	if (len == 0) {
		free(value);
		return 0;
	}
	memset(&ring, 0, sizeof(ring));
	piece = 1 + data[0];
	said = data + 1;
	left = len - 1;
	xenstore_boot(&ring, 1, &arena);
	for (uint32_t i = 0; i < 3; i++) {
		if (xs_read(XS_NO_TX, "a", value, 40) == XS_RESULT_OK && strlen(value) >= 40)
			abort();
		if (xs_directory(XS_NO_TX, "b", names, sizeof(names), &n) == XS_RESULT_OK && n > sizeof(names))
			abort();
		(void)xs_write(XS_NO_TX, "c", "d");
		(void)xs_transaction_start(&tx);
		daemon_turn();
		while (xs_event(path, &token))
			if (strlen(path) >= XS_PATH_BYTES)
				abort();
		(void)xs_overflowed();
	}
	free(value);
	return 0;
}
