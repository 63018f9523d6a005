// SPDX-License-Identifier: ISC
/* postern metrics: counters and histograms for Prometheus and whoever reads its formats. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "controlclient.h"
#include "metrics.h"
#include "metrics_serve.h"
#include "verbs.h"

enum { PATH_BYTES = 4096 };

static char *page(void *context, bool openmetrics, size_t *len)
{
	struct metrics m;
	char *text = NULL;
	FILE *to = open_memstream(&text, len);
	if (!to)
		panic("out of memory");
	metrics_init(&m);
	/* Nobody there is an answer too: postern_up is 0, and nothing else is said. */
	(void)metrics_gather(&m, context);
	metrics_print(to, &m, openmetrics ? METRICS_OPENMETRICS : METRICS_PLAIN);
	metrics_free(&m);
	fclose(to);
	return text;
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
	return where ? metrics_serve(where, page, (void *)(uintptr_t)control) : once(control, file);
}
