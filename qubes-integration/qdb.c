/* SPDX-License-Identifier: ISC */
/*
 * qdb.c: messages in, one at a time, from a buffer that holds the largest;
 * messages out through a ring.
 *
 * Invariant behind qdb_want: every message in has at least 72 bytes and is
 * answered by at most 72.
 */
#include "qdb.h"

enum {
	PATH_AT = 1,
	PATH_BYTES = 64,
	LEN_AT = 68,
	MESSAGE_MAX = QDB_HEADER_BYTES + QDB_VALUE_MAX,
};

struct qdb {
	struct qdb_sink sink; /* fixed after set-up */
	enum qdb_state state;
	const char *error;
	uint32_t have;        /* bytes in `in` */
	uint32_t need;        /* of the message in `in`, as far as known */
	uint32_t out_at, out_len;
	uint64_t written, answered;
	uint8_t in[MESSAGE_MAX];
	uint8_t out[QDB_OUT_BYTES];
};

struct qdb *qdb_new(struct arena *arena)
{
	struct qdb *q = arena_take(arena, 1, sizeof(*q));
	if (q)
		q->error = "";
	return q;
}

void qdb_set_sink(struct qdb *q, const struct qdb_sink *sink)
{
	q->sink = *sink;
}

enum qdb_state qdb_state(const struct qdb *q)
{
	return q->state;
}

const char *qdb_error(const struct qdb *q)
{
	return q->error;
}

uint64_t qdb_written(const struct qdb *q)
{
	return q->written;
}

uint64_t qdb_answered(const struct qdb *q)
{
	return q->answered;
}

/* --- out ------------------------------------------------------------------------ */

static size_t room(const struct qdb *q)
{
	return QDB_OUT_BYTES - q->out_len;
}

static void put(struct qdb *q, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	uint32_t at = (q->out_at + q->out_len) % QDB_OUT_BYTES;
	size_t first = QDB_OUT_BYTES - at < len ? QDB_OUT_BYTES - at : len;
	memcpy(q->out + at, bytes, first);
	memcpy(q->out, (const uint8_t *)bytes + first, len - first);
	q->out_len += (uint32_t)len;
}

static void put_header(struct qdb *q, enum qdb_type type, const char *path, size_t path_len,
		       size_t len)
{
	uint8_t h[QDB_HEADER_BYTES];
	memset(h, 0, sizeof(h));
	h[0] = (uint8_t)type;
	memcpy(h + PATH_AT, path, path_len);
	h[LEN_AT] = (uint8_t)len;
	h[LEN_AT + 1] = (uint8_t)(len >> 8);
	put(q, h, sizeof(h));
}

size_t qdb_peek(const struct qdb *q, const uint8_t **bytes)
{
	*bytes = q->out + q->out_at;
	return QDB_OUT_BYTES - q->out_at < q->out_len ? QDB_OUT_BYTES - q->out_at : q->out_len;
}

void qdb_sent(struct qdb *q, size_t len)
{
	ensure(len <= q->out_len);
	q->out_at = (uint32_t)((q->out_at + len) % QDB_OUT_BYTES);
	q->out_len -= (uint32_t)len;
}

size_t qdb_output(struct qdb *q, void *bytes, size_t max)
{
	uint8_t *to = bytes;
	const uint8_t *from;
	size_t n, total = 0;
	while ((n = qdb_peek(q, &from)) > 0 && total < max) {
		n = n < max - total ? n : max - total;
		memcpy(to + total, from, n);
		qdb_sent(q, n);
		total += n;
	}
	return total;
}

/* --- paths ------------------------------------------------------------------------ */

static bool is_path_char(char c)
{
	/* '-' to ':' are - . / 0-9 : */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '-' && c <= ':') ||
	       c == '_' || c == '@';
}

/* Its length, or 0 when it is no path: no '/' first, a forbidden character, or longer than 63. */
static size_t path_length(const char *path)
{
	size_t n = 0;
	if (path[0] != '/')
		return 0;
	while (n < PATH_BYTES && path[n]) {
		if (!is_path_char(path[n]))
			return 0;
		n++;
	}
	return n < PATH_BYTES ? n : 0;
}

static bool is_key(const char *path)
{
	size_t n = path_length(path);
	return n > 0 && path[n - 1] != '/';
}

