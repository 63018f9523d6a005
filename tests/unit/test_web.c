/* links: tools/web_flows.c tools/web_history.c tools/web_latency.c tools/web_rules.c tools/web_events.c tools/web_ask.c tools/controlclient.c tools/latency_run.c tools/latency_file.c tools/columns.c netstack/histogram.c */
// SPDX-License-Identifier: ISC
/* test_web.c: the differences, picks and bounds that the page is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "web_events.h"
#include "web_flows.h"
#include "web_history.h"
#include "web_rules.h"

enum { FLOWS = 400, ROUNDS = 40, SEED = 20261121 };

static uint32_t drawn;

static uint32_t draw(uint32_t below) /* a plain generator: the same numbers every time */
{
	drawn = drawn * 1664525u + 1013904223u;
	return (drawn >> 8) % below;
}

static json_t *parsed(char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, 0, &error);
	if (!document)
		fail_msg("%s\n%s", error.text, text);
	free(text);
	return document;
}

static json_int_t number(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

static const char *word(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

/* --- flows ------------------------------------------------------------------------ */

struct one {
	uint32_t client, port, bytes[4], idle;
	bool open;
};

static json_t *flow_json(const struct one *f)
{
	char client[32];
	snprintf(client, sizeof(client), "10.0.0.%u", f->client);
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "type", "flow",
			 "proto", "tcp", "src", client, "sport", (int)f->port, "dst", "192.0.2.1", "dport", 443, "nat_ip",
			 "10.9.9.9", "nat_port", (int)f->port, "state", "established", "client", client, "rule", 0, "idle_s",
			 (int)f->idle, "up_bytes", (int)f->bytes[0], "down_bytes", (int)f->bytes[1], "up_packets",
			 (int)f->bytes[2], "down_packets", (int)f->bytes[3]);
}

static void take_all(struct web_flows *to, const struct one *flow, int64_t taken_ms)
{
	*to = (struct web_flows){ .flow = NULL };
	for (size_t i = 0; i < FLOWS; i++) {
		json_t *object = flow[i].open ? flow_json(&flow[i]) : NULL;
		if (object)
			web_flows_take(to, object);
		json_decref(object);
	}
	to->taken_ms = taken_ms;
}

/* What a flow weighs, from the two pictures themselves. */
static int64_t weight(const struct one *old, const struct one *f, enum web_flow_order order, int64_t ms)
{
	int64_t sum = 0;
	switch (order) {
	case WEB_BY_RATE:
		for (size_t k = 0; k < 2; k++) {
			uint32_t was = old->open && old->bytes[k] <= f->bytes[k] ? old->bytes[k] : 0;
			sum += (int64_t)((double)(f->bytes[k] - was) * 1000 / (double)ms + 0.5);
		}
		return sum;
	case WEB_BY_BYTES: return (int64_t)f->bytes[0] + f->bytes[1];
	case WEB_BY_PACKETS: return (int64_t)f->bytes[2] + f->bytes[3];
	case WEB_BY_IDLE: return f->idle;
	case WEB_ORDERS: break;
	}
	return 0;
}

static void judge(const struct one *old, const struct one *now, const struct web_flows *f, enum web_flow_order order,
		  int64_t ms)
{
	char client[32] = "";
	uint32_t wanted = draw(4);
	size_t top = draw(30), len, matching = 0;
	if (wanted)
		snprintf(client, sizeof(client), "10.0.0.%u", wanted);
	json_t *d = parsed(web_flows_text(f, client, "", order, top, &len)), *list = json_object_get(d, "flows");
	int64_t least = INT64_MAX;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		size_t at = (size_t)number(o, "sport") - 1000;
		assert_true(!wanted || now[at].client == wanted);
		int64_t is = weight(&old[at], &now[at], order, ms);
		assert_true(is <= least);
		least = is;
		if (order == WEB_BY_RATE)
			assert_int_equal(number(o, "up_bytes_s") + number(o, "down_bytes_s"), is);
	}
	/* None that was left out is heavier. */
	size_t heavier = 0;
	for (size_t i = 0; i < FLOWS; i++) {
		if (!now[i].open || (wanted && now[i].client != wanted))
			continue;
		matching++;
		heavier += weight(&old[i], &now[i], order, ms) > least;
	}
	assert_int_equal(number(d, "matching"), matching);
	assert_int_equal(json_array_size(list), matching < top ? matching : top);
	assert_true(!json_array_size(list) || heavier < json_array_size(list));
	json_decref(d);
}

