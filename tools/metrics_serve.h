/* SPDX-License-Identifier: ISC */
/*
 * metrics_serve.h: a page to one asker after the other, HTTP/1.0, GET /metrics alone.
 *
 * Loopback or a Unix socket, nothing else. A request has METRICS_REQUEST_BYTES and
 * METRICS_PATIENCE_MS; who is slower or longer is hung up on.
 */
#ifndef METRICS_SERVE_H
#define METRICS_SERVE_H

#include <stdbool.h>
#include <stddef.h>

enum { METRICS_REQUEST_BYTES = 8192, METRICS_PATIENCE_MS = 2000, METRICS_BACKLOG = 4 };

/* The page on allocated memory, which the caller frees. */
typedef char *metrics_page(void *context, bool openmetrics, size_t *len);

/* where: unix:PATH, or IP:PORT of a loopback address. Serves until SIGINT or SIGTERM; an exit code. */
int metrics_serve(const char *where, metrics_page *page, void *context);

/* What a request asks for. */
enum metrics_request { METRICS_GET, METRICS_NOT_FOUND, METRICS_NOT_ALLOWED, METRICS_BAD };
/* request: NUL-terminated, up to its empty line. *openmetrics: it takes that rather than plain text. */
enum metrics_request metrics_request_parse(const char *request, bool *openmetrics);

#endif
