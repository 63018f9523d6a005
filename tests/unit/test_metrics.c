/* links: tools/metrics.c tools/metrics_gather.c tools/metrics_rules.c tools/web_rules.c tools/answer.c tools/columns.c tools/controlclient.c tools/latency_live.c tools/latency_run.c tools/latency_file.c netstack/text.c netstack/addr.c netstack/histogram.c */
// SPDX-License-Identifier: ISC
/* test_metrics.c: the page says what the answers said, whatever a peer puts into them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "metrics.h"
#include "verbs.h"

/* The tools' own, without the table of verbs behind it. */
int complain(enum verb_exit code, const char *format, ...)
{
	(void)format;
	return (int)code;
}

static char *printed(const struct metrics *m, enum metrics_format format)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	assert_non_null(to);
	metrics_print(to, m, format);
	fclose(to);
	return text;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in\n%s", part, text);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, part)); at++)
		n++;
	return n;
}

static void test_nobody(void **state)
{
	struct metrics m;
	(void)state;
	metrics_init(&m);
	char *text = printed(&m, METRICS_OPENMETRICS);
	assert_string_equal(text, "# HELP postern_up Whether the appliance answers.\n# TYPE postern_up gauge\n"
			    "postern_up 0\n# EOF\n");
	free(text);
	metrics_free(&m);
}

static void test_rows(void **state)
{
	struct metrics m;
	(void)state;
	metrics_init(&m);
	m.appliance = json_pack("{s:s, s:s, s:i, s:s}", "platform", "spt", "store", "synced", "flows", 7, "opened", "?");
	m.tender = json_pack("{s:i, s:s}", "calls", 5, "mode", "spt");
	json_array_append_new(m.clients, json_pack("{s:s, s:s, s:i, s:b}", "ip", "10.0.0.1", "state", "open", "rules", 3,
						   "attached", 1));
	json_array_append_new(m.clients, json_pack("{s:s, s:s, s:i, s:b}", "ip", "10.0.0.2", "state", "closed",
						   "generation", -1, "attached", 0));
	json_array_append_new(m.drops, json_pack("{s:s, s:i}", "reason", "a\"} 1\nb\\", "count", 9));
	char *text = printed(&m, METRICS_OPENMETRICS);
	has(text, "\npostern_up 1\n");
	has(text, "\npostern_appliance_info{platform=\"spt\"} 1\n");
	has(text, "\npostern_store_state{state=\"synced\"} 1\n");
	has(text, "\npostern_store_state{state=\"down\"} 0\n");
	has(text, "\npostern_flows 7\n");
	has(text, "# TYPE postern_flows_opened counter\npostern_flows_opened_total 0\n");
	has(text, "\npostern_client_open{client=\"10.0.0.1\"} 1\npostern_client_open{client=\"10.0.0.2\"} 0\n");
	has(text, "\npostern_client_attached{client=\"10.0.0.1\"} 1\npostern_client_attached{client=\"10.0.0.2\"} 0\n");
	has(text, "\npostern_client_rules{client=\"10.0.0.1\"} 3\n");
	has(text, "\npostern_client_generation{client=\"10.0.0.2\"} 0\n");
	has(text, "\npostern_drops_total{reason=\"a\\\"} 1?b\\\\\"} 9\n"); /* no way out of the label */
	has(text, "\npostern_tender{counter=\"calls\"} 5\n");
	assert_null(strstr(text, "mode"));
	assert_int_equal(count(text, "# EOF\n"), 1);
	free(text);
	text = printed(&m, METRICS_PLAIN);
	has(text, "# TYPE postern_flows_opened_total counter\npostern_flows_opened_total 0\n");
	has(text, "# TYPE postern_tender untyped\n");
	assert_null(strstr(text, "# EOF"));
	free(text);
	metrics_free(&m);
}

static void test_bounded(void **state)
{
	struct metrics m;
	(void)state;
	metrics_init(&m);
	for (int i = 0; i < 3 * METRICS_ROWS_MAX; i++)
		json_array_append_new(m.drops, json_pack("{s:i, s:i}", "reason", i, "count", 1));
	latency_run_add(&m.latency, "up residence 10.0.0.1", LATENCY_MEASURED, 0);
	char *text = printed(&m, METRICS_OPENMETRICS);
	assert_int_equal(count(text, "\npostern_drops_total{"), METRICS_ROWS_MAX);
	assert_null(strstr(text, "latency"));
	free(text);
	metrics_free(&m);
}

