// SPDX-License-Identifier: ISC
/* Writes what the appliance answered as metrics. */
#include <string.h>

#include "base.h"
#include "columns.h"
#include "metrics.h"

struct page {
	FILE *to;
	enum metrics_format format;
};

/* A family's head. Plain text names a counter's family as its samples. */
static void head(const struct page *p, const char *name, const char *type, const char *help)
{
	bool plain = p->format == METRICS_PLAIN;
	const char *tail = "";
	if (plain && !strcmp(type, "counter"))
		tail = "_total";
	if (plain && !strcmp(type, "unknown"))
		type = "untyped";
	if (!strcmp(type, "info")) {
		tail = plain ? "_info" : "";
		type = plain ? "gauge" : type;
	}
	fprintf(p->to, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, tail, help, name, tail, type);
}

/* name="value", cleaned: a name that a peer chose is no way into the page. */
static void label(FILE *to, const char *lead, const char *name, const json_t *value)
{
	char text[COLUMNS_CELL_MAX];
	columns_value(text, sizeof(text), value);
	fprintf(to, "%s%s=\"", lead, name);
	for (const char *c = text; *c; c++)
		fprintf(to, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	fputc('"', to);
}

static json_int_t number(const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);
	json_int_t n = json_is_true(value) ? 1 : json_integer_value(value);
	return n > 0 ? n : 0;
}

struct family {
	const char *name, *type, *member, *help;
};

/* --- the appliance ----------------------------------------------------------------- */

static const struct family appliance[] = {
	{ "postern_uptime_seconds", "gauge", "uptime_s", "Since the appliance started." },
	{ "postern_flows", "gauge", "flows", "Flows that are open." },
	{ "postern_flow_capacity", "gauge", "flow_capacity", "Flows that the table holds." },
	{ "postern_flow_share", "gauge", "client_share", "Flows that one client port may have." },
	{ "postern_flows_opened", "counter", "opened", "Flows opened." },
	{ "postern_flows_closed", "counter", "closed", "TCP connections that came to their end." },
	{ "postern_flows_expired", "counter", "expired", "Flows that were silent for too long." },
	{ "postern_flows_evicted", "counter", "evicted", "Flows that made room for another." },
	{ "postern_flows_cut", "counter", "cut", "Flows cut by rules or on request." },
	{ "postern_nat_port_collisions", "counter", "port_collisions", "Flows whose source port was taken." },
	{ "postern_neighbours", "gauge", "neighbours", "Link addresses known." },
	{ "postern_datagrams", "gauge", "datagrams", "Fragmented datagrams under way." },
	{ "postern_rules_free", "gauge", "rules_free", "Rules that there is still room for." },
	{ "postern_panic", "gauge", "panic", "1 while nothing is forwarded." },
	{ "postern_isolated", "gauge", "isolated", "Clients that are isolated." },
};

static void print_appliance(const struct page *p, const json_t *a)
{
	static const char *const states[] = { "down", "connecting", "synced", "broken" };
	head(p, "postern_up", "gauge", "Whether the appliance answers.");
	fprintf(p->to, "postern_up %d\n", a != NULL);
	if (!a)
		return;
	head(p, "postern_appliance", "info", "What it runs on.");
	label(p->to, "postern_appliance_info{", "platform", json_object_get(a, "platform"));
	fputs("} 1\n", p->to);
	const char *store = json_string_value(json_object_get(a, "store"));
	head(p, "postern_store_state", "gauge", "1 at the state that the link to the store is in.");
	for (size_t i = 0; i < array_len(states); i++)
		fprintf(p->to, "postern_store_state{state=\"%s\"} %d\n", states[i], store && !strcmp(store, states[i]));
	for (size_t i = 0; i < array_len(appliance); i++) {
		const struct family *f = &appliance[i];
		head(p, f->name, f->type, f->help);
		fputs(f->name, p->to);
		fprintf(p->to, "%s %" JSON_INTEGER_FORMAT "\n", !strcmp(f->type, "counter") ? "_total" : "",
			number(a, f->member));
	}
}

/* --- rows ---------------------------------------------------------------------------- */

struct label { const char *name, *member; };

/* One sample a row; `is` not NULL: 1 where the member has that word, else 0. */
static void rows(const struct page *p, const struct family *f, const char *is, const json_t *of,
		 const struct label labels[2])
{
	size_t count = json_array_size(of);
	if (!count)
		return;
	head(p, f->name, f->type, f->help);
	for (size_t i = 0; i < count && i < METRICS_ROWS_MAX; i++) {
		const json_t *row = json_array_get(of, i), *v = json_object_get(row, f->member);
		const char *word = json_string_value(v);
		fprintf(p->to, "%s%s{", f->name, !strcmp(f->type, "counter") ? "_total" : "");
		for (size_t k = 0; k < 2 && labels[k].name; k++)
			label(p->to, k ? "," : "", labels[k].name, json_object_get(row, labels[k].member));
		json_int_t value = is ? (word && !strcmp(word, is)) || json_is_true(v) : number(row, f->member);
		fprintf(p->to, "} %" JSON_INTEGER_FORMAT "\n", value);
	}
}

