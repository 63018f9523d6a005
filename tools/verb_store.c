// SPDX-License-Identifier: ISC
/* verb_store.c: postern store: reads, writes and watches the config store. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "storeclient.h"
#include "verbs.h"

struct job {
	struct storeclient client;
	const char *socket;
	bool json;
	json_t *object; /* of read and list, with json */
	unsigned long count; /* of watch: how many changes end it, 0 for none */
};

static int outcome(const struct job *job, enum store_result result, const char *path)
{
	switch (result) {
	case STORE_DONE:
		break;
	case STORE_ABSENT:
		return complain(EXIT_NO, "%s: no such key", path);
	case STORE_REFUSED:
		return complain(EXIT_REFUSED, "%s: refused by the store", path);
	case STORE_UNREACHED:
		return complain(EXIT_UNREACHED, "%s: cannot reach the store: %s", job->socket,
				strerror(errno));
	case STORE_TIMED_OUT:
		return complain(EXIT_TIMED_OUT, "%s: the store does not answer", job->socket);
	}
	return EXIT_YES;
}

/* Bytes that could upset a terminal, or are no text at all, show as \xNN. */
static void escape(char *to, const uint8_t *value, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		if (value[i] >= ' ' && value[i] <= '~' && value[i] != '\\') {
			*to++ = (char)value[i];
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = digits[value[i] >> 4];
		*to++ = digits[value[i] & 15];
	}
	*to = 0;
}

enum { ESCAPED_MAX = 4 * WIRE_VALUE_MAX + 1 };

static json_t *json_value(const uint8_t *value, size_t len)
{
	char escaped[ESCAPED_MAX];
	json_t *string = json_stringn((const char *)value, len);

	if (string)
		return string;
	escape(escaped, value, len);
	return json_string(escaped);
}

static bool show(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct job *job = context;
	char escaped[ESCAPED_MAX];

	if (job->json) {
		json_object_set_new(job->object, key, json_value(value, len));
		return true;
	}
	escape(escaped, value, len);
	printf("%s = %s\n", key, escaped);
	return true;
}

static void print_json(json_t *document)
{
	json_dumpf(document, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	putchar('\n');
	fflush(stdout);
	json_decref(document);
}

static int run_read(struct job *job, int argc, char **argv)
{
	uint8_t value[WIRE_VALUE_MAX];
	int worst = EXIT_YES;
	enum store_result r;
	size_t len;

	if (argc < 1)
		return verb_usage("store");
	for (int i = 0; i < argc; i++) {
		r = storeclient_read(&job->client, argv[i], value, &len);
		if (r != STORE_DONE)
			worst = outcome(job, r, argv[i]);
		if (r == STORE_UNREACHED || r == STORE_TIMED_OUT)
			return worst;
		if (r == STORE_DONE && job->json)
			show(job, argv[i], value, len);
		else if (r == STORE_DONE)
			printf("%.*s\n", (int)len, (const char *)value);
	}
	return worst;
}

static int run_write(struct job *job, int argc, char **argv)
{
	enum store_result r;

	if (argc < 2 || argc % 2)
		return verb_usage("store");
	for (int i = 0; i < argc; i += 2) {
		r = storeclient_queue_write(&job->client, argv[i], argv[i + 1],
					    strlen(argv[i + 1]));
		if (r != STORE_DONE)
			return outcome(job, r, argv[i]);
	}
	r = storeclient_finish(&job->client);
	return outcome(job, r, job->client.worst_path);
}

static int run_rm(struct job *job, int argc, char **argv)
{
	int worst = EXIT_YES;
	enum store_result r;

	if (argc < 1)
		return verb_usage("store");
	for (int i = 0; i < argc; i++) {
		r = storeclient_remove(&job->client, argv[i]);
		if (r != STORE_DONE)
			worst = outcome(job, r, argv[i]);
		if (r == STORE_UNREACHED || r == STORE_TIMED_OUT)
			break;
	}
	return worst;
}

static int run_list(struct job *job, int argc, char **argv)
{
	const char *prefix = argc == 1 ? argv[0] : "/";

	if (argc > 1)
		return verb_usage("store");
	return outcome(job, storeclient_multiread(&job->client, prefix, show, job), prefix);
}

static int run_watch(struct job *job, int argc, char **argv)
{
	static char everything[] = "/";
	static char *all[] = { everything };
	char path[WIRE_PATH_BYTES];
	enum store_result r;

	if (argc == 0) {
		argv = all;
		argc = 1;
	}
	for (int i = 0; i < argc; i++) {
		r = storeclient_watch(&job->client, argv[i]);
		if (r != STORE_DONE)
			return outcome(job, r, argv[i]);
	}
	for (unsigned long n = 0; job->count == 0 || n < job->count; n++) {
		r = storeclient_changed(&job->client, path, -1);
		if (r != STORE_DONE)
			return outcome(job, r, path);
		if (job->json)
			print_json(json_pack("{s:s}", "path", path));
		else
			printf("%s\n", path);
		if (fflush(stdout) != 0)
			break;
	}
	return EXIT_YES;
}

static const struct action {
	const char *name;
	int (*run)(struct job *job, int argc, char **argv);
	bool gives_object;
} actions[] = {
	{ "read", run_read, true },    { "write", run_write, false }, { "rm", run_rm, false },
	{ "list", run_list, true },    { "watch", run_watch, false },
};

static const struct action *find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	}
	return NULL;
}

static int perform(struct job *job, const struct action *action, int argc, char **argv)
{
	enum store_result r = storeclient_open(&job->client, job->socket, STORECLIENT_WAIT_MS);
	int code;

	if (r != STORE_DONE)
		return outcome(job, r, "");
	job->object = job->json && action->gives_object ? json_object() : NULL;
	code = action->run(job, argc, argv);
	storeclient_close(&job->client);
	if (job->object && code <= EXIT_NO)
		print_json(job->object);
	else
		json_decref(job->object);
	return code;
}

int verb_store(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "store", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "count", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct job job = { .client.fd = -1 };
	const struct action *action;
	char *end = NULL;
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "jn:h", options, NULL)) != -1) {
		if (o == 's')
			job.socket = optarg;
		else if (o == 'j')
			job.json = true;
		else if (o == 'n')
			job.count = strtoul(optarg, &end, 10);
		else
			return o == 'h' ? verb_help("store") : verb_usage("store");
		if (end && (*end || *optarg < '0' || *optarg > '9'))
			return verb_usage("store");
	}
	action = find(optind < argc ? argv[optind] : NULL);
	if (!action)
		return verb_usage("store");
	job.socket = storeclient_path(job.socket);
	return perform(&job, action, argc - optind - 1, argv + optind + 1);
}
