// SPDX-License-Identifier: ISC
/* Asks the tender through its control socket and reads the answer with patience that ends. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "controlclient.h"

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *controlclient_path(const char *given)
{
	if (given)
		return given;
	const char *path = getenv("POSTERN_CONTROL");
	return path && *path ? path : "/run/postern/control.sock";
}

void controlclient_on(struct controlclient *c, int fd)
{
	c->fd = fd;
	c->began_ms = now_ms();
	c->silence_ms = CONTROL_SILENCE_MS;
	c->lines = 0;
	c->start = c->end = 0;
}

bool controlclient_open(struct controlclient *c, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	c->fd = -1;
	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(to.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* A peer that never accepts has a full backlog: connect would block for ever. */
	struct timeval patience = { .tv_sec = CONTROL_SILENCE_MS / 1000 };
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		int reason = errno == EAGAIN ? ETIMEDOUT : errno;
		close(fd);
		errno = reason;
		return false;
	}
	controlclient_on(c, fd);
	return true;
}

void controlclient_close(struct controlclient *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* Waits until the line's or the whole answer's time is up, whichever is first. */
static enum controlclient_result wait_for(const struct controlclient *c, short events,
					  int64_t line_began)
{
	for (;;) {
		int64_t now = now_ms();
		int64_t left = line_began + c->silence_ms - now;
		int64_t total = c->began_ms + CONTROL_TOTAL_MS - now;
		if (total < left)
			left = total;
		if (left <= 0)
			return CONTROL_TIMEOUT;
		struct pollfd p = { .fd = c->fd, .events = events };
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return CONTROL_LINE;
		if (n < 0 && errno != EINTR)
			return CONTROL_CLOSED;
	}
}

static ssize_t send_some(int fd, const char *bytes, size_t n, int pass_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} room;
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	if (pass_fd >= 0) {
		memset(&room, 0, sizeof(room));
		m.msg_control = room.bytes;
		m.msg_controllen = sizeof(room.bytes);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &pass_fd, sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum controlclient_result controlclient_send(struct controlclient *c, const char *line, int pass_fd)
{
	char out[CONTROL_REQUEST_MAX + 1];
	size_t len = strlen(line);
	if (len > CONTROL_REQUEST_MAX || strchr(line, '\n'))
		return CONTROL_MALFORMED;
	memcpy(out, line, len);
	out[len++] = '\n';
	int64_t began = now_ms();
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send_some(c->fd, out + sent, len - sent, sent ? -1 : pass_fd);
		if (n > 0) {
			sent += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return CONTROL_CLOSED;
		enum controlclient_result r = wait_for(c, POLLOUT, began);
		if (r != CONTROL_LINE)
			return r;
	}
	return CONTROL_LINE;
}

/* Hands out the line that ends at buffer[eol]. */
static enum controlclient_result cut_line(struct controlclient *c, size_t eol, const char **line)
{
	char *at = c->buffer + c->start;
	size_t len = eol - c->start;
	c->start = eol + 1;
	if (len > CONTROL_LINE_MAX || ++c->lines > CONTROL_LINES_MAX || memchr(at, 0, len))
		return CONTROL_MALFORMED;
	at[len] = 0;
	if (!strcmp(at, "."))
		return CONTROL_END;
	*line = at;
	return CONTROL_LINE;
}

enum controlclient_result controlclient_read(struct controlclient *c, const char **line)
{
	int64_t began = now_ms();
	size_t looked = c->start;
	for (;;) {
		const char *eol = memchr(c->buffer + looked, '\n', c->end - looked);
		if (eol)
			return cut_line(c, (size_t)(eol - c->buffer), line);
		if (c->start) {
			memmove(c->buffer, c->buffer + c->start, c->end - c->start);
			c->end -= c->start;
			c->start = 0;
		}
		looked = c->end;
		if (c->end > CONTROL_LINE_MAX)
			return CONTROL_MALFORMED;
		enum controlclient_result r = wait_for(c, POLLIN, began);
		if (r != CONTROL_LINE)
			return r;
		/* No room is given for descriptors: any the peer sends are closed by the kernel. */
		ssize_t n = recv(c->fd, c->buffer + c->end, sizeof(c->buffer) - c->end, MSG_DONTWAIT);
		if (n > 0)
			c->end += (size_t)n;
		else if (n == 0)
			return errno = 0, CONTROL_CLOSED;
		else if (errno != EAGAIN && errno != EINTR)
			return CONTROL_CLOSED;
	}
}
