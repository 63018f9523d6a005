/* SPDX-License-Identifier: ISC */
/*
 * qdb.h: the VM's end of the QubesDB link (qubes.md 1.2, 1.3), as a state
 * machine over a byte stream: it never waits, and what the peer sends can at
 * worst end in QDB_BROKEN.
 *
 *   opened -> one MULTIREAD of everything goes out, the dump comes in (write
 *   for every key, then synced); from then on pushed changes (write, remove),
 *   each answered OK. Own writes are queued and their answers counted.
 *
 * It sends nothing but that one MULTIREAD, RESP_OK and valid WRITEs: anything
 * else could kill the peer's daemon.
 */
#ifndef QDB_H
#define QDB_H

#include "arena.h"
#include "bytes.h"

enum {
	QDB_HEADER_BYTES = 72,
	QDB_PATH_MAX = 63,    /* without the NUL */
	QDB_VALUE_MAX = 3071,
	QDB_OUT_BYTES = 16384,
};

enum qdb_type {
	QDB_READ, QDB_WRITE, QDB_MULTIREAD, QDB_LIST, QDB_RM, QDB_WATCH, QDB_UNWATCH,
	QDB_OK, QDB_ERROR_NOENT, QDB_ERROR, QDB_READ_IS, QDB_MULTIREAD_IS, QDB_LIST_IS,
	QDB_WATCH_IS,
};

enum qdb_state {
	QDB_CLOSED,
	QDB_DUMP,   /* open, the initial dump is not complete */
	QDB_LIVE,
	QDB_BROKEN, /* the peer broke the protocol; ignored until the channel is opened anew */
};

/* Who is told. path is a valid path with its NUL; value is not terminated and may hold any byte. */
struct qdb_sink {
	void *self;
	void (*opened)(void *self); /* a fresh dump begins */
	void (*write)(void *self, const char *path, const uint8_t *value, size_t len);
	void (*remove)(void *self, const char *path); /* "/dir/": everything below */
	void (*synced)(void *self); /* the dump is complete */
	void (*broken)(void *self, const char *reason);
	void (*refused)(void *self, uint64_t number); /* of our writes that one (qdb_written) was not taken; may be NULL */
};

struct qdb;

/* NULL: the arena is too small. Set the sink before qdb_opened. */
struct qdb *qdb_new(struct arena *);
void qdb_set_sink(struct qdb *, const struct qdb_sink *);

/* The channel's events. A qdb_opened without qdb_closed before it counts as both. */
void qdb_opened(struct qdb *);
void qdb_closed(struct qdb *);

/* How many bytes to read from the channel now: so many qdb_feed takes. 0: qdb_output first. */
size_t qdb_want(const struct qdb *);
/* Takes bytes of the stream; returns how many: all, if len <= qdb_want(). */
size_t qdb_feed(struct qdb *, const void *bytes, size_t len);

/* What to send next: copies up to room bytes out and forgets them; 0: nothing waits. */
size_t qdb_output(struct qdb *, void *bytes, size_t room);
/* The same in two steps, for a channel that takes part of it. */
size_t qdb_peek(const struct qdb *, const uint8_t **bytes);
void qdb_sent(struct qdb *, size_t len);

/*
 * Queues a write of ours; not from within a sink. false, and nothing is queued:
 * not open, no room yet, or no valid key or value.
 */
bool qdb_write(struct qdb *, const char *path, const void *value, size_t len);

/* Own writes queued, and answered whatever the answer, since the channel was opened: in this order. */
uint64_t qdb_written(const struct qdb *);
uint64_t qdb_answered(const struct qdb *);

enum qdb_state qdb_state(const struct qdb *);
const char *qdb_error(const struct qdb *); /* why broken, else "" */

#endif