static void test_flows(void **state)
{
	static struct one old[FLOWS], now[FLOWS];
	struct web_flows before, after;
	(void)state;
	drawn = SEED;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < FLOWS; i++) {
			old[i] = now[i];
			now[i].client = 1 + (uint32_t)i % 3;
			now[i].port = 1000 + (uint32_t)i;
			now[i].idle = draw(100);
			if (draw(10) == 0) /* ends, or begins anew from nothing */
				now[i] = (struct one){ now[i].client, now[i].port, { 0 }, 0, !now[i].open };
			for (size_t k = 0; k < 4; k++)
				now[i].bytes[k] += draw(3) ? draw(100000) : 0;
		}
		take_all(&before, old, 5000);
		take_all(&after, now, 5000 + 1 + draw(3000));
		web_flows_rate(&after, &before);
		for (enum web_flow_order o = 0; o < WEB_ORDERS; o++)
			judge(old, now, &after, o, after.taken_ms - before.taken_ms);
		web_flows_free(&before);
		web_flows_free(&after);
	}
}

static void test_filter(void **state)
{
	static const struct { const char *filter; json_int_t matching; } cases[] = {
		{ "", 2 }, { "443", 2 }, { "10.0.0.1:1001", 1 }, { "ESTABLISHED tcp", 2 }, { "udp", 0 }, { "tcp udp", 0 },
		{ "  tcp ", 2 }, { "rule:0", 2 }, { "rule:1", 0 }, { "proto", 0 }, { "\"", 0 },
	};
	static const struct one flow[FLOWS] = { { 1, 1001, { 1 }, 0, true }, { 2, 1002, { 1 }, 0, true } };
	struct web_flows f;
	(void)state;
	take_all(&f, flow, 1);
	for (size_t i = 0; i < array_len(cases); i++) {
		size_t len;
		json_t *d = parsed(web_flows_text(&f, "", cases[i].filter, WEB_BY_RATE, 10, &len));
		if (number(d, "matching") != cases[i].matching)
			fail_msg("%s: %lld", cases[i].filter, (long long)number(d, "matching"));
		assert_null(json_object_get(json_array_get(json_object_get(d, "flows"), 0), "up_bytes_s"));
		json_decref(d);
	}
	web_flows_free(&f);
}

static void test_odd_flows(void **state)
{
	static char *const lines[] = {
		"{\"type\":\"flow\"}", "{\"type\":\"port\"}", "{\"x\":1}",
		"{\"type\":\"flow\",\"client\":{},\"src\":[1],\"up_bytes\":\"many\",\"proto\":\"\\\"<b>\"}",
	};
	struct web_flows f = { .flow = NULL }, none = { .flow = NULL };
	size_t len;
	(void)state;
	for (size_t i = 0; i < array_len(lines); i++) {
		json_t *o = json_loads(lines[i], 0, NULL);
		web_flows_take(&f, o);
		json_decref(o);
	}
	f.taken_ms = 2000;
	none.taken_ms = 1000;
	web_flows_rate(&f, &none);
	json_t *d = parsed(web_flows_text(&f, "", "", WEB_BY_RATE, 10, &len));
	assert_int_equal(number(d, "total"), 2);
	assert_int_equal(json_array_size(json_object_get(d, "flows")), 2);
	json_decref(d);
	web_flows_free(&f);
}

/* --- history ------------------------------------------------------------------------ */

static void look_at(struct web_look *l, int64_t taken_ms, int bytes, int drops, uint32_t packets)
{
	web_look_init(l);
	l->taken_ms = taken_ms;
	l->document = json_pack("{s:{s:i, s:i}, s:[{s:i, s:s, s:i, s:i, s:i, s:i, s:i}], s:[{s:s, s:i}]}", "appliance", "flows",
				3, "opened", bytes, "ports", "port", 1, "name", "a", "rx_bytes", bytes, "tx_bytes", 0,
				"rx_packets", 0, "tx_packets", 0, "drops", 0, "drops", "reason", "rule", "count", drops);
	struct latency_series *s = latency_run_add(&l->latency.whole, "up residence", LATENCY_MEASURED, 0);
	if (packets)
		histogram_record_many(&s->total, 1000, packets);
	s = latency_run_add(&l->latency.whole, "down residence", LATENCY_MEASURED, 0);
	if (packets)
		histogram_record_many(&s->total, 500000, packets);
}

static json_t *last_sample(const struct web_history *h)
{
	size_t len;
	json_t *d = parsed(web_history_text(h, h->next - 2, 1000, &len));
	json_t *sample = json_incref(json_array_get(json_object_get(d, "samples"), 0));
	assert_int_equal(json_array_size(json_object_get(d, "samples")), 1);
	json_decref(d);
	return sample;
}

