/* SPDX-License-Identifier: ISC */
/*
 * controlclient.h: client of the tender's control socket.
 *
 * AF_UNIX stream. A request is one line; the answer is lines up to a line ".".
 * A descriptor may ride on the request. One connection per request. The peer
 * is not believed: each line must arrive within CONTROL_SILENCE_MS, the whole
 * answer within CONTROL_TOTAL_MS, and both are bounded in size.
 */
#ifndef CONTROLCLIENT_H
#define CONTROLCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONTROL_LINE_MAX = 128 << 10, /* bytes of one line of an answer, without its end */
	CONTROL_REQUEST_MAX = 4095,
	CONTROL_LINES_MAX = 1 << 20,
	CONTROL_SILENCE_MS = 5000,
	CONTROL_TOTAL_MS = 60000,
};

enum controlclient_result {
	CONTROL_LINE,	  /* a line was read; or, of a send: it is out */
	CONTROL_END,	  /* the answer is complete */
	CONTROL_CLOSED,	  /* the connection broke, or nobody listens; errno may say why */
	CONTROL_TIMEOUT,
	CONTROL_MALFORMED, /* a line too long, a NUL, too many lines */
};

struct controlclient {
	int fd; /* -1: none */
	int64_t began_ms;
	int silence_ms; /* CONTROL_SILENCE_MS; tests shorten it */
	uint32_t lines;
	size_t start, end; /* unread bytes of buffer */
	char buffer[CONTROL_LINE_MAX + 2];
};

/* Path in use: the given one, else $POSTERN_CONTROL, else /run/postern/control.sock. */
const char *controlclient_path(const char *given);
bool controlclient_open(struct controlclient *, const char *path);
/* On a connected stream socket, which it then owns. */
void controlclient_on(struct controlclient *, int fd);
void controlclient_close(struct controlclient *);

/* Line without its end; pass_fd -1: none. It stays the caller's. */
enum controlclient_result controlclient_send(struct controlclient *, const char *line, int pass_fd);
/* *line is NUL-terminated and lives until the next call. */
enum controlclient_result controlclient_read(struct controlclient *, const char **line);

#endif
