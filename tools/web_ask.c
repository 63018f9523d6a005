// SPDX-License-Identifier: ISC
/* Asks the appliance for a page that is waiting. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base.h"
#include "columns.h"
#include "verbs.h"
#include "web_ask.h"

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int say(char why[WEB_WHY_BYTES], int code, const char *words)
{
	char clean[COLUMNS_CELL_MAX];
	columns_clean(clean, sizeof(clean), words);
	snprintf(why, WEB_WHY_BYTES, "%s", *clean ? clean : "refused without a reason");
	return code;
}

static int broken(enum controlclient_result result, char why[WEB_WHY_BYTES])
{
	switch (result) {
	case CONTROL_CLOSED:
		return say(why, EXIT_UNREACHED, errno ? strerror(errno) : "closed before the answer was complete");
	case CONTROL_TIMEOUT:
		return say(why, EXIT_TIMED_OUT, "no answer in time");
	case CONTROL_MALFORMED:
	case CONTROL_LINE:
	case CONTROL_END:
		break;
	}
	return say(why, EXIT_UNREACHED, "the answer makes no sense");
}

static int take_line(const char *line, answer_each *each, void *context, char why[WEB_WHY_BYTES])
{
	if (!strncmp(line, "error", 5))
		return say(why, strcmp(line, "error timeout") ? EXIT_REFUSED : EXIT_TIMED_OUT, line + 5 + (line[5] == ' '));
	json_t *object = json_loads(line, 0, NULL);
	int code = EXIT_YES;
	const char *type = json_string_value(json_object_get(object, "type"));
	const char *error = json_string_value(json_object_get(object, "error"));
	if (!json_is_object(object))
		code = broken(CONTROL_MALFORMED, why);
	else if (type && !strcmp(type, "error"))
		code = say(why, EXIT_REFUSED, error ? error : "");
	else
		each(context, object);
	json_decref(object);
	return code;
}

int web_ask(const char *socket, const char *request, answer_each *each, void *context, char why[WEB_WHY_BYTES])
{
	static struct controlclient c; /* large; one thread, one request at a time */
	int64_t began = now_ms();
	why[0] = 0;
	if (!controlclient_open(&c, socket))
		return say(why, EXIT_UNREACHED, strerror(errno));
	c.silence_ms = WEB_SILENCE_MS;
	int code = EXIT_YES;
	enum controlclient_result r = controlclient_send(&c, request, -1);
	while (r == CONTROL_LINE && code == EXIT_YES) {
		const char *line;
		r = controlclient_read(&c, &line);
		if (r == CONTROL_LINE)
			code = take_line(line, each, context, why);
		if (r == CONTROL_LINE && now_ms() - began > WEB_TOTAL_MS)
			r = CONTROL_TIMEOUT;
	}
	if (code == EXIT_YES && r != CONTROL_END)
		code = broken(r, why);
	controlclient_close(&c);
	return code;
}
