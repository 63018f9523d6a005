// SPDX-License-Identifier: ISC
/* Writes histograms and slow packets as JSON lines. */
#include "latencyreport.h"

#include "jsonline.h"
#include "latencyby.h"
#include "rulereport.h"

enum {
	BUCKETS_LINE_BYTES = 800,  /* of a line, from where on no further bucket begins */
	HEAT_STEP = 8,             /* buckets in a row of heat: a quarter of a power of two */
};

/* --- requests ----------------------------------------------------------------------- */

static const char *one_client(struct latency_report *r, const struct fw *fw, struct cursor *c)
{
	struct ip_addr ip;
	if (!parse_ip(c, &ip) || c->left)
		return "latency client takes an address";
	for (uint32_t port = PORT_CLIENT_FIRST; port < PORT_COUNT; port++)
		if (fw->port[port].attached && fw_port_owns(&fw->port[port], ip)) {
			*r = (struct latency_report){ .of = LATENCY_REPORT_CLIENTS, .at = port * LATENCY_WAYS,
						      .last = (port + 1) * LATENCY_WAYS };
			return NULL;
		}
	return "no such client is attached";
}

static bool report_of(struct latency_report *r, const char *words, size_t len)
{
	static const struct {
		const char *words;
		struct latency_report report;
	} known[] = {
		{ "", { .of = LATENCY_REPORT_WHOLE, .last = LATENCY_KINDS } },
		{ " clients", { .of = LATENCY_REPORT_CLIENTS, .last = PORT_COUNT * LATENCY_WAYS } },
		{ " rules", { .of = LATENCY_REPORT_RULES, .last = LATENCY_RULES_MAX } },
		{ " heat", { .of = LATENCY_REPORT_HEAT, .last = 1 } },
		{ " reflect", { .of = LATENCY_REPORT_REFLECT, .last = 1 } },
		{ " state", { .of = LATENCY_REPORT_STATE, .last = 1 } },
	};
	for (uint32_t i = 0; i < array_len(known); i++) {
		struct cursor c = cursor_of(words, len);
		if (parse_word(&c, known[i].words) && c.left == 0) {
			*r = known[i].report;
			return true;
		}
	}
	return false;
}

static bool is(const char *words, size_t len, const char *what)
{
	struct cursor c = cursor_of(words, len);
	return parse_word(&c, what) && c.left == 0;
}

static const char *switch_reflector(struct latency_report *r, struct fw *fw, struct cursor *c)
{
	uint32_t port = 0;
	if (!(parse_word(c, "off") && c->left == 0) && !(parse_u32(c, UINT16_MAX, &port) && c->left == 0 && port))
		return "latency reflect takes a port, off, or nothing";
	reflect_switch(&fw->reflect, (uint16_t)port, fw->now_ns);
	*r = (struct latency_report){ .of = LATENCY_REPORT_REFLECT, .last = 1 };
	return NULL;
}

const char *latency_report_begin(struct latency_report *r, struct fw *fw, const char *words, size_t len)
{
	struct latency *l = fw->latency;
	struct cursor c = cursor_of(words, len);
	*r = (struct latency_report){ .of = LATENCY_REPORT_NOTHING };
	if (parse_word(&c, " reflect "))
		return switch_reflector(r, fw, &c);
	bool known = report_of(r, words, len);
	if (known && r->of == LATENCY_REPORT_REFLECT)
		return NULL;
	if (!l || !l->ticks)
		return "nothing is measured on this platform";
	if (known)
		return NULL;
	if (parse_word(&c, " client "))
		return one_client(r, fw, &c);
	if (is(words, len, " on") || is(words, len, " stages"))
		latency_switch(l, true, is(words, len, " stages"));
	else if (is(words, len, " off"))
		latency_switch(l, false, l->stages);
	else if (is(words, len, " reset"))
		latency_forget(l);
	else
		return "latency takes clients, client IP, rules, heat, state, on, stages, off, reset or nothing";
	return NULL;
}

/* --- histograms --------------------------------------------------------------------- */

static uint32_t next_bucket(const struct histogram *h, uint32_t from)
{
	while (from < HISTOGRAM_BUCKETS && h->bucket[from] == 0)
		from++;
	return from;
}

