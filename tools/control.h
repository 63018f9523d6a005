/* SPDX-License-Identifier: ISC */
/*
 * control.h: client of the tender's control socket.
 *
 * AF_UNIX stream. A request is one line; the answer is lines up to a line ".".
 * A descriptor may ride on the request. One connection per request. The peer
 * is not believed: each line must arrive within CONTROL_SILENCE_MS, the whole
 * answer within CONTROL_TOTAL_MS, and both are bounded in size.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONTROL_LINE_MAX = 4096, /* bytes of one line, without its end */
	CONTROL_LINES_MAX = 1 << 20,
	CONTROL_SILENCE_MS = 5000,
	CONTROL_TOTAL_MS = 60000,
};

enum control_result {
	CONTROL_LINE,	  /* a line was read; or, of a send: it is out */
	CONTROL_END,	  /* the answer is complete */
	CONTROL_CLOSED,	  /* the connection broke, or nobody listens; errno may say why */
	CONTROL_TIMEOUT,
	CONTROL_MALFORMED, /* a line too long, a NUL, too many lines */
};

struct control {
	int fd; /* -1: none */
	int64_t began_ms;
	int silence_ms; /* CONTROL_SILENCE_MS; tests shorten it */
	uint32_t lines;
	size_t start, end; /* unread bytes of buffer */
	char buffer[CONTROL_LINE_MAX + 2];
};

/* Path in use: the given one, else $POSTERN_CONTROL, else /run/postern/control.sock. */
const char *control_path(const char *given);
bool control_open(struct control *, const char *path);
/* On a connected stream socket, which it then owns. */
void control_on(struct control *, int fd);
void control_close(struct control *);

/* Line without its end; pass_fd -1: none. It stays the caller's. */
enum control_result control_send(struct control *, const char *line, int pass_fd);
/* *line is NUL-terminated and lives until the next call. */
enum control_result control_read(struct control *, const char **line);

#endif
