/* SPDX-License-Identifier: ISC */
/*
 * storelink.h: moves the store's bytes between a channel and the client of them (qdb.h), a bounded number a round.
 *
 * A peer that breaks the protocol is left after a second, for its stream has no next message to be found; a fresh one begins with
 * a whole dump, so nothing is lost. The pause doubles up to a minute while it goes on so, and begins anew after a minute without.
 */
#ifndef STORELINK_H
#define STORELINK_H

#include "qdb_tree.h"

struct storelink {
	struct qdb *qdb;
	struct qdb_tree *tree;
	/* of the channel: as much as goes now, 0..len */
	size_t (*read)(void *bytes, size_t len);
	size_t (*write)(const void *bytes, size_t len);
	void (*reset)(void); /* ends its stream; a fresh one is opened */
	/* of a peer that breaks the protocol: the pause before it is left, */
	uint64_t pause_ns;
	uint64_t again_ns; /* when that is over, 0: it has not begun, */
	uint64_t left_ns;  /* and when it was left last */
};

/* What waits to be sent, as far as it goes now. */
void storelink_send(const struct storelink *);
/* One round, with the tree's clock before it and its answers behind it. True when more may be waiting. */
bool storelink_round(struct storelink *, uint64_t now_ns, uint64_t wall_ns);
/* No later than this it wants a round; UINT64_MAX: whenever bytes come. */
uint64_t storelink_deadline(const struct storelink *);
/* "down", "connecting", "synced" or "broken" */
const char *storelink_word(const struct storelink *);

#endif
