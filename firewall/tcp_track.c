/* SPDX-License-Identifier: ISC */
/*
 * tcp_track.c: first the table says what an event may do in a state, then the
 * sequence numbers say whether this segment is the one; only then is anything
 * stored.
 *
 * The opener (CT_ORIG) was let in by a rule; the other side may be an attacker
 * who guesses. So a doubtful segment of the opener that cannot move the
 * connection passes, for the far end to answer (RFC 5961's challenges), while
 * the same of the other side needs a number only a real peer knows.
 */
#include "tcp_track.h"

enum event { EV_SYN, EV_SYNACK, EV_ACK, EV_FIN, EV_RST, EV_COUNT };

enum {
	ACK_BEHIND_MIN = 66000, /* van Rooij: an ACK may be this far behind, even with a small window */
};

/* What a cell of the table asks for; a state stands for "inside the windows, then to that state". */
enum cell {
	BAD = 0,            /* drop */
	TO_SYN_SENT = TCPS_SYN_SENT,
	TO_SYN_BOTH = TCPS_SYN_BOTH,
	TO_BOTH_ORIG = TCPS_BOTH_ORIG,
	TO_BOTH_REPLY = TCPS_BOTH_REPLY,
	TO_SYN_RECV = TCPS_SYN_RECV,
	TO_ESTABLISHED = TCPS_ESTABLISHED,
	TO_TIME_WAIT = TCPS_TIME_WAIT,
	TO_CLOSED = TCPS_CLOSED,
	BY_FINS = TCPS_COUNT, /* inside the windows; the state follows from who sent and acknowledged a FIN */
	QUIET,   /* inside the windows; no change of state, no refresh */
	OPEN,    /* a new connection in this slot */
	RENEW,   /* the opener's SYN again, perhaps with another number */
	HINT,    /* passes without data: lets the opener find out and reset */
	AGAIN,   /* retransmission of the sender's own SYN or SYN-ACK */
	PROBE,   /* AGAIN, or a new number on a live connection */
	ANSWER,  /* AGAIN, or the answer to a probe */
	RESET,   /* a RST, believed by its number only */
};