static void print_ports(const struct page *p, const json_t *ports, const json_t *below)
{
	static const struct label labels[2] = { { "port", "port" }, { "name", "name" } };
	static const struct family up = { "postern_port_up", "gauge", "link", "Whether the port's link is up." };
	static const struct family of[] = {
		{ "postern_port_receive_packets", "counter", "rx_packets", "Packets taken from the port." },
		{ "postern_port_receive_bytes", "counter", "rx_bytes", "Bytes taken from the port." },
		{ "postern_port_transmit_packets", "counter", "tx_packets", "Packets sent by the port." },
		{ "postern_port_transmit_bytes", "counter", "tx_bytes", "Bytes sent by the port." },
		{ "postern_port_drops", "counter", "drops", "Packets from the port that ended in the appliance." },
	};
	static const struct family lost[] = {
		{ "postern_tender_port_receive_drops", "counter", "rx_drop", "Packets lost before the appliance." },
		{ "postern_tender_port_transmit_drops", "counter", "tx_drop", "Packets lost behind it." },
		{ "postern_tender_port_transmit_bad", "counter", "tx_bad", "Packets of it that were no packets." },
		{ "postern_tender_port_link_downs", "counter", "link_downs", "How often the link went down." },
	};
	rows(p, &up, "up", ports, labels);
	for (size_t i = 0; i < array_len(of); i++)
		rows(p, &of[i], NULL, ports, labels);
	for (size_t i = 0; i < array_len(lost); i++)
		rows(p, &lost[i], NULL, below, labels);
}

static void print_clients(const struct page *p, const struct metrics *m)
{
	static const struct label client[2] = { { "client", "ip" } }, reason[2] = { { "reason", "reason" } };
	static const struct family open = { "postern_client_open", "gauge", "state", "Whether its rules are in force." };
	static const struct family attached = { "postern_client_attached", "gauge", "attached", "Whether it has a port." };
	static const struct family rules = { "postern_client_rules", "gauge", "rules", "Its rules." };
	static const struct family generation = { "postern_client_generation", "gauge", "generation",
						  "Of its rule set; grows with every change." };
	static const struct family drops = { "postern_drops", "counter", "count", "Packets that ended here, by reason." };
	rows(p, &open, "open", m->clients, client);
	rows(p, &attached, "yes", m->clients, client);
	rows(p, &rules, NULL, m->clients, client);
	rows(p, &generation, NULL, m->clients, client);
	rows(p, &drops, NULL, m->drops, reason);
}

static void print_rules(const struct page *p, const json_t *rules)
{
	static const struct label labels[2] = { { "client", "client" }, { "rule", "id" } };
	static const struct family of[] = {
		{ "postern_rule_packets", "counter", "packets", "Packets that the rule let through, both ways." },
		{ "postern_rule_bytes", "counter", "bytes", "Their IP bytes." },
		{ "postern_rule_flows", "counter", "flows", "Flows that it admitted." },
		{ "postern_rule_refused_packets", "counter", "refused", "Packets that it refused." },
	};
	for (size_t i = 0; i < array_len(of); i++)
		rows(p, &of[i], NULL, rules, labels);
}

