// SPDX-License-Identifier: ISC
/* postern run: an appliance from a configuration file, for as long as it is wanted. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "notify.h"
#include "supervisor.h"
#include "verbs.h"

static int load(struct runconf *conf, const char *file)
{
	struct rulefile_source source = { .name = file };
	char *text = rulefile_read(file, &source.len);
	if (!text)
		return complain(EXIT_USAGE, "%s: %s", file, strerror(errno));
	source.text = text;
	bool good = runconf_parse(conf, &source, stderr);
	free(text);
	return good ? EXIT_YES : EXIT_NO;
}

static int check(const struct runconf *conf, const char *file, int code, bool json)
{
	bool good = code == EXIT_YES;
	if (code > EXIT_NO)
		return code;
	if (json && answer_print(json_pack("{s:i, s:b, s:I}", "schema", 1, "good", good, "clients",
					   (json_int_t)conf->count)) != EXIT_YES)
		return EXIT_NO;
	if (good && !json)
		printf("%s: good: the uplink and %zu %s\n", file, conf->count, conf->count == 1 ? "client" : "clients");
	return code;
}

/* From here on everybody's messages go there, ours too. */
static bool open_log(const char *path)
{
	int fd = *path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : -1;
	bool good = fd >= 0 && dup2(fd, STDERR_FILENO) >= 0;
	if (fd >= 0)
		close(fd);
	return good || !*path;
}

static int run(struct supervisor *s)
{
	int code = runplan_claim(s);
	if (code == EXIT_YES && !open_log(s->conf.log))
		code = complain(EXIT_REFUSED, "%s: %s", s->conf.log, strerror(errno));
	if (code == EXIT_YES)
		code = supervisor_run(s);
	runplan_release(s);
	return code;
}

int verb_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },   { "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },  { "help", no_argument, NULL, 'h' }, { 0 },
	};
	static struct supervisor s = { .file = RUNCONF_FILE, .lock = -1, .signals = -1 };
	bool only_check = false, json = false;
	for (int o; (o = getopt_long(argc, argv, "jhc:", options, NULL)) != -1;) {
		if (o == 'c')
			s.file = optarg;
		else if (o == 'k')
			only_check = true;
		else if (o == 'j')
			json = true;
		else
			return o == 'h' ? verb_help("run") : verb_usage("run");
	}
	if (argc != optind || (json && !only_check))
		return verb_usage("run");
	int code = load(&s.conf, s.file);
	if (only_check) {
		code = check(&s.conf, s.file, code, json);
	} else if (code != EXIT_YES) {
		code = EXIT_USAGE;
	} else {
		notify_begin();
		code = runplan_complete(&s) ? run(&s) : EXIT_REFUSED;
	}
	runconf_free(&s.conf);
	return code;
}