/* Clients by what they sent in between, up and down together; one that is new, one that was reset, one that rests. */
static void test_clients_latency(void **state)
{
	enum { CLIENTS = WEB_LATENCY_CLIENTS + 8 };
	struct web_look a, b;
	(void)state;
	look_at(&a, 1000, 0, 0, 0);
	look_at(&b, 2000, 0, 0, 0);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		char name[64];
		snprintf(name, sizeof(name), "%s residence 10.0.0.%u", i % 2 ? "down" : "up", i);
		if (i != 3)
			histogram_record_many(&latency_run_add(&a.latency.clients, name, LATENCY_MEASURED, 0)->total, 1000, 5);
		histogram_record_many(&latency_run_add(&b.latency.clients, name, LATENCY_MEASURED, 0)->total, 1000,
				      i == 3 ? 60 : i == 5 ? 5 : i == 7 ? 2 : 6 + i);
	}
	struct latency_series *s = latency_run_add(&b.latency.clients, "down residence 10.0.0.2", LATENCY_MEASURED, 0);
	histogram_record_many(&s->total, 9000, 50);
	latency_run_add(&b.latency.clients, "any drop 10.0.0.2", LATENCY_PART, 0);
	json_t *all = web_latency_sample(&a.latency, &b.latency);
	assert_int_equal(number(json_object_get(all, "client 10.0.0.2"), "count"), 3 + 50);
	assert_true(number(json_object_get(all, "client 10.0.0.2"), "p50") >= 9000);
	assert_int_equal(number(json_object_get(all, "client 10.0.0.3"), "count"), 60);
	assert_null(json_object_get(all, "client 10.0.0.5"));
	assert_int_equal(number(json_object_get(all, "client 10.0.0.39"), "count"), 40);
	assert_null(json_object_get(all, "client 10.0.0.0")); /* the least of too many */
	assert_int_equal(json_object_size(all), WEB_LATENCY_CLIENTS);
	json_decref(all);
	json_t *d = web_latency_clients(&b.latency), *list = json_object_get(d, "clients");
	assert_int_equal(json_array_size(list), CLIENTS);
	json_t *second = json_array_get(list, 2), *ranks = json_object_get(second, "percentiles");
	assert_string_equal(json_string_value(json_object_get(second, "client")), "10.0.0.2");
	assert_int_equal(number(second, "count"), 8 + 50);
	assert_int_equal(number(second, "max_ns"), 9000);
	assert_true(json_is_true(json_object_get(json_array_get(ranks, 0), "reliable")));
	assert_true(json_is_false(json_object_get(json_array_get(ranks, 2), "reliable")));
	json_decref(d);
	web_look_free(&a);
	web_look_free(&b);
}

static void test_differences(void **state)
{
	struct web_history h;
	struct web_look a, b, none;
	(void)state;
	web_history_init(&h, 7);
	web_look_init(&none);
	look_at(&a, 1000, 5000, 4, 10);
	look_at(&b, 3000, 9000, 10, 110);
	web_history_add(&h, &a, &b, 99);
	json_t *s = last_sample(&h), *of = json_object_get(json_object_get(s, "latency"), "up residence");
	assert_int_equal(number(s, "seq"), 1);
	assert_int_equal(number(s, "time_ms"), 99);
	assert_int_equal(number(s, "span_ms"), 2000);
	assert_int_equal(number(s, "opened_s"), 2000);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(json_object_get(s, "ports"), "1"), 0)), 2000);
	assert_int_equal(number(json_object_get(s, "drops"), "rule"), 6);
	assert_int_equal(number(of, "count"), 100);
	assert_true(number(of, "p50") >= 1000 && number(of, "p50") <= 1032);
	assert_int_equal(number(json_object_get(json_object_get(s, "latency"), "passed"), "count"), 200);
	assert_true(number(json_object_get(json_object_get(s, "latency"), "passed"), "p99") >= 500000);
	json_t *row = json_array_get(json_object_get(of, "rows"), 0);
	assert_int_equal(json_integer_value(json_array_get(row, 0)), histogram_index(1000) / WEB_ROW_BUCKETS);
	assert_int_equal(json_integer_value(json_array_get(row, 1)), 100);
	json_decref(s);
	a.taken_ms = 4000;
	web_history_add(&h, &b, &a, 100); /* began anew: all that is counted is growth, and so is a latency that was reset */
	s = last_sample(&h);
	assert_int_equal(number(json_object_get(s, "drops"), "rule"), 4);
	json_decref(s);
	web_history_add(&h, &b, &b, 100); /* nothing moved, in no time */
	s = last_sample(&h);
	assert_true(json_is_true(json_object_get(s, "down")));
	json_decref(s);
	none.taken_ms = 4000;
	web_history_add(&h, &b, &none, 101);
	s = last_sample(&h);
	assert_true(json_is_true(json_object_get(s, "down")));
	json_decref(s);
	web_look_free(&a);
	web_look_free(&b);
	web_look_free(&none);
	web_history_free(&h);
}

