// SPDX-License-Identifier: ISC
/* Serves one page over HTTP/1.0 to whoever is on this machine. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "metrics_serve.h"
#include "verbs.h"

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum metrics_request metrics_request_parse(const char *request, bool *openmetrics)
{
	const char *path = request + 4, *line = strchr(request, '\n');
	*openmetrics = false;
	if (!line)
		return METRICS_BAD;
	if (strncmp(request, "GET ", 4))
		return strchr(request, ' ') ? METRICS_NOT_ALLOWED : METRICS_BAD;
	size_t len = strcspn(path, " ?\r\n");
	if (!strstr(path, " HTTP/1.") || strstr(path, " HTTP/1.") > line)
		return METRICS_BAD;
	for (; line && line[1]; line = strchr(line + 1, '\n')) {
		const char *type = strstr(line + 1, "application/openmetrics-text"), *next = strchr(line + 1, '\n');
		if (!strncasecmp(line + 1, "accept:", 7) && type && (!next || type < next))
			*openmetrics = true;
	}
	return len == 8 && !strncmp(path, "/metrics", 8) ? METRICS_GET : METRICS_NOT_FOUND;
}

/* --- one asker --------------------------------------------------------------------- */

static bool ready(int fd, short events, long long until_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	long long left = until_ms - now_ms();
	return left > 0 && poll(&p, 1, (int)left) > 0;
}

static void put(int fd, const char *bytes, size_t len, long long until_ms)
{
	while (len && ready(fd, POLLOUT, until_ms)) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static void answer(int fd, const char *status, const char *type, const char *body, size_t len)
{
	char head[256];
	long long until = now_ms() + METRICS_PATIENCE_MS;
	int n = snprintf(head, sizeof(head), "HTTP/1.0 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Connection: close\r\n\r\n", status, type, len);
	put(fd, head, (size_t)n, until);
	put(fd, body, len, until);
}

static void serve(int fd, metrics_page *page, void *context)
{
	char request[METRICS_REQUEST_BYTES + 1];
	static const char *const refused[] = { [METRICS_GET] = "", [METRICS_NOT_FOUND] = "404 Not Found",
		[METRICS_NOT_ALLOWED] = "405 Method Not Allowed", [METRICS_BAD] = "400 Bad Request" };
	long long until = now_ms() + METRICS_PATIENCE_MS;
	size_t len = 0;
	request[0] = 0;
	while (!strstr(request, "\r\n\r\n") && !strstr(request, "\n\n")) {
		if (len == METRICS_REQUEST_BYTES || !ready(fd, POLLIN, until))
			return;
		ssize_t n = recv(fd, request + len, METRICS_REQUEST_BYTES - len, MSG_DONTWAIT);
		if (n <= 0 || memchr(request + len, 0, (size_t)n))
			return;
		len += (size_t)n;
		request[len] = 0;
	}
	bool open = false;
	enum metrics_request asked = metrics_request_parse(request, &open);
	if (asked != METRICS_GET) {
		answer(fd, refused[asked], "text/plain", refused[asked], strlen(refused[asked]));
		return;
	}
	char *body = page(context, open, &len);
	answer(fd, "200 OK", open ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
	       "text/plain; version=0.0.4; charset=utf-8", body, len);
	free(body);
}

/* --- the socket ---------------------------------------------------------------------- */

static int bound(int fd, const void *address, socklen_t len, const char *where)
{
	if (fd < 0 || bind(fd, address, len) || listen(fd, METRICS_BACKLOG)) {
		complain(EXIT_REFUSED, "%s: %s", where, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int on_path(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(at.sun_path))
		return complain(EXIT_USAGE, "unix:%s: no path, or too long a one", path), -1;
	memcpy(at.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat s;
	/* Left behind by one that was killed: nobody answers there any more. */
	if (!lstat(path, &s) && S_ISSOCK(s.st_mode) && connect(fd, (struct sockaddr *)&at, sizeof(at)) &&
	    errno == ECONNREFUSED)
		unlink(path);
	close(fd);
	mode_t mask = umask(0117);
	fd = bound(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &at, sizeof(at), path);
	umask(mask);
	return fd;
}

static int on_loopback(const char *where)
{
	struct cursor c = cursor_of(where, strlen(where));
	struct ip_addr ip;
	uint32_t port;
	if (!parse_ip4(&c, &ip) || !parse_word(&c, ":") || !parse_u32(&c, UINT16_MAX, &port) || c.left || !port)
		return complain(EXIT_USAGE, "--listen %s: not unix:PATH or 127.0.0.1:PORT", where), -1;
	if (!ip_is_loopback(ip))
		return complain(EXIT_USAGE, "--listen %s: only loopback addresses are served", where), -1;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	be32 v4 = ip_to_v4(ip);
	memcpy(&at.sin_addr, v4.b, sizeof(v4.b));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bound(fd, &at, sizeof(at), where);
}

int metrics_serve(const char *where, metrics_page *page, void *context)
{
	const char *path = strncmp(where, "unix:", 5) ? NULL : where + 5;
	struct sigaction act = { .sa_handler = end }; /* no SA_RESTART: waiting ends too */
	int fd = path ? on_path(path) : on_loopback(where);
	if (fd < 0)
		return EXIT_USAGE;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	while (!ended) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		/* Ends now and then to look: a signal may come just before the wait. */
		if (poll(&p, 1, 1000) <= 0)
			continue;
		int asker = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (asker < 0)
			continue;
		serve(asker, page, context);
		close(asker);
	}
	close(fd);
	if (path)
		unlink(path);
	return EXIT_YES;
}
