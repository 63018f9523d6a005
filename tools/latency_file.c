// SPDX-License-Identifier: ISC
/* A latency run as a JSON document, written and read. */
#include <string.h>

#include "latency_run.h"

static const char kind[] = "postern-latency-run";
static const char *const role_name[LATENCY_ROLES] = {
	[LATENCY_MEASURED] = "measured",
	[LATENCY_PART] = "part",
	[LATENCY_NOISE] = "noise",
};

json_t *latency_buckets_json(const struct histogram *h)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->bucket[i])
			json_array_append_new(list, json_pack("[I, I]", (json_int_t)i, (json_int_t)h->bucket[i]));
	return list;
}

static json_t *percentiles_json(const struct histogram *h)
{
	json_t *list = json_array();
	for (size_t i = 0; i < latency_ppm_count && h->count; i++) {
		uint64_t beyond = histogram_beyond(h, latency_ppm[i]);
		bool top = latency_ppm[i] == HISTOGRAM_WHOLE_PPM;
		json_array_append_new(list, json_pack("{s:f, s:I, s:I, s:b}", "p", latency_ppm[i] / 10000.0, "ns",
						      (json_int_t)histogram_quantile(h, latency_ppm[i]),
						      "beyond", (json_int_t)beyond, "reliable",
						      top || beyond >= LATENCY_RELIABLE));
	}
	return list;
}

static json_t *series_json(const struct latency_series *s)
{
	const struct histogram *h = &s->total;
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:O}", "name", s->name, "role", role_name[s->role],
			      "count", (json_int_t)h->count, "sum_ns", (json_int_t)h->sum_ns, "min_ns",
			      (json_int_t)h->min_ns, "max_ns", (json_int_t)h->max_ns, "counters", s->counters);
	json_object_set_new(o, "percentiles", percentiles_json(h));
	json_object_set_new(o, "buckets", latency_buckets_json(h));
	if (s->blocks) {
		json_t *blocks = json_array();
		for (uint32_t i = 0; i < s->blocks; i++)
			json_array_append_new(blocks, latency_buckets_json(&s->block[i]));
		json_object_set_new(o, "blocks", blocks);
	}
	return o;
}

json_t *latency_run_json(const struct latency_run *run)
{
	json_t *list = json_array();
	for (size_t i = 0; i < run->count; i++)
		json_array_append_new(list, series_json(&run->series[i]));
	return json_pack("{s:i, s:s, s:s, s:O, s:O, s:O, s:o}", "schema", 1, "kind", kind, "tool", run->tool, "config",
			 run->config, "host", run->host, "warnings", run->warnings, "series", list);
}

bool latency_buckets_parse(struct histogram *h, const json_t *buckets)
{
	size_t i;
	json_t *pair;
	if (!json_is_array(buckets))
		return false;
	json_array_foreach(buckets, i, pair) {
		json_int_t index = json_integer_value(json_array_get(pair, 0));
		json_int_t n = json_integer_value(json_array_get(pair, 1));
		if (json_array_size(pair) != 2 || index < 0 || index >= HISTOGRAM_BUCKETS || n < 0 || n > UINT32_MAX)
			return false;
		histogram_fill(h, (uint32_t)index, (uint32_t)n);
	}
	return true;
}

static bool read_u64(const json_t *object, const char *member, uint64_t *value)
{
	const json_t *v = json_object_get(object, member);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*value = (uint64_t)json_integer_value(v);
	return true;
}

bool latency_histogram_plausible(const struct histogram *h)
{
	uint64_t held = histogram_held(h);
	if (!held)
		return !h->count;
	uint32_t first = 0, last = HISTOGRAM_BUCKETS - 1;
	while (!h->bucket[first])
		first++;
	while (!h->bucket[last])
		last--;
	return held <= h->count && h->min_ns <= h->max_ns && histogram_index(h->min_ns) == first &&
	       histogram_index(h->max_ns) == last;
}

