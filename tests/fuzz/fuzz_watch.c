/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/*
 * Requests for watches and events, in any order, with frames and time between them. Every answer is whole lines of
 * bounded length and ends, the rings hold what was put into them, and no frame is lost.
 *
 * Input: lines: ">P..." a frame of port P with the bytes behind it, "!N" a usual packet to port 53 + N, "~N" N tenths
 * of a second, any other a request.
 */
#include <stdlib.h>
#include <string.h>
#include "events.h"
#include "lab.h"
#include "status.h"
#include "watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MEMORY_BYTES = 2 << 20, LINES_MAX = 1 << 16 };

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void request(struct lab *l, const char *words, size_t len)
{
	static struct status s;
	char line[STATUS_LINE_BYTES];
	const struct status_facts facts = { .platform = "test", .now_ns = l->now_ns, .unix_ns = l->now_ns };
	bool ended = false;
	uint32_t lines = 0;
	status_begin(&s, &l->fw, &facts, words, len);
	for (;;) {
		struct text t = text_on(line);
		if (!status_next(&s, &l->fw, &facts, l->now_ns, &t))
			break;
		must(!ended && ++lines < LINES_MAX);
		must(!t.len || t.at[t.len - 1] == '\n');
		ended = !strcmp(line, ".\n");
		must(ended || !t.len || (line[0] == '{' && t.at[t.len - 2] == '}' && !strstr(line, "\"type\":\"cut\"")));
	}
	must(ended);
}

static void drain(struct lab *l)
{
	for (struct frame *f; (f = lab_take(l));)
		lab_give(l, f);
}

static void frame_in(struct lab *l, uint16_t port, const uint8_t *at, size_t len)
{
	struct frame *f = frames_take(&l->free);
	must(f != NULL);
	if (!frame_reset(f, len)) {
		lab_give(l, f);
		return;
	}
	memcpy(f->data, at, len);
	f->port = port;
	fw_input(&l->fw, &f, 1, l->now_ns);
	drain(l);
}

static void usual(struct lab *l, uint8_t n)
{
	const struct lab_packet p = {
		.port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = ip_v4(10, 137, 0, 5), .to = ip_v4(192, 0, 2, n),
		.proto = n % 2 ? PROTO_UDP : PROTO_ICMP, .type = 8, .sport = 40000, .dport = (uint16_t)(53 + n),
	};
	lab_give(l, lab_send(l, &p));
	drain(l);
}

static void holds(struct lab *l)
{
	const struct watch *w = l->fw.watch;
	uint32_t running = 0;
	for (uint32_t i = 0; i < WATCH_SESSIONS; i++) {
		const struct watch_session *s = &w->session[i];
		running += s->state == WATCH_RUNS;
		must(s->tail - s->head <= WATCH_RING_BYTES && s->lost <= s->matched);
	}
	must(running == w->running && !w->frame && lab_conserved(l));
}

static void line(struct lab *l, const uint8_t *at, size_t len)
{
	if (len >= 2 && at[0] == '>')
		frame_in(l, at[1] % 4, at + 2, len - 2);
	else if (len >= 2 && at[0] == '!')
		usual(l, at[1]);
	else if (len >= 2 && at[0] == '~')
		lab_after(l, (uint64_t)at[1] * 100000000);
	else
		request(l, (const char *)at, len);
	holds(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const rules[] = { "action=accept proto=udp", NULL };
	static uint8_t *memory;
	struct lab *l = lab_new(64);
	if (!memory)
		memory = aligned_alloc(64, MEMORY_BYTES);
	must(memory != NULL);
	struct arena arena = { memory, MEMORY_BYTES };
	l->fw.watch = watch_new(&arena);
	l->fw.events = events_new(&arena, 1, l->now_ns);
	must(l->fw.watch && l->fw.events);
	lab_rules(l, ip_v4(10, 137, 0, 5), VERDICT_DROP, rules);
	while (len) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) : len;
		line(l, bytes, n);
		n += end != NULL;
		bytes += n;
		len -= n;
	}
	lab_free(l);
	return 0;
}
