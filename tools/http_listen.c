// SPDX-License-Identifier: ISC
/* Binds to a loopback address or a Unix socket, and to nothing else. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "addr.h"
#include "http_listen.h"
#include "verbs.h"

enum { BACKLOG = 16 };

const char *http_listen_path(const char *where)
{
	return strncmp(where, "unix:", 5) ? NULL : where + 5;
}

static int bound(int fd, const void *address, socklen_t len, const char *where, int *code)
{
	if (fd >= 0 && !bind(fd, address, len) && !listen(fd, BACKLOG))
		return fd;
	*code = complain(EXIT_REFUSED, "%s: %s", where, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int on_path(const char *path, int *code)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(at.sun_path)) {
		*code = complain(EXIT_USAGE, "unix:%s: no path, or too long a one", path);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat s;
	/* Left behind by one that was killed: nobody answers there any more. */
	if (!lstat(path, &s) && S_ISSOCK(s.st_mode) && connect(fd, (struct sockaddr *)&at, sizeof(at)) &&
	    errno == ECONNREFUSED)
		unlink(path);
	close(fd);
	mode_t mask = umask(0117);
	fd = bound(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), &at, sizeof(at), path, code);
	umask(mask);
	return fd;
}

static bool parse_where(const char *where, struct ip_addr *ip, uint32_t *port)
{
	struct cursor c = cursor_of(where, strlen(where));
	bool v6 = parse_word(&c, "[");
	if (v6 ? !parse_ip6(&c, ip) || !parse_word(&c, "]") : !parse_ip4(&c, ip))
		return false;
	return parse_word(&c, ":") && parse_u32(&c, UINT16_MAX, port) && !c.left && *port;
}

static int on_loopback(const char *where, int *code)
{
	struct ip_addr ip;
	uint32_t port;
	int on = 1;
	if (!parse_where(where, &ip, &port)) {
		*code = complain(EXIT_USAGE, "--listen %s: not unix:PATH, 127.0.0.1:PORT or [::1]:PORT", where);
		return -1;
	}
	if (!ip_is_loopback(ip)) {
		*code = complain(EXIT_USAGE, "--listen %s: only loopback addresses are served", where);
		return -1;
	}
	bool v4 = ip_is_v4(ip);
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (v4) {
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
		memcpy(&at.sin_addr, ip.b + 12, sizeof(at.sin_addr));
		return bound(fd, &at, sizeof(at), where, code);
	}
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	memcpy(&at.sin6_addr, ip.b, sizeof(at.sin6_addr));
	return bound(fd, &at, sizeof(at), where, code);
}

int http_listen(const char *where, int *code)
{
	const char *path = http_listen_path(where);
	return path ? on_path(path, code) : on_loopback(where, code);
}
