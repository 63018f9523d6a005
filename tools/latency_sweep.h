/* SPDX-License-Identifier: ISC */
/*
 * latency_sweep.h: a client's rules replaced by more and more of them while it is probed, and put back.
 *
 * The last rule accepts everything; those before it match nothing that a probe sends. The probing happens
 * in a child process, so that the old rules come back, byte for byte, however it ends. Should both be killed,
 * what they left ends by itself (expire=), and the client is closed.
 */
#ifndef LATENCY_SWEEP_H
#define LATENCY_SWEEP_H

struct latency_sweep {
	const char *client; /* address; NULL: nothing is swept */
	const char *store;  /* NULL: the usual one */
};

/* -1: this is the child, go on. Otherwise the exit code of all that the child did. */
int latency_sweep_begin(struct latency_sweep *);
/*
 * That many rules before the one that accepts, for so long at most; returns when they are in force. EXIT_YES, or the
 * exit code.
 */
int latency_sweep_set(const struct latency_sweep *, const char *count, double seconds);

#endif