static void pair(struct text *t, bool *first, uint64_t a, uint64_t b)
{
	text_put(t, *first ? "[" : ",[");
	text_u64(t, a);
	text_char(t, ',');
	text_u64(t, b);
	text_char(t, ']');
	*first = false;
}

static void buckets(struct latency_report *r, const struct histogram *h, struct text *t)
{
	bool first = true;
	text_put(t, ",\"buckets\":[");
	r->bucket = next_bucket(h, r->bucket);
	while (r->bucket < HISTOGRAM_BUCKETS && t->len < BUCKETS_LINE_BYTES) {
		pair(t, &first, r->bucket, h->bucket[r->bucket]);
		r->bucket = next_bucket(h, r->bucket + 1);
	}
	text_char(t, ']');
}

/* Goes on to the next one when all of it was told. */
static void end_of_line(struct latency_report *r, struct text *t)
{
	if (r->bucket < HISTOGRAM_BUCKETS) {
		json_bool(t, "more", true);
	} else {
		r->at++;
		r->bucket = 0;
	}
	json_end(t);
}

static void begin_line(const char *kind, uint32_t way, struct text *t)
{
	bool directed = way == LATENCY_UP || way == LATENCY_DOWN;
	json_begin(t, "latency");
	json_text(t, "direction", directed ? kind : "any");
	json_text(t, "stage", directed ? "residence" : kind);
}

static void whole_histogram(struct latency_report *r, const struct histogram *h, struct text *t)
{
	json_u64(t, "count", h->count);
	json_u64(t, "sum_ns", h->sum_ns);
	json_u64(t, "min_ns", h->min_ns);
	json_u64(t, "max_ns", h->max_ns);
	buckets(r, h, t);
	end_of_line(r, t);
}

static void kind_line(struct latency_report *r, const struct latency *l, struct text *t)
{
	begin_line(latency_kind_word((enum latency_kind)r->at), r->at, t);
	whole_histogram(r, &l->kind[r->at], t);
}

static void client_line(struct latency_report *r, const struct fw *fw, struct text *t)
{
	uint16_t port = (uint16_t)(r->at / LATENCY_WAYS);
	enum latency_kind way = (enum latency_kind)(r->at % LATENCY_WAYS);
	char buffer[IP_TEXT];
	struct text name = text_on(buffer);
	if (port == PORT_UPLINK)
		text_put(&name, "uplink");
	else
		text_ip(&name, fw->port[port].config.addr[0]);
	begin_line(latency_kind_word(way), way, t);
	json_text(t, "of", buffer);
	json_text(t, "client", buffer);
	whole_histogram(r, latency_by_client(fw->latency->by, port, way), t);
}

static void rule_line(struct latency_report *r, const struct fw *fw, struct text *t)
{
	const struct latency_rule *rule = &fw->latency->by->rule[r->at];
	enum latency_kind way = (enum latency_kind)(rule->whose >> 16 & 3);
	uint32_t number = rule_ref_number((uint32_t)rule->rule);
	char buffer[IP_TEXT + 48];
	struct text name = text_on(buffer);
	text_ip(&name, rule->client);
	if (number == RULE_POLICY) {
		text_put(&name, " policy");
	} else {
		text_put(&name, " rule ");
		text_u64(&name, number);
	}
	text_put(&name, " g");
	text_u64(&name, rule->rule >> 32);
	begin_line(latency_kind_word(way), way, t);
	json_text(t, "of", buffer);
	json_ip(t, "client", rule->client);
	json_rule_id(t, "id", fw, (uint32_t)rule->rule);
	json_rule_number(t, "rule", (uint32_t)rule->rule);
	json_u64(t, "generation", rule->rule >> 32);
	json_u64(t, "weight", rule->weight);
	whole_histogram(r, &rule->stay, t);
}

static bool has_histogram(const struct latency_report *r, const struct fw *fw)
{
	const struct latency *l = fw->latency;
	const struct histogram *h = NULL;
	if (r->of == LATENCY_REPORT_WHOLE)
		h = &l->kind[r->at];
	else if (r->of == LATENCY_REPORT_RULES)
		h = l->by ? &l->by->rule[r->at].stay : NULL;
	else if (l->by && fw->port[r->at / LATENCY_WAYS].attached)
		h = latency_by_client(l->by, (uint16_t)(r->at / LATENCY_WAYS), (enum latency_kind)(r->at % LATENCY_WAYS));
	return h && h->count;
}

