/* SPDX-License-Identifier: ISC */
/*
 * flowkill.h: ends one flow on request: kill PROTO SRC SPORT DST DPORT, as `flows`
 * lists it: the opener's side, PROTO tcp, udp, icmp, icmpv6 or a number.
 *
 * The answer is a line {"type":"killed","count":N}, N being 0 when there is no such
 * flow. An ICMP query's type is not listed, so all of the flows that differ in it
 * alone go. Rules decide whether the next packet opens the flow again.
 */
#ifndef FLOWKILL_H
#define FLOWKILL_H

#include "fw.h"

struct flowkill {
	struct tuple tuple;
	bool done;
};

/* words: what stands behind "kill "; NULL, or what is wrong with them. */
const char *flowkill_begin(struct flowkill *, const char *words, size_t len);
/* As status_next; false: complete. The flow ends here. */
bool flowkill_next(struct flowkill *, struct fw *, struct text *line);

#endif
