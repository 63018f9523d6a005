// SPDX-License-Identifier: ISC
/* Serves askers side by side in one thread, each within bounds of bytes and time. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_listen.h"
#include "http_serve.h"
#include "verbs.h"

enum { HEAD_BYTES = 2048, IDLE_MS = 60000, DRAIN_BYTES = 1 << 20 };

enum step { FREE, READING, WRITING, DRAINING };

struct asker {
	enum step step;
	int fd;
	int64_t began_ms, until_ms;
	size_t got, drained;
	size_t head_len, sent; /* sent counts head and body */
	struct http_answer answer;
	char request[HTTP_REQUEST_BYTES];
	char head[HEAD_BYTES];
};

struct server {
	const struct http_site *site;
	bool any_host; /* a Unix socket: no browser asks there by name */
	int fd;
	int64_t tick_ms;
	struct asker asker[HTTP_PLACES];
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *reason_of(enum http_status status)
{
	switch (status) {
	case HTTP_OK: return "OK";
	case HTTP_BAD_REQUEST: return "Bad Request";
	case HTTP_NOT_FOUND: return "Not Found";
	case HTTP_NOT_ALLOWED: return "Method Not Allowed";
	case HTTP_TARGET_TOO_LONG: return "URI Too Long";
	case HTTP_MISDIRECTED: return "Misdirected Request";
	case HTTP_HEAD_TOO_LONG: return "Request Header Fields Too Large";
	case HTTP_UNAVAILABLE: return "Service Unavailable";
	case HTTP_VERSION_UNKNOWN: return "HTTP Version Not Supported";
	}
	return "";
}

/* --- one asker --------------------------------------------------------------------- */

static void leave(struct asker *a)
{
	close(a->fd);
	free(a->answer.owned);
	a->answer = (struct http_answer){ .owned = NULL };
	a->step = FREE;
}

static void begin_answer(const struct server *s, struct asker *a, int64_t now)
{
	struct http_answer *w = &a->answer;
	if (!w->body) {
		w->type = "text/plain; charset=utf-8";
		w->body = reason_of(w->status);
		w->len = strlen(w->body);
	}
	int n = snprintf(a->head, sizeof(a->head), "HTTP/1.0 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Connection: close\r\nCache-Control: no-store\r\n%s%s\r\n", (int)w->status,
			 reason_of(w->status), w->type, w->len, w->status == HTTP_NOT_ALLOWED ? "Allow: GET\r\n" : "",
			 s->site->fields ? s->site->fields : "");
	a->head_len = n > 0 && (size_t)n < sizeof(a->head) ? (size_t)n : 0;
	a->sent = 0;
	a->step = WRITING;
	a->until_ms = now + HTTP_WRITE_MS;
}

static void judge(const struct server *s, struct asker *a, size_t head)
{
	struct http_request r;
	struct http_answer *w = &a->answer;
	w->status = http_request_parse(&r, a->request, head);
	if (w->status == HTTP_OK && !s->any_host && !http_host_is_here(&r))
		w->status = HTTP_MISDIRECTED;
	if (w->status == HTTP_OK)
		s->site->answer(s->site->context, &r, w);
}

static void read_some(const struct server *s, struct asker *a)
{
	ssize_t n = recv(a->fd, a->request + a->got, sizeof(a->request) - a->got, MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			leave(a);
		return;
	}
	a->got += (size_t)n;
	size_t head = http_head_length(a->request, a->got);
	if (head)
		judge(s, a, head);
	else if (a->got == sizeof(a->request))
		a->answer.status = HTTP_HEAD_TOO_LONG;
	else
		return;
	begin_answer(s, a, now_ms());
}

/* Closing a socket with bytes unread would take the answer away from its reader. */
static void drain_some(struct asker *a)
{
	char bytes[4096];
	ssize_t n = recv(a->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n > 0)
		a->drained += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || a->drained > DRAIN_BYTES)
		leave(a);
}

