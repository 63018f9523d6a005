/* SPDX-License-Identifier: ISC */
/*
 * storelog.h: lines for the operator about what the store says.
 */
#ifndef STORELOG_H
#define STORELOG_H

#include "addr.h"

enum { STORELOG_BYTES = 192 };

/* Where lines for the operator go; without newline. */
struct log_sink {
	void *self;
	void (*log)(void *self, const char *line, size_t len);
};

void storelog_say(const struct log_sink *, const struct text *line);
/* "client IP: WHAT END" */
void storelog_client(const struct log_sink *, struct ip_addr, const char *what, const char *end);
/* "store: PATH WHAT" */
void storelog_key(const struct log_sink *, const char *path, const char *what);

#endif
