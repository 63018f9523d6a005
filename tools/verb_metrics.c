// SPDX-License-Identifier: ISC
/* postern metrics: counters and histograms for Prometheus and whoever reads its formats. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "controlclient.h"
#include "http_serve.h"
#include "metrics.h"
#include "verbs.h"

enum { PATH_BYTES = 4096 };

static void page(void *context, const struct http_request *asked, struct http_answer *to)
{
	struct metrics m;
	if (!http_path_is(asked, "/metrics")) {
		to->status = HTTP_NOT_FOUND;
		return;
	}
	FILE *out = open_memstream(&to->owned, &to->len);
	if (!out)
		panic("out of memory");
	metrics_init(&m);
	/* Nobody there is an answer too: postern_up is 0, and nothing else is said. */
	(void)metrics_gather(&m, context);
	metrics_print(out, &m, asked->openmetrics ? METRICS_OPENMETRICS : METRICS_PLAIN);
	metrics_free(&m);
	fclose(out);
	to->body = to->owned;
	to->type = asked->openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
		   "text/plain; version=0.0.4; charset=utf-8";
}

/* Aside, then renamed: a reader never sees half of it. */
static int write_aside(const struct metrics *m, const char *file)
{
	char aside[PATH_BYTES];
	int n = snprintf(aside, sizeof(aside), "%s.%ld", file, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(aside))
		return complain(EXIT_USAGE, "%s: too long a name", file);
	FILE *to = fopen(aside, "wx");
	if (!to)
		return complain(EXIT_REFUSED, "%s: %s", aside, strerror(errno));
	metrics_print(to, m, METRICS_PLAIN);
	bool bad = ferror(to) != 0;
	if (fclose(to) || bad || rename(aside, file)) {
		int reason = errno;
		unlink(aside);
		return complain(EXIT_REFUSED, "%s: %s", file, strerror(reason));
	}
	return EXIT_YES;
}

static int once(const char *control, const char *file)
{
	struct metrics m;
	metrics_init(&m);
	int code = metrics_gather(&m, control);
	if (code == EXIT_YES && file)
		code = write_aside(&m, file);
	else if (code == EXIT_YES)
		metrics_print(stdout, &m, METRICS_OPENMETRICS);
	metrics_free(&m);
	return code;
}

int verb_metrics(int argc, char **argv)
{
	static const struct option options[] = {
		{ "textfile", required_argument, NULL, 'f' },
		{ "listen", required_argument, NULL, 'l' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL, *file = NULL, *where = NULL;
	for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (o == 'f')
			file = optarg;
		else if (o == 'l')
			where = optarg;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("metrics") : verb_usage("metrics");
	}
	if (optind != argc || (file && where))
		return verb_usage("metrics");
	control = controlclient_path(control);
	const struct http_site site = { .answer = page, .context = (void *)(uintptr_t)control };
	return where ? http_serve(where, &site) : once(control, file);
}
