/* SPDX-License-Identifier: ISC */
/* server.c: the rounds: read, carry out, commit, tell. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "history.h"
#include "link.h"
#include "listing.h"
#include "local.h"
#include "server.h"

/* What epoll gives back: the peers' slots first. */
enum {
	LISTENER_ID = SERVER_PEERS,
	SIGNAL_ID = LISTENER_ID + SERVER_LISTENERS,
	IDS,
	LINK_SLOT = SERVER_LOCAL_MAX,
	HALF_LOOK_MS = 500,
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool attend(struct server *s, int fd, uint32_t id)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = id };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static struct peer **free_slot(struct server *s, enum peer_kind kind)
{
	if (kind == PEER_LINK)
		return s->peer[LINK_SLOT] ? NULL : &s->peer[LINK_SLOT];
	/* those who may only read cannot take the places of those who may write */
	size_t end = kind == PEER_READ_ONLY ? SERVER_LOCAL_MAX / 2 : SERVER_LOCAL_MAX;
	for (size_t i = 0; i < end; i++) {
		if (!s->peer[i])
			return &s->peer[i];
	}
	return NULL;
}

static void welcome(struct server *s, const struct listener *l, int64_t now)
{
	struct db_author author;
	int fd = listener_accept(l, &author);
	struct peer **slot = free_slot(s, l->kind);
	struct peer *p;

	if (fd < 0)
		return;
	p = slot ? peer_new(fd, l->kind, &author, now) : NULL;
	if (!p) {
		close(fd);
		return;
	}
	if (!attend(s, fd, (uint32_t)(slot - s->peer))) {
		peer_free(p);
		return;
	}
	p->events = EPOLLIN;
	*slot = p;
}

/* A line of the log. One that nobody takes is lost: the store waits for no reader of it. */
static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	struct pollfd log = { .fd = STDERR_FILENO, .events = POLLOUT };
	va_list ap;

	if (poll(&log, 1, 0) != 1 || !(log.revents & POLLOUT))
		return;
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
}

/* One a round: the next round follows at once. */
static void take_back_abandoned(struct server *s, int64_t now)
{
	const char *tree = half_abandoned(&s->changes.half, now, s->half_ms);
	char below[WIRE_PATH_BYTES + 1];

	if (!tree)
		return;
	say("postern-store: %s: left before its commit: taken back\n", tree);
	snprintf(below, sizeof(below), "%s/", tree);
	if (!history_undo(&s->db, tree) || !change_note(&s->changes, NULL, WIRE_RM, below, NULL, 0))
		s->db.failed = true;
	else
		change_only_for(&s->changes, CHANGE_FOR_PROGRAMS);
	half_over(&s->changes.half, tree);
	s->again = true;
}

static void serve(struct server *s, struct peer *p)
{
	struct wire_message m;

	p->mark = p->out.len;
	while (peer_next(p, &m)) {
		if (p->kind == PEER_LINK)
			link_handle(&s->apply, p, &m);
		else
			local_handle(&s->apply, p, &m);
		peer_taken(p, &m);
	}
}

static void tell(struct server *s)
{
	for (size_t i = 0; i < s->changes.count; i++) {
		for (size_t k = 0; k < SERVER_PEERS; k++) {
			if (s->peer[k] && k == LINK_SLOT)
				link_tell(s->peer[k], &s->changes, &s->changes.item[i]);
			else if (s->peer[k])
				local_tell(s->peer[k], &s->changes.item[i]);
		}
	}
}

static void conclude(struct server *s)
{
	char why[160];
	bool committed;

	snprintf(why, sizeof(why), "%s", db_error(&s->db));
	committed = db_commit(&s->db);
	half_settle(&s->changes.half, committed);
	if (committed) {
		tell(s);
	} else {
		say("postern-store: not stored: %s\n", why);
		for (size_t i = 0; i < SERVER_PEERS; i++) {
			if (s->peer[i])
				peer_disown(s->peer[i]);
		}
		apply_load(&s->apply);
	}
	change_forget(&s->changes);
}

bool server_start(struct server *s, char *reason, size_t len)
{
	sigset_t stops;
	bool done;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	signal(SIGPIPE, SIG_IGN); /* the log's reader may end */
	s->signals = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	done = s->signals >= 0 && s->epoll >= 0 && attend(s, s->signals, SIGNAL_ID);
	for (uint32_t i = 0; i < SERVER_LISTENERS; i++) {
		if (done && s->listener[i].path)
			done = attend(s, s->listener[i].fd, LISTENER_ID + i);
	}
	if (!done) {
		snprintf(reason, len, "event loop: %s", strerror(errno));
		return false;
	}
	/* What nobody confirmed while nothing ran here is taken back before anybody is served. */
	s->apply.db = &s->db;
	s->apply.changes = &s->changes;
	apply_load(&s->apply);
	apply_tick(&s->apply);
	conclude(s);
	return true;
}

