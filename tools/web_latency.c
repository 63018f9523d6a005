// SPDX-License-Identifier: ISC
/* Latency for the page: what came between two looks, and what each client has had since the start. */
#include "web_latency.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"

static const char up_name[] = "up residence", down_name[] = "down residence";

void web_latency_init(struct web_latency *l)
{
	latency_run_init(&l->whole, "appliance");
	latency_run_init(&l->clients, "appliance");
}

void web_latency_free(struct web_latency *l)
{
	latency_run_free(&l->whole);
	latency_run_free(&l->clients);
}

/* --- what came in between ------------------------------------------------------------ */

static json_t *series_sample(const struct histogram *old, const struct histogram *now)
{
	static const struct { const char *name; uint32_t ppm; } quantiles[] = {
		{ "p50", 500000 }, { "p90", 900000 }, { "p99", 990000 }, { "p999", 999000 },
	};
	static struct histogram grown; /* large; one thread */
	json_t *rows = json_array();
	grown = (struct histogram){ .count = 0 };
	for (uint32_t row = 0; row < WEB_ROWS; row++) {
		json_int_t in_row = 0;
		for (uint32_t i = row * WEB_ROW_BUCKETS; i < (row + 1) * WEB_ROW_BUCKETS; i++) {
			/* Fewer than before: it was reset, or halved. */
			uint32_t was = old && old->bucket[i] <= now->bucket[i] ? old->bucket[i] : 0;
			if (now->bucket[i] > was)
				histogram_fill(&grown, i, now->bucket[i] - was);
			in_row += now->bucket[i] - was;
		}
		if (in_row)
			json_array_append_new(rows, json_pack("[I, I]", (json_int_t)row, in_row));
	}
	grown.count = histogram_held(&grown);
	grown.max_ns = now->max_ns;
	json_t *sample = json_pack("{s:I, s:o}", "count", (json_int_t)grown.count, "rows", rows);
	for (size_t i = 0; i < array_len(quantiles); i++)
		json_object_set_new(sample, quantiles[i].name,
				    json_integer((json_int_t)histogram_quantile(&grown, quantiles[i].ppm)));
	return sample;
}

/* Up and down together; client: whose, NULL: everybody's. False: there is neither. */
static bool passed(const struct latency_run *run, const char *client, struct histogram *sum)
{
	bool any = false;
	histogram_clear(sum);
	for (int way = 0; way < 2; way++) {
		char name[LATENCY_NAME_BYTES];
		snprintf(name, sizeof(name), "%s%s%s", way ? down_name : up_name, client ? " " : "", client ? client : "");
		const struct latency_series *s = latency_run_find(run, name);
		if (s)
			histogram_merge(sum, &s->total);
		any |= s != NULL;
	}
	return any;
}

/* Whose series that is, told once for both ways; NULL: not a client's, or told already. */
static const char *client_of(const struct latency_run *run, const char *name)
{
	char other[LATENCY_NAME_BYTES];
	size_t up = sizeof(up_name) - 1, down = sizeof(down_name) - 1;
	if (!strncmp(name, up_name, up) && name[up] == ' ')
		return name + up + 1;
	if (strncmp(name, down_name, down) || name[down] != ' ')
		return NULL;
	snprintf(other, sizeof(other), "%s%s", up_name, name + down);
	return latency_run_find(run, other) ? NULL : name + down + 1;
}

static json_int_t count_of(const json_t *sample)
{
	return json_integer_value(json_object_get(sample, "count"));
}

static void keep_series(json_t *all, const char *name, const struct histogram *old, const struct histogram *now)
{
	json_t *one = series_sample(old, now);
	if (count_of(one))
		json_object_set(all, name, one);
	json_decref(one);
}

struct pick {
	const char *client;
	json_t *sample;
};

static int busier(const void *a, const void *b)
{
	const struct pick *l = a, *r = b;
	json_int_t left = count_of(l->sample), right = count_of(r->sample);
	return left != right ? (left > right ? -1 : 1) : strcmp(l->client, r->client);
}

static void keep_clients(json_t *all, const struct latency_run *old, const struct latency_run *now)
{
	static struct histogram was, is; /* large; one thread */
	struct pick *pick = calloc(now->count ? now->count : 1, sizeof(*pick));
	size_t count = 0;
	if (!pick)
		panic("out of memory");
	for (size_t i = 0; i < now->count; i++) {
		const char *client = client_of(now, now->series[i].name);
		if (!client)
			continue;
		passed(now, client, &is);
		pick[count++] = (struct pick){ client, series_sample(passed(old, client, &was) ? &was : NULL, &is) };
	}
	qsort(pick, count, sizeof(*pick), busier);
	for (size_t i = 0; i < count; i++) {
		char name[LATENCY_NAME_BYTES + 8];
		snprintf(name, sizeof(name), "client %s", pick[i].client);
		if (i < WEB_LATENCY_CLIENTS && count_of(pick[i].sample))
			json_object_set(all, name, pick[i].sample);
		json_decref(pick[i].sample);
	}
	free(pick);
}

json_t *web_latency_sample(const struct web_latency *before, const struct web_latency *now)
{
	static struct histogram was_sum, sum; /* large; one thread */
	const struct latency_run *old = &before->whole, *is = &now->whole;
	json_t *all = json_object();
	passed(old, NULL, &was_sum);
	passed(is, NULL, &sum);
	keep_series(all, "passed", &was_sum, &sum);
	for (size_t i = 0; i < is->count && json_object_size(all) < WEB_LATENCY_MAX; i++) {
		const struct latency_series *was = latency_run_find(old, is->series[i].name);
		keep_series(all, is->series[i].name, was ? &was->total : NULL, &is->series[i].total);
	}
	keep_clients(all, &before->clients, &now->clients);
	return all;
}

/* --- since the start --------------------------------------------------------------------- */

static json_t *client_entry(const char *client, const struct histogram *h)
{
	static const struct { double p; uint32_t ppm; } ranks[] = {
		{ 50, 500000 }, { 90, 900000 }, { 99, 990000 }, { 99.9, 999000 },
	};
	json_t *percentiles = json_array();
	for (size_t i = 0; i < array_len(ranks); i++)
		json_array_append_new(percentiles, json_pack("{s:f, s:I, s:b}", "p", ranks[i].p, "ns",
							     (json_int_t)histogram_quantile(h, ranks[i].ppm), "reliable",
							     histogram_beyond(h, ranks[i].ppm) >= LATENCY_RELIABLE));
	return json_pack("{s:s, s:I, s:I, s:o}", "client", client, "count", (json_int_t)h->count, "max_ns",
			 (json_int_t)h->max_ns, "percentiles", percentiles);
}

json_t *web_latency_clients(const struct web_latency *l)
{
	static struct histogram sum; /* large; one thread */
	json_t *clients = json_array();
	for (size_t i = 0; i < l->clients.count; i++) {
		const char *client = client_of(&l->clients, l->clients.series[i].name);
		if (client && passed(&l->clients, client, &sum) && sum.count)
			json_array_append_new(clients, client_entry(client, &sum));
	}
	return json_pack("{s:i, s:o}", "schema", 1, "clients", clients);
}
