/* SPDX-License-Identifier: ISC */
/* eventsreport.h: the answer to `events SINCE [MAX]` (events.h), a line at a time. */
#ifndef EVENTSREPORT_H
#define EVENTSREPORT_H

#include "events.h"

struct eventsreport {
	bool begun;
	uint64_t next, until;
	uint64_t since;       /* as asked */
	uint64_t wall_offset; /* of the clock's ns, to 1970 */
};

/* words: what stands behind "events "; NULL, or what is wrong with them. */
const char *eventsreport_begin(struct eventsreport *, const struct events *, const char *words, size_t len,
			       uint64_t wall_offset);
/* As status_next; false: complete. */
bool eventsreport_next(struct eventsreport *, const struct events *, uint64_t now_ns, struct text *line);

#endif