bool qdb_write(struct qdb *q, const char *path, const void *value, size_t len)
{
	const uint8_t *byte = value;
	if (q->state != QDB_DUMP && q->state != QDB_LIVE)
		return false;
	if (!is_key(path) || len > QDB_VALUE_MAX || room(q) < QDB_HEADER_BYTES + len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (byte[i] == 0)
			return false;
	put_header(q, QDB_WRITE, path, path_length(path), len);
	put(q, value, len);
	q->written++;
	return true;
}

/* --- in --------------------------------------------------------------------------- */

static void reset(struct qdb *q, enum qdb_state state)
{
	q->state = state;
	q->error = "";
	q->have = 0;
	q->need = QDB_HEADER_BYTES;
	q->out_at = q->out_len = 0;
	q->written = q->answered = 0;
}

void qdb_opened(struct qdb *q)
{
	reset(q, QDB_DUMP);
	put_header(q, QDB_MULTIREAD, "", 0, 0);
	q->sink.opened(q->sink.self);
}

void qdb_closed(struct qdb *q)
{
	reset(q, QDB_CLOSED);
}

static void broken(struct qdb *q, const char *reason)
{
	reset(q, QDB_BROKEN);
	q->error = reason;
	q->sink.broken(q->sink.self, reason);
}

/* The header is whole: is the rest worth waiting for? NULL, or why not. */
static const char *judge_header(const struct qdb *q, uint32_t len)
{
	const char *path = (const char *)q->in + PATH_AT;
	if (len > QDB_VALUE_MAX)
		return "value longer than 3071 bytes";
	/* no default: every type has its line; a number that is no type falls through */
	switch ((enum qdb_type)q->in[0]) {
	case QDB_OK:
	case QDB_ERROR:
	case QDB_ERROR_NOENT:
		return NULL;
	case QDB_MULTIREAD_IS:
		if (q->state != QDB_DUMP)
			return "dump that nobody asked for";
		return path[0] == 0 || is_key(path) ? NULL : "invalid key in the dump";
	case QDB_WRITE:
		return is_key(path) ? NULL : "invalid key written";
	case QDB_RM:
		return path_length(path) > 0 ? NULL : "invalid key removed";
	case QDB_READ:
	case QDB_MULTIREAD:
	case QDB_LIST:
	case QDB_WATCH:
	case QDB_UNWATCH:
	case QDB_READ_IS:
	case QDB_LIST_IS:
	case QDB_WATCH_IS:
		break;
	}
	return "message of a type that has no place here";
}

/* The message is whole and valid, and there is room for its answer. */
static void handle(struct qdb *q)
{
	const char *path = (const char *)q->in + PATH_AT;
	const uint8_t *value = q->in + QDB_HEADER_BYTES;
	size_t len = q->need - QDB_HEADER_BYTES;
	enum qdb_type type = (enum qdb_type)q->in[0];
	q->have = 0;
	q->need = QDB_HEADER_BYTES;
	if (type == QDB_MULTIREAD_IS && path[0] == 0) {
		q->state = QDB_LIVE;
		q->sink.synced(q->sink.self);
	} else if (type == QDB_MULTIREAD_IS) {
		q->sink.write(q->sink.self, path, value, len);
	} else if (type == QDB_WRITE) {
		put_header(q, QDB_OK, path, path_length(path), 0);
		q->sink.write(q->sink.self, path, value, len);
	} else if (type == QDB_RM) {
		put_header(q, QDB_OK, path, path_length(path), 0);
		q->sink.remove(q->sink.self, path);
	} else if (q->answered < q->written) {
		q->answered++; /* nothing else is answered so */
		if (type != QDB_OK && q->sink.refused)
			q->sink.refused(q->sink.self, q->answered);
	}
}

static void header_complete(struct qdb *q)
{
	const uint8_t *at = q->in + LEN_AT;
	uint32_t len = (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
	const char *reason = judge_header(q, len);
	if (reason)
		broken(q, reason);
	else
		q->need = QDB_HEADER_BYTES + len;
}

size_t qdb_want(const struct qdb *q)
{
	return room(q) > q->have ? room(q) - q->have : 0;
}

size_t qdb_feed(struct qdb *q, const void *bytes, size_t len)
{
	struct cursor in = cursor_of(bytes, len);
	while (q->state == QDB_DUMP || q->state == QDB_LIVE) {
		size_t n = q->need - q->have < in.left ? q->need - q->have : in.left;
		memcpy(q->in + q->have, take(&in, n), n);
		q->have += (uint32_t)n;
		if (q->have < q->need)
			return len;
		/* header_complete may ask for more; a message without data is whole at once */
		if (q->need == QDB_HEADER_BYTES && n > 0)
			header_complete(q);
		if (q->state == QDB_BROKEN)
			break;
		if (q->have < q->need)
			continue;
		if (room(q) < QDB_HEADER_BYTES)
			return len - in.left;
		handle(q);
		if (in.left == 0)
			break;
	}
	return len;
}
