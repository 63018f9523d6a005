// SPDX-License-Identifier: ISC
/* postern latency compare: is B really slower than A, and by how much. */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "columns.h"
#include "latency_out.h"
#include "latency_stats.h"
#include "latency_verbs.h"
#include "verbs.h"

/* A machine reads this one: B is slower by more than the threshold. */
enum { EXIT_REGRESSION = 3 };
static const uint32_t compared[] = { 500000, 900000, 990000 };

struct comparison {
	struct latency_run run[2 * LATENCY_PAIRS_MAX]; /* A, B, A, B, ... */
	size_t pairs;
	const char *series; /* NULL: all that were measured */
	double threshold, confidence; /* percent; of all percentiles of a series together */
	bool json;
	json_t *answer; /* lines of it */
	bool regression, known;
};

static const char *verdict_of(const struct latency_change *c)
{
	return c->low_ns > 0 ? "slower" : c->high_ns < 0 ? "faster" : "no difference measurable";
}

static void print_change(const struct latency_change *c, uint32_t ppm)
{
	char a[LATENCY_DURATION_BYTES], b[LATENCY_DURATION_BYTES], name[LATENCY_DURATION_BYTES];
	double percent = 100 / c->a_ns, floor = (c->high_ns - c->low_ns) / 2 * percent;
	latency_duration(a, (uint64_t)llround(c->a_ns));
	latency_duration(b, (uint64_t)llround(c->b_ns));
	latency_ppm_name(name, ppm);
	printf("%-10s %9s %9s  %+6.1f %%  [%+.1f, %+.1f]  ", name, a, b, c->change_ns * percent,
	       c->low_ns * percent, c->high_ns * percent);
	if (c->low_ns > 0 || c->high_ns < 0)
		puts(verdict_of(c));
	else
		printf("%s (noise floor %.1f %%)\n", verdict_of(c), floor);
}

static void compare_percentile(struct comparison *x, const struct latency_series *const *a,
			       const struct latency_series *const *b, uint32_t ppm)
{
	struct latency_change c;
	double each = 1 - (1 - x->confidence) / array_len(compared);
	bool known = latency_change_of(a, b, x->pairs, ppm, each, &c) && c.a_ns > 0;
	if (!known) {
		char name[LATENCY_DURATION_BYTES];
		latency_ppm_name(name, ppm);
		if (!x->json)
			printf("%-10s too few values to tell\n", name);
		json_array_append_new(x->answer, json_pack("{s:s, s:f, s:s}", "series", a[0]->name, "p", ppm / 1e4,
							   "verdict", "too few values"));
		return;
	}
	bool past = c.low_ns / c.a_ns * 100 > x->threshold;
	x->known = true;
	x->regression |= past;
	if (!x->json)
		print_change(&c, ppm);
	json_array_append_new(
		x->answer,
		json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:b}", "series", a[0]->name, "p", ppm / 1e4,
			  "a_ns", c.a_ns, "b_ns", c.b_ns, "change_percent", c.change_ns / c.a_ns * 100, "low_percent",
			  c.low_ns / c.a_ns * 100, "high_percent", c.high_ns / c.a_ns * 100, "noise_floor_percent",
			  (c.high_ns - c.low_ns) / 2 / c.a_ns * 100, "confidence", each, "verdict", verdict_of(&c),
			  "regression", past));
}

/* The same series of every run; a run with one measured series only may call it otherwise. */
static bool gather(const struct comparison *x, const struct latency_series *of, const struct latency_series **a,
		   const struct latency_series **b)
{
	for (size_t i = 0; i < x->pairs; i++)
		for (int side = 0; side < 2; side++) {
			const struct latency_run *run = &x->run[2 * i + (size_t)side];
			const struct latency_series *s = latency_run_find(run, of->name);
			size_t measured = 0;
			for (size_t k = 0; k < run->count; k++)
				measured += run->series[k].role == LATENCY_MEASURED;
			if (!s && measured == 1 && !x->series)
				s = latency_run_main(run, NULL);
			if (!s)
				return false;
			(side ? b : a)[i] = s;
		}
	return true;
}