static const uint8_t table[TCPS_COUNT][2][EV_COUNT] = {
	[TCPS_NONE] = {
		/* no pick-up in the middle */
		[CT_ORIG] = { [EV_SYN] = OPEN },
	},
	[TCPS_SYN_SENT] = {
		[CT_ORIG] = { [EV_SYN] = RENEW, [EV_RST] = RESET },
		[CT_REPLY] = {
			[EV_SYN] = TO_SYN_BOTH,
			[EV_SYNACK] = TO_SYN_RECV,
			[EV_ACK] = HINT, /* challenge of a peer that still has the old connection (RFC 5961 4) */
			[EV_RST] = RESET,
		},
	},
	/*
	 * Crossed SYNs: both sides answer with SYN-ACK. In a split handshake the
	 * server's SYN is followed by a bare ACK, which turns client and server
	 * about in the eyes of a filter; that ACK is BAD in these rows.
	 */
	[TCPS_SYN_BOTH] = {
		[CT_ORIG] = { [EV_SYN] = AGAIN, [EV_SYNACK] = TO_BOTH_ORIG, [EV_RST] = RESET },
		[CT_REPLY] = { [EV_SYN] = AGAIN, [EV_SYNACK] = TO_BOTH_REPLY, [EV_RST] = RESET },
	},
	[TCPS_BOTH_ORIG] = {
		[CT_ORIG] = { [EV_SYN] = AGAIN, [EV_SYNACK] = AGAIN, [EV_RST] = RESET },
		[CT_REPLY] = { [EV_SYN] = AGAIN, [EV_SYNACK] = TO_ESTABLISHED, [EV_RST] = RESET },
	},
	[TCPS_BOTH_REPLY] = {
		[CT_ORIG] = {
			[EV_SYN] = AGAIN,
			[EV_SYNACK] = TO_ESTABLISHED,
			[EV_ACK] = TO_ESTABLISHED, /* the other side's SYN was lost, its SYN-ACK was not */
			[EV_FIN] = BY_FINS,
			[EV_RST] = RESET,
		},
		[CT_REPLY] = { [EV_SYN] = AGAIN, [EV_SYNACK] = AGAIN, [EV_RST] = RESET },
	},
	[TCPS_SYN_RECV] = {
		[CT_ORIG] = {
			[EV_SYN] = PROBE,
			[EV_ACK] = TO_ESTABLISHED,
			[EV_FIN] = BY_FINS, /* its ACK was lost before us */
			[EV_RST] = RESET,
		},
		[CT_REPLY] = {
			[EV_SYNACK] = ANSWER,
			[EV_ACK] = QUIET, /* data to a SYN with data (RFC 7413) */
			[EV_RST] = RESET,
		},
	},
	[TCPS_ESTABLISHED] = {
		[CT_ORIG] = {
			[EV_SYN] = PROBE,
			[EV_SYNACK] = AGAIN, /* of crossed SYNs */
			[EV_ACK] = TO_ESTABLISHED,
			[EV_FIN] = BY_FINS,
			[EV_RST] = RESET,
		},
		[CT_REPLY] = {
			[EV_SYNACK] = ANSWER,
			[EV_ACK] = TO_ESTABLISHED,
			[EV_FIN] = BY_FINS,
			[EV_RST] = RESET,
		},
	},
	/* closing, in any order; a side that has not sent its FIN may go on sending */
	[TCPS_FIN_WAIT] = {
		[CT_ORIG] = { [EV_SYN] = PROBE, [EV_ACK] = BY_FINS, [EV_FIN] = BY_FINS, [EV_RST] = RESET },
		[CT_REPLY] = { [EV_SYNACK] = ANSWER, [EV_ACK] = BY_FINS, [EV_FIN] = BY_FINS, [EV_RST] = RESET },
	},
	[TCPS_CLOSE_WAIT] = {
		[CT_ORIG] = { [EV_SYN] = PROBE, [EV_ACK] = BY_FINS, [EV_FIN] = BY_FINS, [EV_RST] = RESET },
		[CT_REPLY] = { [EV_SYNACK] = ANSWER, [EV_ACK] = BY_FINS, [EV_FIN] = BY_FINS, [EV_RST] = RESET },
	},
	[TCPS_LAST_ACK] = {
		[CT_ORIG] = { [EV_SYN] = PROBE, [EV_ACK] = BY_FINS, [EV_FIN] = BY_FINS, [EV_RST] = RESET },
		[CT_REPLY] = { [EV_SYNACK] = ANSWER, [EV_ACK] = BY_FINS, [EV_FIN] = BY_FINS, [EV_RST] = RESET },
	},
	[TCPS_TIME_WAIT] = {
		[CT_ORIG] = {
			[EV_SYN] = OPEN, /* RFC 6191; whether its number or time stamp will do is the peer's to say */
			[EV_ACK] = QUIET,
			[EV_FIN] = TO_TIME_WAIT, /* its last ACK was lost: 2 MSL begin again (RFC 9293 3.10.7.4) */
			[EV_RST] = RESET,
		},
		[CT_REPLY] = { [EV_ACK] = QUIET, [EV_FIN] = TO_TIME_WAIT, [EV_RST] = RESET },
	},
	/* were the RST a forgery, the connection would go on: it keeps its flow as long as it does (RFC 7857 2.2) */
	[TCPS_CLOSED] = {
		[CT_ORIG] = { [EV_SYN] = OPEN, [EV_ACK] = TO_CLOSED, [EV_FIN] = TO_CLOSED, [EV_RST] = RESET },
		[CT_REPLY] = { [EV_ACK] = TO_CLOSED, [EV_FIN] = TO_CLOSED, [EV_RST] = RESET },
	},
};

static const char *const words[] = {
#define TCP_STATE_WORD_(name, word) [TCPS_##name] = word,
	TCP_STATE_LIST(TCP_STATE_WORD_)
#undef TCP_STATE_WORD_
};
_Static_assert(array_len(words) == TCPS_COUNT, "a word per state");

