/* SPDX-License-Identifier: ISC */
/*
 * http_serve.h: a small read-only HTTP server in one thread: GET, one request a connection.
 *
 * Loopback or a Unix socket, nothing else. HTTP_PLACES askers at a time, none of whom can hold up
 * another: a request has HTTP_REQUEST_BYTES and HTTP_READ_MS, its answer HTTP_WRITE_MS to be
 * taken, and when all places are in use the asker who has been there longest loses his.
 */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "http_request.h"

enum {
	HTTP_PLACES = 24,
	HTTP_REQUEST_BYTES = 8192,
	HTTP_READ_MS = 2000,
	HTTP_WRITE_MS = 10000,
	HTTP_DRAIN_MS = 500, /* for what was sent beyond the request */
};

struct http_answer {
	enum http_status status; /* HTTP_OK unless said otherwise */
	const char *type;	 /* of the body */
	const char *body;	 /* lives until the server ends, or is owned */
	size_t len;
	char *owned; /* freed once it was sent; NULL: nothing is to be freed */
};

struct http_site {
	/* A good request for this machine; the answer is all zero but for HTTP_OK. No status but OK needs a body. */
	void (*answer)(void *context, const struct http_request *, struct http_answer *);
	/* Called between requests; milliseconds until the next time. May be NULL. */
	int (*tick)(void *context);
	void *context;
	const char *fields;   /* more header fields, each with its CR LF; may be NULL */
	const char *greeting; /* printed with the address once it can be asked; may be NULL */
};

/* where as for http_listen. Serves until SIGINT or SIGTERM; an exit code. */
int http_serve(const char *where, const struct http_site *);

#endif
