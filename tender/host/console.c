// SPDX-License-Identifier: ISC
/* The guest's log lines to stderr: printable, limited in rate, never waited for. */
#include "tender.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { LINES_PER_S = 200, LINES_BURST = 1000, LINE_BYTES_MAX = 1024 };

static uint32_t cons;
static uint64_t suppressed, said_lost, tokens = LINES_BURST, filled_ns;

static bool allowed(void)
{
	uint64_t step = UINT64_C(1000000000) / LINES_PER_S;
	uint64_t gained = (tender.now_ns - filled_ns) / step;
	if (gained > 0) {
		filled_ns += gained * step;
		tokens = tokens + gained > LINES_BURST ? LINES_BURST : tokens + gained;
	}
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct timespec now = { 0 };
	if (tokens == 0 || ppoll(&out, 1, &now, NULL) <= 0 || !(out.revents & POLLOUT))
		return false;
	tokens--;
	return true;
}

static void put(const char *line, size_t len)
{
	char out[LINE_BYTES_MAX + 128];
	struct text t = text_on(out);
	if (tender.options->name[0]) {
		text_put(&t, tender.options->name);
		text_put(&t, ": ");
	}
	for (size_t i = 0; i < len && i < LINE_BYTES_MAX; i++)
		text_char(&t, line[i] >= ' ' && line[i] <= '~' ? line[i] : '?');
	text_char(&t, '\n');
	(void)!write(STDERR_FILENO, out, t.len);
}

static void put_count(const char *word, uint64_t n)
{
	char line[64];
	struct text t = text_on(line);
	text_put(&t, word);
	text_u64(&t, n);
	put(line, t.len);
}

static void emit(const char *line, size_t len)
{
	if (!allowed()) {
		suppressed++;
		return;
	}
	if (suppressed > 0)
		put_count("log lines suppressed: ", suppressed);
	suppressed = 0;
	put(line, len);
}

void console_flush(void)
{
	struct shared *shared = tender.shared;
	static char bytes[RING_CONSOLE_BYTES];
	uint32_t prod = ring_get(&shared->console_prod);
	if (prod == cons)
		return;
	if (prod - cons > RING_CONSOLE_BYTES)
		cons = prod - RING_CONSOLE_BYTES;
	uint32_t len = prod - cons;
	ring_bytes_out(bytes, shared->console, RING_CONSOLE_BYTES, cons, len);
	cons = prod;
	ring_set(&shared->console_cons, cons);
	for (char *at = bytes, *end = bytes + len; at < end;) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *stop = newline ? newline : end;
		emit(at, (size_t)(stop - at));
		at = stop + 1;
	}
	uint32_t lost = __atomic_load_n(&shared->console_lost, __ATOMIC_RELAXED);
	if (lost != said_lost)
		put_count("log lines lost in the guest: ", lost);
	said_lost = lost;
}
