// SPDX-License-Identifier: ISC
/* Merges what two interfaces see into one order of time, holding each packet back for a moment. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "latency_host.h"
#include "latency_meet.h"
#include "verbs.h"

enum { HOLD_NS = 200000000, POLL_MS = 20, QUEUE = 1 << 15 };

struct queue_of {
	struct latency_packet *packet; /* QUEUE of them; owned */
	size_t first, last;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static int fill(struct queue_of *q, struct latency_capture *c, char reason[LATENCY_CAPTURE_REASON])
{
	while (q->last - q->first < QUEUE) {
		int got = latency_capture_next(c, &q->packet[q->last % QUEUE], reason);
		if (got <= 0)
			return got;
		q->last++;
	}
	return 0;
}

static const struct latency_packet *head(const struct queue_of *q)
{
	return q->first < q->last ? &q->packet[q->first % QUEUE] : NULL;
}

/* In order while both sides have something; alone only what nothing older can come before any more. */
static void drain(struct queue_of q[2], struct latency_pairer *pairer, uint64_t until)
{
	for (;;) {
		const struct latency_packet *a = head(&q[0]), *b = head(&q[1]);
		int side = !a || (b && b->ns < a->ns);
		const struct latency_packet *p = side ? b : a;
		if (!p || ((!a || !b) && p->ns > until))
			return;
		latency_pair_put(pairer, (enum latency_side)side, p->ns, &p->key);
		q[side].first++;
	}
}

static int run(struct queue_of q[2], struct latency_pairer *pairer, struct latency_capture capture[2], uint64_t until)
{
	char reason[LATENCY_CAPTURE_REASON];
	for (bool last = false; !last;) {
		struct pollfd p[2] = { { latency_capture_fd(&capture[0]), POLLIN, 0 },
				       { latency_capture_fd(&capture[1]), POLLIN, 0 } };
		if (poll(p, 2, POLL_MS) < 0 && errno != EINTR)
			return complain(EXIT_NO, "poll: %m");
		uint64_t now = latency_now();
		last = interrupted || now >= until;
		for (int i = 0; i < 2; i++)
			if (fill(&q[i], &capture[i], reason) < 0)
				return complain(EXIT_NO, "interface %d: %s", i + 1, reason);
		drain(q, pairer, last ? UINT64_MAX : now - HOLD_NS);
	}
	return EXIT_YES;
}

int latency_meet_live(struct latency_pairer *pairer, struct latency_capture capture[2], uint64_t for_ns)
{
	struct sigaction act = { .sa_handler = interrupt };
	struct queue_of q[2] = { { .packet = calloc(QUEUE, sizeof(*q[0].packet)) },
				 { .packet = calloc(QUEUE, sizeof(*q[1].packet)) } };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	int code = q[0].packet && q[1].packet ? run(q, pairer, capture, latency_now() + for_ns) :
						complain(EXIT_NO, "out of memory");
	free(q[0].packet);
	free(q[1].packet);
	return code;
}
