/* SPDX-License-Identifier: ISC */
/*
 * plan.h: the rules of many clients, out of a file or out of the store.
 *
 *   set office 192.0.2.0/24 198.51.100.7    a named set of networks, before the first section
 *   [10.137.0.5]              whose rules follow
 *   policy accept             what happens when none matches; drop, unless said
 *   accept example.com tcp 443
 *   [10.137.0.6]
 *   drop
 *   [inbound]                 what the world may open (cross_line.h); no policy
 *   accept tcp 2222 to 10.137.0.5:22
 *   [between]                 what one client may open to another; no policy
 *   accept 10.137.0.5 10.137.0.6 tcp 22
 */
#ifndef PLAN_H
#define PLAN_H

#include "addr.h"
#include "rulefile.h"
#include "setlist.h"
#include "storeclient.h"

enum { PLAN_CLIENTS_MAX = 256, PLAN_POLICY_MAX = 16 };

struct plan_client {
	char ip[IP_TEXT]; /* or "inbound", "between" */
	char policy[PLAN_POLICY_MAX]; /* "": none, so the client is closed */
	bool committed;               /* from the store: the commit key is there */
	struct rulefile rules;
};

struct plan {
	struct plan_client *client;
	size_t count, room;
	struct setlist sets;
};

/* Faults as rulefile_parse. heads: the file must name its clients, else it may be for one. */
bool plan_parse(struct plan *, const struct rulefile_source *, bool heads, FILE *errors);
/*
 * What stands in the store (prefix NULL), as it was committed last, or under a prefix that lists
 * keys of rule trees. Trees that were never committed are not in it.
 */
enum store_result plan_load(struct plan *, struct storeclient *, const char *prefix);
void plan_free(struct plan *);

/* NULL: not in it. */
const struct plan_client *plan_find(const struct plan *, const char *ip);
/* NULL stands for a client without rules. */
bool plan_same(const struct plan_client *, const struct plan_client *);
/* Does any of its rules refer to a set of these? */
bool plan_uses(const struct plan_client *, const struct setlist *);
void plan_add_copy(struct plan *, const struct plan_client *);
/* *out: what turns `now` into `wanted`; clients and sets that are only in `now` are emptied. Borrows nothing. */
void plan_difference(struct plan *out, const struct plan *now, const struct plan *wanted);

#endif
