// SPDX-License-Identifier: ISC
/* A watch in the appliance, from this end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "verbs.h"
#include "watchclient.h"

enum { REQUEST_BYTES = 1024, IDLE_MS = 50 };

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

const volatile sig_atomic_t *watchclient_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	return &stopped;
}

bool watchclient_add(struct watchclient_wish *w, const char *term, const char *value)
{
	size_t used = strlen(w->expression), room = sizeof(w->expression) - used;
	int n = snprintf(w->expression + used, room, "%s%s%s%s", used ? " " : "", term, value ? " " : "", value ? value : "");
	return n >= 0 && (size_t)n < room;
}

/* --- base64 ----------------------------------------------------------------------------- */

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool watchclient_base64(const char *text, uint8_t *to, size_t room, size_t *len)
{
	size_t n = strlen(text), at = 0;
	if (n % 4)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		size_t pad = i + 4 < n ? 0 : (size_t)(text[i + 3] == '=') + (text[i + 2] == '=' && text[i + 3] == '=');
		uint32_t word = 0;
		for (size_t k = 0; k < 4 - pad; k++) {
			int d = digit_of(text[i + k]);
			if (d < 0)
				return false;
			word |= (uint32_t)d << (18 - 6 * k);
		}
		if (room - at < 3 - pad)
			return false;
		for (size_t k = 0; k < 3 - pad; k++)
			to[at++] = (uint8_t)(word >> (16 - 8 * k));
	}
	*len = at;
	return true;
}

/* --- lines of the answer ----------------------------------------------------------------- */

static const char *word_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

/* The one that was being read is whole: what follows is another. */
static void deliver(struct watchclient *w)
{
	if (w->packet)
		w->each(w->context, w->packet, w->frame);
	json_decref(w->packet);
	w->packet = NULL;
	w->frame[0].len = w->frame[1].len = 0;
}

static void take_bytes(struct watchclient *w, const json_t *o)
{
	struct watchclient_frame *f = &w->frame[!strcmp(word_of(o, "side"), "out")];
	size_t len;
	if (!w->packet || json_integer_value(json_object_get(o, "at")) != (json_int_t)f->len ||
	    !watchclient_base64(word_of(o, "data"), f->bytes + f->len, WATCHCLIENT_FRAME_MAX - f->len, &len))
		w->nonsense = true;
	else
		f->len += len;
}

static void take_state(struct watchclient *w, const json_t *o)
{
	w->id = json_integer_value(json_object_get(o, "id"));
	w->matched = json_integer_value(json_object_get(o, "matched"));
	w->lost = json_integer_value(json_object_get(o, "lost"));
	w->left = json_is_true(json_object_get(o, "left"));
	w->runs = !strcmp(word_of(o, "state"), "runs");
	snprintf(w->why, sizeof(w->why), "%s", word_of(o, "why"));
}

static void take(void *context, json_t *o)
{
	struct watchclient *w = context;
	const char *type = word_of(o, "type");
	if (!strcmp(type, "bytes")) {
		take_bytes(w, o);
		return;
	}
	deliver(w);
	if (!strcmp(type, "packet"))
		w->packet = json_incref(o);
	else if (!strcmp(type, "watch"))
		take_state(w, o);
	else if (!strcmp(type, "watchport") && w->port)
		w->port(w->context, o);
}

static int ask(struct watchclient *w, const char *request)
{
	w->nonsense = false;
	int code = answer_ask(w->socket, request, take, w);
	deliver(w);
	if (code == EXIT_YES && w->nonsense)
		code = complain(EXIT_UNREACHED, "%s: the answer makes no sense", w->socket);
	return code;
}

static int ask_of(struct watchclient *w, const char *what)
{
	char request[64];
	snprintf(request, sizeof(request), "watch %s %" JSON_INTEGER_FORMAT, what, w->id);
	return ask(w, request);
}

int watchclient_start(struct watchclient *w, const struct watchclient_wish *wish)
{
	char request[REQUEST_BYTES];
	for (size_t i = 0; i < array_len(w->frame); i++) {
		w->frame[i] = (struct watchclient_frame){ malloc(WATCHCLIENT_FRAME_MAX), 0 };
		if (!w->frame[i].bytes)
			panic("out of memory");
	}
	w->packet = NULL;
	snprintf(request, sizeof(request), "watch start %u %u %u %s", wish->snaplen, wish->count, wish->seconds,
		 wish->expression);
	return ask(w, request);
}

int watchclient_read(struct watchclient *w)
{
	return ask_of(w, "read");
}

int watchclient_stop(struct watchclient *w)
{
	return ask_of(w, "stop");
}

bool watchclient_next(struct watchclient *w, const volatile sig_atomic_t *stop, int *code)
{
	if (!w->runs && !w->left)
		return false;
	if (w->idle && w->runs && !*stop)
		poll(NULL, 0, IDLE_MS);
	if (*stop && !w->told) {
		w->told = true;
		*code = watchclient_stop(w);
		w->left = true; /* or empty: it takes one more read for it to be gone */
		return true;
	}
	json_int_t before = w->matched;
	*code = watchclient_read(w);
	w->idle = !w->left && w->matched == before;
	return true;
}

int watchclient_run(struct watchclient *w, const volatile sig_atomic_t *stop)
{
	int code = EXIT_YES;
	while (code == EXIT_YES && watchclient_next(w, stop, &code))
		;
	return code;
}

void watchclient_free(struct watchclient *w)
{
	for (size_t i = 0; i < array_len(w->frame); i++)
		free(w->frame[i].bytes);
	json_decref(w->packet);
}
