/* links: firewall/tcp_track.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_tcp_track.c: connections as scripts, a line per segment. The opener's
 * numbers begin at 1000, the other side's at 5000; every script runs again
 * with both moved to where the sequence numbers wrap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tcp_track.h"

enum { S = TCP_SYN, A = TCP_ACK, F = TCP_FIN, R = TCP_RST, SA = S | A, FA = F | A, RA = R | A };
#define O CT_ORIG
#define W CT_REPLY
enum { MOVE = TCP_MOVED, PASS = TCP_PASSED, NEW = TCP_RESTART, WIN = -DROP_TCP_WINDOW, BAD = -DROP_TCP_STATE };
#define IS(state) TCPS_##state

struct step {
	enum ct_dir dir;
	unsigned flags;
	uint32_t seq, ack, len; /* len: payload */
	uint32_t window;
	int outcome;            /* an effect, or minus a drop reason */
	enum tcp_state state;   /* afterwards */
	uint8_t scale;          /* 0: no option, else shift + 1 */
};

#define HANDSHAKE \
	{ O, S, 1000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 }, \
	{ W, SA, 5000, 1001, 0, 8000, MOVE, IS(SYN_RECV), 0 }, \
	{ O, A, 1001, 5001, 0, 8000, MOVE, IS(ESTABLISHED), 0 }

