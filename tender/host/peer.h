/* SPDX-License-Identifier: ISC */
/*
 * peer.h: one peer of the control socket, and the requests that the tender
 * itself answers. Every answer, the guest's as well, ends with a line ".".
 */
#ifndef PEER_H
#define PEER_H

#include "tender.h"

enum { PEER_IN_BYTES = 4096, PEER_OUT_BYTES = 128 * 1024 };

struct peer {
	bool used, eof;
	int passed; /* a descriptor that came with the last lines, or -1 */
	uint32_t watched;
	uint64_t patience_ns; /* it does not read: until when that is borne; 0 while it does */
	uint64_t turn_ns;     /* its request waits for its turn: until when; 0 when none does */
	uint64_t burial;      /* its detach ends with this burial (broker.c); 0: no detach under way */
	uint32_t detached;    /* the port of that detach */
	size_t in_len, out_at, out_len;
	char in[PEER_IN_BYTES];
	char out[PEER_OUT_BYTES];
};

enum control_result { CONTROL_NOT_OURS, CONTROL_DONE, CONTROL_LATER };

/* Answers the line p->in[0..len) into p->out, or leaves it to the guest. */
enum control_result control_own(struct peer *p, size_t len);

#endif
