/* SPDX-License-Identifier: ISC */
/*
 * answer.h: one request to the control socket, its answer as JSON objects.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <jansson.h>

#include "control.h"

/* Called with every object of the answer; it may keep it by json_incref. */
typedef void answer_each(void *context, json_t *object);

/* EXIT_YES, or another exit code after telling standard error why. */
int answer_ask(const char *socket, const char *request, answer_each *each, void *context);
/* The exit code that a broken exchange means, after telling standard error. */
int answer_broken(enum control_result result, const char *socket);
/* One document and a newline on standard output. Takes the reference. */
int answer_print(json_t *document);

#endif