static void write_some(struct asker *a)
{
	size_t whole = a->head_len + a->answer.len;
	while (a->sent < whole) {
		bool head = a->sent < a->head_len;
		const char *from = head ? a->head + a->sent : a->answer.body + (a->sent - a->head_len);
		ssize_t n = send(a->fd, from, head ? a->head_len - a->sent : whole - a->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				leave(a);
			return;
		}
		a->sent += (size_t)n;
	}
	shutdown(a->fd, SHUT_WR);
	a->step = DRAINING;
	a->until_ms = now_ms() + HTTP_DRAIN_MS;
}

static void go_on(const struct server *s, struct asker *a)
{
	if (a->step == READING)
		read_some(s, a);
	else if (a->step == DRAINING)
		drain_some(a);
	if (a->step == WRITING)
		write_some(a);
}

/* --- all of them ---------------------------------------------------------------------- */

static struct asker *place_of(struct server *s)
{
	struct asker *eldest = &s->asker[0];
	for (size_t i = 0; i < HTTP_PLACES; i++) {
		struct asker *a = &s->asker[i];
		if (a->step == FREE)
			return a;
		if (a->began_ms < eldest->began_ms)
			eldest = a;
	}
	leave(eldest);
	return eldest;
}

static void admit(struct server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct asker *a = place_of(s);
	int64_t now = now_ms();
	a->step = READING;
	a->fd = fd;
	a->began_ms = now;
	a->until_ms = now + HTTP_READ_MS;
	a->got = a->drained = a->sent = 0;
	a->answer = (struct http_answer){ .status = HTTP_OK };
	read_some(s, a);
	if (a->step == WRITING)
		write_some(a);
}

static int64_t nearest_ms(const struct server *s, int64_t now)
{
	int64_t at = s->site->tick ? s->tick_ms : now + IDLE_MS;
	for (size_t i = 0; i < HTTP_PLACES; i++)
		if (s->asker[i].step != FREE && s->asker[i].until_ms < at)
			at = s->asker[i].until_ms;
	return at > now ? at - now : 0;
}

static void round_of(struct server *s, const sigset_t *unblocked)
{
	struct pollfd p[HTTP_PLACES + 1];
	for (size_t i = 0; i < HTTP_PLACES; i++) {
		const struct asker *a = &s->asker[i];
		p[i] = (struct pollfd){ .fd = a->step == FREE ? -1 : a->fd,
					.events = a->step == WRITING ? POLLOUT : POLLIN };
	}
	p[HTTP_PLACES] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	int64_t left = nearest_ms(s, now_ms());
	struct timespec wait = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
	if (ppoll(p, HTTP_PLACES + 1, &wait, unblocked) < 0)
		return;
	int64_t now = now_ms();
	for (size_t i = 0; i < HTTP_PLACES; i++) {
		struct asker *a = &s->asker[i];
		if (p[i].fd >= 0 && p[i].revents)
			go_on(s, a);
		else if (a->step != FREE && now >= a->until_ms)
			leave(a);
	}
	if (p[HTTP_PLACES].revents)
		admit(s);
	if (s->site->tick && now >= s->tick_ms)
		s->tick_ms = now_ms() + s->site->tick(s->site->context);
}

static void until_told(struct server *s)
{
	struct sigaction act = { .sa_handler = end };
	sigset_t ours, before;
	/* Only while it waits do they come, so none is missed. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &ours, &before);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigdelset(&before, SIGINT);
	sigdelset(&before, SIGTERM);
	while (!ended)
		round_of(s, &before);
	for (size_t i = 0; i < HTTP_PLACES; i++)
		if (s->asker[i].step != FREE)
			leave(&s->asker[i]);
}

int http_serve(const char *where, const struct http_site *site)
{
	int code = EXIT_YES;
	const char *path = http_listen_path(where);
	int fd = http_listen(where, &code);
	if (fd < 0)
		return code;
	struct server *s = calloc(1, sizeof(*s));
	if (!s)
		panic("out of memory");
	s->site = site;
	s->any_host = path != NULL;
	s->fd = fd;
	if (site->greeting) {
		printf("%s %s%s%s\n", site->greeting, path ? "" : "http://", where, path ? "" : "/");
		fflush(stdout);
	}
	until_told(s);
	free(s);
	close(fd);
	if (path)
		unlink(path);
	return EXIT_YES;
}
