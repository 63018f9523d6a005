// SPDX-License-Identifier: ISC
/* postern doctor: is this machine, its configuration and what runs on it in order? */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "base.h"
#include "doctor.h"
#include "plan.h"
#include "storeclient.h"
#include "verbs.h"

static const char *const state_words[DOCTOR_STATES] = { "ok", "note", "wrong" };

void doctor_say(struct doctor *d, const char *check, enum doctor_state state, const char *help, const char *format, ...)
{
	char what[400];
	va_list ap;
	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	d->wrong += state == DOCTOR_WRONG;
	json_array_append_new(d->checks, json_pack("{s:s, s:s, s:s, s:s}", "check", check, "state", state_words[state],
						   "what", what, "help", help ? help : ""));
}

static int show(const struct doctor *d, bool json)
{
	const json_t *one;
	size_t i;
	int code = d->wrong ? EXIT_NO : EXIT_YES;
	if (json)
		return answer_print(json_pack("{s:i, s:b, s:O}", "schema", 1, "good", !d->wrong, "checks", d->checks)) ==
				       EXIT_YES ? code : EXIT_NO;
	json_array_foreach(d->checks, i, one) {
		const char *help = json_string_value(json_object_get(one, "help"));
		printf("%-5s  %-18s  %s\n", json_string_value(json_object_get(one, "state")),
		       json_string_value(json_object_get(one, "check")), json_string_value(json_object_get(one, "what")));
		if (*help)
			printf("%-5s  %-18s  -> %s\n", "", "", help);
	}
	if (d->wrong)
		printf("%u %s wrong\n", d->wrong, d->wrong == 1 ? "thing is" : "things are");
	return code;
}

/* Errors come behind the table, and say more. True: there is one and it is right. */
static bool configuration(struct doctor *d, struct runconf *conf, const char *file, bool given, FILE *errors)
{
	struct rulefile_source source = { .name = file };
	char help[RUNCONF_PATH + 40];
	char *text = rulefile_read(file, &source.len);
	snprintf(help, sizeof(help), "postern run --check -c %.200s", file);
	if (!text) {
		doctor_say(d, "configuration", given || errno != ENOENT ? DOCTOR_WRONG : DOCTOR_NOTE, "man postern.conf",
			   "%s: %s", file, strerror(errno));
		return false;
	}
	source.text = text;
	bool good = runconf_parse(conf, &source, errors);
	free(text);
	doctor_say(d, "configuration", good ? DOCTOR_OK : DOCTOR_WRONG, good ? NULL : help, "%s: %s", file,
		   good ? "good" : "wrong");
	return good;
}

static void rule_file(struct doctor *d, const char *file, FILE *errors)
{
	struct rulefile_source source = { .name = file, .now = (uint64_t)time(NULL) };
	struct plan plan;
	char help[300];
	char *text = rulefile_read(file, &source.len);
	snprintf(help, sizeof(help), "postern check %.200s", file);
	source.text = text;
	if (!text) {
		doctor_say(d, "rules", DOCTOR_WRONG, help, "%s: %s", file, strerror(errno));
		return;
	}
	bool good = plan_parse(&plan, &source, false, errors);
	doctor_say(d, "rules", good ? DOCTOR_OK : DOCTOR_WRONG, good ? NULL : help, "%s: %s", file, good ? "good" : "wrong");
	plan_free(&plan);
	free(text);
}

struct words {
	const char *file, *store, *control;
	bool json, given;
};

static int examine(const struct words *w, char *const *files, int count)
{
	struct doctor d = { .checks = json_array() };
	struct runconf conf = { .has_uplink = false };
	char *errors = NULL, socket[RUNCONF_SOCKETS + 20];
	size_t len = 0;
	FILE *to = open_memstream(&errors, &len);
	if (!to || !d.checks)
		panic("out of memory");
	bool good = configuration(&d, &conf, w->file, w->given, to);
	const char *at = good && *conf.sockets ? conf.sockets : NULL;
	doctor_host(&d, good ? &conf : NULL);
	doctor_programs(&d, &conf);
	if (good)
		doctor_ports(&d, &conf);
	snprintf(socket, sizeof(socket), "%s/store.sock", at ? at : "");
	doctor_store(&d, at && !w->store ? socket : storeclient_path(w->store));
	snprintf(socket, sizeof(socket), "%s/control.sock", at ? at : "");
	doctor_appliance(&d, at && !w->control ? socket : controlclient_path(w->control));
	for (int i = 0; i < count; i++)
		rule_file(&d, files[i], to);
	fclose(to);
	int code = show(&d, w->json);
	fflush(stdout);
	fputs(errors, stderr);
	free(errors);
	runconf_free(&conf);
	json_decref(d.checks);
	return code;
}

int verb_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },    { "config", required_argument, NULL, 'c' },
		{ "store", required_argument, NULL, 's' }, { "control", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },    { 0 },
	};
	struct words w = { .file = RUNCONF_FILE };
	for (int o; (o = getopt_long(argc, argv, "jhc:", options, NULL)) != -1;) {
		if (o == 'j')
			w.json = true;
		else if (o == 'c')
			w.file = optarg;
		else if (o == 's')
			w.store = optarg;
		else if (o == 'o')
			w.control = optarg;
		else
			return o == 'h' ? verb_help("doctor") : verb_usage("doctor");
		w.given |= o == 'c';
	}
	return examine(&w, argv + optind, argc - optind);
}
