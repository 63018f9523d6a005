// SPDX-License-Identifier: ISC
/* postern events: what happened in the appliance, and what happens. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "verbs.h"
#include "watchclient.h"

enum { POLL_MS = 250, BOOT_BYTES = 32, STAMP_BYTES = 40 };

struct feed {
	bool json;
	char boot[BOOT_BYTES]; /* of the appliance that `next` is of; "": not asked yet */
	json_int_t next;
	bool other;            /* the answer is of another start of the appliance: it is asked anew */
};

static const char *word_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static void stamp(char at[STAMP_BYTES], json_int_t unix_ns)
{
	time_t s = (time_t)(unix_ns / 1000000000);
	struct tm utc;
	char text[24];
	if (!gmtime_r(&s, &utc) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc))
		text[0] = 0;
	snprintf(at, STAMP_BYTES, "%s.%06lldZ", text, (long long)(unix_ns % 1000000000 / 1000));
}

static void print_json(json_t *o)
{
	char *line = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	puts(line ? line : "{}");
	free(line);
}

static void print_members(json_t *o)
{
	static const char *const first[] = { "seq", "time", "kind", "unix_ns", "type", "boot" };
	const char *name;
	json_t *value;
	char word[COLUMNS_CELL_MAX], key[COLUMNS_CELL_MAX];
	json_object_foreach(o, name, value) {
		bool printed = false;
		for (size_t i = 0; i < array_len(first); i++)
			printed |= !strcmp(name, first[i]);
		if (printed)
			continue;
		columns_clean(key, sizeof(key), name);
		columns_value(word, sizeof(word), value);
		printf(strchr(word, ' ') ? "  %s=\"%s\"" : "  %s=%s", key, word);
	}
}

static void print_event(const struct feed *f, json_t *o)
{
	char when[STAMP_BYTES];
	stamp(when, json_integer_value(json_object_get(o, "unix_ns")));
	json_object_del(o, "type");
	json_object_del(o, "unix_ns");
	json_object_set_new(o, "time", json_string(when));
	json_object_set_new(o, "boot", json_string(f->boot));
	if (f->json) {
		print_json(o);
	} else {
		char kind[COLUMNS_CELL_MAX];
		columns_clean(kind, sizeof(kind), word_of(o, "kind"));
		printf("%6lld  %s  %-10s", (long long)json_integer_value(json_object_get(o, "seq")), when, kind);
		print_members(o);
		putchar('\n');
	}
	fflush(stdout);
}

static void print_lost(const struct feed *f, json_int_t count, json_int_t unix_ns)
{
	json_t *o = json_pack("{s:I, s:s, s:I, s:I}", "seq", f->next, "kind", "lost", "count", count, "unix_ns", unix_ns);
	print_event(f, o);
	json_decref(o);
}

static void take(void *context, json_t *o)
{
	struct feed *f = context;
	if (!strcmp(word_of(o, "type"), "events")) {
		const char *boot = word_of(o, "boot");
		json_int_t lost = json_integer_value(json_object_get(o, "lost"));
		f->other = f->boot[0] && strcmp(boot, f->boot);
		columns_clean(f->boot, sizeof(f->boot), boot);
		/* who asks for all asks for those that there are */
		if (!f->other && lost > 0 && f->next > 0)
			print_lost(f, lost, json_integer_value(json_object_get(o, "unix_ns")));
		if (!f->other)
			f->next = json_integer_value(json_object_get(o, "next"));
	} else if (!strcmp(word_of(o, "type"), "event") && !f->other) {
		print_event(f, o);
	}
}

static int ask(struct feed *f, const char *socket)
{
	char request[64];
	snprintf(request, sizeof(request), "events %lld", (long long)f->next);
	int code = answer_ask(socket, request, take, f);
	if (code == EXIT_YES && f->other) {
		f->next = 1;
		snprintf(request, sizeof(request), "events 1");
		code = answer_ask(socket, request, take, f);
	}
	return code;
}

/* An appliance that is away comes back, as another one. */
static bool reachable(const char *socket)
{
	struct controlclient c;
	if (!controlclient_open(&c, socket))
		return false;
	controlclient_close(&c);
	return true;
}

static int follow(struct feed *f, const char *socket)
{
	const volatile sig_atomic_t *stop = watchclient_signals();
	int code = ask(f, socket);
	if (code != EXIT_YES)
		return code;
	bool away = false;
	while (!*stop && !ferror(stdout)) {
		poll(NULL, 0, POLL_MS);
		if (*stop)
			break;
		if (!reachable(socket)) {
			if (!away)
				complain(EXIT_YES, "%s: %s; waiting for it", socket, strerror(errno));
			away = true;
			continue;
		}
		away = ask(f, socket) != EXIT_YES;
	}
	return EXIT_YES;
}

static bool take_since(json_int_t *since, const char *word)
{
	char *end;
	errno = 0;
	long long n = strtoll(word, &end, 10);
	*since = n;
	return *word >= '0' && *word <= '9' && !*end && !errno && n >= 0 && n < INT64_MAX;
}

int verb_events(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "follow", no_argument, NULL, 'f' },
		{ "since", required_argument, NULL, 'S' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct feed f = { .json = false };
	const char *control = NULL;
	bool following = false;
	for (int o; (o = getopt_long(argc, argv, "jfh", options, NULL)) != -1;) {
		if (o == 'j')
			f.json = true;
		else if (o == 'f')
			following = true;
		else if (o == 's')
			control = optarg;
		else if (o == 'S' && !take_since(&f.next, optarg))
			return complain(EXIT_USAGE, "--since %s: not the number of an event", optarg);
		else if (o != 'S')
			return o == 'h' ? verb_help("events") : verb_usage("events");
	}
	if (optind != argc)
		return verb_usage("events");
	return following ? follow(&f, controlclient_path(control)) : ask(&f, controlclient_path(control));
}
