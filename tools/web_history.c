// SPDX-License-Identifier: ISC
/* Subtracts one look from the next and keeps the differences for a while. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "web_history.h"

void web_look_init(struct web_look *look)
{
	*look = (struct web_look){ .document = NULL };
	web_latency_init(&look->latency);
}

void web_look_free(struct web_look *look)
{
	json_decref(look->document);
	web_latency_free(&look->latency);
	look->document = NULL;
}

void web_history_init(struct web_history *h, int64_t boot_ms)
{
	*h = (struct web_history){ .next = 1, .boot_ms = boot_ms };
}

void web_history_free(struct web_history *h)
{
	for (size_t i = 0; i < WEB_SAMPLES; i++)
		free(h->sample[i]);
	web_history_init(h, 0);
}

/* --- differences --------------------------------------------------------------------- */

static json_int_t number(const json_t *object, const char *member)
{
	json_int_t n = json_integer_value(json_object_get(object, member));
	return n > 0 ? n : 0;
}

/* A counter that fell began anew: all of it is growth. */
static json_int_t growth(const json_t *old, const json_t *now, const char *member)
{
	json_int_t was = number(old, member), is = number(now, member);
	return is >= was ? is - was : is;
}

static json_int_t per_s(json_int_t grown, int64_t span_ms)
{
	double rate = (double)grown * 1000 / (double)span_ms;
	return rate < 1e15 ? (json_int_t)(rate + 0.5) : 0;
}

/* The object of the list whose members both say the same; NULL: there is none. */
static const json_t *same_in(const json_t *list, const json_t *as, const char *member, const char *also)
{
	size_t i;
	const json_t *one;
	json_array_foreach(list, i, one)
		if (json_equal(json_object_get(one, member), json_object_get(as, member)) &&
		    (!also || json_equal(json_object_get(one, also), json_object_get(as, also))))
			return one;
	return NULL;
}

static json_t *port_rates(const json_t *old, const json_t *now, int64_t span_ms)
{
	static const char *const counters[] = { "rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "drops" };
	json_t *ports = json_object();
	const json_t *port;
	size_t i;
	json_array_foreach(json_object_get(now, "ports"), i, port) {
		/* A port that is new was not there to count before, and all that it counted is growth. */
		const json_t *was = same_in(json_object_get(old, "ports"), port, "port", "name");
		json_t *rates = json_array();
		json_int_t any = 0;
		char name[32];
		for (size_t k = 0; k < array_len(counters); k++) {
			json_int_t rate = per_s(growth(was, port, counters[k]), span_ms);
			any |= rate;
			json_array_append_new(rates, json_integer(rate));
		}
		snprintf(name, sizeof(name), "%lld", (long long)number(port, "port"));
		if (any)
			json_object_set(ports, name, rates);
		json_decref(rates);
	}
	return ports;
}

static json_t *drop_counts(const json_t *old, const json_t *now)
{
	json_t *drops = json_object();
	const json_t *drop;
	size_t i;
	json_array_foreach(json_object_get(now, "drops"), i, drop) {
		const char *reason = json_string_value(json_object_get(drop, "reason"));
		const json_t *was = same_in(json_object_get(old, "drops"), drop, "reason", NULL);
		json_int_t n = growth(was, drop, "count");
		if (reason && n)
			json_object_set_new(drops, reason, json_integer(n));
	}
	return drops;
}

/* --- keeping them ----------------------------------------------------------------------- */

static json_t *sample_of(const struct web_look *before, const struct web_look *now, int64_t span_ms)
{
	const json_t *old = before->document, *is = now->document;
	if (!old || !is || span_ms < 1)
		return json_pack("{s:b}", "down", 1);
	const json_t *was_appliance = json_object_get(old, "appliance"), *appliance = json_object_get(is, "appliance");
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "flows", number(appliance, "flows"), "opened_s",
			 per_s(growth(was_appliance, appliance, "opened"), span_ms), "ports",
			 port_rates(old, is, span_ms), "drops", drop_counts(old, is), "latency",
			 web_latency_sample(&before->latency, &now->latency));
}

void web_history_add(struct web_history *h, const struct web_look *before, const struct web_look *now, int64_t time_ms)
{
	/* The first look of all has nothing before it. */
	int64_t span_ms = before->taken_ms ? now->taken_ms - before->taken_ms : 0;
	json_t *sample = sample_of(before, now, span_ms);
	char **place = &h->sample[h->next % WEB_SAMPLES];
	json_object_set_new(sample, "seq", json_integer((json_int_t)h->next));
	json_object_set_new(sample, "time_ms", json_integer(time_ms));
	json_object_set_new(sample, "span_ms", json_integer(span_ms));
	free(*place);
	*place = json_dumps(sample, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (*place && strlen(*place) > WEB_SAMPLE_BYTES) {
		free(*place);
		json_object_set_new(sample, "ports", json_object());
		*place = json_dumps(sample, JSON_COMPACT | JSON_ENSURE_ASCII);
	}
	json_decref(sample);
	if (!*place)
		panic("out of memory");
	h->next++;
}

char *web_history_text(const struct web_history *h, uint64_t since, int period_ms, size_t *len)
{
	char *text = NULL;
	uint64_t first = h->next > WEB_SAMPLES ? h->next - WEB_SAMPLES : 1;
	FILE *to = open_memstream(&text, len);
	if (!to)
		panic("out of memory");
	/* A number from the future is another server's. */
	if (since < h->next && since + 1 > first)
		first = since + 1;
	fprintf(to, "{\"schema\":1,\"boot_ms\":%lld,\"period_ms\":%d,\"keeps\":%d,\"newest\":%llu,\"samples\":[",
		(long long)h->boot_ms, period_ms, (int)WEB_SAMPLES, (unsigned long long)h->next - 1);
	for (uint64_t s = first; s < h->next; s++)
		fprintf(to, "%s%s", s == first ? "" : ",\n", h->sample[s % WEB_SAMPLES]);
	fputs("]}\n", to);
	fclose(to);
	return text;
}
