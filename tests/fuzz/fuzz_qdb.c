/* links: qubes-integration/qdb_tree.c qubes-integration/trees.c qubes-integration/treecommit.c qubes-integration/blockkeys.c rules/sets.c qubes-integration/storelog.c qubes-integration/generation.c qubes-integration/staged.c qubes-integration/config.c qubes-integration/fakeip.c qubes-integration/qdb.c firewall/policy.c firewall/policy_change.c firewall/blocks.c firewall/accounts.c rules/rule_id.c rules/ruleset.c rules/compiled.c rules/compiler.c rules/cells.c rules/rule.c netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/table.c rules/cross_rule.c */
// SPDX-License-Identifier: ISC
/*
 * A hostile store: the input is its side of the byte stream, fed in pieces,
 * through to the policy; what we send back must be whole and permitted.
 */
#include <stdlib.h>
#include <string.h>
#include "qdb_tree.h"

enum { CLIENTS = 4, RULES = 64, MEMORY = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void on_log(void *self, const char *line, size_t len)
{
	(void)self;
	ensure(strlen(line) == len);
}

/* One MULTIREAD first, then only OK without data and well-formed WRITEs. */
static void check_output(struct qdb *q, bool *begun)
{
	static uint8_t out[QDB_OUT_BYTES];
	size_t n = qdb_output(q, out, sizeof(out)), size;
	for (size_t at = 0; at < n; at += size) {
		ensure(n - at >= QDB_HEADER_BYTES);
		const char *path = (const char *)out + at + 1;
		size_t data = (size_t)(out[at + 68] | out[at + 69] << 8);
		size_t path_len = strnlen(path, 64);
		size = QDB_HEADER_BYTES + data;
		ensure(n - at >= size && data <= QDB_VALUE_MAX && path_len < 64);
		ensure(out[at] == (*begun ? out[at] == QDB_OK ? QDB_OK : QDB_WRITE : QDB_MULTIREAD));
		ensure(out[at] == QDB_WRITE || data == 0);
		ensure(out[at] != QDB_WRITE || (path[0] == '/' && path[path_len - 1] != '/'));
		*begun = true;
	}
}

static void judge_all(const struct policy *p)
{
	struct tuple t = { .dst = ip_v4(10, 139, 1, 1), .dport = 53, .proto = 17 };
	for (uint32_t c = policy_next(p, NONE); c != NONE; c = policy_next(p, c)) {
		uint32_t number;
		enum drop reason;
		t.src = policy_show(p, c).ip;
		policy_judge(p, c, &t, &number, &reason);
		ensure(rule_ref_number(number) <= RULE_NUMBER_MAX || rule_ref_number(number) == RULE_POLICY);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t memory[MEMORY];
	static const struct secret secret = { { 3, 4 }, 0 };
	static struct config config;
	struct arena a = { memory, sizeof(memory) };
	config_init(&config);
	struct qdb *q = qdb_new(&a);
	struct policy *p = policy_new(&a, &secret, CLIENTS, RULES);
	struct qdb_tree *t = qdb_tree_new(&a, &secret, CLIENTS, RULES, q, p, &config, (struct log_sink){ NULL, on_log });
	ensure(t);
	bool begun = false;
	uint64_t now_ns = 0;
	qdb_opened(q);
	for (size_t at = 0, piece = 1; at < len; piece = piece * 5 % 257) {
		size_t n = piece < len - at ? piece : len - at;
		size_t want = qdb_want(q), taken = qdb_feed(q, bytes + at, n);
		ensure(taken <= n && (taken == n || n > want));
		at += taken;
		if (piece % 3 == 0 || taken == 0) {
			/* a second goes by: what is to be confirmed in time runs out at times */
			now_ns += 1000000000;
			qdb_tree_tick(t, now_ns, now_ns);
			ensure(qdb_tree_deadline(t) > now_ns);
			qdb_tree_poll(t);
			check_output(q, &begun);
			judge_all(p);
		}
	}
	qdb_tree_poll(t);
	check_output(q, &begun);
	judge_all(p);
	/* again: a resync finds everything as it should be */
	begun = false;
	qdb_opened(q);
	qdb_feed(q, bytes, len < qdb_want(q) ? len : qdb_want(q));
	check_output(q, &begun);
	judge_all(p);
	return 0;
}
