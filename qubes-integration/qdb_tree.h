/* SPDX-License-Identifier: ISC */
/*
 * qdb_tree.h: from the store's keys to the policy (qubes.md 2.3).
 *
 * Below /qubes-firewall/IP/ stand `policy` and rules 0000..9999; they are kept,
 * parsed, as they come, in any order and with gaps, until removed, and become
 * the client's rules when /qubes-firewall/IP itself is written. Everything in
 * the initial dump counts as committed when the dump ends. After a reconnect
 * the new dump replaces what was kept; clients that are not in it keep the
 * rules that hold. A tree that is not right closes its client, with the place.
 * After each handling /qubes-firewall-handled/IP is counted up in the store.
 *
 * Below /postern/inbound/ and /postern/between/ stand rules of cross_rule.h in the same way, without a policy and
 * without a counter; an empty tree that is committed switches them off.
 *
 * Sets that rules refer to stand below /postern/set/ (sets.h), what is stopped altogether below /postern/isolate/ and
 * in /postern/panic (blockkeys.h).
 *
 * Many clients can change at once, and for a while only: generation.h.
 *
 * Wiring:
 *   config_init(c); q = qdb_new(a); t = qdb_tree_new(a, secret, 1024, 40960, q, policy, c, log);
 *   channel open/closed -> qdb_opened(q) / qdb_closed(q)
 *   loop: n = read(buf, min(sizeof buf, qdb_want(q))); qdb_feed(q, buf, n); qdb_tree_poll(t);
 *   before that, in every round: qdb_tree_tick(t, now, wall)
 *         while ((n = qdb_peek(q, &at)) && (m = write(at, n))) qdb_sent(q, m);
 */
#ifndef QDB_TREE_H
#define QDB_TREE_H

#include "config.h"
#include "policy.h"
#include "qdb.h"
#include "storelog.h"

enum { QDB_TREE_RULES = 40960 };

struct qdb_tree;

/* Becomes the sink of q. clients, rules: how many are kept; NULL: the arena is too small. */
struct qdb_tree *qdb_tree_new(struct arena *, const struct secret *, uint32_t clients,
			      uint32_t rules, struct qdb *q, struct policy *, struct config *,
			      struct log_sink);
size_t qdb_tree_bytes(uint32_t clients, uint32_t rules);
/* Queues the handled counters and outcomes for which q has room. true: some still wait. */
bool qdb_tree_poll(struct qdb_tree *);
/* Before q is fed: what was not confirmed by then goes (generation.h), and so do rules whose time has come, by wall_ns
 * (since 1970). Nothing else needs the time. */
void qdb_tree_tick(struct qdb_tree *, uint64_t now_ns, uint64_t wall_ns);
uint64_t qdb_tree_deadline(const struct qdb_tree *); /* UINT64_MAX: none */
/* Keeps what was applied for a while. false: nothing was. */
bool qdb_tree_confirm(struct qdb_tree *);
/* The number of what is in force, 0: none that is known; *confirm_by_ns: when it goes back, 0: it stays. */
uint64_t qdb_tree_generation(const struct qdb_tree *, uint64_t *confirm_by_ns);
/* What an operator asks of this (blockkeys.h). false: nothing of the kind; *error: why it was not done, or NULL. */
bool qdb_tree_ask(struct qdb_tree *, const char *words, size_t len, const char **error);
/* A dump was complete since boot. */
bool qdb_tree_synced(const struct qdb_tree *);

#endif
