// SPDX-License-Identifier: ISC
/* Feeds the store's client, and sends what it has to say. */
#include "storelink.h"

enum {
	READS = 64, /* buffers per round: rules must not hold packets up */
	BUFFER_BYTES = 1024,
};

const char *storelink_word(const struct storelink *l)
{
	switch (qdb_state(l->qdb)) {
	case QDB_CLOSED:
		return "down";
	case QDB_DUMP:
		return "connecting";
	case QDB_LIVE:
		return "synced";
	case QDB_BROKEN:
		return "broken";
	}
	return "broken";
}

void storelink_send(const struct storelink *l)
{
	const uint8_t *at;
	for (size_t n; (n = qdb_peek(l->qdb, &at)) != 0;) {
		size_t sent = l->write(at, n);
		if (sent == 0)
			return;
		qdb_sent(l->qdb, sent);
	}
}

bool storelink_round(const struct storelink *l, uint64_t now_ns, uint64_t wall_ns)
{
	uint8_t bytes[BUFFER_BYTES];
	uint32_t reads;
	qdb_tree_tick(l->tree, now_ns, wall_ns);
	storelink_send(l);
	for (reads = 0; reads < READS; reads++) {
		size_t want = qdb_want(l->qdb);
		want = want < sizeof(bytes) ? want : sizeof(bytes);
		size_t n = want ? l->read(bytes, want) : 0;
		if (n == 0)
			break;
		qdb_feed(l->qdb, bytes, n);
		storelink_send(l);
	}
	qdb_tree_poll(l->tree);
	storelink_send(l);
	return reads == READS;
}
