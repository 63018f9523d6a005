/* SPDX-License-Identifier: ISC */
/* flowmatch.h: `flows EXPRESSION` (control protocol): flows by the words that packets are picked by (match.h). */
#ifndef FLOWMATCH_H
#define FLOWMATCH_H

#include "fw.h"
#include "match.h"

/*
 * Would a packet of the flow's opening direction hit, as its client sends it or as it leaves? It has passed, by the rule
 * that admits the flow today.
 */
bool flow_matches(const struct fw *, const struct flow *, const struct match *);

#endif
