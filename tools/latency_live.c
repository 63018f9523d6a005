// SPDX-License-Identifier: ISC
/* Collects the appliance's own latency histograms from its control socket. */
#include <string.h>

#include "answer.h"
#include "latency_live.h"
#include "verbs.h"

enum { SLOW_MAX = 1024 };

static bool member_u64(const json_t *line, const char *member, uint64_t *value)
{
	const json_t *v = json_object_get(line, member);
	if (!v)
		return true; /* a line that only continues */
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*value = (uint64_t)json_integer_value(v);
	return true;
}

static enum latency_role role_of(const char *stage)
{
	return !strcmp(stage, "residence") ? LATENCY_MEASURED : LATENCY_PART;
}

static bool take_histogram(struct latency_run *run, const json_t *line)
{
	const char *direction = json_string_value(json_object_get(line, "direction"));
	const char *stage = json_string_value(json_object_get(line, "stage"));
	const char *of = json_string_value(json_object_get(line, "of")); /* a client or rule, if not all */
	char name[LATENCY_NAME_BYTES];
	if (!direction || !stage || strlen(direction) + strlen(stage) + (of ? strlen(of) + 1 : 0) + 2 > sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%s %s%s%s", direction, stage, of ? " " : "", of ? of : "");
	struct latency_series *s = latency_run_find(run, name);
	if (!s && run->count < LATENCY_SERIES_MAX)
		s = latency_run_add(run, name, role_of(stage), 0);
	if (!s)
		return false;
	struct histogram *h = &s->total;
	return member_u64(line, "count", &h->count) && member_u64(line, "sum_ns", &h->sum_ns) &&
	       member_u64(line, "min_ns", &h->min_ns) && member_u64(line, "max_ns", &h->max_ns) &&
	       latency_buckets_parse(h, json_object_get(line, "buckets"));
}

bool latency_live_take(struct latency_run *run, json_t *line)
{
	const char *type = json_string_value(json_object_get(line, "type"));
	if (type && !strcmp(type, "latency"))
		return take_histogram(run, line);
	if (type && !strcmp(type, "slow")) {
		json_t *slow = json_object_get(run->config, "slow");
		if (!slow) {
			slow = json_array();
			json_object_set_new(run->config, "slow", slow);
		}
		if (json_array_size(slow) < SLOW_MAX)
			json_array_append(slow, line);
	}
	return true;
}

struct gathered {
	struct latency_run *run;
	unsigned damaged;
};

static void each(void *context, json_t *line)
{
	struct gathered *g = context;
	g->damaged += !latency_live_take(g->run, line);
}

/* The appliance forwards while it tells: what its lines say together is brought back to what the buckets hold. */
static void settle(struct latency_run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct histogram *h = &run->series[i].total;
		uint64_t held = histogram_held(h), told = h->count;
		if (latency_histogram_plausible(h))
			continue;
		uint32_t first = 0, last = HISTOGRAM_BUCKETS - 1;
		while (held && !h->bucket[first])
			first++;
		while (held && !h->bucket[last])
			last--;
		h->count = held > told ? held : told;
		if (histogram_index(h->min_ns) != first)
			h->min_ns = held ? histogram_low(first) : 0;
		if (histogram_index(h->max_ns) != last)
			h->max_ns = held ? histogram_high(last) : 0;
		if (!held)
			h->count = h->sum_ns = 0;
		if (held > told + told / 16)
			latency_run_warn(run, "%s: count and buckets disagree", run->series[i].name);
	}
}

int latency_live_ask(struct latency_run *run, const char *control, const char *request)
{
	struct gathered g = { run, 0 };
	latency_run_init(run, "appliance");
	int code = answer_ask(control, request, each, &g);
	if (code != EXIT_YES) {
		latency_run_free(run);
		return code;
	}
	settle(run);
	if (g.damaged)
		latency_run_warn(run, "%u lines of the answer could not be read", g.damaged);
	return code;
}
