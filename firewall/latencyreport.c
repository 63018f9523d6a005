// SPDX-License-Identifier: ISC
/* Writes histograms and slow packets as JSON lines. */
#include "latencyreport.h"

#include "jsonline.h"
#include "rule.h"

enum { BUCKETS_LINE_BYTES = 800 }; /* of a line, from where on no further bucket begins */

const char *latency_report_begin(struct latency_report *r, struct latency *l, const char *words, size_t len)
{
	struct cursor c = cursor_of(words, len);
	*r = (struct latency_report){ 0, 0, 0 };
	if (!l || !l->ticks)
		return "nothing is measured on this platform";
	if (c.left == 0)
		return NULL;
	*r = (struct latency_report){ LATENCY_KINDS, 0, LATENCY_SLOW_MAX }; /* nothing is said */
	if (parse_word(&c, " on") && c.left == 0)
		latency_switch(l, true);
	else if (parse_word(&c, " off") && c.left == 0)
		latency_switch(l, false);
	else if (parse_word(&c, " reset") && c.left == 0)
		latency_forget(l);
	else
		return "latency takes on, off, reset or nothing";
	return NULL;
}

static uint32_t next_bucket(const struct histogram *h, uint32_t from)
{
	while (from < HISTOGRAM_BUCKETS && h->bucket[from] == 0)
		from++;
	return from;
}

static void buckets(struct latency_report *r, const struct histogram *h, struct text *t)
{
	bool first = true;
	text_put(t, ",\"buckets\":[");
	r->bucket = next_bucket(h, r->bucket);
	while (r->bucket < HISTOGRAM_BUCKETS && t->len < BUCKETS_LINE_BYTES) {
		text_put(t, first ? "[" : ",[");
		text_u64(t, r->bucket);
		text_char(t, ',');
		text_u64(t, h->bucket[r->bucket]);
		text_char(t, ']');
		first = false;
		r->bucket = next_bucket(h, r->bucket + 1);
	}
	text_char(t, ']');
}

static void histogram_line(struct latency_report *r, const struct latency *l, struct text *t)
{
	const struct histogram *h = &l->kind[r->kind];
	bool whole = r->kind == LATENCY_DROP || r->kind == LATENCY_PUBLISH;
	json_begin(t, "latency");
	json_text(t, "direction", whole ? "any" : latency_kind_word((enum latency_kind)r->kind));
	json_text(t, "stage", whole ? latency_kind_word((enum latency_kind)r->kind) : "residence");
	json_u64(t, "count", h->count);
	json_u64(t, "sum_ns", h->sum_ns);
	json_u64(t, "min_ns", h->min_ns);
	json_u64(t, "max_ns", h->max_ns);
	buckets(r, h, t);
	if (r->bucket < HISTOGRAM_BUCKETS) {
		json_bool(t, "more", true);
	} else {
		r->kind++;
		r->bucket = 0;
	}
	json_end(t);
}

static void slow_line(const struct latency_slow *s, struct text *t)
{
	char word[16];
	struct text proto = text_on(word);
	text_proto(&proto, s->tuple.proto);
	json_begin(t, "slow");
	json_u64(t, "ns", s->ns);
	json_u64(t, "port", s->port);
	json_u64(t, "queued", s->queued);
	if (s->tuple.proto) {
		json_text(t, "proto", word);
		json_ip(t, "src", s->tuple.src);
		json_u64(t, "sport", s->tuple.sport);
		json_ip(t, "dst", s->tuple.dst);
		json_u64(t, "dport", s->tuple.dport);
		json_u64(t, "generation", s->generation);
	}
	if (s->rule == RULE_POLICY)
		json_text(t, "rule", "policy");
	else if (s->rule != NONE)
		json_u64(t, "rule", s->rule);
	json_end(t);
}

bool latency_report_next(struct latency_report *r, const struct latency *l, struct text *line)
{
	while (r->kind < LATENCY_KINDS && l->kind[r->kind].count == 0)
		r->kind++;
	if (r->kind < LATENCY_KINDS) {
		histogram_line(r, l, line);
		return true;
	}
	if (r->slow >= l->slow_count)
		return false;
	slow_line(&l->slow[r->slow++], line);
	return true;
}