/* A difference that the senders made themselves is none of the path. */
static void warn_of_generator(struct comparison *x, const struct latency_series *a, const struct latency_series *b)
{
	char name[LATENCY_NAME_BYTES + 16];
	const struct latency_series *noise[2];
	const char *of[2] = { a->name, b->name };
	for (int side = 0; side < 2; side++) {
		snprintf(name, sizeof(name), "%s generator", of[side]);
		noise[side] = latency_run_find(&x->run[side], name);
		if (!noise[side] || !noise[side]->total.count)
			return;
	}
	double own = latency_quantile_within(&noise[1]->total, 500000) - latency_quantile_within(&noise[0]->total, 500000);
	double seen = latency_quantile_within(&b->total, 500000) - latency_quantile_within(&a->total, 500000);
	if (fabs(own) * 2 < fabs(seen))
		return;
	char text[LATENCY_DURATION_BYTES];
	latency_duration(text, (uint64_t)llround(fabs(own)));
	snprintf(name, sizeof(name), "%.80s net", a->name);
	if (!x->json)
		printf("warning: of p50 the generators' own errors make %s: compare --series \"%s\"\n", text, name);
	json_array_append_new(x->answer, json_pack("{s:s, s:s, s:f}", "series", a->name, "verdict",
						   "generators differ", "generator_ns", own));
}

static void compare_series(struct comparison *x, const struct latency_series *of)
{
	const struct latency_series *a[LATENCY_PAIRS_MAX], *b[LATENCY_PAIRS_MAX];
	char clean[LATENCY_NAME_BYTES];
	columns_clean(clean, sizeof(clean), of->name);
	if (!gather(x, of, a, b)) {
		complain(EXIT_NO, "%s is not in every run: passed over", clean);
		return;
	}
	if (!x->json)
		printf("%s\n%-10s %9s %9s  %8s  interval\n", clean, "PERCENTILE", "A", "B", "CHANGE");
	for (size_t i = 0; i < array_len(compared); i++)
		compare_percentile(x, a, b, compared[i]);
	warn_of_generator(x, a[0], b[0]);
}

static int conclude(struct comparison *x)
{
	const char *caution =
		x->pairs < LATENCY_PAIRED ?
			"few runs: differences between runs of the same thing do not show; "
			"make four or more of each, in turns" :
			NULL;
	if (x->json) {
		json_t *document = json_pack("{s:i, s:i, s:f, s:f, s:b, s:O}", "schema", 1, "pairs", (int)x->pairs,
					     "confidence", x->confidence, "threshold_percent", x->threshold,
					     "regression", x->regression, "comparisons", x->answer);
		if (caution)
			json_object_set_new(document, "warnings", json_pack("[s]", caution));
		answer_print(document);
	} else {
		printf("\nintervals hold together with %g %%; B %s by more than %g %%\n", x->confidence * 100,
		       x->regression ? "is slower" : "is not shown to be slower", x->threshold);
		if (caution)
			printf("warning: %s\n", caution);
	}
	if (!x->known)
		return complain(EXIT_NO, "nothing could be compared");
	return x->regression ? EXIT_REGRESSION : EXIT_YES;
}

static int compare_all(struct comparison *x)
{
	const struct latency_run *first = &x->run[0];
	size_t n = 0;
	x->answer = json_array();
	for (size_t i = 0; i < first->count; i++) {
		const struct latency_series *s = &first->series[i];
		if (x->series ? strcmp(s->name, x->series) != 0 : s->role != LATENCY_MEASURED)
			continue;
		if (n++ && !x->json)
			putchar('\n');
		compare_series(x, s);
	}
	int code = conclude(x);
	json_decref(x->answer);
	return code;
}

static int load_all(struct comparison *x, char **file, size_t n)
{
	char reason[LATENCY_REASON_BYTES];
	size_t loaded = 0;
	int code = EXIT_YES;
	for (; loaded < n && code == EXIT_YES; loaded++)
		if (!latency_run_load(&x->run[loaded], file[loaded], reason)) {
			code = complain(EXIT_USAGE, "%s: %s", file[loaded], reason);
			break;
		}
	x->pairs = n / 2;
	if (code == EXIT_YES)
		code = compare_all(x);
	for (size_t i = 0; i < loaded; i++)
		latency_run_free(&x->run[i]);
	return code;
}

static bool percent(const char *text, double most, double *value)
{
	char *end;
	*value = strtod(text, &end);
	return end != text && !*end && *value >= 0 && *value <= most;
}

int latency_compare(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "threshold", required_argument, NULL, 't' },
		{ "confidence", required_argument, NULL, 'c' },
		{ "series", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct comparison x;
	x = (struct comparison){ .confidence = 0.95 };
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
		if (o == 'j')
			x.json = true;
		else if (o == 's')
			x.series = optarg;
		else if (o == 't' && percent(optarg, 1e6, &x.threshold))
			continue;
		else if (o == 'c' && percent(optarg, 99.99, &x.confidence) && x.confidence >= 50)
			x.confidence /= 100;
		else
			return o == 'h' ? verb_help("latency") : verb_usage("latency");
	}
	size_t n = (size_t)(argc - optind);
	if (!n || n % 2 || n > 2 * LATENCY_PAIRS_MAX)
		return verb_usage("latency");
	return load_all(&x, argv + optind, n);
}
