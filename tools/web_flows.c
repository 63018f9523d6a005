// SPDX-License-Identifier: ISC
/* Keeps flows as text, compares two looks at them, and picks those a page asks for. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "web_flows.h"

enum { WORDS_BYTES = 512 };

static const char *const counters[] = { "up_bytes", "down_bytes", "up_packets", "down_packets" };

void web_flows_free(struct web_flows *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->flow[i].line);
		free(f->flow[i].words);
	}
	free(f->flow);
	*f = (struct web_flows){ .flow = NULL };
}

/* FNV-1a: a collision gives two flows each other's rates for a second, no more. */
static uint64_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return h;
}

struct words {
	char text[WORDS_BYTES];
	size_t len;
};

static void add(struct words *w, const json_t *object, const char *before, const char *member)
{
	char value[COLUMNS_CELL_MAX];
	columns_value(value, sizeof(value), json_object_get(object, member));
	int n = snprintf(w->text + w->len, sizeof(w->text) - w->len, "%s%s", before, value);
	if (n > 0 && w->len + (size_t)n < sizeof(w->text))
		w->len += (size_t)n;
	w->text[w->len] = 0;
}

static char *lower(char *text)
{
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

void web_flows_take(void *flows, json_t *object)
{
	struct web_flows *f = flows;
	struct words w = { .len = 0 };
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type || strcmp(type, "flow") || ++f->total > WEB_FLOWS_MAX)
		return;
	if (f->count == f->room) {
		f->room = f->room ? 2 * f->room : 256;
		f->flow = reallocarray(f->flow, f->room, sizeof(*f->flow));
		if (!f->flow)
			panic("out of memory");
	}
	struct web_flow *one = &f->flow[f->count++];
	*one = (struct web_flow){ .idle_s = json_integer_value(json_object_get(object, "idle_s")) };
	for (size_t i = 0; i < array_len(counters); i++)
		one->count[i] = json_integer_value(json_object_get(object, counters[i]));

	add(&w, object, "", "client");
	size_t client_len = w.len;
	add(&w, object, " ", "proto");
	add(&w, object, " ", "src");
	add(&w, object, ":", "sport");
	add(&w, object, " ", "dst");
	add(&w, object, ":", "dport");
	add(&w, object, " ", "nat_ip");
	add(&w, object, ":", "nat_port");
	one->key = hash(w.text);
	add(&w, object, " ", "state");
	add(&w, object, " rule:", "rule");
	add(&w, object, " ", "rule_id");
	json_object_del(object, "type");
	one->line = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	one->words = strdup(lower(w.text));
	if (!one->line || !one->words)
		panic("out of memory");
	one->client_len = client_len;
}

static int by_key(const void *a, const void *b)
{
	uint64_t l = ((const struct web_flow *)a)->key, r = ((const struct web_flow *)b)->key;
	return l < r ? -1 : l > r;
}

void web_flows_rate(struct web_flows *now, struct web_flows *before)
{
	now->interval_ms = before->taken_ms ? now->taken_ms - before->taken_ms : 0;
	if (now->interval_ms < 1) {
		now->interval_ms = 0;
		return;
	}
	if (before->count)
		qsort(before->flow, before->count, sizeof(*before->flow), by_key);
	for (size_t i = 0; i < now->count; i++) {
		struct web_flow *f = &now->flow[i];
		const struct web_flow *old = before->count ? bsearch(f, before->flow, before->count, sizeof(*f), by_key) : NULL;
		for (size_t k = 0; k < array_len(counters); k++) {
			/* One that is new, or counts less than before, began between the looks. */
			int64_t was = old && old->count[k] <= f->count[k] ? old->count[k] : 0;
			f->rate[k] = (int64_t)((double)(f->count[k] - was) * 1000 / (double)now->interval_ms + 0.5);
		}
	}
}

/* --- picking --------------------------------------------------------------------------- */

bool web_flow_order_parse(enum web_flow_order *order, const char *word)
{
	static const char *const words[] = {
		[WEB_BY_RATE] = "rate", [WEB_BY_BYTES] = "bytes", [WEB_BY_PACKETS] = "packets", [WEB_BY_IDLE] = "idle",
	};
	for (size_t i = 0; i < array_len(words); i++)
		if (!strcmp(words[i], word)) {
			*order = (enum web_flow_order)i;
			return true;
		}
	return false;
}

static int64_t weight(const struct web_flow *f, enum web_flow_order order)
{
	switch (order) {
	case WEB_BY_RATE: return f->rate[0] + f->rate[1];
	case WEB_BY_BYTES: return f->count[0] + f->count[1];
	case WEB_BY_PACKETS: return f->count[2] + f->count[3];
	case WEB_BY_IDLE: return f->idle_s;
	case WEB_ORDERS: break;
	}
	return 0;
}

struct pick {
	const struct web_flow *flow;
	int64_t weight;
};

/* Ties in the order of the tuples, so that a page does not flicker. */
static int heavier(const void *a, const void *b)
{
	const struct pick *l = a, *r = b;
	if (l->weight != r->weight)
		return l->weight > r->weight ? -1 : 1;
	return strcmp(l->flow->words, r->flow->words);
}

static bool has_words(const struct web_flow *f, const char *filter)
{
	while (*filter) {
		char word[WEB_FILTER_BYTES];
		size_t n = strcspn(filter, " ");
		if (n >= sizeof(word))
			return false;
		memcpy(word, filter, n);
		word[n] = 0;
		if (!strstr(f->words, word))
			return false;
		filter += n + (filter[n] == ' ');
	}
	return true;
}

static void print_flow(FILE *to, const struct web_flow *f, bool rates)
{
	size_t n = strlen(f->line);
	if (!rates) {
		fputs(f->line, to);
		return;
	}
	fprintf(to, "%.*s", (int)n - 1, f->line); /* without its brace */
	for (size_t i = 0; i < array_len(counters); i++)
		fprintf(to, "%s\"%s_s\":%lld", n > 2 || i ? "," : "", counters[i], (long long)f->rate[i]);
	fputc('}', to);
}

char *web_flows_text(const struct web_flows *f, const char *client, const char *filter, enum web_flow_order order,
		     size_t top, size_t *len)
{
	char small[WEB_FILTER_BYTES], *text = NULL;
	struct pick *pick = calloc(f->count ? f->count : 1, sizeof(*pick));
	size_t matching = 0;
	FILE *to = open_memstream(&text, len);
	if (!pick || !to)
		panic("out of memory");
	snprintf(small, sizeof(small), "%s", filter);
	lower(small);
	for (size_t i = 0; i < f->count; i++) {
		const struct web_flow *one = &f->flow[i];
		bool his = strlen(client) == one->client_len && !memcmp(client, one->words, one->client_len);
		if ((!*client || his) && has_words(one, small))
			pick[matching++] = (struct pick){ one, weight(one, order) };
	}
	qsort(pick, matching, sizeof(*pick), heavier);
	fprintf(to, "{\"schema\":1,\"age_ms\":%lld,\"interval_ms\":%lld,\"total\":%llu,\"matching\":%zu,\"flows\":[",
		(long long)f->age_ms, (long long)f->interval_ms, (unsigned long long)f->total, matching);
	for (size_t i = 0; i < matching && i < top; i++) {
		fputs(i ? ",\n" : "", to);
		print_flow(to, pick[i].flow, f->interval_ms > 0);
	}
	fputs("]}\n", to);
	fclose(to);
	free(pick);
	return text;
}
