// SPDX-License-Identifier: ISC
/* Feeds the store's client, and sends what it has to say. */
#include "storelink.h"

enum {
	READS = 64, /* buffers per round: rules must not hold packets up */
	BUFFER_BYTES = 1024,
};

static const uint64_t PAUSE_MIN_NS = 1000000000, PAUSE_MAX_NS = 60000000000;

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

static void begin_pause(struct storelink *l, uint64_t now_ns)
{
	bool calm = l->pause_ns == 0 || now_ns - l->left_ns >= PAUSE_MAX_NS;
	uint64_t longer = l->pause_ns * 2 < PAUSE_MAX_NS ? l->pause_ns * 2 : PAUSE_MAX_NS;
	l->pause_ns = calm ? PAUSE_MIN_NS : longer;
	l->again_ns = now_ns + l->pause_ns;
}

/* True: the peer was left now. */
static bool leave_broken(struct storelink *l, uint64_t now_ns)
{
	if (qdb_state(l->qdb) != QDB_BROKEN)
		return false;
	if (l->again_ns == 0)
		begin_pause(l, now_ns);
	if (now_ns < l->again_ns)
		return false;
	l->left_ns = now_ns;
	l->again_ns = now_ns + l->pause_ns;
	l->reset();
	return true;
}

uint64_t storelink_deadline(const struct storelink *l)
{
	return l->again_ns ? l->again_ns : UINT64_MAX;
}

bool storelink_round(struct storelink *l, uint64_t now_ns, uint64_t wall_ns)
{
	uint8_t bytes[BUFFER_BYTES];
	uint32_t reads;
	if (qdb_state(l->qdb) != QDB_BROKEN)
		l->again_ns = 0; /* that peer went, or a fresh stream has begun, which may break in this round */
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
	return leave_broken(l, now_ns) || reads == READS;
}
