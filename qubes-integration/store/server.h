/* SPDX-License-Identifier: ISC */
/*
 * server.h: the store's loop.
 *
 * One thread, rounds of: read every readable peer, carry out its requests, commit
 * once, and only then let answers, watches and pushes out. If the commit fails, every
 * request of the round is answered WIRE_ERROR and nobody is told anything.
 */
#ifndef SERVER_H
#define SERVER_H

#include "apply.h"
#include "listener.h"

enum {
	SERVER_LOCAL_MAX = 64, /* more connections than this are closed at once */
	SERVER_PEERS = SERVER_LOCAL_MAX + 1, /* and one appliance, in the last slot */
	SERVER_LISTENERS = 3,
};

struct server {
	struct db db;
	struct listener listener[SERVER_LISTENERS];
	struct peer *peer[SERVER_PEERS];
	struct change_list changes;
	struct apply apply;
	int64_t patience_ms; /* how long a peer may leave its answers unread */
	int64_t half_ms;     /* how long a rule tree is kept that its writer left before its commit */
	int epoll;
	int signals; /* signalfd: readable means stop */
	bool stop;
	bool again; /* requests are waiting in a buffer: do not sleep */
};

/* Listeners are open, db is open. False: reason says why. */
bool server_start(struct server *s, char *reason, size_t len);
/* Until a signal; true if that is why it ended. */
bool server_run(struct server *s);
void server_end(struct server *s);

#endif
