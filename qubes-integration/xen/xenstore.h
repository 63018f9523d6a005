/* SPDX-License-Identifier: ISC */
/*
 * xenstore.h: a client of xenstored over the shared ring (io/xs_wire.h).
 *
 * Calls are synchronous: one request, then sleep until its answer, at most
 * XS_LIMIT_MS; watch events that come meanwhile are queued. Packets wait that
 * long too: do no more than one device's step per round of the loop. After a
 * limit was hit every call fails at once (XS_RESULT_TIMEOUT) until the late
 * answer has come. A path without leading '/' is relative to our home,
 * /local/domain/<us>.
 */
#ifndef XENSTORE_H
#define XENSTORE_H

#include "base.h"

enum {
	XS_LIMIT_MS = 2000,
	XS_PATH_BYTES = 256,   /* of a watch event's path, with the NUL: longer ones are cut */
};

enum xs_result {
	XS_RESULT_OK,
	XS_RESULT_NOENT,
	XS_RESULT_AGAIN,   /* a transaction met another: do it again */
	XS_RESULT_DENIED,
	XS_RESULT_TOO_LONG, /* the value, or the request */
	XS_RESULT_TIMEOUT,
	XS_RESULT_ERROR,
};

enum { XS_NO_TX = 0 };

/* The value as a NUL-terminated string; untouched on failure. */
enum xs_result xs_read(uint32_t tx, const char *path, char *value, size_t room);
enum xs_result xs_write(uint32_t tx, const char *path, const char *value);
enum xs_result xs_mkdir(uint32_t tx, const char *path);
enum xs_result xs_rm(uint32_t tx, const char *path);
/* Names, each with its NUL, one after another; *len bytes in all. */
enum xs_result xs_directory(uint32_t tx, const char *path, char *names, size_t room, size_t *len);
/* perms: one word per domain, the owner first, as "n5 r0" (n none, r read, w write, b both). */
enum xs_result xs_set_perms(uint32_t tx, const char *path, const char *perms);
enum xs_result xs_transaction_start(uint32_t *tx);
enum xs_result xs_transaction_end(uint32_t tx, bool commit);
/* Watches path and all below; a first event comes at once. The token comes back with each event. */
enum xs_result xs_watch(const char *path, uint32_t token);
enum xs_result xs_unwatch(const char *path, uint32_t token);
/* How many xenstored holds for us: it allows a guest 128. */
uint32_t xs_watches(void);

/* The next watch event: the path that changed, relative if it was watched so. False: none. */
bool xs_event(char path[XS_PATH_BYTES], uint32_t *token);
bool xs_event_waits(void); /* there is one already, of which nothing else tells */
/* True once after events were lost because nobody took them: look at everything again. */
bool xs_overflowed(void);

#endif
