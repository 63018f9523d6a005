/* SPDX-License-Identifier: ISC */
/* toprates.h: what changed between two looks at the appliance, per client port and per rule. */
#ifndef TOPRATES_H
#define TOPRATES_H

#include <jansson.h>

/* One look: the answers to `status` and `flows`. */
struct toplook {
	json_t *ports, *flows; /* arrays, owned */
	json_int_t capacity;   /* of flows */
	long long taken_ms;    /* monotonic */
};

/* EXIT_YES, or the exit code after telling standard error; the look is to be freed in any case. */
int toplook_take(struct toplook *, const char *socket);
void toplook_free(struct toplook *);
/*
 * {"interval_ms", "flows", "flow_capacity", "clients": [{port, name, ip, flows, up_bps, down_bps, up_pps,
 * down_pps, drops_ps}], "rules": [{client, rule, flows, up_bps, down_bps, up_pps, down_pps}]}, the
 * busiest first; bytes a second, not bits. A port's are of its own counters. A rule's are of
 * the flows that are open at the second look: a flow that ended between is left out.
 */
json_t *toprates(const struct toplook *before, const struct toplook *after);

#endif
