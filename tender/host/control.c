// SPDX-License-Identifier: ISC
/* The control socket: peers, their lines, and whose turn it is to talk to the guest. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_NS UINT64_C(5000000000)
#define SOON_NS UINT64_C(5000000)

static struct peer peers[PEERS_MAX];
static uint32_t turn; /* who is asked first for the guest's ear */
static bool listening, waiting_for_room;

/* The conversation with the guest: one request, lines, a line holding ".". */
static struct {
	struct channel channel;
	bool busy;
	int owner;            /* peer, or -1 when it left or gave up */
	uint64_t deadline_ns; /* without a byte from the guest */
	uint32_t column;      /* of the answer's current line, up to 2 */
	bool dot;             /* that line begins with '.' */
} relay = { .channel = { .number = 1 }, .owner = -1 };

static int fd_of(const struct peer *p)
{
	return FD_PEER_FIRST + (int)(p - peers);
}

void control_setup(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path); /* left by an earlier run */
	mode_t old = umask(0117);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, PEERS_MAX))
		die_errno("control socket ", path);
	umask(old);
	if (dup3(fd, FD_LISTEN, O_CLOEXEC) < 0 || !pump_watch(FD_LISTEN, EPOLLIN, WATCH_LISTEN, 0))
		die_errno("control socket ", path);
	close(fd);
	listening = true;
}

void control_accept(void)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &peers[i];
		if (p->used)
			continue;
		int fd = accept4(FD_LISTEN, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		bool ok = dup3(fd, fd_of(p), O_CLOEXEC) >= 0;
		close(fd);
		if (!ok)
			return;
		p->used = true;
		p->eof = false;
		p->passed = -1;
		p->in_len = p->out_at = p->out_len = 0;
		p->patience_ns = p->turn_ns = 0;
		p->watched = EPOLLIN;
		if (!pump_watch(fd_of(p), EPOLLIN, WATCH_PEER, i)) {
			close(fd_of(p));
			p->used = false;
		}
	}
	/* all seats taken: the next waits in the kernel's queue */
	pump_rewatch(FD_LISTEN, 0, WATCH_LISTEN, 0);
	listening = false;
}

static void drop(struct peer *p)
{
	pump_ignore(fd_of(p));
	close(fd_of(p));
	if (p->passed >= 0)
		close(p->passed);
	p->used = false;
	if (relay.owner == (int)(p - peers))
		relay.owner = -1;
	if (!listening)
		pump_rewatch(FD_LISTEN, EPOLLIN, WATCH_LISTEN, 0);
	listening = true;
}

/* Keeps the newest descriptor that came along; all others are closed. */
static void keep_passed(struct peer *p, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (p->passed >= 0)
				close(p->passed);
			p->passed = fd;
		}
	}
}

