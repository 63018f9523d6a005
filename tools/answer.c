// SPDX-License-Identifier: ISC
/* Turns an answer of JSON lines into objects, and a broken one into an exit code. */
#include <errno.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "verbs.h"

int answer_broken(enum control_result result, const char *socket)
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
	panic("enum control_result");
}

static int take_line(const char *socket, const char *line, answer_each *each, void *context)
{
	char text[COLUMNS_CELL_MAX];
	if (!strncmp(line, "error", 5)) {
		columns_clean(text, sizeof(text), line[5] == ' ' ? line + 6 : line + 5);
		return complain(EXIT_REFUSED, "%s", text);
	}
	json_t *object = json_loads(line, 0, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return answer_broken(CONTROL_MALFORMED, socket);
	}
	each(context, object);
	json_decref(object);
	return EXIT_YES;
}

int answer_ask(const char *socket, const char *request, answer_each *each, void *context)
{
	struct control c;
	if (!control_open(&c, socket))
		return complain(errno == ETIMEDOUT ? EXIT_TIMED_OUT : EXIT_UNREACHED, "%s: %s",
				socket, strerror(errno));
	int code = EXIT_YES;
	enum control_result r = control_send(&c, request, -1);
	while (r == CONTROL_LINE && code == EXIT_YES) {
		const char *line;
		r = control_read(&c, &line);
		if (r == CONTROL_LINE)
			code = take_line(socket, line, each, context);
	}
	if (code == EXIT_YES && r != CONTROL_END)
		code = answer_broken(r, socket);
	control_close(&c);
	return code;
}

int answer_print(json_t *document)
{
	if (!document)
		panic("out of memory");
	int failed = json_dumpf(document, stdout, JSON_INDENT(2));
	json_decref(document);
	putchar('\n');
	return failed ? complain(EXIT_NO, "standard output: cannot write") : EXIT_YES;
}
