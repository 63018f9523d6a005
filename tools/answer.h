/* SPDX-License-Identifier: ISC */
/*
 * answer.h: one request to the control socket, its answer as JSON objects.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <jansson.h>

#include "controlclient.h"

/* Called with every object of the answer; it may keep it by json_incref. */
typedef void answer_each(void *context, json_t *object);

/* EXIT_YES, or another exit code after telling standard error why. */
int answer_ask(const char *socket, const char *request, answer_each *each, void *context);
/* The exit code that a broken exchange means, after telling standard error. */
int answer_broken(enum controlclient_result result, const char *socket);
/* The same for a refusal in the peer's words, which are cleaned. */
int answer_refused(const char *reason);
/* One document and a newline on standard output. Takes the reference. */
int answer_print(json_t *document);

#endif
