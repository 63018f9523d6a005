/* SPDX-License-Identifier: ISC */
/* storeclient.c: asks a config store and waits for its answers. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "storeclient.h"

struct answer {
	struct wire_header header;
	uint8_t data[WIRE_VALUE_MAX];
};

const char *storeclient_path(const char *given)
{
	const char *path = given ? given : getenv("POSTERN_STORE");

	return path && *path ? path : "/run/postern/store.sock";
}

enum store_result storeclient_open(struct storeclient *c, const char *path, int wait_ms)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int code;

	*c = (struct storeclient){ .fd = -1, .wait_ms = wait_ms };
	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return STORE_UNREACHED;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return STORE_DONE;
	code = errno;
	storeclient_close(c);
	errno = code;
	return STORE_UNREACHED;
}

void storeclient_close(struct storeclient *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static enum store_result await(struct storeclient *c, short event, int wait_ms)
{
	struct pollfd p = { .fd = c->fd, .events = event };
	int n;

	do
		n = poll(&p, 1, wait_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return STORE_TIMED_OUT;
	return n > 0 ? STORE_DONE : STORE_UNREACHED;
}

static enum store_result send_all(struct storeclient *c, const uint8_t *from, size_t len)
{
	enum store_result r = STORE_DONE;
	ssize_t sent;

	while (len > 0 && r == STORE_DONE) {
		sent = send(c->fd, from, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			from += sent;
			len -= (size_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			r = await(c, POLLOUT, c->wait_ms);
		} else if (sent == 0 || errno != EINTR) {
			r = STORE_UNREACHED;
		}
	}
	return r;
}

static enum store_result receive(struct storeclient *c, uint8_t *to, size_t len, int wait_ms)
{
	enum store_result r = STORE_DONE;
	ssize_t got;

	while (len > 0 && r == STORE_DONE) {
		got = recv(c->fd, to, len, MSG_DONTWAIT);
		if (got > 0) {
			to += got;
			len -= (size_t)got;
		} else if (got == 0) {
			errno = ECONNRESET;
			r = STORE_UNREACHED;
		} else if (errno == EAGAIN) {
			r = await(c, POLLIN, wait_ms);
		} else if (errno != EINTR) {
			r = STORE_UNREACHED;
		}
	}
	return r;
}

static enum store_result ask(struct storeclient *c, enum wire_type type, const char *path,
			     const void *data, size_t len)
{
	uint8_t message[WIRE_MESSAGE_MAX];

	if (strlen(path) >= WIRE_PATH_BYTES || len > WIRE_VALUE_MAX)
		return STORE_REFUSED;
	wire_put_header(message, type, path, (uint32_t)len);
	if (len > 0)
		memcpy(message + WIRE_HEADER_BYTES, data, len);
	return send_all(c, message, WIRE_HEADER_BYTES + len);
}

static enum store_result take(struct storeclient *c, struct answer *a, int wait_ms)
{
	uint8_t bytes[WIRE_HEADER_BYTES];
	enum store_result r = receive(c, bytes, sizeof(bytes), wait_ms);

	if (r != STORE_DONE)
		return r;
	wire_get_header(&a->header, bytes);
	if (!a->header.terminated || a->header.len > WIRE_VALUE_MAX) {
		errno = EPROTO;
		return STORE_UNREACHED;
	}
	return receive(c, a->data, a->header.len, c->wait_ms);
}

/* A change told twice is told once. Too many different ones: the reader is too slow. */
static enum store_result keep_event(struct storeclient *c, const char *path)
{
	for (size_t i = 0; i < c->events; i++) {
		if (strcmp(c->event[i], path) == 0)
			return STORE_DONE;
	}
	if (c->events == STORECLIENT_EVENTS) {
		errno = ENOBUFS;
		return STORE_UNREACHED;
	}
	memcpy(c->event[c->events++], path, WIRE_PATH_BYTES);
	return STORE_DONE;
}

/* The next answer that is no event; the answer must be of the wanted type, or say no. */
static enum store_result answered(struct storeclient *c, struct answer *a, enum wire_type wanted)
{
	enum store_result r;

	for (;;) {
		r = take(c, a, c->wait_ms);
		if (r != STORE_DONE)
			return r;
		if (a->header.type == wanted)
			return STORE_DONE;
		if (a->header.type == WIRE_MISSING)
			return STORE_ABSENT;
		if (a->header.type == WIRE_ERROR)
			return STORE_REFUSED;
		if (a->header.type != WIRE_WATCH_IS) {
			errno = EPROTO;
			return STORE_UNREACHED;
		}
		r = keep_event(c, a->header.path);
		if (r != STORE_DONE)
			return r;
	}
}

