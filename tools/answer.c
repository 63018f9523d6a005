// SPDX-License-Identifier: ISC
/* Turns an answer of JSON lines into objects, and a broken one into an exit code. */
#include <errno.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "verbs.h"

int answer_broken(enum controlclient_result result, const char *socket)
{
	switch (result) {
	case CONTROL_CLOSED:
		return complain(EXIT_UNREACHED, "%s: %s", socket,
				errno ? strerror(errno) : "closed before the answer was complete");
	case CONTROL_TIMEOUT:
		return complain(EXIT_TIMED_OUT, "%s: no answer in time", socket);
	case CONTROL_MALFORMED:
		return complain(EXIT_UNREACHED, "%s: the answer makes no sense", socket);
	case CONTROL_LINE:
	case CONTROL_END:
		return complain(EXIT_UNREACHED, "%s: an answer of another kind", socket);
	}
	panic("enum controlclient_result");
}

int answer_refused(const char *reason)
{
	char text[COLUMNS_CELL_MAX];
	columns_clean(text, sizeof(text), *reason == ' ' ? reason + 1 : reason);
	/* The tender's word for an appliance that keeps silent. */
	if (!strcmp(text, "timeout"))
		return complain(EXIT_TIMED_OUT, "the appliance does not answer");
	return complain(EXIT_REFUSED, "%s", *text ? text : "refused without a reason");
}

static int take_line(const char *socket, const char *line, answer_each *each, void *context)
{
	if (!strncmp(line, "error", 5))
		return answer_refused(line + 5);
	json_t *object = json_loads(line, 0, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return answer_broken(CONTROL_MALFORMED, socket);
	}
	int code = EXIT_YES;
	const char *type = json_string_value(json_object_get(object, "type"));
	const char *error = json_string_value(json_object_get(object, "error"));
	if (type && !strcmp(type, "error"))
		code = answer_refused(error ? error : "");
	else
		each(context, object);
	json_decref(object);
	return code;
}

int answer_ask(const char *socket, const char *request, answer_each *each, void *context)
{
	struct controlclient c;
	if (!controlclient_open(&c, socket))
		return complain(errno == ETIMEDOUT ? EXIT_TIMED_OUT : EXIT_UNREACHED, "%s: %s",
				socket, strerror(errno));
	int code = EXIT_YES;
	enum controlclient_result r = controlclient_send(&c, request, -1);
	while (r == CONTROL_LINE && code == EXIT_YES) {
		const char *line;
		r = controlclient_read(&c, &line);
		if (r == CONTROL_LINE)
			code = take_line(socket, line, each, context);
	}
	if (code == EXIT_YES && r != CONTROL_END)
		code = answer_broken(r, socket);
	controlclient_close(&c);
	return code;
}

int answer_print(json_t *document)
{
	if (!document)
		panic("out of memory");
	int failed = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(document);
	putchar('\n');
	return failed ? complain(EXIT_NO, "standard output: cannot write") : EXIT_YES;
}
