// SPDX-License-Identifier: ISC
/* The PV console's ring: a bucket of lines, and what does not fit is counted. */
#include "xenconsole.h"

#include "barrier.h"
#include "evtchn.h"
#include "hypercall.h"
#include "xenclock.h"
#include "xenwait.h"

enum { CONSOLEIO_WRITE = 0 };
static const uint64_t NS_PER_LINE = 1000000000 / CONSOLE_LINES_PER_S;
static const uint64_t LAST_WORDS_NS = 1000000000;
static const uint64_t TELL_NS = 1000000000; /* between two lines about lost ones: those cost lines too */

static struct {
	struct xen_console_ring *ring;
	uint32_t port;
	bool unsaid;        /* written, its reader not told */
	uint64_t paid_ns;   /* the time up to which lines are paid for */
	uint64_t lost;      /* lines */
	uint64_t lost_told, tell_ns;
} own;

void xenconsole_boot(struct xen_console_ring *ring, uint32_t port)
{
	own.ring = ring;
	own.port = port;
}

static bool put(const char *bytes, size_t len)
{
	struct xen_console_ring *ring = own.ring;
	uint32_t prod = ring->out_prod, used = prod - shared_get32(&ring->out_cons);
	if (used > CONSOLE_OUT_BYTES || len >= CONSOLE_OUT_BYTES - used)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];
		ring->out[(prod + i) % CONSOLE_OUT_BYTES] = c >= ' ' && c <= '~' ? (uint8_t)c : (uint8_t)'?';
	}
	ring->out[(prod + len) % CONSOLE_OUT_BYTES] = '\n';
	shared_set32(&ring->out_prod, prod + (uint32_t)len + 1);
	own.unsaid = true;
	return true;
}

static bool within_rate(void)
{
	uint64_t now = xenclock_now_ns(), window = NS_PER_LINE * CONSOLE_LINES_BURST;
	uint64_t oldest = now > window ? now - window : 0;
	if (own.paid_ns < oldest)
		own.paid_ns = oldest;
	if (own.paid_ns + NS_PER_LINE > now)
		return false;
	own.paid_ns += NS_PER_LINE;
	return true;
}

void xenconsole_line(const char *line, size_t len)
{
	if (!own.ring || !within_rate() || !put(line, len))
		own.lost++;
}

static void tell_lost(void)
{
	char buffer[64];
	struct text t = text_on(buffer);
	if (own.lost == own.lost_told || xenclock_now_ns() < own.tell_ns || !within_rate())
		return;
	own.tell_ns = xenclock_now_ns() + TELL_NS;
	text_u64(&t, own.lost - own.lost_told);
	text_put(&t, " log lines suppressed");
	if (put(buffer, t.len))
		own.lost_told = own.lost;
}

void xenconsole_flush(void)
{
	if (!own.ring)
		return;
	tell_lost();
	if (!own.unsaid)
		return;
	own.unsaid = false;
	evtchn_notify(own.port);
}

void xenconsole_last(const char *line, size_t len)
{
	char copy[256];
	struct text t = text_on(copy);
	text_bytes(&t, line, len);
	text_char(&t, '\n');
	(void)hypercall_console(CONSOLEIO_WRITE, (uint32_t)t.len, copy); /* Xen's own log, when it keeps one */
	if (!own.ring)
		return;
	uint64_t end = xenclock_now_ns() + LAST_WORDS_NS;
	bool written = false;
	do {
		written = written || put(line, len);
		(void)evtchn_pending(own.port);
		evtchn_notify(own.port);
		if (written && shared_get32(&own.ring->out_cons) == own.ring->out_prod)
			return;
		uint64_t soon = xenclock_now_ns() + LAST_WORDS_NS / 100;
		xenwait_port(own.port, soon < end ? soon : end);
	} while (xenclock_now_ns() < end);
}

void xenconsole_status(struct text *t)
{
	text_put(t, "\"log_lost\":");
	text_u64(t, own.lost);
}
