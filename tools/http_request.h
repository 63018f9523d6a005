/* SPDX-License-Identifier: ISC */
/*
 * http_request.h: the head of a request, HTTP/1.0 and 1.1 (RFC 9112), as far as two read-only
 * servers need it: GET alone, no body.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "bytes.h"

enum { HTTP_TARGET_MAX = 1024 }; /* bytes */

enum http_status {
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_NOT_ALLOWED = 405,	     /* another method than GET */
	HTTP_TARGET_TOO_LONG = 414,
	HTTP_MISDIRECTED = 421,	     /* a Host that is not this machine */
	HTTP_HEAD_TOO_LONG = 431,
	HTTP_UNAVAILABLE = 503,
	HTTP_VERSION_UNKNOWN = 505,
};

/* Views into the bytes that were parsed. */
struct http_request {
	struct cursor path;  /* begins with '/', as it was sent: nothing is decoded */
	struct cursor query; /* behind the '?'; may be empty */
	struct cursor host;  /* of the Host field; at is NULL when there is none */
	bool openmetrics;    /* Accept names application/openmetrics-text */
};

/* Bytes up to and with the empty line that ends the head; 0: it is not there yet. */
size_t http_head_length(const char *bytes, size_t len);
/* A whole head. HTTP_OK, or what is to be answered; the request is then not to be used. */
enum http_status http_request_parse(struct http_request *, const char *head, size_t len);
bool http_path_is(const struct http_request *, const char *path);
/*
 * A query parameter, decoded, NUL-terminated; false, and to is "": it is not there, is damaged,
 * has control characters, or does not fit.
 */
bool http_query(const struct http_request *, const char *name, char *to, size_t room);
/*
 * Whether the Host field names this machine itself: localhost or a loopback address, with or without
 * a port. A name that a stranger's DNS points at 127.0.0.1 does not, so his page cannot read answers.
 */
bool http_host_is_here(const struct http_request *);

#endif