/* A block is known by its buckets alone: its exact members are as good as their edges. */
static bool read_block(struct histogram *h, const json_t *buckets)
{
	if (!latency_buckets_parse(h, buckets))
		return false;
	h->count = histogram_held(h);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->bucket[i]) {
			h->max_ns = histogram_high(i);
			if (!h->sum_ns)
				h->min_ns = histogram_low(i);
			h->sum_ns += h->bucket[i] * (histogram_low(i) + histogram_high(i) + 1) / 2;
		}
	return true;
}

static enum latency_role read_role(const json_t *object)
{
	const char *word = json_string_value(json_object_get(object, "role"));
	for (int r = 0; word && r < LATENCY_ROLES; r++)
		if (!strcmp(word, role_name[r]))
			return (enum latency_role)r;
	return LATENCY_PART;
}

static bool read_series(struct latency_run *run, const json_t *o)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const json_t *blocks = json_object_get(o, "blocks"), *counters = json_object_get(o, "counters");
	if (!name || run->count == LATENCY_SERIES_MAX || json_array_size(blocks) > LATENCY_BLOCKS_MAX)
		return false;
	struct latency_series *s = latency_run_add(run, name, read_role(o), (uint32_t)json_array_size(blocks));
	struct histogram *h = &s->total;
	if (!read_u64(o, "count", &h->count) || !read_u64(o, "sum_ns", &h->sum_ns) ||
	    !read_u64(o, "min_ns", &h->min_ns) || !read_u64(o, "max_ns", &h->max_ns) ||
	    !latency_buckets_parse(h, json_object_get(o, "buckets")) || !latency_histogram_plausible(h))
		return false;
	for (uint32_t i = 0; i < s->blocks; i++)
		if (!read_block(&s->block[i], json_array_get(blocks, i)))
			return false;
	if (json_is_object(counters))
		json_object_update(s->counters, (json_t *)counters);
	return true;
}

static void take_object(json_t **into, const json_t *document, const char *member, bool array)
{
	json_t *v = json_object_get(document, member);
	if (array ? !json_is_array(v) : !json_is_object(v))
		return;
	json_decref(*into);
	*into = json_incref(v);
}

bool latency_run_parse(struct latency_run *run, const json_t *document, char reason[LATENCY_REASON_BYTES])
{
	const char *is = json_string_value(json_object_get(document, "kind"));
	const char *tool = json_string_value(json_object_get(document, "tool"));
	const json_t *list = json_object_get(document, "series");
	size_t i;
	json_t *o;
	if (!is || strcmp(is, kind) || !tool || !json_is_array(list) ||
	    json_integer_value(json_object_get(document, "schema")) != 1) {
		snprintf(reason, LATENCY_REASON_BYTES, "not a latency run of schema 1");
		return false;
	}
	latency_run_init(run, tool);
	take_object(&run->config, document, "config", false);
	take_object(&run->host, document, "host", false);
	take_object(&run->warnings, document, "warnings", true);
	json_array_foreach(list, i, o)
		if (!read_series(run, o)) {
			snprintf(reason, LATENCY_REASON_BYTES, "series %zu is damaged", i + 1);
			latency_run_free(run);
			return false;
		}
	return true;
}

bool latency_run_load(struct latency_run *run, const char *file, char reason[LATENCY_REASON_BYTES])
{
	json_error_t error;
	bool in = !strcmp(file, "-");
	json_t *document = in ? json_loadf(stdin, 0, &error) : json_load_file(file, 0, &error);
	if (!document) {
		if (error.line > 0)
			snprintf(reason, LATENCY_REASON_BYTES, "line %d: %s", error.line, error.text);
		else
			snprintf(reason, LATENCY_REASON_BYTES, "%s", error.text);
		return false;
	}
	bool ok = latency_run_parse(run, document, reason);
	json_decref(document);
	return ok;
}

bool latency_run_save(const struct latency_run *run, const char *file, char reason[LATENCY_REASON_BYTES])
{
	json_t *document = latency_run_json(run);
	FILE *to = fopen(file, "w");
	bool ok = to && !json_dumpf(document, to, JSON_COMPACT) && fputc('\n', to) != EOF;
	if (to && fclose(to))
		ok = false;
	if (!ok)
		snprintf(reason, LATENCY_REASON_BYTES, "cannot write: %m");
	json_decref(document);
	return ok;
}
