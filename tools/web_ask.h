/* SPDX-License-Identifier: ISC */
/*
 * web_ask.h: one request to the control socket on behalf of a page: little patience, and what went wrong as
 * text for its reader instead of standard error.
 */
#ifndef WEB_ASK_H
#define WEB_ASK_H

#include "answer.h"

enum { WEB_SILENCE_MS = 1500, WEB_TOTAL_MS = 4000, WEB_WHY_BYTES = 320 };

/* EXIT_YES, or another exit code and the reason in why. */
int web_ask(const char *socket, const char *request, answer_each *each, void *context, char why[WEB_WHY_BYTES]);

#endif