const char *tcp_state_word(enum tcp_state state)
{
	return state < TCPS_COUNT ? words[state] : "?";
}

/* Sequence numbers compare around the circle (RFC 9293 3.4). */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return before(a, b) ? b : a;
}

static uint32_t at_least_1(uint32_t window)
{
	return window ? window : 1; /* a closed window may be probed with one byte */
}

static bool event_of(const struct tcp_view *v, enum event *event)
{
	switch (v->flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) {
	case TCP_SYN:
		*event = EV_SYN;
		return true;
	case TCP_SYN | TCP_ACK:
		*event = EV_SYNACK;
		return true;
	case TCP_ACK:
		*event = EV_ACK;
		return true;
	case TCP_FIN | TCP_ACK:
		*event = EV_FIN;
		return true;
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		*event = EV_RST;
		return true;
	}
	return false;
}

bool tcp_opens(const struct tcp_view *v)
{
	enum event event;
	return event_of(v, &event) && event == EV_SYN;
}

/* The side's first word, or a new first word. */
static void half_begin(struct ct_half *h, uint32_t isn, uint32_t len, uint16_t window)
{
	h->isn = isn;
	h->end = h->max_end = isn + len;
	h->max_win = at_least_1(window);
	h->ack = 0;
	h->scale = 0;
	h->flags = HALF_SEEN;
}

static void half_scale(struct ct_half *h, bool has_scale, uint8_t scale)
{
	if (has_scale) {
		h->flags |= HALF_SCALE;
		h->scale = scale;
	}
}

static void half_begin_syn(struct ct_half *h, const struct tcp_view *v)
{
	half_begin(h, v->seq, v->segment_len, v->window);
	half_scale(h, v->has_scale, v->scale);
}

/* Both first words are known: what each may send, before anything was acknowledged. */
static void halves_meet(struct ct_half *a, struct ct_half *b)
{
	a->max_end = later(a->end, a->isn + 1 + b->max_win);
	b->max_end = later(b->end, b->isn + 1 + a->max_win);
	a->ack = b->isn + 1;
	b->ack = a->isn + 1;
}

static uint32_t offered(const struct ct_half *s, const struct ct_half *r, const struct tcp_view *v)
{
	/* a SYN's own window is never scaled (RFC 7323 2.2), and scaling takes both sides */
	bool scaled = !(v->flags & TCP_SYN) && (s->flags & r->flags & HALF_SCALE);
	return at_least_1((uint32_t)v->window << (scaled ? s->scale : 0));
}

/* The four bounds of van Rooij's 3.2; both halves are known, and v has an ACK. */
static bool in_window(const struct ct_half *s, const struct ct_half *r, const struct tcp_view *v)
{
	uint32_t end = v->seq + v->segment_len;
	/* a FIN takes no room in the buffer: it may come to a full window */
	uint32_t data_end = end - (v->flags & TCP_FIN ? 1 : 0);
	uint32_t behind = s->max_win > ACK_BEHIND_MIN ? s->max_win : ACK_BEHIND_MIN;
	return !before(s->max_end, data_end) && !before(s->max_end, v->seq) &&
	       !before(end, s->end - r->max_win) &&
	       !before(r->end, v->ack) &&
	       !before(v->ack, r->end - behind);
}

/* Does ack cover the first word of r, and no more than r sent? */
static bool acks_syn(const struct ct_half *r, uint32_t ack)
{
	return before(r->isn, ack) && !before(r->end, ack);
}

static void take_in(struct ct_half *s, struct ct_half *r, const struct tcp_view *v)
{
	uint32_t window = offered(s, r, v);
	s->end = later(s->end, v->seq + v->segment_len);
	s->ack = later(s->ack, v->ack);
	if (window > s->max_win)
		s->max_win = window;
	r->max_end = later(r->max_end, v->ack + window);
	if (v->flags & TCP_FIN)
		s->flags |= HALF_FIN;
}

static bool fin_acked(const struct ct_half *s, const struct ct_half *r)
{
	return (s->flags & HALF_FIN) && !before(r->ack, s->end);
}