/* A rule with a label is always told, once for each client; of the others the busiest, and none without an id. */
static void test_rules(void **state)
{
	struct metrics m;
	json_t *rules = json_array();
	(void)state;
	metrics_init(&m);
	for (int i = 0; i < METRICS_BUSY_MAX + 9; i++) {
		char id[16];
		snprintf(id, sizeof(id), "r-%08x", (unsigned)i);
		json_array_append_new(rules, json_pack("{s:s, s:s, s:i, s:i, s:b}", "client", "10.0.0.1", "id", id, "packets",
						       i, "refused", 1, "labelled", 0));
	}
	json_array_append_new(rules, json_pack("{s:s, s:s, s:i}", "client", "10.0.0.1", "id", "", "packets", 1 << 30));
	for (int i = 0; i < 4; i++)
		json_array_append_new(rules, json_pack("{s:s, s:s, s:i, s:b}", "client", i < 2 ? "10.0.0.1" : "10.0.0.2",
						       "id", "web", "bytes", 60, "labelled", 1));
	metrics_pick_rules(&m, rules);
	json_decref(rules);
	char *text = printed(&m, METRICS_OPENMETRICS);
	assert_int_equal(count(text, "\npostern_rule_bytes_total{"), METRICS_BUSY_MAX + 2);
	has(text, "\npostern_rule_bytes_total{client=\"10.0.0.1\",rule=\"web\"} 60\n");
	has(text, "\npostern_rule_bytes_total{client=\"10.0.0.2\",rule=\"web\"} 60\n");
	has(text, "\npostern_rule_packets_total{client=\"10.0.0.1\",rule=\"r-00000048\"} 72\n");
	has(text, "\npostern_rule_refused_packets_total{client=\"10.0.0.1\",rule=\"r-00000009\"} 1\n");
	assert_null(strstr(text, "r-00000008"));
	free(text);
	metrics_free(&m);
}

static void test_histogram(void **state)
{
	struct metrics m;
	(void)state;
	metrics_init(&m);
	struct latency_series *s = latency_run_add(&m.latency, "up residence", LATENCY_MEASURED, 0);
	histogram_record_many(&s->total, 300, 3);
	histogram_record_many(&s->total, 1500, 5);
	histogram_record_many(&s->total, 2000000000, 2);
	char *text = printed(&m, METRICS_OPENMETRICS);
#define OF "{direction=\"up\",stage=\"residence\""
	has(text, "postern_latency_seconds_bucket" OF ",le=\"2.5e-07\"} 0\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"5e-07\"} 3\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"1e-06\"} 3\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"2.5e-06\"} 8\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"1.0\"} 8\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"+Inf\"} 10\n");
	has(text, "postern_latency_seconds_sum" OF "} 4.000008400\n");
	has(text, "postern_latency_seconds_count" OF "} 10\n");
	free(text);
	histogram_halve(&s->total); /* 2 + 3 + 1 are held for 10 */
	text = printed(&m, METRICS_OPENMETRICS);
	has(text, "postern_latency_seconds_bucket" OF ",le=\"5e-07\"} 3\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"1.0\"} 8\n");
	has(text, "postern_latency_seconds_bucket" OF ",le=\"+Inf\"} 10\n");
	free(text);
	metrics_free(&m);
}

static void test_client_latency(void **state)
{
	struct metrics m;
	(void)state;
	metrics_init(&m);
	histogram_record_many(&latency_run_add(&m.by_client, "up residence 10.0.0.1", LATENCY_MEASURED, 0)->total, 1000, 4);
	histogram_record_many(&latency_run_add(&m.by_client, "any drop uplink", LATENCY_PART, 0)->total, 3000000000, 1);
	latency_run_add(&m.by_client, "up residence 10.0.0.2", LATENCY_MEASURED, 0); /* nothing */
	latency_run_add(&m.by_client, "nonsense", LATENCY_MEASURED, 0);
	char *text = printed(&m, METRICS_OPENMETRICS);
	has(text, "# TYPE postern_client_latency_seconds summary\n");
	has(text, "postern_client_latency_seconds{client=\"10.0.0.1\",way=\"up\",quantile=\"0.5\"} 0.000001000\n");
	has(text, "postern_client_latency_seconds_count{client=\"10.0.0.1\",way=\"up\"} 4\n");
	has(text, "postern_client_latency_seconds_sum{client=\"uplink\",way=\"drop\"} 3.000000000\n");
	assert_int_equal(count(text, "_latency_seconds_count{"), 2);
	free(text);
	metrics_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody), cmocka_unit_test(test_rows),	cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_client_latency),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_histogram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