/* --- the others --------------------------------------------------------------------- */

static void slow_line(const struct latency_slow *s, struct text *t)
{
	json_begin(t, "slow");
	json_u64(t, "ns", s->ns);
	if (s->parse_ns | s->lookup_ns | s->forward_ns) {
		json_u64(t, "parse_ns", s->parse_ns);
		json_u64(t, "lookup_ns", s->lookup_ns);
		json_u64(t, "forward_ns", s->forward_ns);
	}
	json_u64(t, "port", s->port);
	json_u64(t, "queued", s->queued);
	if (s->tuple.proto)
		json_tuple(t, &s->tuple);
	if (s->rule != NONE) {
		json_u64(t, "generation", s->generation);
		json_rule_number(t, "rule", s->rule);
	}
	json_end(t);
}

static uint64_t heat_at(const struct latency *l, uint32_t bucket)
{
	uint64_t n = 0;
	for (uint32_t way = 0; way < LATENCY_WAYS; way++)
		n += l->kind[way].bucket[bucket];
	return n;
}

static void heat_line(struct latency_report *r, const struct latency *l, struct text *t)
{
	uint64_t count = 0, sum = 0;
	bool first = true;
	for (uint32_t way = 0; way < LATENCY_WAYS; way++) {
		count += l->kind[way].count;
		sum += l->kind[way].sum_ns;
	}
	json_begin(t, "heat");
	json_u64(t, "count", count);
	json_u64(t, "sum_ns", sum);
	text_put(t, ",\"rows\":[");
	for (; r->bucket < HISTOGRAM_BUCKETS && t->len < BUCKETS_LINE_BYTES; r->bucket += HEAT_STEP) {
		uint64_t n = 0;
		for (uint32_t i = 0; i < HEAT_STEP; i++)
			n += heat_at(l, r->bucket + i);
		if (n)
			pair(t, &first, histogram_low(r->bucket), n);
	}
	text_char(t, ']');
	end_of_line(r, t);
}

static void state_line(const struct latency *l, struct text *t)
{
	const struct latency_by *by = l->by;
	json_begin(t, "state");
	json_bool(t, "on", l->on);
	json_bool(t, "stages", l->stages);
	json_u64(t, "histograms", by ? by->pool_size : 0);
	json_u64(t, "histograms_used", by ? by->pool_used - by->free_count : 0);
	json_u64(t, "clients_unkept", by ? by->unkept : 0);
	json_u64(t, "rules_unkept", by ? by->rules_unkept : 0);
	json_end(t);
}

static void reflect_line(const struct reflect *r, struct text *t)
{
	json_begin(t, "reflect");
	json_u64(t, "port", r->port);
	json_u64(t, "answered", r->answered);
	json_u64(t, "limited", r->limited);
	json_end(t);
}

bool latency_report_next(struct latency_report *r, const struct fw *fw, struct text *line)
{
	const struct latency *l = fw->latency;
	bool histograms = r->of == LATENCY_REPORT_WHOLE || r->of == LATENCY_REPORT_CLIENTS ||
			  r->of == LATENCY_REPORT_RULES;
	while (histograms && r->at < r->last && !has_histogram(r, fw)) {
		r->at++;
		r->bucket = 0; /* one that ended in the middle of its telling */
	}
	bool more = r->at < r->last;
	switch (r->of) {
	case LATENCY_REPORT_WHOLE:
		if (more)
			kind_line(r, l, line);
		else if (r->slow < l->slow_count)
			slow_line(&l->slow[r->slow++], line);
		else
			return false;
		return true;
	case LATENCY_REPORT_CLIENTS:
		if (more)
			client_line(r, fw, line);
		return more;
	case LATENCY_REPORT_RULES:
		if (more)
			rule_line(r, fw, line);
		return more;
	case LATENCY_REPORT_HEAT:
		if (more)
			heat_line(r, l, line);
		return more;
	case LATENCY_REPORT_REFLECT:
		if (more)
			reflect_line(&fw->reflect, line);
		r->at++;
		return more;
	case LATENCY_REPORT_STATE:
		if (more)
			state_line(l, line);
		r->at++;
		return more;
	case LATENCY_REPORT_NOTHING:
		break;
	}
	return false;
}