enum store_result storeclient_read(struct storeclient *c, const char *key,
				   uint8_t value[WIRE_VALUE_MAX], size_t *len)
{
	enum store_result r = ask(c, WIRE_READ, key, NULL, 0);
	struct answer a;

	if (r == STORE_DONE)
		r = answered(c, &a, WIRE_READ_IS);
	if (r != STORE_DONE)
		return r;
	memcpy(value, a.data, a.header.len);
	*len = a.header.len;
	return STORE_DONE;
}

/* enum store_result is ordered by how bad it is. */
static enum store_result settle(struct storeclient *c)
{
	struct answer a;
	enum store_result r = answered(c, &a, WIRE_OK);

	if (r == STORE_UNREACHED || r == STORE_TIMED_OUT)
		a.header.path[0] = 0;
	c->ahead--;
	if (r > c->worst) {
		c->worst = r;
		memcpy(c->worst_path, a.header.path, WIRE_PATH_BYTES);
	}
	return r == STORE_UNREACHED || r == STORE_TIMED_OUT ? r : STORE_DONE;
}

static enum store_result queue(struct storeclient *c, enum wire_type type, const char *path,
			       const void *data, size_t len)
{
	enum store_result r = STORE_DONE;

	if (c->ahead == STORECLIENT_AHEAD)
		r = settle(c);
	if (r == STORE_DONE)
		r = ask(c, type, path, data, len);
	if (r == STORE_DONE)
		c->ahead++;
	return r;
}

enum store_result storeclient_queue_write(struct storeclient *c, const char *key,
					  const void *value, size_t len)
{
	return queue(c, WIRE_WRITE, key, value, len);
}

enum store_result storeclient_queue_remove(struct storeclient *c, const char *target)
{
	return queue(c, WIRE_RM, target, NULL, 0);
}

static enum store_result finish(struct storeclient *c)
{
	enum store_result r = STORE_DONE;

	while (c->ahead > 0 && r == STORE_DONE)
		r = settle(c);
	r = c->worst;
	c->worst = STORE_DONE;
	return r;
}

enum store_result storeclient_finish(struct storeclient *c)
{
	enum store_result r = finish(c);

	return r == STORE_ABSENT ? STORE_DONE : r;
}

enum store_result storeclient_write(struct storeclient *c, const char *key, const void *value,
				    size_t len)
{
	enum store_result r = queue(c, WIRE_WRITE, key, value, len);

	return r == STORE_DONE ? finish(c) : r;
}

enum store_result storeclient_remove(struct storeclient *c, const char *target)
{
	enum store_result r = queue(c, WIRE_RM, target, NULL, 0);

	return r == STORE_DONE ? finish(c) : r;
}

static enum store_result series(struct storeclient *c, bool values, const char *prefix,
				storeclient_each *each, void *context)
{
	enum wire_type type = values ? WIRE_MULTIREAD_IS : WIRE_LIST_IS;
	enum store_result r = ask(c, values ? WIRE_MULTIREAD : WIRE_LIST, prefix, NULL, 0);
	bool wanted = true;
	struct answer a;

	while (r == STORE_DONE) {
		r = answered(c, &a, type);
		if (r != STORE_DONE || a.header.path[0] == 0)
			break;
		/* The rest is read all the same, so that the connection stays in step. */
		if (wanted)
			wanted = each(context, a.header.path, values ? a.data : NULL, a.header.len);
	}
	return r;
}

enum store_result storeclient_multiread(struct storeclient *c, const char *prefix,
					storeclient_each *each, void *context)
{
	return series(c, true, *prefix ? prefix : "/", each, context);
}

enum store_result storeclient_list(struct storeclient *c, const char *prefix,
				   storeclient_each *each, void *context)
{
	return series(c, false, *prefix ? prefix : "/", each, context);
}

enum store_result storeclient_watch(struct storeclient *c, const char *target)
{
	enum store_result r = ask(c, WIRE_WATCH, target, NULL, 0);
	struct answer a;

	return r == STORE_DONE ? answered(c, &a, WIRE_OK) : r;
}

enum store_result storeclient_changed(struct storeclient *c, char path[WIRE_PATH_BYTES],
				      int wait_ms)
{
	enum store_result r;
	struct answer a;

	if (c->events > 0) {
		memcpy(path, c->event[0], WIRE_PATH_BYTES);
		c->events--;
		memmove(c->event[0], c->event[1], c->events * WIRE_PATH_BYTES);
		return STORE_DONE;
	}
	r = take(c, &a, wait_ms);
	if (r != STORE_DONE)
		return r;
	if (a.header.type != WIRE_WATCH_IS) {
		errno = EPROTO;
		return STORE_UNREACHED;
	}
	memcpy(path, a.header.path, WIRE_PATH_BYTES);
	return STORE_DONE;
}