static enum tcp_state state_by_fins(const struct ct_half *a, const struct ct_half *b)
{
	bool a_acked = fin_acked(a, b), b_acked = fin_acked(b, a);
	if (a->flags & b->flags & HALF_FIN)
		return a_acked && b_acked ? TCPS_TIME_WAIT : TCPS_LAST_ACK;
	if (!((a->flags | b->flags) & HALF_FIN))
		return TCPS_ESTABLISHED;
	return a_acked || b_acked ? TCPS_CLOSE_WAIT : TCPS_FIN_WAIT;
}

/* Forgets the old connection. */
static void conn_clear(const struct tcp_conn *c)
{
	c->half[CT_ORIG] = c->half[CT_REPLY] = (struct ct_half){ 0 };
	*c->probe = (struct tcp_probe){ 0 };
}

static enum drop open_conn(const struct tcp_conn *c, const struct tcp_view *v, enum tcp_effect *effect)
{
	const struct ct_half *o = &c->half[CT_ORIG];
	/* a late copy of the SYN that began the connection in time_wait */
	if (*c->state == TCPS_TIME_WAIT && v->seq == o->isn)
		return DROP_NONE;
	conn_clear(c);
	half_begin_syn(&c->half[CT_ORIG], v);
	*c->state = TCPS_SYN_SENT;
	*effect = TCP_RESTART;
	return DROP_NONE;
}

static enum drop probe(const struct tcp_conn *c, const struct tcp_view *v)
{
	if (v->seq == c->half[CT_ORIG].isn)
		return DROP_NONE;
	if (v->segment_len != 1)
		return DROP_TCP_STATE;
	*c->probe = (struct tcp_probe){ v->seq, v->window, v->has_scale ? v->scale : 0,
	                                v->has_scale ? HALF_SEEN | HALF_SCALE : HALF_SEEN };
	return DROP_NONE;
}

static bool answers_probe(const struct tcp_conn *c, const struct tcp_view *v)
{
	return (c->probe->flags & HALF_SEEN) && (v->flags & TCP_ACK) && v->ack == c->probe->isn + 1;
}

/* The other side's first word arrives in syn_sent; v->ack fits if there is one. */
static void meet(const struct tcp_conn *c, const struct tcp_view *v)
{
	struct ct_half *o = &c->half[CT_ORIG], *r = &c->half[CT_REPLY];
	half_begin_syn(r, v);
	halves_meet(o, r);
	if (v->flags & TCP_ACK)
		take_in(r, o, v);
}

static enum drop answer(const struct tcp_conn *c, const struct tcp_view *v, enum tcp_effect *effect)
{
	if (answers_probe(c, v) && v->seq != c->half[CT_REPLY].isn) {
		struct tcp_probe p = *c->probe;
		conn_clear(c);
		half_begin(&c->half[CT_ORIG], p.isn, 1, p.window);
		half_scale(&c->half[CT_ORIG], p.flags & HALF_SCALE, p.scale);
		meet(c, v);
		*c->state = TCPS_SYN_RECV;
		*effect = TCP_RESTART;
		return DROP_NONE;
	}
	return v->seq == c->half[CT_REPLY].isn ? DROP_NONE : DROP_TCP_STATE;
}

/* Is this RST believed by its receiver: surely, perhaps (it will ask), or not at all? */
static enum drop believe(const struct tcp_conn *c, enum ct_dir dir, const struct tcp_view *v, bool *sure)
{
	const struct ct_half *s = &c->half[dir], *r = &c->half[!dir];
	bool ack = v->flags & TCP_ACK;
	*sure = false;
	if (dir == CT_REPLY && (*c->state == TCPS_SYN_SENT || *c->state == TCPS_SYN_RECV) && ack &&
	    acks_syn(r, v->ack)) {
		*sure = true; /* connection refused: nothing but the ACK is right in it */
		return DROP_NONE;
	}
	if (*c->state == TCPS_SYN_SENT) {
		if (dir == CT_REPLY)
			return DROP_TCP_WINDOW;
		*sure = v->seq == s->end;
		return DROP_NONE; /* else it answers a challenge */
	}
	if (dir == CT_REPLY && answers_probe(c, v)) {
		*sure = true;
		return DROP_NONE;
	}
	if (ack && before(r->end, v->ack))
		return DROP_TCP_WINDOW;
	/* s->end too: of data on its way in front of the RST, the ACKs were not seen yet */
	*sure = v->seq == r->ack || v->seq == s->end;
	if (*sure || (before(r->ack, v->seq) && !before(s->max_end, v->seq)))
		return DROP_NONE;
	return DROP_TCP_WINDOW;
}

