// SPDX-License-Identifier: ISC
/* What is done with a run once there is one: shown, saved, drawn. */
#include <string.h>

#include "answer.h"
#include "latency_out.h"
#include "verbs.h"

bool latency_wish_take(struct latency_wish *w, int option, const char *argument)
{
	switch (option) {
	case 'j':
		w->form = LATENCY_JSON;
		return true;
	case 'o':
		w->save = argument;
		return true;
	case LATENCY_OPT_CSV:
		w->form = LATENCY_CSV;
		return true;
	case LATENCY_OPT_HGRM:
		w->form = LATENCY_HGRM;
		return true;
	case LATENCY_OPT_METRICS:
		w->form = LATENCY_METRICS;
		return true;
	case LATENCY_OPT_SVG:
		w->svg = argument;
		return true;
	case LATENCY_OPT_SERIES:
		w->series = argument;
		return true;
	default:
		return false;
	}
}

static int draw(const struct latency_wish *w, const struct latency_run *const *run, const char *const *label,
		size_t n)
{
	struct latency_curve curve[LATENCY_OVERLAY_MAX];
	char text[LATENCY_OVERLAY_MAX][LATENCY_NAME_BYTES];
	size_t curves = 0;
	if (n == 1 && !w->series) { /* one run: all of its series */
		for (size_t i = 0; i < run[0]->count && curves < LATENCY_OVERLAY_MAX; i++)
			if (run[0]->series[i].total.count)
				curve[curves++] = (struct latency_curve){ run[0]->series[i].name,
									  &run[0]->series[i].total };
	} else
		for (size_t i = 0; i < n && curves < LATENCY_OVERLAY_MAX; i++) {
			const struct latency_series *s = latency_run_main(run[i], w->series);
			if (!s || !s->total.count)
				continue;
			snprintf(text[curves], sizeof(text[curves]), "%.40s %.40s", label[i], s->name);
			curve[curves] = (struct latency_curve){ text[curves], &s->total };
			curves++;
		}
	if (!curves)
		return complain(EXIT_NO, "nothing to draw: no values");
	FILE *to = strcmp(w->svg, "-") ? fopen(w->svg, "w") : stdout;
	if (!to)
		return complain(EXIT_NO, "%s: %m", w->svg);
	latency_print_svg(to, n == 1 ? label[0] : "latency", curve, curves);
	if (to != stdout && fclose(to))
		return complain(EXIT_NO, "%s: %m", w->svg);
	return EXIT_YES;
}

static int print_json(const struct latency_run *const *run, const char *const *label, size_t n)
{
	if (n == 1)
		return answer_print(latency_run_json(run[0]));
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:o}", "label", label[i], "run", latency_run_json(run[i])));
	return answer_print(json_pack("{s:i, s:o}", "schema", 1, "runs", list));
}

static int print_form(const struct latency_wish *w, const struct latency_run *const *run, const char *const *label,
		      size_t n)
{
	switch (w->form) {
	case LATENCY_TABLE:
		if (w->svg && !strcmp(w->svg, "-"))
			return EXIT_YES;
		for (size_t i = 0; i < n; i++) {
			if (n > 1)
				printf("%s%s\n", i ? "\n" : "", label[i]);
			latency_print_run(stdout, run[i], w->series);
		}
		return EXIT_YES;
	case LATENCY_JSON:
		return print_json(run, label, n);
	case LATENCY_CSV:
		latency_print_csv(stdout, run, label, n);
		return EXIT_YES;
	case LATENCY_NOTHING:
		return EXIT_YES;
	case LATENCY_HGRM:
	case LATENCY_METRICS:
		break;
	}
	if (n != 1)
		return complain(EXIT_USAGE, "this form shows one run");
	if (w->form == LATENCY_METRICS)
		latency_print_openmetrics(stdout, run[0]);
	else
		latency_print_hgrm(stdout, latency_run_main(run[0], w->series));
	return EXIT_YES;
}

int latency_grant(const struct latency_wish *w, const struct latency_run *const *run, const char *const *label,
		  size_t n)
{
	char reason[LATENCY_REASON_BYTES];
	for (size_t i = 0; i < n; i++)
		if (!latency_run_main(run[i], w->series))
			return complain(EXIT_NO, "%s: no series %s", label[i], w->series ? w->series : "at all");
	if (w->save && (n != 1 || !latency_run_save(run[0], w->save, reason)))
		return complain(EXIT_NO, "%s: %s", w->save, n == 1 ? reason : "only one run can be saved");
	int code = w->svg ? draw(w, run, label, n) : EXIT_YES;
	return code == EXIT_YES ? print_form(w, run, label, n) : code;
}
