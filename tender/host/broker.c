// SPDX-License-Identifier: ISC
/*
 * A second process that does the two things the sandboxed one must not or
 * should not: it connects to the store, to the one path it was started with,
 * and it closes taps (the last close of a tap waits for the kernel, and packets
 * must not wait with it). They talk in datagrams of one byte, descriptors
 * alongside. It ends when the tender does.
 */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASK_STORE = 'S', BURY = 'B', HERE_IT_IS = 'H', NOT_NOW = 'N', BURIED = 'D' };

static uint64_t asked_to_bury, buried; /* of this process: in order, so counting is enough */

static bool pass(int to, int flags, char word, int fd)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr aligned; } control = { 0 };
	struct iovec part = { &word, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | flags) == 1;
}

/* The word, its descriptor or -1 in *fd; 0: nothing there or nobody left (*gone). */
static char receive(int from, int flags, int *fd, bool *gone)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr aligned; } control;
	char word = 0;
	struct iovec part = { &word, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(from, &m, flags | MSG_CMSG_CLOEXEC);
	*fd = -1;
	*gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n != 1)
		return 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return word;
}

int broker_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	memcpy(to.sun_path, path, strlen(path));
	int fd = path[0] ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* --- the other process --- */

_Noreturn static void serve(const char *store)
{
	for (bool gone = false; !gone;) {
		int fd;
		char word = receive(FD_BROKER, 0, &fd, &gone);
		if (fd >= 0)
			close(fd);
		if (word == BURY && !pass(FD_BROKER, 0, BURIED, -1))
			break;
		if (word != ASK_STORE)
			continue;
		int connection = broker_connect(store);
		if (!pass(FD_BROKER, 0, connection < 0 ? NOT_NOW : HERE_IT_IS, connection))
			gone = true;
		if (connection >= 0)
			close(connection);
	}
	_exit(0);
}

void broker_setup(const char *store)
{
	static const int not_ours[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		die_errno("broker", "");
	pid_t pid = fork();
	if (pid < 0)
		die_errno("broker", "");
	int mine = ends[pid == 0];
	close(ends[pid != 0]);
	if (dup3(mine, FD_BROKER, O_CLOEXEC) < 0)
		die_errno("broker", "");
	close(mine);
	if (pid == 0) {
		/* it is told to end by the end of the tender, not by the terminal */
		for (size_t i = 0; i < array_len(not_ours); i++)
			signal(not_ours[i], SIG_IGN);
		(void)close_range(STDERR_FILENO + 1, FD_BROKER - 1, 0);
		(void)close_range(FD_BROKER + 1, UINT32_MAX, 0);
		sandbox_enter_broker();
		serve(store);
	}
	if (!pump_watch(FD_BROKER, EPOLLIN, WATCH_BROKER, 0))
		die_errno("broker", "");
}

/* --- this process --- */

bool broker_ask_store(void)
{
	return pass(FD_BROKER, MSG_DONTWAIT, ASK_STORE, -1);
}

uint64_t broker_bury(int fd)
{
	/* when it does not take it (its queue is full), our own close is the last one, and slow */
	if (pass(FD_BROKER, MSG_DONTWAIT, BURY, fd))
		asked_to_bury++;
	return asked_to_bury + 1;
}

bool broker_buried(uint64_t burial)
{
	return buried + 1 >= burial;
}

bool broker_answer(int *store)
{
	bool gone;
	char word = receive(FD_BROKER, MSG_DONTWAIT, store, &gone);
	if (word == BURIED)
		buried++;
	if (gone) {
		buried = UINT64_MAX - 1; /* what it held is closed with it */
		pump_ignore(FD_BROKER);
		say("broker ended: ", "the store will not be found again");
	}
	return word == HERE_IT_IS || word == NOT_NOW;
}
