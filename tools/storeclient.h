/* SPDX-License-Identifier: ISC */
/*
 * storeclient.h: client of a config store over its Unix socket, QubesDB protocol.
 *
 * One connection, blocking calls, each waiting at most the given time for every step.
 * After STORE_UNREACHED or STORE_TIMED_OUT the connection is broken: only close it.
 * The store is not believed: sizes and paths of what it sends are checked.
 */
#ifndef STORECLIENT_H
#define STORECLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

enum {
	STORECLIENT_WAIT_MS = 5000,
	STORECLIENT_AHEAD = 128, /* unanswered changes that may be under way */
	STORECLIENT_EVENTS = 64, /* distinct changed paths kept while an answer is awaited */
};

enum store_result {
	STORE_DONE,
	STORE_ABSENT,	 /* no such key */
	STORE_REFUSED,	 /* the store said error */
	STORE_UNREACHED, /* nobody listens, or the connection broke; errno may say why */
	STORE_TIMED_OUT,
};

struct storeclient {
	int fd; /* -1: none */
	int wait_ms;
	size_t ahead;	  /* changes sent, not answered yet */
	enum store_result worst; /* of the changes answered since the last finish */
	char worst_path[WIRE_PATH_BYTES]; /* which change that was */
	size_t events;
	char event[STORECLIENT_EVENTS][WIRE_PATH_BYTES];
};

/* Path in use: the given one, else $POSTERN_STORE, else /run/postern/store.sock. */
const char *storeclient_path(const char *given);
enum store_result storeclient_open(struct storeclient *c, const char *path, int wait_ms);
void storeclient_close(struct storeclient *c);

enum store_result storeclient_read(struct storeclient *c, const char *key,
				   uint8_t value[WIRE_VALUE_MAX], size_t *len);
/* Write and remove return when the change is on the store's disk. */
enum store_result storeclient_write(struct storeclient *c, const char *key, const void *value,
				    size_t len);
/* Target: a key, or a directory ending in '/'. */
enum store_result storeclient_remove(struct storeclient *c, const char *target);

/*
 * The same for many: they go out without waiting for each answer (so that the store
 * can commit many at once, in order); finish waits for all and gives the worst result,
 * worst_path saying whose. Other calls only after finish. Absent keys are no failure.
 */
enum store_result storeclient_queue_write(struct storeclient *c, const char *key,
					  const void *value, size_t len);
enum store_result storeclient_queue_remove(struct storeclient *c, const char *target);
enum store_result storeclient_finish(struct storeclient *c);

/* Called for each key with the prefix; value is NULL when listing. False stops the calls. */
typedef bool storeclient_each(void *context, const char *key, const uint8_t *value, size_t len);
/* Ascending; every key at one moment. */
enum store_result storeclient_multiread(struct storeclient *c, const char *prefix,
					storeclient_each *each, void *context);
enum store_result storeclient_list(struct storeclient *c, const char *prefix,
				   storeclient_each *each, void *context);

/* A key, or a directory with all below it. */
enum store_result storeclient_watch(struct storeclient *c, const char *target);
/* Waits for a change (wait_ms < 0: for ever): the key, or the directory that was removed. */
enum store_result storeclient_changed(struct storeclient *c, char path[WIRE_PATH_BYTES],
				      int wait_ms);

#endif