static const struct script {
	const char *name;
	struct step step[16];
} scripts[] = {
	{ "no pick-up in the middle", {
		{ O, A, 1, 1, 0, 100, BAD, IS(NONE), 0 }, { O, SA, 1, 1, 0, 100, BAD, IS(NONE), 0 },
		{ O, FA, 1, 1, 0, 100, BAD, IS(NONE), 0 }, { O, R, 1, 1, 0, 100, BAD, IS(NONE), 0 },
		{ W, S, 1, 1, 0, 100, BAD, IS(NONE), 0 }, { O, 0, 1, 1, 0, 100, BAD, IS(NONE), 0 },
	} },
	{ "handshake, data both ways, the opener closes", {
		HANDSHAKE,
		{ O, A, 1001, 5001, 100, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 1101, 200, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, FA, 1101, 5201, 0, 8000, MOVE, IS(FIN_WAIT), 0 },
		{ W, A, 5201, 1101, 10, 8000, MOVE, IS(FIN_WAIT), 0 },
		{ W, A, 5211, 1102, 0, 8000, MOVE, IS(CLOSE_WAIT), 0 },
		{ W, A, 5211, 1102, 50, 8000, MOVE, IS(CLOSE_WAIT), 0 },
		{ W, FA, 5261, 1102, 0, 8000, MOVE, IS(LAST_ACK), 0 },
		{ O, A, 1102, 5261, 0, 8000, MOVE, IS(LAST_ACK), 0 },
		{ O, A, 1102, 5262, 0, 8000, MOVE, IS(TIME_WAIT), 0 },
		{ W, FA, 5261, 1102, 0, 8000, MOVE, IS(TIME_WAIT), 0 },
		{ O, A, 1102, 5262, 0, 8000, PASS, IS(TIME_WAIT), 0 },
	} },
	{ "the other side closes first; FIN and ACK in one", {
		HANDSHAKE,
		{ W, FA, 5001, 1001, 0, 8000, MOVE, IS(FIN_WAIT), 0 },
		{ O, FA, 1001, 5002, 0, 8000, MOVE, IS(LAST_ACK), 0 },
		{ W, A, 5002, 1002, 0, 8000, MOVE, IS(TIME_WAIT), 0 },
	} },
	{ "both close at once", {
		HANDSHAKE,
		{ O, FA, 1001, 5001, 0, 8000, MOVE, IS(FIN_WAIT), 0 },
		{ W, FA, 5001, 1001, 0, 8000, MOVE, IS(LAST_ACK), 0 },
		{ O, A, 1002, 5002, 0, 8000, MOVE, IS(LAST_ACK), 0 },
		{ W, A, 5002, 1002, 0, 8000, MOVE, IS(TIME_WAIT), 0 },
	} },
	{ "the window's edges", {
		HANDSHAKE,
		{ O, A, 1001, 5001, 8001, 8000, WIN, IS(ESTABLISHED), 0 },
		{ O, A, 1001, 5001, 8000, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, FA, 9001, 5001, 0, 8000, MOVE, IS(FIN_WAIT), 0 },   /* a FIN to a full window */
		{ W, A, 5001, 9003, 0, 8000, WIN, IS(FIN_WAIT), 0 },     /* ACK of what was never sent */
		{ W, A, 13002, 9002, 0, 8000, WIN, IS(FIN_WAIT), 0 },    /* right of the window */
		{ W, A, 5001, 9002, 0, 8000, MOVE, IS(CLOSE_WAIT), 0 },
		{ W, A, 13001, 9002, 0, 8000, MOVE, IS(CLOSE_WAIT), 0 }, /* the edge itself */
	} },
	{ "old data and old ACKs", {
		HANDSHAKE,
		{ O, A, 1001, 5001, 8000, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 9001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, A, 9001, 5001, 8000, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, A, 9000, 5001, 0, 8000, WIN, IS(ESTABLISHED), 0 },
		{ O, A, 9001, 5001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, A, 8000, 5001, 1000, 8000, WIN, IS(ESTABLISHED), 0 }, /* wholly left of the window */
		{ O, A, 8000, 5001, 1001, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, A, 17000, 5001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },  /* a keepalive (RFC 9293 3.8.4) */
		{ W, A, 5001, 1001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 17001u - 66001u, 0, 8000, WIN, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 17001u - 66000u, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "a closed window is probed with one byte", {
		{ O, S, 1000, 0, 0, 0, NEW, IS(SYN_SENT), 0 },
		{ W, SA, 5000, 1001, 0, 0, MOVE, IS(SYN_RECV), 0 },
		{ O, A, 1001, 5001, 0, 0, MOVE, IS(ESTABLISHED), 0 },
		{ O, A, 1001, 5001, 2, 0, WIN, IS(ESTABLISHED), 0 },
		{ O, A, 1001, 5001, 1, 0, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "scaled windows, both sides", {
		{ O, S, 1000, 0, 0, 100, NEW, IS(SYN_SENT), 8 },
		{ W, SA, 5000, 1001, 0, 100, MOVE, IS(SYN_RECV), 4 },
		{ W, SA, 5000, 1001, 0, 100, PASS, IS(SYN_RECV), 4 },
		{ O, A, 1001, 5001, 0, 100, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 1001, 12801, 100, WIN, IS(ESTABLISHED), 0 }, /* 100 << 7 */
		{ W, A, 5001, 1001, 12800, 100, MOVE, IS(ESTABLISHED), 0 },
		{ O, A, 1001, 5001, 801, 100, WIN, IS(ESTABLISHED), 0 },   /* 100 << 3 */
		{ O, A, 1001, 5001, 800, 100, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "scaling takes both sides", {
		{ O, S, 1000, 0, 0, 100, NEW, IS(SYN_SENT), 8 },
		{ W, SA, 5000, 1001, 0, 100, MOVE, IS(SYN_RECV), 0 },
		{ O, A, 1001, 5001, 0, 100, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 1001, 101, 100, WIN, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 1001, 100, 100, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "retransmissions in the handshake refresh nothing", {
		{ O, S, 1000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ O, S, 1000, 0, 0, 8000, PASS, IS(SYN_SENT), 0 },
		{ O, S, 3000, 0, 0, 8000, PASS, IS(SYN_SENT), 0 },         /* another number: that one counts */
		{ W, SA, 5000, 1001, 0, 8000, PASS, IS(SYN_SENT), 0 },     /* for the opener to reset */
		{ W, SA, 5000, 1001, 10, 8000, WIN, IS(SYN_SENT), 0 },
		{ O, R, 1001, 0, 0, 0, PASS, IS(SYN_SENT), 0 },
		{ W, SA, 5000, 3001, 0, 8000, MOVE, IS(SYN_RECV), 0 },
		{ O, S, 3000, 0, 0, 8000, PASS, IS(SYN_RECV), 0 },
		{ W, SA, 5000, 3001, 0, 8000, PASS, IS(SYN_RECV), 0 },
		{ W, SA, 5001, 3001, 0, 8000, BAD, IS(SYN_RECV), 0 },
		{ O, A, 3001, 5000, 0, 8000, WIN, IS(SYN_RECV), 0 },       /* acknowledges nothing */
		{ O, A, 3001, 5002, 0, 8000, WIN, IS(SYN_RECV), 0 },
		{ O, FA, 3001, 5001, 7, 8000, MOVE, IS(FIN_WAIT), 0 },
		{ W, SA, 5000, 3001, 0, 8000, PASS, IS(FIN_WAIT), 0 },
	} },
	{ "simultaneous open, the opener's SYN-ACK first", {
		{ O, S, 1000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ W, S, 5000, 0, 0, 8000, MOVE, IS(SYN_BOTH), 0 },
		{ W, S, 5000, 0, 0, 8000, PASS, IS(SYN_BOTH), 0 },
		{ W, S, 5001, 0, 0, 8000, BAD, IS(SYN_BOTH), 0 },
		{ O, SA, 1000, 5001, 0, 8000, MOVE, IS(BOTH_ORIG), 0 },
		{ W, SA, 5000, 1001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, SA, 1000, 5001, 0, 8000, PASS, IS(ESTABLISHED), 0 },
		{ O, A, 1001, 5001, 8000, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 9001, 8000, 8000, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "simultaneous open, the other way round", {
		{ O, S, 1000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ W, S, 5000, 0, 0, 8000, MOVE, IS(SYN_BOTH), 0 },
		{ W, SA, 5000, 1000, 0, 8000, WIN, IS(SYN_BOTH), 0 },
		{ W, SA, 5000, 1001, 0, 8000, MOVE, IS(BOTH_REPLY), 0 },
		{ O, SA, 1001, 5001, 0, 8000, WIN, IS(BOTH_REPLY), 0 },
		{ O, SA, 1000, 5001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "split handshake refused", {
		{ O, S, 1000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ W, A, 5000, 1001, 0, 8000, PASS, IS(SYN_SENT), 0 },
		{ W, S, 5000, 0, 0, 8000, MOVE, IS(SYN_BOTH), 0 },
		{ W, A, 5001, 1001, 0, 8000, BAD, IS(SYN_BOTH), 0 },
		{ O, SA, 1000, 5001, 0, 8000, MOVE, IS(BOTH_ORIG), 0 },
		{ W, A, 5001, 1001, 0, 8000, BAD, IS(BOTH_ORIG), 0 },
		{ W, A, 5001, 1001, 10, 8000, BAD, IS(BOTH_ORIG), 0 },
		{ W, FA, 5001, 1001, 0, 8000, BAD, IS(BOTH_ORIG), 0 },
		{ O, A, 1001, 5001, 10, 8000, BAD, IS(BOTH_ORIG), 0 },
	} },
	{ "connection refused", {
		{ O, S, 1000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ W, R, 0, 0, 0, 0, WIN, IS(SYN_SENT), 0 },
		{ W, RA, 0, 1000, 0, 0, WIN, IS(SYN_SENT), 0 },
		{ W, RA, 0, 1002, 0, 0, WIN, IS(SYN_SENT), 0 },
		{ W, RA, 0, 1001, 0, 0, MOVE, IS(CLOSED), 0 },
		{ O, S, 2000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ O, R, 2001, 0, 0, 0, MOVE, IS(CLOSED), 0 },
	} },
	{ "a RST by its number", {
		HANDSHAKE,
		{ O, A, 1001, 5001, 100, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ W, R, 5000, 0, 0, 0, WIN, IS(ESTABLISHED), 0 },
		{ W, R, 13002, 0, 0, 0, WIN, IS(ESTABLISHED), 0 },
		{ W, R, 5002, 0, 0, 0, PASS, IS(ESTABLISHED), 0 },  /* in the window: its receiver will challenge */
		{ W, R, 13001, 0, 0, 0, PASS, IS(ESTABLISHED), 0 },
		{ W, RA, 5001, 1102, 0, 0, WIN, IS(ESTABLISHED), 0 },
		{ W, R, 5001, 0, 0, 0, MOVE, IS(CLOSED), 0 },
		{ O, A, 1101, 5001, 10, 8000, MOVE, IS(CLOSED), 0 }, /* the opener did not believe it */
		{ O, A, 9002, 5001, 10, 8000, WIN, IS(CLOSED), 0 },
		{ W, R, 5001, 0, 0, 0, PASS, IS(CLOSED), 0 },
		{ W, S, 5001, 0, 0, 8000, BAD, IS(CLOSED), 0 },
		{ W, SA, 5000, 1001, 0, 8000, BAD, IS(CLOSED), 0 },
	} },
	{ "a RST behind data that is on its way", {
		HANDSHAKE,
		{ O, A, 1001, 5001, 100, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, RA, 1101, 5001, 0, 0, MOVE, IS(CLOSED), 0 },
	} },
	{ "SYN on time_wait opens anew", {
		HANDSHAKE,
		{ W, FA, 5001, 1001, 0, 8000, MOVE, IS(FIN_WAIT), 0 },
		{ O, FA, 1001, 5002, 0, 8000, MOVE, IS(LAST_ACK), 0 },
		{ W, A, 5002, 1002, 0, 8000, MOVE, IS(TIME_WAIT), 0 },
		{ W, S, 9000, 0, 0, 8000, BAD, IS(TIME_WAIT), 0 },
		{ O, S, 1000, 0, 0, 8000, PASS, IS(TIME_WAIT), 0 },  /* a late copy */
		{ O, S, 70000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
		{ W, SA, 90000, 70001, 0, 8000, MOVE, IS(SYN_RECV), 0 },
	} },
	{ "SYN on a live connection: the peer challenges, the opener resets", {
		HANDSHAKE,
		{ W, S, 9000, 0, 0, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, S, 70000, 0, 0, 8000, PASS, IS(ESTABLISHED), 0 },
		{ W, A, 5001, 1001, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ O, R, 1001, 0, 0, 0, MOVE, IS(CLOSED), 0 },
		{ O, S, 70000, 0, 0, 8000, NEW, IS(SYN_SENT), 0 },
	} },
	{ "SYN on a live connection: the peer has forgotten it", {
		HANDSHAKE,
		{ W, SA, 90000, 70001, 0, 50, BAD, IS(ESTABLISHED), 3 }, /* nobody asked */
		{ O, S, 70000, 0, 10, 8000, BAD, IS(ESTABLISHED), 0 },   /* no data into a live connection */
		{ O, S, 70000, 0, 0, 60, PASS, IS(ESTABLISHED), 4 },
		{ W, SA, 90000, 70002, 0, 50, BAD, IS(ESTABLISHED), 3 },
		{ W, SA, 90000, 70001, 0, 50, NEW, IS(SYN_RECV), 3 },
		{ O, A, 70001, 90001, 0, 60, MOVE, IS(ESTABLISHED), 0 },
		{ W, A, 90001, 70001, 481, 50, WIN, IS(ESTABLISHED), 0 }, /* 60 << 3 */
		{ W, A, 90001, 70001, 480, 50, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "SYN on a live connection: nobody listens any more", {
		HANDSHAKE,
		{ W, RA, 0, 70001, 0, 0, WIN, IS(ESTABLISHED), 0 },
		{ O, S, 70000, 0, 0, 60, PASS, IS(ESTABLISHED), 0 },
		{ W, RA, 0, 70001, 0, 0, MOVE, IS(CLOSED), 0 },
	} },
	{ "the opener speaks on the old connection: the probe is void", {
		HANDSHAKE,
		{ O, S, 70000, 0, 0, 60, PASS, IS(ESTABLISHED), 0 },
		{ O, A, 1001, 5001, 1, 8000, MOVE, IS(ESTABLISHED), 0 },
		{ W, SA, 90000, 70001, 0, 50, BAD, IS(ESTABLISHED), 0 },
		{ W, RA, 0, 70001, 0, 0, WIN, IS(ESTABLISHED), 0 },
	} },
	{ "flags that mean nothing", {
		HANDSHAKE,
		{ O, 0, 1001, 5001, 1, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, F, 1001, 5001, 1, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, S | F, 1001, 5001, 1, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, S | R, 1001, 5001, 1, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, S | A | F, 1001, 5001, 1, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, R | F | A, 1001, 5001, 1, 8000, BAD, IS(ESTABLISHED), 0 },
		{ O, A | TCP_PSH | TCP_URG, 1001, 5001, 1, 8000, MOVE, IS(ESTABLISHED), 0 },
	} },
	{ "SYN with data (RFC 7413)", {
		{ O, S, 1000, 0, 100, 8000, NEW, IS(SYN_SENT), 0 },
		{ W, SA, 5000, 1102, 0, 8000, PASS, IS(SYN_SENT), 0 },
		{ W, SA, 5000, 1101, 0, 8000, MOVE, IS(SYN_RECV), 0 },
		{ W, A, 5001, 1101, 500, 8000, PASS, IS(SYN_RECV), 0 },
		{ O, A, 1101, 5501, 0, 8000, MOVE, IS(ESTABLISHED), 0 },
	} },
};

/* Only RST and ACK fields that count move with the base: a RST to a SYN has number 0. */
static struct tcp_view view_of(const struct step *s, uint32_t base)
{
	bool refusal = (s->flags & R) && s->seq == 0;
	return (struct tcp_view){
		.seq = refusal ? 0 : s->seq + base,
		.ack = s->flags & A ? s->ack + base : 0,
		.segment_len = s->len + !!(s->flags & S) + !!(s->flags & F),
		.window = (uint16_t)s->window,
		.flags = (uint8_t)s->flags,
		.scale = s->scale ? (uint8_t)(s->scale - 1) : 0,
		.has_scale = s->scale != 0,
	};
}

struct held {
	uint8_t state;
	struct ct_half half[2];
	struct tcp_probe probe;
};

static void run(const struct script *script, uint32_t base)
{
	struct held h = { 0 };
	struct tcp_conn c = { &h.state, h.half, &h.probe };
	for (size_t i = 0; i < array_len(script->step); i++) {
		const struct step *s = &script->step[i];
		if (!s->window && !s->seq && !s->flags && !s->len)
			break;
		struct tcp_view v = view_of(s, base);
		struct held before = h;
		enum tcp_effect effect;
		enum drop why = tcp_track(&c, s->dir, &v, &effect);
		int outcome = why == DROP_NONE ? (int)effect : -(int)why;
		if (outcome != s->outcome || h.state != s->state)
			fail_msg("%s, base %u, step %zu: outcome %d (%s), state %s", script->name, base, i + 1, outcome,
			         why ? "dropped" : "passed", tcp_state_word(h.state));
		if (why != DROP_NONE)
			assert_memory_equal(&h, &before, sizeof(h));
	}
}

static void test_scripts(void **state)
{
	(void)state;
	static const uint32_t bases[] = { 0, UINT32_MAX - 1000, UINT32_MAX - 5000, UINT32_MAX / 2 - 1000,
	                                  UINT32_MAX / 2 - 5000, UINT32_MAX - 5100 };
	for (size_t i = 0; i < array_len(scripts); i++) {
		for (size_t b = 0; b < array_len(bases); b++)
			run(&scripts[i], bases[b]);
	}
}

static void test_opens(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		struct tcp_view v = { .flags = (uint8_t)flags };
		assert_int_equal(tcp_opens(&v), (flags & (S | A | F | R)) == S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_opens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