static enum drop reset(const struct tcp_conn *c, enum ct_dir dir, const struct tcp_view *v,
                       enum tcp_effect *effect)
{
	bool sure;
	enum drop why = believe(c, dir, v, &sure);
	if (why == DROP_NONE && sure && *c->state != TCPS_CLOSED) {
		*c->state = TCPS_CLOSED;
		*effect = TCP_MOVED;
	}
	return why;
}

/* In syn_sent the windows are not known yet. */
static enum drop first_answer(const struct tcp_conn *c, const struct tcp_view *v, enum cell to,
                              enum tcp_effect *effect)
{
	if ((v->flags & TCP_ACK) && !acks_syn(&c->half[CT_ORIG], v->ack))
		/* an old SYN-ACK: the opener will reset it (RFC 9293 3.5) */
		return v->segment_len == 1 ? DROP_NONE : DROP_TCP_WINDOW;
	meet(c, v);
	*c->state = (uint8_t)to;
	*effect = TCP_MOVED;
	return DROP_NONE;
}

static enum drop move(const struct tcp_conn *c, enum ct_dir dir, const struct tcp_view *v, enum cell to,
                      enum tcp_effect *effect)
{
	struct ct_half *s = &c->half[dir], *r = &c->half[!dir];
	if (*c->state == TCPS_SYN_SENT)
		return first_answer(c, v, to, effect);
	if ((v->flags & TCP_SYN) && v->seq != s->isn)
		return DROP_TCP_WINDOW;
	/* while the handshake lasts, the ACK is all that proves the peer is there */
	if (*c->state <= TCPS_SYN_RECV && !acks_syn(r, v->ack))
		return DROP_TCP_WINDOW;
	if (!in_window(s, r, v))
		return DROP_TCP_WINDOW;
	take_in(s, r, v);
	if (to == QUIET)
		return DROP_NONE;
	if (dir == CT_ORIG)
		c->probe->flags = 0; /* the opener speaks on the old connection */
	*c->state = (uint8_t)(to == BY_FINS ? state_by_fins(s, r) : (enum tcp_state)to);
	*effect = TCP_MOVED;
	return DROP_NONE;
}

enum drop tcp_track(const struct tcp_conn *c, enum ct_dir dir, const struct tcp_view *v, enum tcp_effect *effect)
{
	enum event event;
	*effect = TCP_PASSED;
	if (!event_of(v, &event))
		return DROP_TCP_STATE;
	enum cell cell = table[*c->state][dir][event];
	switch (cell) {
	case BAD:
		return DROP_TCP_STATE;
	case OPEN:
		return open_conn(c, v, effect);
	case RENEW:
		/* nobody answered yet: the newest SYN is the one */
		half_begin_syn(&c->half[CT_ORIG], v);
		return DROP_NONE;
	case HINT:
		return v->segment_len == 0 ? DROP_NONE : DROP_TCP_STATE;
	case AGAIN:
		return v->seq == c->half[dir].isn ? DROP_NONE : DROP_TCP_STATE;
	case PROBE:
		return probe(c, v);
	case ANSWER:
		return answer(c, v, effect);
	case RESET:
		return reset(c, dir, v, effect);
	case TO_SYN_SENT:
	case TO_SYN_BOTH:
	case TO_BOTH_ORIG:
	case TO_BOTH_REPLY:
	case TO_SYN_RECV:
	case TO_ESTABLISHED:
	case TO_TIME_WAIT:
	case TO_CLOSED:
	case BY_FINS:
	case QUIET:
		return move(c, dir, v, cell, effect);
	}
	return DROP_TCP_STATE;
}
