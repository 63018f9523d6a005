// SPDX-License-Identifier: ISC
/* The link, the appliance and what lies beyond, told apart. */
#include <arpa/inet.h>
#include <string.h>

#include "answer.h"
#include "latency_live.h"
#include "latency_out.h"
#include "latency_split.h"
#include "verbs.h"

enum { P50 = 500000 };

struct found {
	struct sockaddr_in *to;
	bool address;
};

static void take_status(void *context, json_t *line)
{
	struct found *f = context;
	const char *type = json_string_value(json_object_get(line, "type"));
	const char *ip = json_string_value(json_object_get(line, "uplink_ip"));
	if (type && ip && !strcmp(type, "appliance"))
		f->address = inet_pton(AF_INET, ip, &f->to->sin_addr) == 1;
}

static void take_port(void *context, json_t *line)
{
	struct found *f = context;
	f->to->sin_port = htons((uint16_t)json_integer_value(json_object_get(line, "port")));
}

int latency_split_find(const char *control, struct sockaddr_in *to)
{
	struct found f = { to, false };
	*to = (struct sockaddr_in){ .sin_family = AF_INET };
	int code = answer_ask(control, "status", take_status, &f);
	if (code == EXIT_YES)
		code = answer_ask(control, "latency reflect", take_port, &f);
	if (code != EXIT_YES)
		return code;
	if (!f.address)
		return complain(EXIT_NO, "the appliance has no address yet");
	if (!to->sin_port)
		return complain(EXIT_NO, "the appliance's reflector is off: postern latency reflect --appliance PORT");
	return EXIT_YES;
}

/* The run stays empty where nothing can be asked. */
static void ask(struct latency_run *run, const char *control)
{
	latency_run_init(run, "appliance");
	if (!control)
		return;
	latency_run_free(run);
	if (latency_live_ask(run, control, "latency") != EXIT_YES)
		latency_run_init(run, "appliance");
}

void latency_split_begin(struct latency_split *s)
{
	ask(&s->before, s->control);
}

void latency_split_through(struct latency_split *s)
{
	ask(&s->after, s->control);
}

/* The median of what came between two looks at a histogram that only grows; 0: nothing did. */
static uint64_t median_between(const struct latency_run *before, const struct latency_run *after, const char *name)
{
	const struct latency_series *b = latency_run_find(before, name), *a = latency_run_find(after, name);
	struct histogram h;
	if (!a)
		return 0;
	h = a->total;
	for (uint32_t i = 0; b && i < HISTOGRAM_BUCKETS; i++)
		h.bucket[i] -= b->total.bucket[i] < h.bucket[i] ? b->total.bucket[i] : h.bucket[i];
	return histogram_held(&h) > 1 ? histogram_quantile(&h, P50) : 0;
}

static uint64_t median_of(const struct latency_run *run, const char *name, const char *part)
{
	char whole[LATENCY_NAME_BYTES + 8];
	snprintf(whole, sizeof(whole), "%s%s", name, part);
	const struct latency_series *s = latency_run_find(run, whole);
	return s && s->total.count ? histogram_quantile(&s->total, P50) : 0;
}

void latency_split_end(struct latency_split *s, struct latency_run *run, const char *name, const char *to)
{
	uint64_t path = median_of(run, name, " path"), link = median_of(run, to, " net");
	uint64_t whole = path ? path : median_of(run, name, " net");
	uint64_t inside = median_between(&s->before, &s->after, "up residence") +
			  median_between(&s->before, &s->after, "down residence");
	latency_run_free(&s->before);
	latency_run_free(&s->after);
	if (!whole || !link) {
		latency_run_warn(run, "%s: no reply from %s", name, whole ? "the appliance" : "beyond it");
		return;
	}
	json_t *list = json_object_get(run->config, "split");
	if (!list) {
		list = json_array();
		json_object_set_new(run->config, "split", list);
	}
	json_t *row = json_pack("{s:s, s:I, s:I, s:I}", "series", name, "whole_ns", (json_int_t)whole, "link_ns",
				(json_int_t)link, "beyond_ns",
				(json_int_t)(whole > link + inside ? whole - link - inside : 0));
	if (s->control)
		json_object_set_new(row, "appliance_ns", json_integer((json_int_t)inside));
	json_array_append_new(list, row);
}

void latency_split_print(FILE *to, const struct latency_run *run)
{
	static const struct {
		const char *member, *title;
	} part[] = { { "link_ns", "link" }, { "appliance_ns", "appliance" }, { "beyond_ns", "beyond" } };
	const json_t *list = json_object_get(run->config, "split"), *row;
	size_t n;
	json_array_foreach(list, n, row) {
		char text[LATENCY_DURATION_BYTES];
		json_int_t whole = json_integer_value(json_object_get(row, "whole_ns"));
		latency_duration(text, (uint64_t)whole);
		fprintf(to, "%s%s: %s at the median:", n ? "" : "\n", json_string_value(json_object_get(row, "series")), text);
		for (size_t i = 0; i < array_len(part); i++) {
			const json_t *v = json_object_get(row, part[i].member);
			if (!v)
				continue;
			latency_duration(text, (uint64_t)json_integer_value(v));
			fprintf(to, "%s %s %s (%.0f %%)", i ? "," : "", part[i].title, text,
				100 * (double)json_integer_value(v) / (double)whole);
		}
		fputc('\n', to);
	}
}
