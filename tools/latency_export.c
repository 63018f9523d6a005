// SPDX-License-Identifier: ISC
/* Latency for other programs: CSV, HdrHistogram's text and OpenMetrics. */
#include <math.h>
#include <string.h>

#include "latency_out.h"

/* A field with what would break it doubled or replaced. */
static void csv_field(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
	}
	fputc('"', to);
}

void latency_print_csv(FILE *to, const struct latency_run *const *run, const char *const *label, size_t n)
{
	fputs("run,series,role,percentile,ns,beyond,count\n", to);
	for (size_t r = 0; r < n; r++)
		for (size_t i = 0; i < run[r]->count; i++) {
			const struct latency_series *s = &run[r]->series[i];
			static const char *const role[] = { "measured", "part", "noise" };
			for (size_t p = 0; p < latency_ppm_count && s->total.count; p++) {
				csv_field(to, label[r]);
				fputc(',', to);
				csv_field(to, s->name);
				fprintf(to, ",%s,%.6g,%llu,%llu,%llu\n", role[s->role], latency_ppm[p] / 1e4,
					(unsigned long long)histogram_quantile(&s->total, latency_ppm[p]),
					(unsigned long long)histogram_beyond(&s->total, latency_ppm[p]),
					(unsigned long long)s->total.count);
			}
		}
}

static double deviation(const struct histogram *h, uint64_t held)
{
	double mean = (double)histogram_mean(h), sum = 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double d = (double)(histogram_low(i) + histogram_high(i)) / 2 - mean;
		sum += d * d * h->bucket[i];
	}
	return held ? sqrt(sum / (double)held) : 0;
}

void latency_print_hgrm(FILE *to, const struct latency_series *s)
{
	const struct histogram *h = &s->total;
	uint64_t held = histogram_held(h), seen = 0;
	fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		seen += h->bucket[i];
		double value = (double)(seen == held ? h->max_ns : histogram_high(i)) / 1e3;
		double share = (double)seen / (double)held;
		fprintf(to, "%12.3f %14.12f %10llu", value, share, (unsigned long long)seen);
		if (seen < held)
			fprintf(to, " %14.2f", 1 / (1 - share));
		fputc('\n', to);
	}
	fprintf(to, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", (double)histogram_mean(h) / 1e3,
		deviation(h, held) / 1e3);
	fprintf(to, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)h->max_ns / 1e3,
		(unsigned long long)held);
	fprintf(to, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1,
		1 << HISTOGRAM_SUB_BITS);
}

static void metric_label(FILE *to, const char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else
			fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
}

static void metric_series(FILE *to, const char *tool, const struct latency_series *s)
{
	enum { LOWEST_BITS = 10, HIGHEST_BITS = 34 };
	static const char *const role[] = { "measured", "part", "noise" };
	const struct histogram *h = &s->total;
	uint64_t below = 0;
	uint32_t i = 0;
	for (int bits = LOWEST_BITS; bits <= HIGHEST_BITS + 1; bits++) {
		bool last = bits > HIGHEST_BITS;
		for (; i < HISTOGRAM_BUCKETS && (last || histogram_low(i) < 1ull << bits); i++)
			below += h->bucket[i];
		fprintf(to, "postern_latency_seconds_bucket{tool=\"");
		metric_label(to, tool);
		fprintf(to, "\",role=\"%s\",series=\"", role[s->role]);
		metric_label(to, s->name);
		if (last)
			fprintf(to, "\",le=\"+Inf\"} %llu\n", (unsigned long long)below);
		else
			fprintf(to, "\",le=\"%.9g\"} %llu\n", (double)(1ull << bits) / 1e9,
				(unsigned long long)below);
	}
	for (int sum = 1; sum >= 0; sum--) {
		fprintf(to, "postern_latency_seconds_%s{tool=\"", sum ? "sum" : "count");
		metric_label(to, tool);
		fprintf(to, "\",role=\"%s\",series=\"", role[s->role]);
		metric_label(to, s->name);
		if (sum)
			fprintf(to, "\"} %.9f\n", (double)h->sum_ns / 1e9);
		else
			fprintf(to, "\"} %llu\n", (unsigned long long)below);
	}
}

void latency_print_openmetrics(FILE *to, const struct latency_run *run)
{
	fputs("# TYPE postern_latency_seconds histogram\n# UNIT postern_latency_seconds seconds\n"
	      "# HELP postern_latency_seconds How long packets took.\n", to);
	for (size_t i = 0; i < run->count; i++)
		metric_series(to, run->tool, &run->series[i]);
	fputs("# EOF\n", to);
}
