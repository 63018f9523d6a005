// SPDX-License-Identifier: ISC
/* The appliance's histograms as one table: a line for each stage, client or rule. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "latency_out.h"
#include "latency_view.h"

bool latency_view_request(enum latency_view view, const char *client, char request[LATENCY_REQUEST_BYTES])
{
	static const char *const word[] = {
		[LATENCY_VIEW_WHOLE] = "latency", [LATENCY_VIEW_STAGES] = "latency",
		[LATENCY_VIEW_CLIENTS] = "latency clients", [LATENCY_VIEW_RULES] = "latency rules",
	};
	uint8_t bytes[16];
	if (!client) {
		snprintf(request, LATENCY_REQUEST_BYTES, "%s", word[view]);
		return true;
	}
	if (inet_pton(AF_INET, client, bytes) != 1 && inet_pton(AF_INET6, client, bytes) != 1)
		return false;
	snprintf(request, LATENCY_REQUEST_BYTES, "latency client %.50s", client);
	return true;
}

static bool is_stage(const char *series)
{
	static const char *const stage[] = { "any host-in", "any parse", "any lookup", "any forward", "any publish",
					     "any host-out" };
	for (size_t i = 0; i < array_len(stage); i++)
		if (!strcmp(series, stage[i]))
			return true;
	return false;
}

void latency_view_select(enum latency_view view, struct latency_run *run)
{
	size_t kept = 0;
	if (view != LATENCY_VIEW_STAGES)
		return;
	for (size_t i = 0; i < run->count; i++) {
		struct latency_series *s = &run->series[i];
		if (is_stage(s->name)) {
			run->series[kept++] = *s;
			continue;
		}
		free(s->block);
		json_decref(s->counters);
	}
	run->count = kept;
}

/* The exact least and greatest are of all time; of a part of it the edges of its buckets are known. */
static void subtract(struct histogram *h, const struct histogram *before)
{
	bool begun = false;
	if (!before->count)
		return;
	h->count -= before->count;
	h->sum_ns = h->sum_ns > before->sum_ns ? h->sum_ns - before->sum_ns : 0;
	h->min_ns = h->max_ns = 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		h->bucket[i] -= before->bucket[i] < h->bucket[i] ? before->bucket[i] : h->bucket[i];
		if (!h->bucket[i])
			continue;
		if (!begun)
			h->min_ns = histogram_low(i);
		begun = true;
		h->max_ns = histogram_high(i);
	}
}

void latency_view_since(struct latency_run *run, struct latency_run *before)
{
	for (size_t i = 0; i < run->count; i++) {
		struct latency_series *is = &run->series[i], *was = latency_run_find(before, is->name);
		struct histogram whole = is->total;
		if (!was)
			was = latency_run_add(before, is->name, is->role, 0);
		if (was->total.count <= whole.count)
			subtract(&is->total, &was->total);
		was->total = whole;
	}
}

/* "up residence 10.137.0.5" is the way up of 10.137.0.5; "any drop ..." the dropped. */
static void split(const char *series, char way[LATENCY_NAME_BYTES], const char **of)
{
	const char *stage = strchr(series, ' '), *rest = stage ? strchr(stage + 1, ' ') : NULL;
	bool directed = !strncmp(series, "up ", 3) || !strncmp(series, "down ", 5);
	const char *word = directed || !stage ? series : stage + 1;
	snprintf(way, LATENCY_NAME_BYTES, "%.*s", (int)strcspn(word, " "), word);
	*of = rest ? rest + 1 : "";
}

static json_t *row_of(const struct latency_series *s)
{
	static const struct {
		const char *name;
		uint32_t ppm;
	} cell[] = { { "p50", 500000 }, { "p90", 900000 }, { "p99", 990000 }, { "p999", 999000 },
		     { "max", HISTOGRAM_WHOLE_PPM } };
	char way[LATENCY_NAME_BYTES], text[LATENCY_DURATION_BYTES + 2];
	const char *of;
	split(s->name, way, &of);
	json_t *row = json_pack("{s:s, s:s, s:I}", "way", way, "of", of, "count", (json_int_t)s->total.count);
	for (size_t i = 0; i < array_len(cell); i++) {
		latency_duration(text, histogram_quantile(&s->total, cell[i].ppm));
		if (cell[i].ppm != HISTOGRAM_WHOLE_PPM && histogram_beyond(&s->total, cell[i].ppm) < LATENCY_RELIABLE)
			strcat(text, "?");
		json_object_set_new(row, cell[i].name, json_string(text));
	}
	latency_duration(text, histogram_mean(&s->total));
	json_object_set_new(row, "mean", json_string(text));
	return row;
}

static int by_count(const void *a, const void *b)
{
	const struct latency_series *const *x = a, *const *y = b;
	return ((*x)->total.count < (*y)->total.count) - ((*x)->total.count > (*y)->total.count);
}

/* The order in which a packet comes by. */
static int by_place(const void *a, const void *b)
{
	static const char *const order[] = { "host-in", "parse", "lookup", "forward", "publish", "host-out" };
	size_t place[2] = { 0, 0 };
	for (int side = 0; side < 2; side++) {
		const struct latency_series *const *s = side ? b : a;
		const char *stage = strchr((*s)->name, ' ');
		while (place[side] < array_len(order) && stage && strcmp(stage + 1, order[place[side]]))
			place[side]++;
	}
	return (place[0] > place[1]) - (place[0] < place[1]);
}

void latency_view_print(FILE *to, enum latency_view view, const struct latency_run *run)
{
	static const char *const title[][2] = {
		[LATENCY_VIEW_WHOLE] = { "WAY", "OF" }, [LATENCY_VIEW_STAGES] = { "STAGE", "" },
		[LATENCY_VIEW_CLIENTS] = { "WAY", "CLIENT" }, [LATENCY_VIEW_RULES] = { "WAY", "RULE" },
	};
	struct column column[] = {
		{ title[view][1], "of", NULL, false }, { title[view][0], "way", NULL, false },
		{ "PACKETS", "count", NULL, true }, { "P50", "p50", NULL, true }, { "P90", "p90", NULL, true },
		{ "P99", "p99", NULL, true }, { "P99.9", "p999", NULL, true }, { "MAX", "max", NULL, true },
		{ "MEAN", "mean", NULL, true },
	};
	bool stages = view == LATENCY_VIEW_STAGES;
	const struct latency_series *order[LATENCY_SERIES_MAX];
	struct columns t;
	size_t n = 0;
	for (size_t i = 0; i < run->count; i++)
		if (run->series[i].total.count)
			order[n++] = &run->series[i];
	qsort(order, n, sizeof(order[0]), stages ? by_place : by_count);
	columns_on(&t, column + stages, array_len(column) - stages);
	for (size_t i = 0; i < n; i++) {
		json_t *row = row_of(order[i]);
		columns_add(&t, row);
		json_decref(row);
	}
	columns_print(&t, to);
	columns_free(&t);
	latency_print_warnings(to, run);
}
