/* SPDX-License-Identifier: ISC */
/*
 * listener.h: Unix stream sockets that others connect to.
 *
 * The socket file gets its mode and group before anybody can connect. A file left
 * behind by a dead store is replaced; one that still answers is not.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <sys/stat.h>

#include "session.h"

struct listener {
	int fd;
	const char *path; /* NULL: not wanted */
	mode_t mode;
	enum peer_kind kind;
};

/* group: (gid_t)-1 leaves it. False: reason says why. */
bool listener_open(struct listener *l, gid_t group, char *reason, size_t len);
/* A new connection and who it is, or -1. */
int listener_accept(const struct listener *l, struct db_author *author);
/* Closes and removes the socket file. */
void listener_close(struct listener *l);

#endif