static void test_history_is_bounded(void **state)
{
	struct web_history h;
	struct web_look a, b;
	size_t len;
	(void)state;
	web_history_init(&h, 7);
	look_at(&a, 1000, 0, 0, 0);
	look_at(&b, 2000, 9, 1, 1);
	for (int i = 1; i <= 3 * WEB_SAMPLES; i++)
		web_history_add(&h, &a, &b, i);
	static const struct { uint64_t since; size_t count; } cases[] = {
		{ 0, WEB_SAMPLES }, { 3 * WEB_SAMPLES, 0 }, { 3 * WEB_SAMPLES - 1, 1 }, { 2 * WEB_SAMPLES - 1, WEB_SAMPLES },
		{ 2 * WEB_SAMPLES, WEB_SAMPLES }, { 2 * WEB_SAMPLES + 1, WEB_SAMPLES - 1 }, { 9999999, WEB_SAMPLES },
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		json_t *d = parsed(web_history_text(&h, cases[i].since, 1000, &len)), *list = json_object_get(d, "samples");
		assert_int_equal(json_array_size(list), cases[i].count);
		if (cases[i].count)
			assert_int_equal(number(json_array_get(list, cases[i].count - 1), "seq"), 3 * WEB_SAMPLES);
		assert_int_equal(number(d, "newest"), 3 * WEB_SAMPLES);
		json_decref(d);
	}
	web_look_free(&a);
	web_look_free(&b);
	web_history_free(&h);
}

/* --- rules and events ----------------------------------------------------------------- */

static void rule(json_t *array, const char *type, const char *client, int n, int packets, int refused)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i}", "type", type, "client", client, "rule", n, "packets", packets,
			      "refused", refused);
	web_rules_take(array, o);
	json_decref(o);
}

static void test_rules(void **state)
{
	json_t *array = json_array();
	(void)state;
	rule(array, "rule", "a", 9, 1, 1);
	rule(array, "rule", "b", 0, 5, 0);
	rule(array, "accounts", "b", 0, 5, 0);
	rule(array, "again", "a", 0, 0, 0); /* what was told of a is void */
	rule(array, "rule", "a", 0, 0, 7);
	rule(array, "rule", "a", 1, 0, 0);
	json_t *d = web_rules_pick(array, "", false, 10), *list = json_object_get(d, "rules");
	assert_int_equal(number(d, "total"), 3);
	assert_int_equal(number(d, "unused"), 1);
	assert_string_equal(word(json_array_get(list, 0), "client"), "b");
	json_decref(d);
	d = web_rules_pick(array, "", true, 2);
	list = json_object_get(d, "rules");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(number(json_array_get(list, 0), "refused"), 7);
	assert_int_equal(number(json_array_get(list, 1), "packets"), 5);
	json_decref(d);
	d = web_rules_pick(array, "b", true, 2);
	assert_int_equal(number(d, "total"), 1);
	json_decref(d);
	json_decref(array);
}

static void event(struct web_events *e, int seq, const char *kind)
{
	json_t *o = json_pack("{s:s, s:i, s:I, s:s}", "type", "event", "seq", seq, "unix_ns", (json_int_t)1500000000, "kind", kind);
	web_events_take(e, o);
	json_decref(o);
}

static void test_events(void **state)
{
	struct web_events e = { .array = json_array(), .boot = "x", .next = 1 };
	(void)state;
	event(&e, 1, "start");
	for (int i = 2; i < 2000; i++)
		event(&e, i, i % 100 ? "drop" : "client");
	assert_int_equal(e.next, 2000);
	json_t *d = web_events_pick(&e, true, 1000), *list = json_object_get(d, "events");
	assert_int_equal(json_array_size(list), WEB_EVENTS_DROPS + 20); /* the flood did not wash the others away */
	assert_string_equal(word(json_array_get(list, 0), "kind"), "start");
	assert_string_equal(word(json_array_get(list, 0), "time"), "1970-01-01T00:00:01.500000Z");
	assert_int_equal(number(json_array_get(list, json_array_size(list) - 1), "seq"), 1999);
	json_decref(d);
	d = web_events_pick(&e, false, 5);
	list = json_object_get(d, "events");
	assert_int_equal(json_array_size(list), 5);
	assert_int_equal(number(json_array_get(list, 4), "seq"), 1900);
	json_decref(d);
	for (int i = 2000; i < 3000; i++)
		event(&e, i, "client");
	assert_int_equal(json_array_size(e.array), WEB_EVENTS_KEPT);
	json_t *head = json_pack("{s:s, s:s}", "type", "events", "boot", "another start");
	web_events_take(&e, head);
	json_decref(head);
	assert_int_equal(json_array_size(e.array), 0);
	web_events_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows), cmocka_unit_test(test_filter), cmocka_unit_test(test_odd_flows),
		cmocka_unit_test(test_differences), cmocka_unit_test(test_clients_latency),
		cmocka_unit_test(test_history_is_bounded), cmocka_unit_test(test_rules),
		cmocka_unit_test(test_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
