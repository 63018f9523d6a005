// SPDX-License-Identifier: ISC
/* A latency run in memory: its series, warnings and counters. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "latency_run.h"
#include "must.h"

const uint32_t latency_ppm[] = { 0,	 250000, 500000, 750000, 900000, 950000,
				 990000, 999000, 999900, 999990, HISTOGRAM_WHOLE_PPM };
const size_t latency_ppm_count = array_len(latency_ppm);

void latency_run_init(struct latency_run *run, const char *tool)
{
	*run = (struct latency_run){ .config = must(json_object()),
				     .host = must(json_object()),
				     .warnings = must(json_array()) };
	snprintf(run->tool, sizeof(run->tool), "%s", tool);
}

void latency_run_free(struct latency_run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		free(run->series[i].block);
		json_decref(run->series[i].counters);
	}
	free(run->series);
	json_decref(run->config);
	json_decref(run->host);
	json_decref(run->warnings);
	*run = (struct latency_run){ .count = 0 };
}

struct latency_series *latency_run_add(struct latency_run *run, const char *name, enum latency_role role,
				       uint32_t blocks)
{
	run->series = must(reallocarray(run->series, run->count + 1, sizeof(*run->series)));
	struct latency_series *s = &run->series[run->count++];
	*s = (struct latency_series){ .role = role, .blocks = blocks, .counters = must(json_object()) };
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (blocks)
		s->block = must(calloc(blocks, sizeof(*s->block)));
	return s;
}

struct latency_series *latency_run_find(const struct latency_run *run, const char *name)
{
	for (size_t i = 0; i < run->count; i++)
		if (!strcmp(run->series[i].name, name))
			return &run->series[i];
	return NULL;
}

struct latency_series *latency_run_main(const struct latency_run *run, const char *name)
{
	if (name)
		return latency_run_find(run, name);
	for (size_t i = 0; i < run->count; i++)
		if (run->series[i].role == LATENCY_MEASURED)
			return &run->series[i];
	return run->count ? run->series : NULL;
}

void latency_run_warn(struct latency_run *run, const char *format, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_array_append_new(run->warnings, json_string(text));
}

void latency_record(struct latency_series *s, uint32_t block, uint64_t ns)
{
	histogram_record(&s->total, ns);
	if (s->blocks)
		histogram_record(&s->block[block < s->blocks ? block : s->blocks - 1], ns);
}

void latency_count(struct latency_series *s, const char *counter, uint64_t n)
{
	json_object_set_new(s->counters, counter, json_integer((json_int_t)n));
}
