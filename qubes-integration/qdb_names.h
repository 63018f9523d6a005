/* SPDX-License-Identifier: ISC */
/*
 * qdb_names.h: tells the host what names in rules stand for, as the Linux agent
 * does: /dns/CLIENT/NAME is "{'192.0.2.1/32', '192.0.2.2/32'}" (qubes.md 2.4).
 * Written when the client's rules or the addresses change. A name that is not
 * resolved, or whose key is longer than QDB_PATH_MAX, is left out; the key of a
 * name that no rule has any more stays.
 */
#ifndef QDB_NAMES_H
#define QDB_NAMES_H

#include "policy.h"
#include "qdb.h"

/* Starts as zeros but for the first two. */
struct qdb_names {
	struct qdb *qdb;             /* fixed at creation */
	const struct policy *policy;
	uint64_t told;               /* policy_latest when all was written */
	uint64_t telling;            /* 0: nothing is under way */
	uint32_t client;             /* being told of; NONE: before the first */
	uint64_t generation;         /* its rules' when its walk began */
	struct ruleset_walk walk;
	uint64_t client_told[POLICY_CLIENTS_MAX]; /* generation of what was written last */
};

/* Queues what q has room for; true: more waits for room. Call when there may be room or news. */
bool qdb_names_poll(struct qdb_names *);
/* The channel was opened anew: all is told again. */
void qdb_names_forget(struct qdb_names *);

#endif
