/* SPDX-License-Identifier: ISC */
/*
 * tcp_track.h: a TCP connection seen from the middle: states by a table
 * [state][direction][event], windows after van Rooij, "Real Stateful TCP
 * Packet Filtering in IP Filter" (2001), window scaling included.
 *
 * Strict: a connection begins with a SYN we saw; data outside the window is
 * dropped; a RST ends a connection only where its receiver would believe it
 * (RFC 5961). Simultaneous open is let through, a split handshake is not.
 */
#ifndef TCP_TRACK_H
#define TCP_TRACK_H

#include "packet.h"

enum ct_dir { CT_ORIG, CT_REPLY };

#define TCP_STATE_LIST(X) \
	X(NONE, "none")               /* no flow yet */ \
	X(SYN_SENT, "syn_sent")       /* the opener's SYN */ \
	X(SYN_BOTH, "syn_both")       /* both sides' SYN crossed (RFC 9293 3.5, figure 7) */ \
	X(BOTH_ORIG, "syn_both_orig") /* of crossed SYNs: the opener's SYN-ACK seen */ \
	X(BOTH_REPLY, "syn_both_reply") /* of crossed SYNs: the other side's SYN-ACK seen */ \
	X(SYN_RECV, "syn_recv")       /* SYN-ACK from the other side */ \
	X(ESTABLISHED, "established") \
	X(FIN_WAIT, "fin_wait")       /* one FIN, not yet acknowledged */ \
	X(CLOSE_WAIT, "close_wait")   /* one FIN, acknowledged: half closed */ \
	X(LAST_ACK, "last_ack")       /* both FINs, not both acknowledged */ \
	X(TIME_WAIT, "time_wait")     /* both FINs acknowledged */ \
	X(CLOSED, "closed")           /* a valid RST */

enum tcp_state {
#define TCP_STATE_ENUM_(name, word) TCPS_##name,
	TCP_STATE_LIST(TCP_STATE_ENUM_)
#undef TCP_STATE_ENUM_
	TCPS_COUNT
};

enum {
	HALF_SEEN = 1,  /* the fields below are set: it sent its SYN */
	HALF_SCALE = 2, /* its SYN had the window scale option */
	HALF_FIN = 4,   /* it sent a FIN */
};

/* What one side said. */
struct ct_half {
	/* sequence numbers of the sending side unless said otherwise */
	uint32_t isn;
	uint32_t end;     /* behind the highest byte it sent */
	uint32_t max_end; /* the other side's window ends here: it may send up to it */
	uint32_t max_win; /* the largest window it offered, scaled; at least 1 */
	uint32_t ack;     /* the highest it acknowledged (the other side's numbers) */
	uint8_t scale, flags;
};

/* A SYN with a new number on a live connection: its answer tells whether the old one is dead. */
struct tcp_probe {
	uint32_t isn;
	uint16_t window;
	uint8_t scale;
	uint8_t flags; /* HALF_SEEN: there is one; HALF_SCALE */
};

/* A connection, kept by its owner; all zero before the first SYN. */
struct tcp_conn {
	uint8_t *state;       /* enum tcp_state */
	struct ct_half *half; /* two, by enum ct_dir */
	struct tcp_probe *probe;
};

enum tcp_effect {
	TCP_PASSED,  /* goes through, refreshes nothing */
	TCP_MOVED,   /* took part in the connection: refresh */
	TCP_RESTART, /* a new connection in the same slot: refresh, count from 0 */
};

/* Judges a segment and takes it in. DROP_NONE, TCP_WINDOW or TCP_STATE; when dropped the connection is unchanged. */
enum drop tcp_track(const struct tcp_conn *, enum ct_dir, const struct tcp_view *, enum tcp_effect *);
/* May this segment open a connection? SYN alone. */
bool tcp_opens(const struct tcp_view *);
const char *tcp_state_word(enum tcp_state);

#endif