/* False when the peer is lost. */
static bool receive(struct peer *p)
{
	union { char bytes[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } extra;
	struct iovec part = { p->in + p->in_len, sizeof(p->in) - p->in_len };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = extra.bytes, .msg_controllen = sizeof(extra.bytes),
	};
	if (part.iov_len == 0 || p->eof)
		return true;
	ssize_t n = recvmsg(fd_of(p), &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	keep_passed(p, &m);
	if (n == 0)
		p->eof = true;
	p->in_len += (size_t)n;
	return true;
}

static bool transmit(struct peer *p)
{
	while (p->out_len > 0) {
		ssize_t n = send(fd_of(p), p->out + p->out_at, p->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			if (!p->patience_ns)
				p->patience_ns = tender.now_ns + PATIENCE_NS;
			return tender.now_ns < p->patience_ns;
		}
		if (n < 0)
			return errno == EINTR;
		p->patience_ns = 0;
		p->out_at += (size_t)n;
		p->out_len -= (size_t)n;
	}
	p->out_at = 0;
	return true;
}

void control_event(uint32_t number, uint32_t events)
{
	struct peer *p = &peers[number];
	if (!p->used)
		return;
	if (events & EPOLLIN && !receive(p))
		drop(p);
	else if (events & (EPOLLERR | EPOLLHUP))
		drop(p);
}

static void answer(struct peer *p, const char *line)
{
	struct text t = text_of(p->out, sizeof(p->out)); /* out is empty: one answer at a time */
	text_put(&t, line);
	text_put(&t, "\n.\n");
	p->out_at = 0;
	p->out_len = t.len;
}

static bool begin_relay(struct peer *p, size_t len)
{
	if (relay.busy || !relay.channel.open || channel_down_room(&relay.channel) < len)
		return false;
	channel_down(&relay.channel, p->in, (uint32_t)len);
	relay.busy = true;
	relay.owner = (int)(p - peers);
	relay.deadline_ns = tender.now_ns + PATIENCE_NS;
	relay.column = 0;
	relay.dot = false;
	return true;
}

/* One request line of a peer whose last answer has gone; false when its time has not come. */
static bool request(struct peer *p, size_t len)
{
	enum control_result result = control_own(p, len);
	waiting_for_room |= result == CONTROL_LATER;
	if (result == CONTROL_DONE || (result == CONTROL_NOT_OURS && begin_relay(p, len))) {
		p->turn_ns = 0;
		return true;
	}
	if (!p->turn_ns)
		p->turn_ns = tender.now_ns + PATIENCE_NS;
	if (tender.now_ns < p->turn_ns)
		return false;
	p->turn_ns = p->burial = 0;
	answer(p, "error timeout");
	return true;
}

static void serve(struct peer *p)
{
	while (p->used && p->out_len == 0 && relay.owner != (int)(p - peers)) {
		char *newline = memchr(p->in, '\n', p->in_len);
		if (!newline) {
			if (p->in_len == sizeof(p->in) || p->eof)
				drop(p);
			return;
		}
		size_t len = (size_t)(newline - p->in) + 1;
		if (!request(p, len))
			return;
		p->in_len -= len;
		memmove(p->in, p->in + len, p->in_len);
		if (!transmit(p))
			drop(p);
	}
}

/* How many of these bytes end the answer, or all of them. */
static size_t answer_end(const char *bytes, size_t len, bool *ended)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n') {
			if (relay.dot && relay.column == 1) {
				*ended = true;
				return i + 1;
			}
			relay.column = 0;
			relay.dot = false;
			continue;
		}
		relay.dot = relay.column == 0 && bytes[i] == '.';
		relay.column = relay.column < 2 ? relay.column + 1 : 2;
	}
	return len;
}

static void relay_bytes(void)
{
	char spill[2048];
	while (relay.busy) {
		struct peer *p = relay.owner >= 0 ? &peers[relay.owner] : NULL;
		if (p && p->out_len > 0)
			return; /* the peer sets the pace */
		uint32_t n = channel_up(&relay.channel, spill, sizeof(spill));
		if (n == 0)
			return;
		bool ended = false;
		size_t used = answer_end(spill, n, &ended);
		relay.deadline_ns = tender.now_ns + PATIENCE_NS;
		if (p) {
			memcpy(p->out, spill, used);
			p->out_at = 0;
			p->out_len = used;
		}
		if (ended) {
			relay.busy = false;
			relay.owner = -1;
		}
		if (p && !transmit(p))
			drop(p);
	}
}

static void relay_timeout(void)
{
	if (!relay.busy || tender.now_ns < relay.deadline_ns)
		return;
	struct peer *p = relay.owner >= 0 ? &peers[relay.owner] : NULL;
	if (p && p->out_len > 0)
		return;
	if (p)
		answer(p, "error timeout");
	if (p && !transmit(p))
		drop(p);
	relay.owner = -1;
	relay.busy = false;
	channel_close(&relay.channel); /* a late answer must not become the next one's */
}

static void rewatch(struct peer *p)
{
	uint32_t events = (p->in_len < sizeof(p->in) && !p->eof ? EPOLLIN : 0u) |
		(p->out_len > 0 ? EPOLLOUT : 0u);
	if (events != p->watched)
		pump_rewatch(fd_of(p), events, WATCH_PEER, (uint32_t)(p - peers));
	p->watched = events;
}

void control_pump(void)
{
	if (!tender.options->control[0])
		return;
	if (!relay.channel.open && channel_quiet(&relay.channel))
		channel_open(&relay.channel);
	waiting_for_room = false;
	relay_bytes();
	relay_timeout();
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &peers[(turn + i) % PEERS_MAX];
		if (p->used && !transmit(p))
			drop(p);
		if (p->used)
			serve(p);
		if (p->used)
			rewatch(p);
	}
	if (relay.owner >= 0)
		turn = ((uint32_t)relay.owner + 1) % PEERS_MAX;
}

static uint64_t sooner(uint64_t a, uint64_t b) /* 0: never */
{
	return !b || (a && a < b) ? a : b;
}

uint64_t control_deadline(void)
{
	uint64_t at = relay.busy ? relay.deadline_ns : 0;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		if (peers[i].used)
			at = sooner(at, sooner(peers[i].patience_ns, peers[i].turn_ns));
	if (waiting_for_room)
		at = tender.now_ns + SOON_NS;
	return at;
}