/* Counters whose names are the other side's business, as many as METRICS_ROWS_MAX. */
static void print_counters(const struct page *p, const char *name, const char *help, json_t *of)
{
	const char *key;
	json_t *value;
	size_t n = 0;
	if (!json_object_size(of))
		return;
	head(p, name, "unknown", help);
	json_object_foreach(of, key, value) {
		if (!json_is_integer(value) || n++ >= METRICS_ROWS_MAX)
			continue;
		json_t *word = json_string(key);
		fputs(name, p->to);
		label(p->to, "{", "counter", word);
		fprintf(p->to, "} %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
		json_decref(word);
	}
}

/* --- latency ------------------------------------------------------------------------- */

static const struct { uint64_t ns; const char *le; } bounds[] = {
	{ 250, "2.5e-07" }, { 500, "5e-07" }, { 1000, "1e-06" }, { 2500, "2.5e-06" }, { 5000, "5e-06" },
	{ 10000, "1e-05" }, { 25000, "2.5e-05" }, { 50000, "5e-05" }, { 100000, "0.0001" }, { 250000, "0.00025" },
	{ 1000000, "0.001" }, { 10000000, "0.01" }, { 100000000, "0.1" }, { 1000000000, "1.0" },
};

/*
 * Cumulative counts: a bucket counts where all of it lies within the bound. They are
 * stretched to the exact count, which halved buckets no longer add up to.
 */
static void print_histogram(const struct page *p, const char *labels, const struct histogram *h)
{
	uint64_t held = histogram_held(h), below = 0;
	uint32_t i = 0;
	for (size_t b = 0; b < array_len(bounds); b++) {
		for (; i < HISTOGRAM_BUCKETS && histogram_high(i) <= bounds[b].ns; i++)
			below += h->bucket[i];
		uint64_t n = held ? (uint64_t)((unsigned __int128)below * h->count / held) : 0;
		fprintf(p->to, "postern_latency_seconds_bucket{%s,le=\"%s\"} %llu\n", labels, bounds[b].le,
			(unsigned long long)n);
	}
	fprintf(p->to, "postern_latency_seconds_bucket{%s,le=\"+Inf\"} %llu\n", labels, (unsigned long long)h->count);
	fprintf(p->to, "postern_latency_seconds_sum{%s} %llu.%09llu\n", labels,
		(unsigned long long)(h->sum_ns / 1000000000), (unsigned long long)(h->sum_ns % 1000000000));
	fprintf(p->to, "postern_latency_seconds_count{%s} %llu\n", labels, (unsigned long long)h->count);
}

static void print_latency(const struct page *p, const struct latency_run *run)
{
	/* What is not of these is of a client or a rule, and would be without bound. */
	static const struct { const char *series, *labels; } known[] = {
		{ "up residence", "direction=\"up\",stage=\"residence\"" },
		{ "down residence", "direction=\"down\",stage=\"residence\"" },
		{ "any drop", "direction=\"any\",stage=\"drop\"" },
		{ "any answer", "direction=\"any\",stage=\"answer\"" },
		{ "any parse", "direction=\"any\",stage=\"parse\"" },
		{ "any lookup", "direction=\"any\",stage=\"lookup\"" },
		{ "any forward", "direction=\"any\",stage=\"forward\"" },
		{ "any publish", "direction=\"any\",stage=\"publish\"" },
		{ "any host-in", "direction=\"any\",stage=\"host-in\"" },
		{ "any host-out", "direction=\"any\",stage=\"host-out\"" },
	};
	bool begun = false;
	for (size_t i = 0; i < array_len(known); i++) {
		const struct latency_series *s = latency_run_find(run, known[i].series);
		if (!s)
			continue;
		if (!begun) {
			head(p, "postern_latency_seconds", "histogram", "How long packets stayed in the appliance.");
			if (p->format == METRICS_OPENMETRICS)
				fputs("# UNIT postern_latency_seconds seconds\n", p->to);
		}
		begun = true;
		print_histogram(p, known[i].labels, &s->total);
	}
}

/* "up residence 10.0.0.1", "any drop uplink": whose it is, and which way. */
static bool name_client(const char *series, char way[LATENCY_NAME_BYTES], const char **client)
{
	const char *stage = strchr(series, ' '), *rest = stage ? strchr(stage + 1, ' ') : NULL;
	if (!rest)
		return false;
	bool directed = strncmp(series, "any ", 4) != 0;
	snprintf(way, LATENCY_NAME_BYTES, "%.*s", (int)(directed ? stage - series : rest - stage - 1),
		 directed ? series : stage + 1);
	*client = rest + 1;
	return true;
}

static void print_client_latency(const struct page *p, const struct latency_run *run)
{
	static const struct { uint32_t ppm; const char *quantile; } point[] = { { 500000, "0.5" }, { 990000, "0.99" } };
	const char *name = "postern_client_latency_seconds", *client;
	char way[LATENCY_NAME_BYTES];
	size_t rows = 0;
	for (size_t i = 0; i < run->count && rows < METRICS_ROWS_MAX; i++) {
		const struct histogram *h = &run->series[i].total;
		if (!h->count || !name_client(run->series[i].name, way, &client))
			continue;
		if (!rows++) {
			head(p, name, "summary", "How long packets of a client port stayed in the appliance, since it started.");
			if (p->format == METRICS_OPENMETRICS)
				fprintf(p->to, "# UNIT %s seconds\n", name);
		}
		json_t *who = json_string(client), *what = json_string(way);
		for (size_t line = 0; line < array_len(point) + 2; line++) {
			bool quantile = line < array_len(point), sum = line == array_len(point);
			fprintf(p->to, "%s%s", name, quantile ? "" : sum ? "_sum" : "_count");
			label(p->to, "{", "client", who);
			label(p->to, ",", "way", what);
			if (quantile)
				fprintf(p->to, ",quantile=\"%s\"} %.9f\n", point[line].quantile,
					(double)histogram_quantile(h, point[line].ppm) / 1e9);
			else if (sum)
				fprintf(p->to, "} %llu.%09llu\n", (unsigned long long)(h->sum_ns / 1000000000),
					(unsigned long long)(h->sum_ns % 1000000000));
			else
				fprintf(p->to, "} %llu\n", (unsigned long long)h->count);
		}
		json_decref(who);
		json_decref(what);
	}
}

void metrics_print(FILE *to, const struct metrics *m, enum metrics_format format)
{
	const struct page p = { to, format };
	print_appliance(&p, m->appliance);
	print_ports(&p, m->ports, json_object_get(m->tender, "ports"));
	print_clients(&p, m);
	print_rules(&p, m->rules);
	print_counters(&p, "postern_platform", "The platform's counters under the appliance.", m->platform);
	print_counters(&p, "postern_tender", "The tender's counters.", m->tender);
	print_latency(&p, &m->latency);
	print_client_latency(&p, &m->by_client);
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", to);
}
