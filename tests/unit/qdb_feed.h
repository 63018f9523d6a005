/* SPDX-License-Identifier: ISC */
/*
 * qdb_feed.h: a mirror of the store with a policy behind it, fed with the store's messages.
 * Who includes it defines CLIENTS and RULES before.
 */
#ifndef QDB_FEED_H
#define QDB_FEED_H

#include <stdio.h>
#include <stdlib.h>
#include "qdb_message.h"
#include "qdb_tree.h"

enum { FEED_LOG_BYTES = 1 << 16 };

static void *memory;
static struct qdb *q;
static struct policy *policy;
static struct qdb_tree *tree;
static struct config config;
static char logged[FEED_LOG_BYTES];
static struct hosts *feed_hosts; /* of the policy to be made, or NULL */
static void (*between)(void); /* called after every piece that goes in */

static void on_log(void *self, const char *line, size_t len)
{
	size_t at = strlen(logged);
	(void)self;
	assert_int_equal(line[len], 0);
	snprintf(logged + at, sizeof(logged) - at, "%s\n", line);
}

static int make(void **state)
{
	static const struct secret secret = { { 1, 2 }, 0 };
	(void)state;
	size_t bytes = policy_bytes(CLIENTS, RULES) + qdb_tree_bytes(CLIENTS, RULES) + 32768;
	memory = calloc(1, bytes);
	struct arena a = { memory, bytes };
	config_init(&config);
	q = qdb_new(&a);
	policy = policy_new(&a, &secret, CLIENTS, RULES);
	if (feed_hosts)
		policy_set_hosts(policy, feed_hosts);
	tree = qdb_tree_new(&a, &secret, CLIENTS, RULES, q, policy, &config, (struct log_sink){ NULL, on_log });
	logged[0] = 0;
	between = NULL;
	return tree ? 0 : -1;
}

static int unmake(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static uint32_t draw(uint32_t limit)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 33) % limit;
}

/* In pieces, as a channel gives them, if anybody looks between them. */
static void send_one(uint8_t type, const char *path, const char *value)
{
	static uint8_t bytes[4096], answer[QDB_OUT_BYTES];
	size_t n = message(bytes, type, path, value, strlen(value));
	for (size_t at = 0; at < n;) {
		size_t part = between ? 1 + draw(160) : n;
		part = part < n - at ? part : n - at;
		assert_int_equal(qdb_feed(q, bytes + at, part), part);
		at += part;
		if (between)
			between();
	}
	assert_int_not_equal(qdb_state(q), QDB_BROKEN);
	if (qdb_want(q) < 4096)
		qdb_output(q, answer, sizeof(answer));
}

static inline void dump(const char *path, const char *value) { send_one(11, path, value); }
static inline void put(const char *path, const char *value) { send_one(1, path, value); }
static inline void rm(const char *path) { send_one(4, path, ""); }

static inline void start_empty(void)
{
	qdb_opened(q);
	dump("", "");
}

#endif
