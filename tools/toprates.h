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
 * {"schema":1, "interval_ms", "flows", "flow_capacity", "clients", "rules"}, a new object. A client
 * is {port, name, ip, flows, up_bytes_s, down_bytes_s, up_packets_s, down_packets_s, drops_s}, a
 * rule has client and rule in place of the first three and no drops; the busiest first. A
 * client's rates are of its port's counters. A rule's are of the flows that are open at
 * the second look: one that ended between is left out.
 */
json_t *toprates(const struct toplook *before, const struct toplook *after);

#endif
