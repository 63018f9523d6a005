// SPDX-License-Identifier: ISC
/* Latency for a terminal: percentiles with the count behind each, and a histogram of bars. */
#include <string.h>

#include "columns.h"
#include "latency_out.h"

enum { TITLE = 22, BAR_CELLS = 50, BARS_MAX = 24 };

void latency_duration(char to[LATENCY_DURATION_BYTES], uint64_t ns)
{
	static const struct {
		const char *name;
		double ns;
	} unit[] = { { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 } };
	for (size_t i = 0; i < array_len(unit); i++) {
		double v = (double)ns / unit[i].ns;
		if (v < 0.9995)
			continue;
		snprintf(to, LATENCY_DURATION_BYTES, "%.*f %s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, unit[i].name);
		return;
	}
	snprintf(to, LATENCY_DURATION_BYTES, "%u ns", (unsigned)ns);
}

void latency_ppm_name(char to[LATENCY_DURATION_BYTES], uint32_t ppm)
{
	if (ppm == 0)
		snprintf(to, LATENCY_DURATION_BYTES, "min");
	else if (ppm == HISTOGRAM_WHOLE_PPM)
		snprintf(to, LATENCY_DURATION_BYTES, "max");
	else
		snprintf(to, LATENCY_DURATION_BYTES, "%.6g", ppm / 1e4);
}

static void print_cell(FILE *to, const struct histogram *h, uint32_t ppm)
{
	char text[LATENCY_DURATION_BYTES];
	if (!h->count) {
		fprintf(to, "  %9s %12s", "-", "");
		return;
	}
	bool edge = ppm == 0 || ppm == HISTOGRAM_WHOLE_PPM;
	uint64_t beyond = histogram_beyond(h, ppm);
	latency_duration(text, ppm ? histogram_quantile(h, ppm) : h->min_ns);
	if (edge)
		fprintf(to, "  %9s %12s", text, "");
	else
		fprintf(to, "  %9s (%llu)%s%*s", text, (unsigned long long)beyond,
			beyond < LATENCY_RELIABLE ? "?" : "",
			10 - snprintf(NULL, 0, "%llu", (unsigned long long)beyond) - (beyond < LATENCY_RELIABLE), "");
}

/* How much of a title stands in the first line: whole words. */
static size_t first_line(const char *title)
{
	size_t len = strlen(title), at = TITLE;
	if (len <= TITLE)
		return len;
	while (at > 0 && title[at] != ' ')
		at--;
	return at ? at : TITLE;
}

/* Names in two lines, where one is too short for any of them. */
static void print_titles(FILE *to, const struct latency_series *const *s, size_t n)
{
	char text[LATENCY_NAME_BYTES];
	bool second = false;
	for (int row = 0; row == 0 || (row == 1 && second); row++) {
		fprintf(to, "%-8s", "");
		for (size_t i = 0; i < n; i++) {
			size_t len = columns_clean(text, sizeof(text), s[i]->name), first = first_line(text);
			const char *rest = text + first + (text[first] == ' ');
			size_t left = strlen(rest);
			second |= first < len;
			if (row == 0)
				fprintf(to, "  %-22.*s", (int)first, text);
			else
				fprintf(to, "  %-22s", rest + (left > TITLE ? left - TITLE : 0)); /* the end tells them apart */
		}
		fputc('\n', to);
	}
}

/* Some series side by side, for as many as a line holds. */
static void print_percentiles(FILE *to, const struct latency_series *const *s, size_t n)
{
	char text[LATENCY_NAME_BYTES];
	print_titles(to, s, n);
	fprintf(to, "%-8s", "count");
	for (size_t i = 0; i < n; i++)
		fprintf(to, "  %9llu %12s", (unsigned long long)s[i]->total.count, "");
	fputc('\n', to);
	for (size_t p = 0; p < latency_ppm_count; p++) {
		latency_ppm_name(text, latency_ppm[p]);
		fprintf(to, "%-8s", text);
		for (size_t i = 0; i < n; i++)
			print_cell(to, &s[i]->total, latency_ppm[p]);
		fputc('\n', to);
	}
	fprintf(to, "%-8s", "mean");
	for (size_t i = 0; i < n; i++) {
		latency_duration(text, histogram_mean(&s[i]->total));
		fprintf(to, "  %9s %12s", s[i]->total.count ? text : "-", "");
	}
	fputc('\n', to);
}

static void print_counters(FILE *to, const struct latency_series *s)
{
	const char *name, *lead = "";
	char clean[LATENCY_NAME_BYTES], text[COLUMNS_CELL_MAX];
	json_t *value;
	if (!json_object_size(s->counters))
		return;
	columns_clean(clean, sizeof(clean), s->name);
	fprintf(to, "%s: ", clean);
	json_object_foreach(s->counters, name, value) {
		columns_clean(clean, sizeof(clean), name);
		columns_value(text, sizeof(text), value);
		fprintf(to, "%s%s %s", lead, clean, text);
		lead = ", ";
	}
	fputc('\n', to);
}

/* How many buckets make one bar, so that what is worth seeing fits. */
static uint32_t bar_step(uint32_t first, uint32_t last)
{
	uint32_t step = 1;
	while ((last - first) / step >= BARS_MAX)
		step *= 2;
	return step;
}

static void print_bar(FILE *to, uint32_t first, uint32_t last, uint64_t n, uint64_t top)
{
	/* An eighth of a cell at a time. */
	static const char *const eighth[] = { "", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589" };
	char low[LATENCY_DURATION_BYTES], high[LATENCY_DURATION_BYTES];
	uint64_t eighths = n * BAR_CELLS * 8 / top;
	if (n && !eighths)
		eighths = 1;
	latency_duration(low, histogram_low(first));
	latency_duration(high, histogram_high(last) + 1);
	fprintf(to, "%9s - %9s %10llu ", low, high, (unsigned long long)n);
	for (uint64_t i = 0; i < eighths / 8; i++)
		fputs("\u2588", to);
	fprintf(to, "%s\n", eighth[eighths % 8]);
}

void latency_print_histogram(FILE *to, const struct histogram *h)
{
	uint32_t first = 0, last = HISTOGRAM_BUCKETS - 1;
	uint64_t top = 0;
	if (!histogram_held(h))
		return;
	while (!h->bucket[first])
		first++;
	while (!h->bucket[last])
		last--;
	uint32_t step = bar_step(first, last);
	first -= first % step;
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = first; i <= last; i += step) {
			uint64_t n = 0;
			uint32_t end = i + step - 1 < HISTOGRAM_BUCKETS ? i + step - 1 : HISTOGRAM_BUCKETS - 1;
			for (uint32_t b = i; b <= end; b++)
				n += h->bucket[b];
			if (pass)
				print_bar(to, i, end, n, top);
			else if (n > top)
				top = n;
		}
}

void latency_print_warnings(FILE *to, const struct latency_run *run)
{
	size_t i;
	const json_t *w;
	char text[COLUMNS_CELL_MAX];
	json_array_foreach(run->warnings, i, w) {
		columns_value(text, sizeof(text), w);
		fprintf(to, "warning: %s\n", text);
	}
}

void latency_print_run(FILE *to, const struct latency_run *run, const char *series)
{
	enum { ACROSS = 4 };
	const struct latency_series *s[ACROSS], *main_one = latency_run_main(run, series);
	size_t n = 0;
	for (size_t i = 0; i < run->count; i++) {
		if (!series || &run->series[i] == main_one)
			s[n++] = &run->series[i];
		if (n == ACROSS || (n && i + 1 == run->count)) {
			print_percentiles(to, s, n);
			fputc('\n', to);
			n = 0;
		}
	}
	for (size_t i = 0; i < run->count; i++)
		if (!series || &run->series[i] == main_one)
			print_counters(to, &run->series[i]);
	if (main_one && main_one->total.count) {
		char clean[LATENCY_NAME_BYTES];
		columns_clean(clean, sizeof(clean), main_one->name);
		fprintf(to, "%s%s\n", json_object_size(main_one->counters) ? "\n" : "", clean);
		latency_print_histogram(to, &main_one->total);
		fputs("\n(n): values beyond the percentile; ?: too few of them to trust it\n", to);
	}
	latency_print_warnings(to, run);
}
