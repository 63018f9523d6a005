/* SPDX-License-Identifier: ISC */
/*
 * operator.h: the operator's byte channel: request lines in, the lines of their answers out (status.h), as much at
 * a time as the channel takes. One request at a time; the next is read when the answer is out.
 */
#ifndef OPERATOR_H
#define OPERATOR_H

#include "status.h"

enum {
	OPERATOR_REQUEST_BYTES = 1024, /* a longer one is refused */
	OPERATOR_BYTES = 2048,         /* taken per round, likewise */
	OPERATOR_LINES = 64,           /* sent per round: an answer must not hold packets up */
};

struct operator_io {
	/* of the channel: as much as goes now, 0..len */
	size_t (*read)(void *bytes, size_t len);
	size_t (*write)(const void *bytes, size_t len);
	/* Keeps what was applied for a while; false: nothing was. */
	bool (*confirm)(void);
	/* Requests about what the store keeps (qdb_tree_ask). */
	bool (*ask)(const char *words, size_t len, const char **error);
};

struct operator {
	struct status status;
	char request[OPERATOR_REQUEST_BYTES];
	size_t request_len;
	bool too_long;
	char line[STATUS_LINE_BYTES];
	size_t line_len, line_sent;
};

/* The channel opened: whatever was under way is forgotten. */
void operator_open(struct operator *);
/* True: the answer goes on, though the channel is not full, or so does the request. */
bool operator_round(struct operator *, const struct operator_io *, struct fw *, const struct status_facts *,
		    uint64_t now_ns);

#endif
