/* SPDX-License-Identifier: ISC */
/* storelink.h: moves the store's bytes between a channel and the client of them (qdb.h), a bounded number a round. */
#ifndef STORELINK_H
#define STORELINK_H

#include "qdb_tree.h"

struct storelink {
	struct qdb *qdb;
	struct qdb_tree *tree;
	/* of the channel: as much as goes now, 0..len */
	size_t (*read)(void *bytes, size_t len);
	size_t (*write)(const void *bytes, size_t len);
};

/* What waits to be sent, as far as it goes now. */
void storelink_send(const struct storelink *);
/* One round, with the tree's clock before it and its answers behind it. True when more may be waiting. */
bool storelink_round(const struct storelink *, uint64_t now_ns, uint64_t wall_ns);
/* "down", "connecting", "synced" or "broken" */
const char *storelink_word(const struct storelink *);

#endif
