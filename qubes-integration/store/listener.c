/* SPDX-License-Identifier: ISC */
/* listener.c: opens Unix sockets safely and finds out who connects. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"

static bool refuse(struct listener *l, char *reason, size_t len, const char *why)
{
	snprintf(reason, len, "%s: %s", l->path, why);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return false;
}

/* Only a socket is ever removed, and only when nobody listens on it. */
static bool clear_stale(const struct sockaddr_un *at)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(at->sun_path, &st) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
	close(fd);
	if (!stale) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(at->sun_path) == 0;
}

bool listener_open(struct listener *l, gid_t group, char *reason, size_t len)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	mode_t before;
	int bound;

	l->fd = -1;
	if (strlen(l->path) >= sizeof(at.sun_path))
		return refuse(l, reason, len, "path too long for a socket");
	memcpy(at.sun_path, l->path, strlen(l->path) + 1);
	if (!clear_stale(&at))
		return refuse(l, reason, len, strerror(errno));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return refuse(l, reason, len, strerror(errno));
	before = umask(0177);
	bound = bind(l->fd, (const struct sockaddr *)&at, sizeof(at));
	umask(before);
	/* Nobody can connect before listen(), and by then mode and group are right. */
	if (bound != 0 || (group != (gid_t)-1 && chown(l->path, (uid_t)-1, group) != 0) ||
	    chmod(l->path, l->mode) != 0 || listen(l->fd, 64) != 0)
		return refuse(l, reason, len, strerror(errno));
	return true;
}

/* The name is for people to read: anything that could upset a terminal is replaced. */
static void read_comm(struct db_author *author)
{
	char path[40];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", author->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, author->comm, sizeof(author->comm) - 1);
	if (fd >= 0)
		close(fd);
	author->comm[got > 0 ? got : 0] = 0;
	author->comm[strcspn(author->comm, "\n")] = 0;
	for (char *c = author->comm; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

int listener_accept(const struct listener *l, struct db_author *author)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
		close(fd);
		return -1;
	}
	*author = (struct db_author){ .uid = cred.uid, .pid = cred.pid };
	author->via = l->kind == PEER_LINK ? "link" : "local";
	read_comm(author);
	return fd;
}

void listener_close(struct listener *l)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	unlink(l->path);
	l->fd = -1;
}
