/* SPDX-License-Identifier: ISC */
/*
 * watchclient.h: looks at packets of the running appliance: starts a watch there (its control protocol: `watch`), reads
 * it piece by piece, and ends it. A client that dies leaves nothing behind: the appliance ends what nobody reads.
 */
#ifndef WATCHCLIENT_H
#define WATCHCLIENT_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	WATCHCLIENT_FRAME_MAX = 66000,    /* bytes of one frame */
	WATCHCLIENT_EXPRESSION_MAX = 768,
};

struct watchclient_frame {
	uint8_t *bytes;
	size_t len;
};

/* One packet; frames[0] as it came in, frames[1] as it went out; len 0: it did not, or bytes were not asked for. */
typedef void watchclient_each(void *context, const json_t *packet, const struct watchclient_frame frames[2]);

struct watchclient {
	/* the caller's */
	const char *socket;
	watchclient_each *each;
	void (*port)(void *context, const json_t *port); /* a line "watchport"; may be NULL */
	void *context;
	/* as the appliance said last */
	json_int_t id, matched, lost;
	bool runs, left; /* left: there is more to be read now */
	char why[16];    /* it ended: "count", "seconds", "stopped", "silence" */
	/* the packet that is being read */
	json_t *packet;
	struct watchclient_frame frame[2];
	bool nonsense, told, idle;
};

struct watchclient_wish {
	uint32_t snaplen, count, seconds; /* of each frame, bytes; then 0: no bound */
	char expression[WATCHCLIENT_EXPRESSION_MAX];
};

/* Adds terms to the expression; false: it is too long. */
bool watchclient_add(struct watchclient_wish *, const char *term, const char *value);
/* All of these answer EXIT_YES, or tell standard error why not. */
int watchclient_start(struct watchclient *, const struct watchclient_wish *);
int watchclient_read(struct watchclient *);
int watchclient_stop(struct watchclient *);
/* Waits for more and reads it once; *stop set by a signal handler ends it. False: it has ended and was read empty. */
bool watchclient_next(struct watchclient *, const volatile sig_atomic_t *stop, int *code);
/* The same until then. */
int watchclient_run(struct watchclient *, const volatile sig_atomic_t *stop);
void watchclient_free(struct watchclient *);

/* A flag that SIGINT, SIGTERM and SIGHUP raise from now on. */
const volatile sig_atomic_t *watchclient_signals(void);

/* RFC 4648 4, padded; false: it is none, or does not fit. */
bool watchclient_base64(const char *text, uint8_t *to, size_t room, size_t *len);

#endif