static void send_out(struct server *s, struct peer *p, int64_t now)
{
	if (p->listing == LISTING_WANTED)
		listing_begin(p, &s->db, now);
	if (p->listing == LISTING_RUNNING)
		listing_feed(p, now);
	peer_flush(p, now);
	if (p->out.len > 0 && now - p->moved_ms > s->patience_ms)
		p->dead = true;
	if (p->closing && p->out.len == 0)
		p->dead = true;
}

/* What to wait for: whatever the peer may do next that would change something. */
static void await(struct server *s, struct peer *p, uint32_t slot)
{
	struct epoll_event e = { .events = 0, .data.u32 = slot };
	bool takes = peer_takes(p);

	if (takes && !p->closing && !p->ended && p->in_len < PEER_IN_BYTES)
		e.events |= EPOLLIN;
	if (p->out.len > 0)
		e.events |= EPOLLOUT;
	/* A listing goes on, or requests lie in the buffer, and no event will say so. */
	if ((p->listing == LISTING_RUNNING && p->out.len == 0) ||
	    (takes && p->blocked && !p->closing))
		s->again = true;
	if (e.events == p->events)
		return;
	p->events = e.events;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, p->fd, &e) != 0)
		p->dead = true;
}

static void settle(struct server *s, int64_t now)
{
	struct peer *p;

	for (uint32_t i = 0; i < SERVER_PEERS; i++) {
		p = s->peer[i];
		if (!p)
			continue;
		if (!p->dead)
			send_out(s, p, now);
		if (!p->dead)
			await(s, p, i);
		if (p->dead) {
			half_left(&s->changes.half, p);
			peer_free(p);
			s->peer[i] = NULL;
		}
	}
}

static void read_in(struct server *s, const struct epoll_event *event, int count)
{
	struct peer *p;

	for (int i = 0; i < count; i++) {
		if (event[i].data.u32 == SIGNAL_ID)
			s->stop = true;
		p = event[i].data.u32 < SERVER_PEERS ? s->peer[event[i].data.u32] : NULL;
		if (p && (event[i].events & EPOLLIN))
			peer_fill(p);
		else if (p && (event[i].events & (EPOLLHUP | EPOLLERR)))
			p->dead = true;
	}
}

static bool awaits_reader(const struct server *s)
{
	for (size_t i = 0; i < SERVER_PEERS; i++) {
		if (s->peer[i] && s->peer[i]->out.len > 0)
			return true;
	}
	return false;
}

bool server_run(struct server *s)
{
	struct epoll_event event[IDS];
	int64_t now;
	int count, wait;

	while (!s->stop) {
		wait = s->again ? 0 : awaits_reader(s) ? 250 : half_waits(&s->changes.half) ? HALF_LOOK_MS : -1;
		count = epoll_wait(s->epoll, event, IDS, apply_wait_ms(&s->apply, wait));
		if (count < 0 && errno != EINTR)
			return false;
		now = now_ms();
		s->again = false;
		read_in(s, event, count);
		s->apply.linked = s->peer[LINK_SLOT] && s->peer[LINK_SLOT]->mirrored;
		apply_tick(&s->apply);
		take_back_abandoned(s, now);
		for (size_t i = 0; i < SERVER_PEERS; i++) {
			if (s->peer[i])
				serve(s, s->peer[i]);
		}
		conclude(s);
		if (s->apply.resync && s->peer[LINK_SLOT])
			s->peer[LINK_SLOT]->closing = true; /* what is queued still goes */
		s->apply.resync = false;
		settle(s, now);
		/* Last, so that a slot given up in this round is free for who comes after. */
		for (int i = 0; i < count; i++) {
			if (event[i].data.u32 >= LISTENER_ID && event[i].data.u32 < SIGNAL_ID)
				welcome(s, &s->listener[event[i].data.u32 - LISTENER_ID], now);
		}
	}
	return true;
}

void server_end(struct server *s)
{
	for (size_t i = 0; i < SERVER_LISTENERS; i++)
		listener_close(&s->listener[i]);
	for (size_t i = 0; i < SERVER_PEERS; i++) {
		if (s->peer[i])
			peer_free(s->peer[i]);
		s->peer[i] = NULL;
	}
	change_free(&s->changes);
	db_close(&s->db);
	close(s->signals);
	close(s->epoll);
}
