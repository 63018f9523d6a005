/* SPDX-License-Identifier: ISC */
/* session.c: moves bytes between a connection and its bounded buffers. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"

enum { BUFFER_KEPT_BYTES = 64 * 1024 }; /* an empty buffer larger than this is given back */

void buffer_free(struct buffer *b)
{
	free(b->bytes);
	*b = (struct buffer){ .limit = b->limit };
}

bool buffer_add(struct buffer *b, const void *from, size_t len)
{
	size_t room = b->room ? b->room : 4096;
	uint8_t *bytes;

	if (len == 0)
		return true;
	if (len > (b->limit ? b->limit : PEER_OUT_MAX) - b->len)
		return false;
	if (b->head > 0 && len > b->room - b->head - b->len) {
		memmove(b->bytes, b->bytes + b->head, b->len);
		b->head = 0;
	}
	if (len > b->room - b->head - b->len) {
		while (room < b->len + len)
			room *= 2;
		bytes = realloc(b->bytes, room);
		if (!bytes)
			return false;
		b->bytes = bytes;
		b->room = room;
	}
	memcpy(b->bytes + b->head + b->len, from, len);
	b->len += len;
	return true;
}

static void buffer_drop(struct buffer *b, size_t len)
{
	b->head += len;
	b->len -= len;
	if (b->len > 0)
		return;
	b->head = 0;
	if (b->room > BUFFER_KEPT_BYTES)
		buffer_free(b);
}

struct peer *peer_new(int fd, enum peer_kind kind, const struct db_author *author, int64_t now_ms)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = fd;
	p->kind = kind;
	p->author = *author;
	p->moved_ms = now_ms;
	p->draft.limit = PEER_RULES_MAX;
	if (kind == PEER_LINK)
		p->out.limit = p->held.limit = PEER_RULES_MAX;
	return p;
}

void peer_free(struct peer *p)
{
	close(p->fd);
	db_dump_close(&p->dump);
	buffer_free(&p->out);
	buffer_free(&p->held);
	buffer_free(&p->draft);
	free(p->watch);
	free(p);
}

void peer_fill(struct peer *p)
{
	ssize_t got;

	if (p->in_len == PEER_IN_BYTES)
		return;
	got = recv(p->fd, p->in + p->in_len, PEER_IN_BYTES - p->in_len, MSG_DONTWAIT);
	if (got > 0)
		p->in_len += (size_t)got;
	else if (got == 0)
		p->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		p->dead = true;
}

void peer_flush(struct peer *p, int64_t now_ms)
{
	ssize_t sent;

	while (p->out.len > 0 && !p->dead) {
		sent = send(p->fd, p->out.bytes + p->out.head, p->out.len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent <= 0) {
			p->dead = true;
			return;
		}
		buffer_drop(&p->out, (size_t)sent);
		p->moved_ms = now_ms;
	}
	p->moved_ms = now_ms;
}

void peer_answer(struct peer *p, enum wire_type type, const char *path, const uint8_t *data,
		 size_t len)
{
	uint8_t header[WIRE_HEADER_BYTES];

	wire_put_header(header, type, path, (uint32_t)len);
	if (!buffer_add(&p->out, header, sizeof(header)) || !buffer_add(&p->out, data, len))
		p->dead = true;
}

static void consume(struct peer *p, size_t len)
{
	memmove(p->in, p->in + len, p->in_len - len);
	p->in_len -= len;
}

static void skip(struct peer *p)
{
	size_t len = p->skip < p->in_len ? p->skip : p->in_len;

	p->skip -= len;
	consume(p, len);
}

/* Too long to be stored, but its end is known: only an absurd one costs the connection. */
static void oversize(struct peer *p, const struct wire_message *m)
{
	if (wire_is_request(m->header.type))
		peer_answer(p, WIRE_ERROR, m->header.path, NULL, 0);
	if (m->header.len > PEER_SKIP_MAX)
		p->closing = true;
	p->skip = m->header.len;
	consume(p, m->taken);
}

bool peer_takes(const struct peer *p)
{
	/* The appliance reads on only if what it answers is read: what it is told must not stop that. */
	size_t high = p->kind == PEER_LINK ? PEER_RULES_MAX : PEER_OUT_HIGH;

	return p->listing == LISTING_NONE && p->out.len < high;
}

static bool may_take(const struct peer *p)
{
	return !p->closing && !p->dead && peer_takes(p);
}

bool peer_next(struct peer *p, struct wire_message *m)
{
	while (may_take(p)) {
		skip(p);
		if (p->skip > 0)
			break;
		switch (wire_take(m, p->in, p->in_len)) {
		case WIRE_WHOLE:
			return true;
		case WIRE_OVERSIZE:
			oversize(p, m);
			continue;
		case WIRE_UNKNOWN:
			peer_answer(p, WIRE_ERROR, m->header.path, NULL, 0);
			p->closing = true;
			return false;
		case WIRE_PARTIAL:
			break;
		}
		break;
	}
	p->blocked = !may_take(p);
	/* What is left can never become whole: the rest of a half message is lost. */
	if (p->ended && !p->blocked)
		p->closing = true;
	return false;
}

void peer_taken(struct peer *p, const struct wire_message *m)
{
	consume(p, m->taken);
}

void peer_disown(struct peer *p)
{
	size_t kept = p->mark;
	size_t at = p->mark;
	struct wire_header h;

	while (p->out.len - at >= WIRE_HEADER_BYTES) {
		wire_get_header(&h, p->out.bytes + p->out.head + at);
		at += WIRE_HEADER_BYTES + h.len;
		wire_put_header(p->out.bytes + p->out.head + kept, WIRE_ERROR, h.path, 0);
		kept += WIRE_HEADER_BYTES;
	}
	p->out.len = kept;
}
